"""A recorded conversation and its replay, turn by turn."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from voicemesh.enums import short_name
from voicemesh.v1 import dialog_pb2
from voicemesh_evaluation.replay.script import ReplayScript
from voicemesh_evaluation.replay.turns import TurnOutline

REPLY = "reply"
COMPLETED = short_name(dialog_pb2.TurnOutcome, dialog_pb2.TURN_OUTCOME_COMPLETED)
_STEPS = ("endpoint", "llm_first_token", "first_piece", "tts_first_audio", "first_audio_sent")


@dataclass(frozen=True)
class TurnPair:
    """The same turn twice; None: it did not take place there."""

    recorded: TurnOutline | None
    replayed: TurnOutline | None

    @property
    def number(self) -> int:
        """The turn's number."""
        found = self.recorded or self.replayed
        assert found is not None
        return found.number

    @property
    def differences(self) -> Sequence[str]:
        """The names of what is not the same, the same words for the same sound."""
        if self.recorded is None:
            return ("not in the recording",)
        if self.replayed is None:
            return ("not in the replay",)
        return [name for name, one, other in self._words() if not _agree(name, one, other, self)]

    @property
    def shifts(self) -> Sequence[str]:
        """The names of places and lengths that differ, which load alone may change."""
        return [name for name, one, other in self._places() if one != other]

    @property
    def unfinished(self) -> bool:
        """Whether either reply was broken off: it may be, a little sooner or later."""
        return any(turn.outcome != COMPLETED for turn in self._outlines())

    def _outlines(self) -> tuple[TurnOutline, TurnOutline]:
        return self.recorded or TurnOutline(self.number), self.replayed or TurnOutline(self.number)

    def _words(self) -> Iterator[tuple[str, str, str]]:
        one, other = self._outlines()
        yield "transcript", one.transcript, other.transcript
        yield "question", one.question, other.question
        yield "outcome", one.outcome or "(none)", other.outcome or "(none)"
        yield REPLY, one.reply_text, other.reply_text
        yield "error", one.error, other.error

    def _places(self) -> Iterator[tuple[str, str, str]]:
        one, other = self._outlines()
        yield "begin, sample", _number(one.begin_sample), _number(other.begin_sample)
        yield "end, sample", _number(one.end_sample), _number(other.end_sample)
        yield "reply, samples", str(one.reply_samples), str(other.reply_samples)
        yield "heard", one.heard_text, other.heard_text

    def rows(self) -> Iterator[tuple[str, str, str]]:
        """What is compared: its name, as recorded, as replayed."""
        yield from self._words()
        yield from self._places()

    def timings(self) -> Iterator[str]:
        """When each step was reached, both ways, as lines."""
        one, other = self._outlines()
        for step in _STEPS:
            if step in one.timeline or step in other.timeline:
                before, now = _ms(one.timeline.get(step)), _ms(other.timeline.get(step))
                yield f"  {step:<22} {before:>8} → {now} ms"


def _agree(name: str, one: str, other: str, turn: TurnPair) -> bool:
    """Whether two texts are the same; of a reply that was broken off, as far as both go."""
    if name == REPLY and turn.unfinished:
        return one.startswith(other) or other.startswith(one)
    return one == other


def _number(value: int | None) -> str:
    return "" if value is None else str(value)


def _ms(value: float | None) -> str:
    return "never" if value is None else f"{value:.0f}"


class Comparison:
    """All turns of both."""

    def __init__(
        self,
        script: ReplayScript,
        replayed: Mapping[int, TurnOutline],
        ignored: Container[str] = (),
    ) -> None:
        """Turns whose end is not in the recording cannot be compared.

        ``ignored``: names of differences that do not count, such as REPLY.
        """
        compared = {turn.number: turn for turn in script.ended}
        unfinished = script.turns.keys() - compared.keys()
        numbers = sorted((compared.keys() | replayed.keys()) - unfinished)
        self._script = script
        self._ignored = ignored
        self.turns = [TurnPair(compared.get(n), replayed.get(n)) for n in numbers]

    def differences(self, turn: TurnPair) -> Sequence[str]:
        """The differences of a turn that count."""
        return [name for name in turn.differences if name not in self._ignored]

    @property
    def equal(self) -> bool:
        """Whether nothing that counts differs in any turn."""
        return not any(self.differences(turn) for turn in self.turns)

    def lines(self) -> Iterator[str]:
        """For a person: what is equal once, what differs both ways."""
        for note in self._script.notes:
            yield f"note: {note}"
        if not self._script.complete:
            yield "The recording breaks off before the conversation's end."
        for turn in self.turns:
            yield f"Turn {turn.number}: {self._verdict(turn)}"
            for name, recorded, replayed in turn.rows():
                if not recorded and not replayed:
                    continue
                if recorded == replayed:
                    yield f"  {name:<22} {recorded}"
                else:
                    yield f"≠ {name:<22} {recorded or '(nothing)'}"
                    yield f"  {'':<22} {replayed or '(nothing)'}"
            yield from turn.timings()
        yield self._summary()

    def _verdict(self, turn: TurnPair) -> str:
        differences = self.differences(turn)
        if differences:
            return f"DIFFERENT: {', '.join(differences)}"
        others = [name for name in turn.differences if name in self._ignored]
        apart = [*others, *turn.shifts]
        return f"equal but for {', '.join(apart)}" if apart else "equal"

    def _summary(self) -> str:
        counted = Counter(name for turn in self.turns for name in self.differences(turn))
        if not self.turns:
            return "The recording holds no turn that has ended: nothing was compared."
        if not counted:
            return f"{len(self.turns)} turns, all with the same words and outcome."
        different = sum(bool(self.differences(turn)) for turn in self.turns)
        names = ", ".join(f"{name} ({count})" for name, count in counted.items())
        return f"{different} of {len(self.turns)} turns differ: {names}."

    def as_json(self) -> dict[str, Any]:
        """Everything, for ``--json``."""
        return {
            "equal": self.equal,
            "complete": self._script.complete,
            "notes": self._script.notes,
            "turns": [
                {
                    "turn": turn.number,
                    "equal": not self.differences(turn),
                    "differences": list(self.differences(turn)),
                    "shifts": list(turn.shifts),
                    "recorded": turn.recorded.as_json() if turn.recorded else None,
                    "replayed": turn.replayed.as_json() if turn.replayed else None,
                }
                for turn in self.turns
            ],
        }
