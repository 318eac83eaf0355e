"""One client of the owner: its requests, one after the other, in a thread of its own."""

from __future__ import annotations

import mmap
import socket
import sys
import time
from contextlib import ExitStack, nullcontext, suppress
from typing import Any, Callable, ContextManager, Dict, Tuple

import numpy as np

from . import steps, wire
from .chip_contents import Memory, Model, Refused
from .client_resources import ClientResources
from .condition import Condition
from .counters import Counters
from .fixed_question import Question, kept
from .launch_proof import LaunchProof
from .model_checks import Disturbed, ModelChecks
from .sail_chip import KINDS, ChipError, SailChip
from .scheduler import Scheduler
from .vendor_errors import explained
from .vendor_output import VendorOutput

FAILURES_OF_A_LOST_CHIP = 3
"""Launches of networks that worked before, one after the other, by whomever."""

Answer = Tuple[Dict[str, Any], bytes]


class SharedChip:
    """The chip, and what all sessions share of it: scheduler, counters, output, checks."""

    def __init__(
        self, chip: SailChip, output: VendorOutput, lost: Callable[[str, str], None]
    ) -> None:
        """``lost`` is told cause and reason once the chip is lost; it ends the process."""
        self.chip = chip
        self.output = output
        self.lost = lost
        self.scheduler = Scheduler()
        self.counters = Counters()
        self.condition = Condition(chip, self.scheduler, output)
        self.checks = ModelChecks(
            self.scheduler, output, chip.cores, lambda why: lost("wrong_answers", why)
        )


