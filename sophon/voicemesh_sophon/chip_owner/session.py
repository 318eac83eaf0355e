"""One client of the owner: its requests, one after the other, in a thread of its own."""

from __future__ import annotations

import mmap
import socket
import sys
from contextlib import ExitStack, nullcontext, suppress
from typing import Any, Callable, ContextManager, Dict, Tuple

from . import wire
from .chip_contents import Memory, Model, Refused
from .client_resources import ClientResources
from .fixed_question import Question, kept
from .model_checks import Disturbed
from .program_reader import ProgramReader
from .sail_chip import ChipError
from .shared_chip import SharedChip
from .step_reader import StepReader
from .step_runner import StepRunner
from .vendor_errors import explained

Answer = Tuple[Dict[str, Any], bytes]


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
        self._place = self._resources, cores, shared.chip.cores
        self._steps = StepReader(*self._place)
        self._all_cores = frozenset(range(shared.chip.cores))
        # Transfers go by the cores that the client computes on, so that nobody waits
        # for a launch of somebody that it shares no core with.
        self._own_cores = frozenset(cores) or self._all_cores
        self._runner = StepRunner(
            shared, service, self._priority, self._own_cores, self._resources.tensors
        )
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
                # While the client looks at the answer, and the chip is another's.
                with suppress(Exception):  # It is told when it is asked for.
                    self._steps.foresee()
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
        self._runner.part()
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
        self._runner.proofs.forget(number)

    def _tensor(self, header: dict[str, Any], payload: bytes) -> Answer:
        with self._turn(self._own_cores, "taking memory"):
            return _tensor_answer(
                *self._resources.allocate(header.get("shape"), header.get("dtype"))
            ), b""

    def _own(self, header: dict[str, Any], payload: bytes) -> Answer:
        fields = (header.get(name) for name in ("model", "net", "side", "index", "stage"))
        return _tensor_answer(*self._resources.own_memory(*fields)), b""

    def _prepare(self, header: dict[str, Any], payload: bytes) -> Answer:
        reader = ProgramReader(*self._place, header.get("positions"))
        # A turn: with some sails its launches need memory beside the client's.
        with self._turn(self._own_cores, "preparing a program"):
            program = reader.program(header.get("steps"), self._runner.binder.bind)
            program.foresee(0)
        return {"program": self._resources.keep(program)}, b""

    def _arena_view(self) -> memoryview:
        return memoryview(self._arena) if self._arena is not None else memoryview(b"")

    def _run(self, header: dict[str, Any], payload: bytes) -> Answer:
        arena = self._arena_view()
        todo = self._steps.read(header.get("steps"), payload, arena)
        return {}, self._runner.run(todo, arena, in_turn=self._alone is not None)

    _REQUESTS: dict[str, Callable[[Session, dict[str, Any], bytes], Answer]] = {
        "arena": _open_arena,
        "load": _load,
        "check": _check,
        "unload": _unload,
        "tensor": _tensor,
        "own": _own,
        "prepare": _prepare,
        "run": _run,
    }


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
