"""The hostile client: a process of its own at the lowest priority, with the blocking gRPC.

grpc.aio hides how a stream ended from whoever writes at that moment; this one does not.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import grpc

from voicemesh.errors import ERROR_METADATA_KEY
from voicemesh.v1 import common_pb2
from voicemesh_evaluation.fuzz.methods import methods
from voicemesh_evaluation.fuzz.plans import Ending, Plan, make_plan

_THREADS = 4
_DEADLINE_S = 20.0
_MARGIN_S = 5.0
_OPTIONS = (
    ("grpc.use_local_subchannel_pool", 1),  # Each channel is a connection.
    ("grpc.enable_http_proxy", 0),
    ("grpc.max_send_message_length", -1),
)
_BAD = {"INTERNAL", "UNKNOWN"}


@dataclass
class Tally:
    """What came of the calls."""

    messages: int = 0
    by_status: Counter[str] = field(default_factory=Counter)
    hangs: int = 0
    faults: list[str] = field(default_factory=list)
    """Calls that ended as none may, in sentences."""


class Attack:
    """Calls one after the other, on some threads at once, until enough has been sent."""

    def __init__(self, seed: int, messages: int, targets: Mapping[str, str], rate: float) -> None:
        """``targets``: process to host:port; ``rate``: messages a second, at most."""
        self._seed = seed
        self._left = messages
        self._targets = targets
        self._methods = methods(list(targets))
        self._between_s = 1 / rate if rate else 0.0
        self._began_s = time.monotonic()
        self._numbers = count()
        self._lock = threading.Lock()
        self._channels: dict[str, grpc.Channel] = {}
        self.tally = Tally()

    def run(self) -> Tally:
        """Send them all."""
        threads = [threading.Thread(target=self._work) for _ in range(_THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for channel in self._channels.values():
            channel.close()
        return self.tally

    def _work(self) -> None:
        while self._left > 0:
            with self._lock:
                number = next(self._numbers)
            self.call(make_plan(self._seed, number, self._methods, self._targets["robot"]))

    def _take(self) -> bool:
        """Whether one more message may be sent."""
        with self._lock:
            if self._left <= 0:
                return False
            self._left -= 1
            self.tally.messages += 1
            due_s = self._began_s + self.tally.messages * self._between_s
        time.sleep(max(0.0, due_s - time.monotonic()))
        return True

    def _channel(self, process: str) -> grpc.Channel:
        with self._lock:
            if process not in self._channels:
                target = self._targets[process]
                self._channels[process] = grpc.insecure_channel(target, _OPTIONS)
            return self._channels[process]

    def call(self, plan: Plan) -> None:
        """Do one call and note how it ended."""
        storm = plan.ending is Ending.VANISHES
        channel = (
            grpc.insecure_channel(self._targets[plan.method.process], _OPTIONS)
            if storm
            else self._channel(plan.method.process)
        )
        began = time.monotonic()
        leaving = threading.Event()
        try:
            status, hung = self._talk(plan, channel, leaving)
        finally:
            leaving.set()
            if storm:
                channel.close()
        took_s = time.monotonic() - began
        hung = hung or took_s > _DEADLINE_S + _MARGIN_S
        with self._lock:
            self.tally.by_status[status.partition(":")[0]] += 1
            self.tally.hangs += hung
            if hung or status.partition(":")[0] in _BAD:
                end = f"{'hung, ' if hung else ''}{status} after {took_s:.1f} s"
                where = f"{plan.method.process} {plan.method.path}"
                self.tally.faults.append(f"call {plan.number}, {where}: {end}")

    def _talk(self, plan: Plan, channel: Any, leaving: threading.Event) -> tuple[str, bool]:
        """The status in which a call ends, and whether it should have ended before."""
        method = plan.method

        def requests() -> Iterator[bytes]:
            for raw in plan.messages:
                if leaving.is_set() or not self._take():
                    return
                yield raw
                leaving.wait(plan.pause_s)
            if plan.ending is Ending.WAITS:
                leaving.wait(_DEADLINE_S)

        call: Any
        if method.streams_requests:
            call = channel.stream_stream(method.path)(requests(), timeout=_DEADLINE_S)
        else:
            if not self._take():
                return "OK", False
            raw = plan.messages[0]
            if method.streams_responses:
                call = channel.unary_stream(method.path)(raw, timeout=_DEADLINE_S)
            else:
                call = channel.unary_unary(method.path).future(raw, timeout=_DEADLINE_S)
        if plan.ending is not Ending.READS_ON:
            leave = channel.close if plan.ending is Ending.VANISHES else call.cancel
            timer = threading.Timer(plan.patience_s + plan.pause_s * len(plan.messages), leave)
            timer.daemon = True
            timer.start()
        inner = ""
        try:
            for response in _responses(call, method.streams_responses):
                inner = inner or _internal_error(method.response, response)
        except (grpc.RpcError, grpc.FutureCancelledError):
            pass  # Its code is read below.
        except ValueError:
            return "CANCELLED", False  # The channel was closed under the call.
        finally:
            leaving.set()
        return self._status(call, inner, plan.ending is Ending.READS_ON)

    def _status(self, call: Any, inner: str, to_the_end: bool) -> tuple[str, bool]:
        if inner:
            return f"INTERNAL: told in the stream: {inner}", False
        code: str = call.code().name
        hung = False
        if code == "DEADLINE_EXCEEDED" and to_the_end:
            ours = {key for key, _ in call.trailing_metadata() or ()}
            hung = ERROR_METADATA_KEY not in ours
        return (f"{code}: {call.details()}" if code in _BAD or hung else code), hung


def _responses(call: Any, streams: bool) -> Iterator[bytes]:
    if streams:
        yield from call
    else:
        yield call.result()


def _internal_error(kind: Any, raw: bytes) -> str:
    """The text of an INTERNAL or ENGINE error that a stream told and lived on."""
    if "error" not in kind.DESCRIPTOR.fields_by_name:
        return ""
    response = kind.FromString(raw)
    error = getattr(response, "error", None)
    bad = (common_pb2.ERROR_CODE_INTERNAL, common_pb2.ERROR_CODE_ENGINE)
    if isinstance(error, common_pb2.ErrorDetail) and error.code in bad:
        return error.message or "no text"
    return ""


def main() -> int:
    """Run from ``fuzz.run``: the tally as JSON on standard output."""
    parser = argparse.ArgumentParser(prog="attack")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--messages", type=int, required=True)
    parser.add_argument("--targets", type=json.loads, required=True)
    parser.add_argument("--rate", type=float, required=True)
    parser.add_argument("--call", type=int, help="only this one, with what it sends")
    options = parser.parse_args()
    with suppress(OSError):
        os.nice(19)
    attack = Attack(options.seed, options.messages, options.targets, options.rate)
    if options.call is None:
        tally = attack.run()
    else:
        robot = options.targets["robot"]
        plan = make_plan(options.seed, options.call, methods(list(options.targets)), robot)
        sys.stderr.write(f"{plan}\n")
        attack.call(plan)
        tally = attack.tally
    json.dump(
        {
            "messages": tally.messages,
            "by_status": dict(sorted(tally.by_status.items())),
            "hangs": tally.hangs,
            "faults": tally.faults,
        },
        sys.stdout,
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
