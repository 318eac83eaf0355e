"""How a prompt is fed: what is reused, and in which launches the rest goes in.

Three kinds of launches feed tokens: a whole prefill (``block_i``), which begins at
position 0; a prefill with history (``block_kv_i``, or ``block_i`` itself), where the
model has it and as far as it reaches; and a decode step (``block_cache_i``) a token.
For a short rest the step is the cheapest, and for a short prompt as well, where a
prefill takes as long as for the longest.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

STEPS_OF_A_PREFILL = 16
"""Before anything is measured: MiniCPM-2B on BM1688 reads 512 tokens in 1.2 s and takes
77 ms a step."""


class Kind(Enum):
    """The nets that feed a piece. The values are metric labels."""

    WHOLE = "whole"
    HISTORY = "history"
    STEP = "step"


@dataclass(frozen=True)
class PromptPiece:
    """Tokens ``start`` to ``end - 1`` of the prompt, fed together."""

    kind: Kind
    start: int
    end: int


@dataclass(frozen=True)
class Reach:
    """What the nets can take."""

    piece: int
    """The most tokens of one prefill."""
    history: int
    """The most cached tokens that a prefill may follow; 0: it begins at position 0 only."""
    proportional: bool
    """Whether a prefill's time follows its length (dynamic nets)."""


@dataclass
class Pace:
    """How long launches took, as moving averages in seconds; 0: not measured yet."""

    step_s: float = 0.0
    piece_s: dict[Kind, float] = field(default_factory=dict)
    """Per launch of a static net, per token of a dynamic one."""

    @property
    def knows_whole_prompts(self) -> bool:
        """Whether it can tell what a prompt takes of which nothing is cached."""
        return self.step_s > 0 and self.piece_s.get(Kind.WHOLE, 0.0) > 0

    def took(self, piece: PromptPiece, proportional: bool, seconds: float) -> None:
        """Take a measurement."""
        if piece.kind is Kind.STEP:
            self.step_s = _average(self.step_s, seconds / (piece.end - piece.start))
            return
        share = seconds / (piece.end - piece.start) if proportional else seconds
        self.piece_s[piece.kind] = _average(self.piece_s.get(piece.kind, 0.0), share)

    def expected_s(self, piece: PromptPiece, proportional: bool) -> float:
        """The time that a piece will take.

        A prefill reads all weights, as a step does: it never takes less.
        """
        tokens = piece.end - piece.start
        if piece.kind is Kind.STEP:
            return tokens * self.step_s
        share = self.piece_s.get(piece.kind) or self.piece_s.get(Kind.WHOLE, 0.0)
        return max(self.step_s, share * tokens if proportional else share)


def plan(
    prompt: int, matched: int, reach: Reach, pace: Pace, steps_up_to: int | None = None
) -> list[PromptPiece]:
    """The pieces for a prompt of ``prompt`` tokens of which ``matched`` are cached.

    At least one token is fed, for the logits behind it. The first piece's start is
    the number of tokens reused. ``steps_up_to``: the longest rest that is fed token
    by token behind a cached beginning; None: as the measured pace says.
    """
    start = min(matched, prompt - 1)
    by_steps = [PromptPiece(Kind.STEP, start, prompt)]
    # Behind its reach a prefill reads cached tokens again, if it comes to new ones at all.
    first = min(start, reach.history)
    if first + reach.piece <= start:
        return by_steps
    by_prefill = _pieces(first, prompt, reach)
    if start == 0 and (steps_up_to is not None or not pace.knows_whole_prompts):
        return by_prefill
    if steps_up_to is None and not pace.step_s:
        steps_up_to = 1 if reach.history and reach.proportional else STEPS_OF_A_PREFILL
    if steps_up_to is not None:
        return by_steps if prompt - start <= steps_up_to else by_prefill
    return min(
        (by_steps, by_prefill),
        key=lambda pieces: sum(pace.expected_s(p, reach.proportional) for p in pieces),
    )


def _pieces(start: int, end: int, reach: Reach) -> list[PromptPiece]:
    """Prefills from ``start`` on as far as they reach, then steps.

    Only the prefill at position 0 needs no history.
    """
    pieces = [
        PromptPiece(Kind.HISTORY if at else Kind.WHOLE, at, min(at + reach.piece, end))
        for at in range(start, min(end, reach.history + 1), reach.piece)
    ]
    fed = pieces[-1].end
    return pieces if fed == end else [*pieces, PromptPiece(Kind.STEP, fed, end)]


def _average(before: float, now: float) -> float:
    """Exponential, over about the last four."""
    return now if before == 0 else 0.75 * before + 0.25 * now
