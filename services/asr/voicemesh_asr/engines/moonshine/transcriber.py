"""Audio of any length to text, with the work on a shorter part of it used again.

Blocking; may be called from several threads.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from voicemesh.audio import Samples
from voicemesh.work_counter import WorkCounter
from voicemesh_asr.engines.moonshine.network import Decoded, MoonshineNetwork
from voicemesh_asr.engines.moonshine.pieces import cuts
from voicemesh_asr.engines.moonshine.revision import Piece, Revision
from voicemesh_asr.engines.redecoding.transcription import Request, Segment

LANGUAGE = "en"


@dataclass(frozen=True)
class HeardPiece:
    """A piece of the audio and its text."""

    begin: int
    """Its first sample."""
    end: int
    """The sample after its last."""
    written: Decoded
    """What the network wrote."""
    taken: Decoded
    """What was made of it."""
    text: str
    """``taken`` in letters, with a space before it."""


@dataclass(frozen=True)
class MoonshineTranscription:
    """See Transcription."""

    pieces: tuple[HeardPiece, ...]
    language: str = LANGUAGE

    @cached_property
    def segments(self) -> tuple[Segment, ...]:
        """A segment for each piece."""
        return tuple(Segment(piece.text, piece.begin, piece.end) for piece in self.pieces)

    @property
    def confidence(self) -> float:
        """The geometric mean of the tokens' probabilities; 0 without text."""
        said = [piece.taken.log_probabilities for piece in self.pieces if piece.text]
        return float(np.exp(np.concatenate(said).mean())) if said else 0.0


class MoonshineTranscriber:
    """The network, and those who look at its texts."""

    def __init__(self, network: MoonshineNetwork, revisions: Sequence[Revision] = ()) -> None:
        """``revisions`` see each text in this order."""
        self._network = network
        self._revisions = tuple(revisions)

    def transcribe(
        self, request: Request, is_final: bool, counter: WorkCounter
    ) -> MoonshineTranscription:
        """All of the audio; CancelledDecode where nobody wants it any more."""
        newest: MoonshineTranscription | None = request.newest
        before = {piece.begin: piece for piece in newest.pieces} if newest else {}
        pieces: list[HeardPiece] = []
        begin = 0
        for end in cuts(request.samples):
            known = before.get(begin)
            if known is None or known.end != end or end == len(request.samples):
                known = self._hear(request, begin, end, is_final, known, counter)
            pieces.append(known)
            begin = end
        return MoonshineTranscription(tuple(pieces))

    def _hear(
        self,
        request: Request,
        begin: int,
        end: int,
        is_final: bool,
        before: HeardPiece | None,
        counter: WorkCounter,
    ) -> HeardPiece:
        """``before``: what was heard of the piece's beginning."""
        samples: Samples = request.samples[begin:end]
        is_last = end == len(request.samples)
        encoded = self._network.encode(samples, counter)
        draft = before.written.tokens if before is not None else ()
        written = taken = self._network.decode(encoded, draft, counter)
        piece = Piece(
            samples,
            encoded,
            is_final=is_final or not is_last,
            is_whole=is_last and begin == request.begin == 0,
            phrases=request.phrases,
            counter=counter,
        )
        for revision in self._revisions:
            taken = revision.revise(self._network, piece, taken)
        text = self._network.text(taken)
        return HeardPiece(begin, end, written, taken, f" {text}" if text else "")
