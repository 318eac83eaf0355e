"""What a model is asked, to show that it still is what it was: steps, and what they read.

Its client names them. They work on tensors that nothing else uses, or that they only read
and whose contents do not count, so that the model may be asked whatever else it is doing.
"""

from __future__ import annotations

import hashlib
from contextlib import nullcontext
from typing import Any, Callable, ContextManager, Iterable, Iterator, Sequence

from .client_resources import ClientResources
from .sail_chip import ChipError
from .steps import Copy, Launch, Write
from .vendor_output import VendorOutput

Turn = Callable[[], ContextManager[Any]]


class Question:
    """What one model is asked, and what it answered."""

    def __init__(
        self,
        who: str,
        resources: ClientResources,
        model: int,
        steps: Iterable[Any],
        send_away: Callable[[], None],
    ) -> None:
        """``who`` is the model for people; its client's ``resources`` hold the steps' tensors.

        ``send_away`` parts from that client.
        """
        self.who = who
        self.resources = resources
        self.model = model
        self.send_away = send_away
        self.answer = b""
        self._groups = list(_groups(steps))

    @property
    def gone(self) -> bool:
        """Whether the model is no more, or its client."""
        return not self._groups

    def drop(self) -> None:
        """The model goes: nothing here holds it any longer."""
        self._groups.clear()

    def ask(self, output: VendorOutput, turn: Turn = nullcontext) -> bytes:
        """A digest of the answer; each launch, with what prepares it, has a turn of its own.

        ChipError, or what sail raises, where a launch fails.
        """
        digest = hashlib.blake2b()
        for number in range(len(self._groups)):
            with turn():
                self._do(number, output, digest)
        return digest.digest()

    def _do(self, number: int, output: VendorOutput, digest: Any) -> None:
        if self.gone:  # While this waited for its turn.
            return
        tensors = self.resources.tensors
        output.failures()  # What was printed before is not of these steps.
        for step in self._groups[number]:
            if isinstance(step, Write):
                tensors.upload(step.target, step.values)
            elif isinstance(step, Copy):
                tensors.copy(step.source, step.target)
            elif isinstance(step, Launch):
                for copy in step.before:
                    tensors.copy(copy.source, copy.target)
                tensors.launcher(step)()
            else:
                digest.update(tensors.download(step.source).tobytes())
        said = output.failures()
        if said:
            raise ChipError(" | ".join(said[-3:]))


def _groups(steps: Iterable[Any]) -> Iterator[list[Any]]:
    """The steps, cut behind each launch: what prepares a launch must not be parted from it."""
    group: list[Any] = []
    for step in steps:
        group.append(step)
        if isinstance(step, Launch):
            yield group
            group = []
    if group:
        yield group


def kept(steps: Sequence[Any]) -> list[Any]:
    """The steps with values of their own, whose bulk is its client's to use again."""
    return [
        Write(step.target, step.values.copy()) if isinstance(step, Write) else step
        for step in steps
    ]
