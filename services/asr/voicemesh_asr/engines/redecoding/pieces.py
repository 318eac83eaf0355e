"""Long speech in pieces, so that what has to be decoded at once is bounded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from voicemesh.audio import Samples
from voicemesh_asr.engines.redecoding.transcription import Request, Segment

_FRAME_S = 0.02
_AROUND = 10
"""Frames over which the level is averaged: a breath between words."""
_LEAST_LEFT_S = 1.0
"""What is left behind a cut at least: of a breath a network makes a word."""


@dataclass(frozen=True)
class HeardPiece:
    """A piece of the audio and its text."""

    begin: int
    """Its first sample."""
    end: int
    """The sample after its last."""
    text: str
    """With a space before it, where its language writes one; empty: nothing was said."""
    log_probabilities: NDArray[np.float32]
    """Natural logarithms of the tokens' probabilities."""


PieceT = TypeVar("PieceT", bound=HeardPiece)


@dataclass(frozen=True)
class PieceTranscription(Generic[PieceT]):
    """See Transcription."""

    pieces: tuple[PieceT, ...]
    language: str

    @cached_property
    def segments(self) -> tuple[Segment, ...]:
        """A segment for each piece."""
        return tuple(Segment(piece.text, piece.begin, piece.end) for piece in self.pieces)

    @property
    def confidence(self) -> float:
        """The geometric mean of the tokens' probabilities; 0 without text."""
        said = [piece.log_probabilities for piece in self.pieces if piece.text]
        return float(np.exp(np.concatenate(said).mean())) if said else 0.0


def cuts(samples: Samples, longest: int, rate_hertz: int) -> list[int]:
    """The ends of all pieces of at most ``longest`` samples, the last one the samples' end.

    A piece ends where it is quietest in the second half of the longest piece, a second
    before its end at the latest. That depends on the audio before it alone: more audio
    does not move it.
    """
    ends: list[int] = []
    begin = 0
    while len(samples) - begin > longest:
        begin += _quietest(samples[begin : begin + longest], rate_hertz)
        ends.append(begin)
    return [*ends, len(samples)]


def _quietest(samples: Samples, rate_hertz: int) -> int:
    frame = round(_FRAME_S * rate_hertz)
    half = len(samples) // 2
    end = len(samples) - round(_LEAST_LEFT_S * rate_hertz)
    frames = samples[half : half + (end - half) // frame * frame].reshape(-1, frame)
    levels = np.square(frames.astype(np.float32)).mean(axis=1)
    smooth = np.convolve(levels, np.full(_AROUND, 1 / _AROUND), mode="valid")
    return half + (int(smooth.argmin()) + _AROUND // 2) * frame


def hear_pieces(
    request: Request,
    longest: int,
    rate_hertz: int,
    hear: Callable[[int, int, PieceT | None], PieceT],
) -> tuple[PieceT, ...]:
    """All pieces of a request's audio; those that are complete are heard once.

    ``hear(begin, end, before)`` hears some of the samples; ``before`` is what was heard of
    a shorter piece that begins there.
    """
    newest: PieceTranscription[PieceT] | None = request.newest
    known: Sequence[PieceT] = newest.pieces if newest is not None else ()
    before = {piece.begin: piece for piece in known}
    pieces: list[PieceT] = []
    begin = 0
    for end in cuts(request.samples, longest, rate_hertz):
        piece = before.get(begin)
        if piece is None or piece.end != end or end == len(request.samples):
            piece = hear(begin, end, piece)
        pieces.append(piece)
        begin = end
    return tuple(pieces)
