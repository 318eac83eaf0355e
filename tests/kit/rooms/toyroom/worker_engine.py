"""Engines that run in worker processes."""

import os
import signal
import threading
from collections.abc import Callable

from voicemesh.errors import Busy, EngineMissing

Emit = Callable[[int], bool]


class Counter:
    def __init__(self, config: dict[str, object]) -> None:
        self.config = config
        self.emitted = 0

    def add(self, a: int, b: int) -> int:
        return a + b

    def pid(self) -> int:
        return os.getpid()

    def get(self, key: str) -> object:
        return self.config[key]

    def boom(self) -> None:
        raise ValueError("bad luck")

    def refuse(self) -> None:
        raise Busy("come back", field="x.y", retry_after_ms=5)

    def die(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def count(self, n: int, *, emit: Emit) -> str:
        for i in range(n):
            if not emit(i):
                return "cut"
        return "done"

    def count_for_ever(self, *, emit: Emit) -> None:
        self.emitted = 0
        while emit(self.emitted):
            self.emitted += 1

    def count_on(self, more: int, *, emit: Emit) -> None:
        while emit(0):
            pass
        for _ in range(more):
            emit(0)

    def how_many(self) -> int:
        return self.emitted

    def count_then_die(self, *, emit: Emit) -> None:
        emit(1)
        self.die()

    def hang(self, *, emit: Emit) -> None:
        emit(0)
        threading.Event().wait()


def make(config: dict[str, object]) -> Counter:
    return Counter(config)


def fail(config: dict[str, object]) -> Counter:
    raise EngineMissing("no counter here; install one")


def crash(config: dict[str, object]) -> Counter:
    os._exit(3)
