"""A recorded conversation and its replay, turn by turn."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from voicemesh_evaluation.replay.script import ReplayScript
from voicemesh_evaluation.replay.turns import TurnOutline

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
    def equal(self) -> bool:
        """Whether the same words were understood and the turn ended in the same way."""
        one, other = self.recorded, self.replayed
        return (
            one is not None
            and other is not None
            and (one.transcript, one.question) == (other.transcript, other.question)
            and one.outcome == other.outcome
        )

    def rows(self) -> Iterator[tuple[str, str, str]]:
        """What is compared: its name, as recorded, as replayed."""
        one = self.recorded or TurnOutline(self.number)
        other = self.replayed or TurnOutline(self.number)
        yield "transcript", one.transcript, other.transcript
        yield "question", one.question, other.question
        yield "outcome", one.outcome or "(none)", other.outcome or "(none)"
        yield "begin, sample", _number(one.begin_sample), _number(other.begin_sample)
        yield "end, sample", _number(one.end_sample), _number(other.end_sample)
        yield "reply", one.reply_text, other.reply_text
        yield "reply, samples", str(one.reply_samples), str(other.reply_samples)
        yield "heard", one.heard_text, other.heard_text
        yield "error", one.error, other.error

    def timings(self) -> Iterator[str]:
        """When each step was reached, both ways, as lines."""
        one = self.recorded or TurnOutline(self.number)
        other = self.replayed or TurnOutline(self.number)
        for step in _STEPS:
            if step in one.timeline or step in other.timeline:
                before, now = _ms(one.timeline.get(step)), _ms(other.timeline.get(step))
                yield f"  {step:<22} {before:>8} → {now} ms"


def _number(value: int | None) -> str:
    return "" if value is None else str(value)


def _ms(value: float | None) -> str:
    return "never" if value is None else f"{value:.0f}"


class Comparison:
    """All turns of both."""

    def __init__(self, script: ReplayScript, replayed: Mapping[int, TurnOutline]) -> None:
        """Turns whose end is not in the recording cannot be compared."""
        compared = {turn.number: turn for turn in script.ended}
        unfinished = script.turns.keys() - compared.keys()
        numbers = sorted((compared.keys() | replayed.keys()) - unfinished)
        self._script = script
        self.turns = [TurnPair(compared.get(n), replayed.get(n)) for n in numbers]

    @property
    def equal(self) -> bool:
        """Whether all transcripts and outcomes are equal."""
        return all(turn.equal for turn in self.turns)

    def lines(self) -> Iterator[str]:
        """For a person: what is equal once, what differs both ways."""
        for note in self._script.notes:
            yield f"note: {note}"
        if not self._script.complete:
            yield "The recording breaks off before the conversation's end."
        for turn in self.turns:
            yield f"Turn {turn.number}: {'equal' if turn.equal else 'DIFFERENT'}"
            for name, recorded, replayed in turn.rows():
                if not recorded and not replayed:
                    continue
                if recorded == replayed:
                    yield f"  {name:<22} {recorded}"
                else:
                    yield f"≠ {name:<22} {recorded or '(nothing)'}"
                    yield f"  {'':<22} {replayed or '(nothing)'}"
            yield from turn.timings()
        different = sum(not turn.equal for turn in self.turns)
        yield (
            f"{different} of {len(self.turns)} turns differ in transcript or outcome."
            if different
            else f"{len(self.turns)} turns, all with the same transcript and outcome."
        )

    def as_json(self) -> dict[str, Any]:
        """Everything, for ``--json``."""
        return {
            "equal": self.equal,
            "complete": self._script.complete,
            "notes": self._script.notes,
            "turns": [
                {
                    "turn": turn.number,
                    "equal": turn.equal,
                    "recorded": turn.recorded.as_json() if turn.recorded else None,
                    "replayed": turn.replayed.as_json() if turn.replayed else None,
                }
                for turn in self.turns
            ],
        }