class Session:
    """Serves the requests of a client that has been greeted, one after the other."""

    def __init__(
        self,
        sock: socket.socket,
        shared: SharedChip,
        service: str,
        cores: tuple[int, ...],
        memory_mb: int | None,
    ) -> None:
        """``cores`` and ``memory_mb``: those of its placement."""
        self.service = service
        self._socket = sock
        self._shared = shared
        self._priority = wire.PRIORITIES.index(service)
        self._arena: mmap.mmap | None = None
        self._resources = ClientResources(shared.chip, service, cores, memory_mb)
        self._proof = LaunchProof(self._resources)
        self._steps = steps.StepReader(self._resources, cores, shared.chip.cores)
        self._all_cores = frozenset(range(shared.chip.cores))
        # Transfers go by the cores that the client computes on, so that nobody waits
        # for a launch of somebody that it shares no core with.
        self._own_cores = frozenset(cores) or self._all_cores
        self._parted = False
        self._alone: ExitStack | None = None
        """The turn that lasts from a load to the naming of the model's question: whoever else
        worked meanwhile could spoil the answer that is kept."""

    def news(self) -> dict[str, Any]:
        """The client as watchers see it."""
        return {
            "service": self.service,
            "memory_bytes": self._resources.nbytes,
            "models": [
                file.path for m in list(self._resources.models.values()) for file in m.files
            ],
        }

    def serve(self) -> None:
        """Answer requests until the client goes; then free what it had."""
        try:
            while True:
                header, payload = wire.receive(self._socket)
                wire.send(self._socket, *self._answer(header, payload))
        except wire.Malformed as error:
            print(f"{self.service}: {error}; its connection is closed", file=sys.stderr)
            self._send_why(error)
        except wire.Gone:
            pass
        finally:
            with self._turn(self._all_cores, "freeing memory"):
                self._shared.checks.forget(self._resources)
                self._resources.release()
                self._shared.checks.look_after(f"since {self.service} has gone")
            self._let_others_go_on()
            if self._arena is not None:
                self._arena.close()

    def _turn(
        self, cores: frozenset[int], what: str, loading: bool = False
    ) -> ContextManager[float]:
        """Hold ``cores`` for what this client wants; yields the seconds that were waited."""
        if self._alone is not None:
            return nullcontext(0.0)
        whose = f"{self.service}: {what}"
        return self._shared.scheduler.turn(self._priority, cores, whose, loading)

    def _send_why(self, error: wire.Malformed) -> None:
        with suppress(wire.Gone, wire.Malformed, OSError):
            wire.send(self._socket, {"error": str(error), "kind": "protocol"})

    def _answer(self, header: dict[str, Any], payload: bytes) -> Answer:
        free = header.get("free", [])
        if not isinstance(free, list):
            raise wire.Malformed("what is to be freed is a list")
        for number in free:
            if isinstance(number, int):
                self._resources.free(number)
        op = header.get("op")
        answer = self._REQUESTS.get(op) if isinstance(op, str) else None
        if answer is None:
            raise wire.Malformed(f"{op!r} is no request")
        try:
            return answer(self, header, payload)
        except Refused as error:
            return {"error": str(error), "kind": "refused"}, b""
        except (ChipError, Disturbed) as error:
            return {"error": str(error), "kind": "chip"}, b""
        except (wire.Malformed, wire.Gone):
            raise
        except Exception as error:
            # Whatever sail raises: several kinds, not all of them its own.
            said = " | ".join([str(error), *self._shared.output.failures()])
            return {"error": f"{type(error).__name__}: {explained(said)}", "kind": "chip"}, b""

    def _open_arena(self, header: dict[str, Any], payload: bytes) -> Answer:
        size = header.get("bytes")
        if not isinstance(size, int):
            raise wire.Malformed("an arena has a size")
        fresh = wire.receive_arena(self._socket, size)
        if self._arena is not None:
            self._arena.close()
        self._arena = fresh
        return {}, b""

    def _load(self, header: dict[str, Any], payload: bytes) -> Answer:
        paths = header.get("files")
        if not (isinstance(paths, list) and all(isinstance(path, str) for path in paths)):
            raise wire.Malformed("files are a list of paths")
        who = self._who(paths)
        # Everybody else waits: sail does not let other threads go on while it loads.
        with ExitStack() as turn:
            turn.enter_context(self._turn(self._all_cores, f"loading {who}", loading=True))
            self._shared.checks.look_up(who)
            self._shared.output.failures()  # What was printed before is not of this load.
            try:
                number, model = self._resources.load(paths, header.get("own_io") is True)
            except (Refused, ChipError) as error:
                said = self._shared.output.failures()
                raise ChipError(explained(" | ".join([str(error), *said[-3:]]))) from error
            except Exception as error:
                why = explained(" | ".join([str(error), *self._shared.output.failures()[-3:]]))
                raise ChipError(f"{', '.join(paths)} cannot be loaded: {why}") from error
            if header.get("checked") is not True:
                self._take_in(number, who, None)
            elif self._alone is None:
                self._alone = turn.pop_all()
        return {"model": number, "nets": _nets(model)}, b""

    def _who(self, paths: list[str]) -> str:
        """A model in the owner's messages."""
        return f"{', '.join(paths)} ({self.service})"

    def _check(self, header: dict[str, Any], payload: bytes) -> Answer:
        """A model's fixed question is named: the answer is kept, and others may work again."""
        number = header.get("model", 0)
        try:
            with self._turn(self._all_cores, "a model's first answer", loading=True):
                model = self._resources.model(number)
                named = self._steps.read(header.get("steps"), payload, self._arena_view())
                who = self._who([file.path for file in model.files])
                question = Question(who, self._resources, number, kept(named), self._part)
                self._take_in(number, who, question)
        finally:
            self._let_others_go_on()
        return {}, b""

    def _take_in(self, number: int, who: str, question: Question | None) -> None:
        try:
            self._shared.checks.take_in(who, self.service, question)
        except Exception:
            self._drop(number)
            self._shared.checks.look_after(f"since {who} was loaded and refused")
            raise

    def _part(self) -> None:
        """Do no further step for this client; the thread that serves it frees what it has."""
        self._parted = True
        with suppress(OSError):  # It may have gone by itself.
            self._socket.shutdown(socket.SHUT_RDWR)

    def _let_others_go_on(self) -> None:
        alone, self._alone = self._alone, None
        if alone is not None:
            alone.close()

    def _unload(self, header: dict[str, Any], payload: bytes) -> Answer:
        with self._turn(self._all_cores, "unloading a model"):
            self._drop(header.get("model", 0))
            self._shared.checks.look_after(f"since a model of {self.service} was unloaded")
        return {}, b""

    def _drop(self, number: int) -> None:
        self._shared.checks.forget(self._resources, number)
        self._resources.unload(number)
        self._proof.forget(number)

    def _tensor(self, header: dict[str, Any], payload: bytes) -> Answer:
        with self._turn(self._own_cores, "taking memory"):
            return _tensor_answer(
                *self._resources.allocate(header.get("shape"), header.get("dtype"))
            ), b""

    def _own(self, header: dict[str, Any], payload: bytes) -> Answer:
        fields = (header.get(name) for name in ("model", "net", "side", "index", "stage"))
        return _tensor_answer(*self._resources.own_memory(*fields)), b""

    def _arena_view(self) -> memoryview:
        return memoryview(self._arena) if self._arena is not None else memoryview(b"")

    def _run(self, header: dict[str, Any], payload: bytes) -> Answer:
        arena = self._arena_view()
        todo = self._steps.read(header.get("steps"), payload, arena)
        answers: list[bytes] = []
        for step in todo:
            holds, what = self._own_cores, "a transfer"
            if isinstance(step, steps.Launch):
                holds, what = step.holds, f"a launch of {step.net.name}"
            with self._turn(holds, what) as waited_s:
                if self._parted:
                    raise wire.Gone("this client has been sent away")
                if isinstance(step, steps.Launch):
                    self._shared.counters.waited(self.service, waited_s)
                    self._launch(step)
                elif isinstance(step, steps.Write):
                    self._resources.upload(step.target, step.values)
                elif isinstance(step, steps.Read):
                    values = self._resources.download(step.source)
                elif isinstance(step, steps.Copy):
                    self._resources.copy(step.source, step.target)
                else:
                    self._resources.upload(step.target, _filled(step))
            if isinstance(step, steps.Read):
                raw = values.view(np.uint8)
                if step.arena:
                    arena[step.at : step.at + step.nbytes] = raw.data
                else:
                    answers.append(raw.tobytes())
        return {}, b"".join(answers)

    def _launch(self, step: steps.Launch) -> None:
        net = step.net.name
        for copy in step.before:
            self._resources.copy(copy.source, copy.target)
        pattern = self._proof.prepare(step.number, net, step.inputs, step.outputs)
        self._shared.output.failures()  # What was printed before is not of this launch.
        began = time.monotonic()
        try:
            self._resources.launch(
                step.model, step.net, step.inputs, step.outputs, list(step.cores)
            )
        except Exception as error:
            said = [str(error), *self._shared.output.failures()]
            raise self._failed(step, " | ".join(said)) from error
        seconds = time.monotonic() - began
        said = self._shared.output.failures()
        if said:
            raise self._failed(step, " | ".join(said))
        if not self._proof.check(pattern):
            raise self._failed(step, "its output was not written")
        self._proof.succeeded(step.number, net)
        self._shared.counters.launched(self.service, net, seconds)

    def _failed(self, step: steps.Launch, said: str) -> ChipError:
        path = step.model.paths[step.net.name]
        if self._proof.worked(step.number, step.net.name):
            in_a_row = self._shared.counters.failed(self.service)
            if in_a_row >= FAILURES_OF_A_LOST_CHIP:
                why = f"{in_a_row} launches failed one after the other; {said}"
                self._shared.lost("launch_failures", why)
        return ChipError(
            f"{path}: the launch of {step.net.name} failed: {explained(said)}; if it happens "
            "again, look at bm-smi and dmesg, and whether model, driver and sail belong together"
        )

    _REQUESTS: dict[str, Callable[[Session, dict[str, Any], bytes], Answer]] = {
        "arena": _open_arena,
        "load": _load,
        "check": _check,
        "unload": _unload,
        "tensor": _tensor,
        "own": _own,
        "run": _run,
    }


def _filled(step: steps.Fill) -> np.ndarray:
    place = step.target
    if place.dtype == "bfloat16":
        bits = np.float32(step.value).view(np.uint32)
        value = np.uint16((int(bits) + 0x7FFF + (int(bits) >> 16 & 1)) >> 16)
        return np.full(place.count, value)
    return np.full(place.count, step.value, KINDS[place.dtype][1])


def _tensor_answer(number: int, memory: Memory) -> dict[str, Any]:
    return {"tensor": number, "shape": list(memory.shape), "dtype": memory.dtype}


def _nets(model: Model) -> list[dict[str, Any]]:
    return [
        {
            "name": net.name,
            "file": model.paths[net.name],
            "dynamic": net.dynamic,
            "own_io": net.own_io,
            "cores": net.cores,
            "inputs": [[slot.name, slot.dtype, slot.stages] for slot in net.input_slots],
            "outputs": [[slot.name, slot.dtype, slot.stages] for slot in net.output_slots],
        }
        for net in model.nets.values()
    ]
