"""Whether the models of a chip still answer as they did when they were loaded.

Some runtimes let models of one process write over each other, and tell nothing of it
(docs/sophon.md, "Faults of recent runtimes"). So an engine names a fixed question for each
model that it loads: steps on tensors that nothing else uses. It is asked as soon as it is
named, while nobody else has worked on the chip since the model was loaded, and the answer
is kept. From then on the models of the chip are asked again, and their answers compared bit
by bit:

* when a model comes. Where one answers otherwise since then, both are sent away and loaded
  again the other way round: the runtime's memory moves only when a model needs more than
  those before it. The newcomer is refused where the others spoil its answer, and where the
  other way round has been tried.
* when one goes, and now and then while nobody works. A model that answers otherwise then
  means that nothing on the chip can be trusted any more, and the owner ends.

Questions come and go, and are asked, in turns that hold the whole chip: nothing here needs
a lock.
"""

from __future__ import annotations

import sys
import threading
import time
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, Callable, ContextManager

from . import wire
from .scheduler import Scheduler
from .vendor_output import VendorOutput

if TYPE_CHECKING:  # Settings have their defaults from here, and need no numpy.
    from .client_resources import ClientResources
    from .fixed_question import Question, Turn

EVERY_S = 60.0
"""Seconds between two rounds. All questions of a chip together take it about 2 s (a prefill, a
token, a window of speech to write and one to read): 3 % of a minute in which nobody works."""
QUIET_S = 5.0
"""Seconds without a step of any service after which nobody works: the pauses in an answer, in
which a launch of a question would hold up the next word, are shorter."""
PRIORITY = len(wire.PRIORITIES) + 1
"""Behind everybody, the chip's condition too."""
FIRST_WITHIN_S = 60.0
"""How long a model that was disturbed waits for the one that is to be loaded before it. Longer
than most take to come back; where that one never does, this one is not kept waiting."""
_TRIES = 2
"""A memory that was written over stays wrong."""


class Disturbed(Exception):
    """A model and another one disturb each other; the message names both and the cure."""


