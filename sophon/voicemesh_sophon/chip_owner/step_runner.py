"""Runs the steps of one client: each in its turn, launches looked at for failures."""

from __future__ import annotations

import time
from typing import Any, Sequence

import numpy as np

from . import wire
from .chip_contents import Place
from .counters import Launched
from .launch_proof import EVERY_LAUNCHES, LaunchProof
from .launching import Aim, Binder, BoundLaunch
from .place_tensors import PlaceTensors
from .sail_chip import KINDS, ChipError
from .scheduler import Turns, WithinTurn
from .shared_chip import SharedChip
from .steps import Copy, Fill, Launch, Read, Write
from .vendor_errors import explained

FAILURES_OF_A_LOST_CHIP = 3
"""Launches of networks that worked before, one after the other, by whomever."""


class StepRunner:
    """Does what a client's requests ask for."""

    def __init__(
        self,
        shared: SharedChip,
        service: str,
        priority: int,
        cores: frozenset[int],
        tensors: PlaceTensors,
    ) -> None:
        """``cores``: those that its transfers hold."""
        self._shared = shared
        self._output = shared.output
        self._service = service
        self._priority = priority
        self._cores = cores
        self._tensors = tensors
        self._waits = shared.counters.waits(service)
        self._transfer = f"{service}: a transfer"
        self._position = 0
        """Of the program whose launches run now."""
        self._ended: list[Launched] = []
        """Launches that have ended well and are not counted yet."""
        self._others = True
        """Whether anything but launches may have printed since the output was looked at."""
        self._parted = False
        self.proofs = LaunchProof(tensors)
        self.binder = Binder(service, tensors, self.proofs, shared.counters)

    def run(self, steps: Sequence[Any], arena: memoryview, in_turn: bool) -> bytes:
        """Do the steps in order; what they read for the answer.

        ``in_turn``: the client holds the whole chip. Where a step fails, those before it have
        been done: ChipError, or whatever sail raises. Gone where the client was sent away.
        """
        turns = WithinTurn() if in_turn else Turns(self._shared.scheduler, self._priority)
        answers: list[bytes] = []
        self._others = True
        try:
            for step in steps:
                if isinstance(step, BoundLaunch):
                    waited_s = turns.begin(step.holds, step.what)
                    self._check_wanted()
                    self._launch(step, waited_s)
                elif isinstance(step, Launch):
                    what = f"{self._service}: a launch of {step.net.name}"
                    waited_s = turns.begin(step.holds, what)
                    self._check_wanted()
                    for copy in step.before:
                        self._tensors.copy(copy.source, copy.target)
                        self._others = True
                    self._launch(self.binder.bind(step), waited_s)
                elif isinstance(step, Aim):
                    step.take()
                    self._position = step.position
                else:
                    turns.begin(self._cores, self._transfer)
                    self._check_wanted()
                    self._move(step, arena, answers)
                    self._others = True
        finally:
            turns.end()
            self._count()
        return b"".join(answers)

    def part(self) -> None:
        """Do no further step; called from any thread."""
        self._parted = True

    def _check_wanted(self) -> None:
        if self._parted:
            raise wire.Gone("this client has been sent away")

    def _move(self, step: Any, arena: memoryview, answers: list[bytes]) -> None:
        if isinstance(step, Write):
            self._tensors.upload(step.target, step.values)
        elif isinstance(step, Copy):
            self._tensors.copy(step.source, step.target)
        elif isinstance(step, Fill):
            self._tensors.upload(step.target, _filled(step.target, step.value))
        elif isinstance(step, Read):
            raw = self._tensors.download(step.source).view(np.uint8)
            if step.arena:
                arena[step.at : step.at + step.nbytes] = raw.data
            else:
                answers.append(raw.tobytes())

    def _launch(self, bound: BoundLaunch, waited_s: float) -> None:
        """Run a launch in its turn."""
        output, proof = self._output, bound.proof
        if waited_s:
            self._count()  # Others have the chip between two launches: it is time to tell.
        pattern = None if proof.launches % EVERY_LAUNCHES else self._pattern(bound)
        if self._others:
            output.failures()  # What was printed before is not of this launch.
        began = time.monotonic()
        try:
            bound.run()
        except Exception as error:
            said = [str(error), *output.failures()]
            raise self._failed(bound, " | ".join(said), waited_s) from error
        seconds = time.monotonic() - began
        said = output.failures()
        if said:
            raise self._failed(bound, " | ".join(said), waited_s)
        if pattern is not None and not self.proofs.check(pattern):
            raise self._failed(bound, "its output was not written", waited_s)
        self._others = pattern is not None
        proof.launches += 1
        self._ended.append((bound.counts, seconds, waited_s))

    def _count(self) -> None:
        if self._ended:
            self._shared.counters.launched(self._waits, self._ended)
            self._ended.clear()

    def _pattern(self, bound: BoundLaunch) -> Place | None:
        self._others = True  # It is a transfer.
        launch = bound.launch.at(self._position)
        return self.proofs.prepare(launch.inputs, launch.outputs)

    def _failed(self, bound: BoundLaunch, said: str, waited_s: float) -> ChipError:
        self._count()
        counters, launch = self._shared.counters, bound.launch
        counters.waited(self._waits, waited_s)
        net = launch.net.name
        if bound.proof.launches:
            in_a_row = counters.failed(self._service)
            if in_a_row >= FAILURES_OF_A_LOST_CHIP:
                why = f"{in_a_row} launches failed one after the other; {said}"
                self._shared.lost("launch_failures", why)
        return ChipError(
            f"{launch.model.paths[net]}: the launch of {net} failed: {explained(said)}; if it "
            "happens again, look at bm-smi and dmesg, and whether model, driver and sail belong "
            "together"
        )


def _filled(place: Place, value: float) -> np.ndarray:
    if place.dtype == "bfloat16":
        bits = np.float32(value).view(np.uint32)
        half = np.uint16((int(bits) + 0x7FFF + (int(bits) >> 16 & 1)) >> 16)
        return np.full(place.count, half)
    return np.full(place.count, value, KINDS[place.dtype][1])