class ModelChecks:
    """The questions of all models of a chip."""

    def __init__(
        self,
        scheduler: Scheduler,
        output: VendorOutput,
        cores: int,
        lost: Callable[[str], None],
    ) -> None:
        """``cores``: how many the chip has. ``lost`` is told why nothing is right any more."""
        self._scheduler = scheduler
        self._output = output
        self._all_cores = frozenset(range(cores))
        self._lost = lost
        self._questions: list[Question] = []
        self._refusals: dict[str, tuple[frozenset[str], str]] = {}
        """By model: beside which others it was refused, and in what words."""
        self._ended = threading.Event()
        self.right = 0
        """Answers that were as before."""
        self.refused = 0
        """Models that were refused."""
        self.reordered = 0
        """Models that were sent away, to be loaded again behind another."""
        self._behind: dict[str, tuple[str, float]] = {}
        """By model: the one that is to be loaded first, and until when it is waited for."""

    # In a turn of the caller's that holds the whole chip

    def look_up(self, who: str) -> None:
        """Disturbed, before it is loaded, where a model was refused and nothing has changed.

        A service that is refused tries again and again; loading would keep the others waiting
        each time. So does one that waits for another to be loaded first.
        """
        there = {question.who for question in self._questions}
        others, words = self._refusals.get(who, (frozenset(), ""))
        if words and others <= there:
            raise Disturbed(words)
        first, until = self._behind.get(who, ("", 0.0))
        if first and first not in there and time.monotonic() < until:
            raise Disturbed(f"{who} waits until {first} has been loaded, which disturbs it else")

    def take_in(self, who: str, service: str, question: Question | None) -> None:
        """A model has been loaded, and nobody else has worked since; None: it has no question.

        Disturbed where it cannot stay. It is to be unloaded then.
        """
        steady = question is not None and self._settle(question)
        others = list(self._questions)
        faults = [(other, fault) for other in others if (fault := self._fault(other))]
        for other, fault in faults:
            if self._behind.get(who, ("",))[0] == other.who:
                raise self._refusal(who, service, f"{other.who} {fault}")
        if faults:
            raise self._reorder(faults, who, waits=question is not None)
        if question is not None and steady:
            # The others' launches may have written where it lies.
            fault = self._fault(question) if others else ""
            if fault:
                raise self._refusal(who, service, f"it {fault}")
            self._questions.append(question)

    def forget(self, resources: ClientResources, model: int | None = None) -> None:
        """A client's model goes, or all of them do."""
        for question in list(self._questions):
            if question.resources is resources and model in (None, question.model):
                self._questions.remove(question)
                question.drop()
                self._refusals.clear()

    def look_after(self, what: str) -> None:
        """``what`` has happened to the chip's memory: the chip is lost where a model suffers."""
        for question in list(self._questions):
            fault = self._fault(question)
            if fault:
                self._lost(f"{question.who} {fault} {what}")
                return

    # In a thread of its own

    def keep_checking(self, every_s: float) -> None:
        """Ask all models every ``every_s`` seconds, when nobody works; until ``end``.

        0: never.
        """
        quiet_s = min(QUIET_S, every_s)
        while every_s and not self._ended.wait(every_s):
            for question in list(self._questions):
                while self._scheduler.idle_s(len(wire.PRIORITIES)) < quiet_s:
                    if self._ended.wait(quiet_s):
                        return
                fault = self._fault(question, self._turn)
                if fault:
                    self._lost(f"{question.who} {fault}")
                    return

    def end(self) -> None:
        """Ask no more."""
        self._ended.set()

    def _turn(self) -> ContextManager[Any]:
        return self._scheduler.turn(PRIORITY, self._all_cores, "a check of a model")

    def _reorder(self, faults: list[tuple[Question, str]], newcomer: str, waits: bool) -> Disturbed:
        """Send models away, to come back behind the newcomer, which they may have spoiled.

        ``waits``: not before the newcomer has come back.
        """
        words = (
            f"{' and '.join(f'{other.who} {fault}' for other, fault in faults)}, since {newcomer} "
            "was loaded: this runtime lets models of one process write over each other "
            f"(docs/sophon.md). All of them are to be loaded again, {newcomer} first"
        )
        print(words, file=sys.stderr)
        for other, _ in faults:
            self.reordered += 1
            if waits:
                self._behind[other.who] = newcomer, time.monotonic() + FIRST_WITHIN_S
            self.forget(other.resources)
            other.send_away()
        return Disturbed(words)

    def _settle(self, question: Question) -> bool:
        """Keep the answer; False where the model gives no two alike, and cannot be checked."""
        question.answer = question.ask(self._output)
        if question.ask(self._output) == question.answer:
            return True
        print(
            f"{question.who} does not answer the same question alike twice: whether other models "
            "disturb it cannot be told",
            file=sys.stderr,
        )
        question.drop()
        return False

    def _fault(self, question: Question, turn: Turn = nullcontext) -> str:
        """What is wrong with the answer, in words; empty: nothing is."""
        fault = ""
        for _ in range(_TRIES):
            if self._ended.is_set():
                return ""
            try:
                answer = question.ask(self._output, turn)
            except Exception as error:  # Whatever sail raises.
                fault = f"does not answer a fixed question any more ({error})"
            else:
                if question.gone:
                    return ""
                if answer == question.answer:
                    self.right += 1
                    return ""
                fault = "answers a fixed question otherwise than when it was loaded"
        return "" if question.gone else fault

    def _refusal(self, who: str, service: str, fault: str) -> Disturbed:
        others = frozenset(question.who for question in self._questions)
        words = (
            f"{who} cannot be on this chip together with {' and '.join(sorted(others))}: once it "
            f"was there, {fault}. This runtime lets models of one process write over each other; "
            f"give {service} a chip of its own (devices.{service}.chip), start the service with "
            "the largest model first, or use an older libsophon (docs/sophon.md)"
        )
        self._refusals[who] = (others, words)
        self.refused += 1
        return Disturbed(words)
