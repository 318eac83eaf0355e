"""Audio of any length to text, with the work on a shorter part of it used again.

Blocking; may be called from several threads.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from voicemesh.work_counter import WorkCounter
from voicemesh_asr.engines.moonshine.network import RATE_HERTZ, Decoded, MoonshineNetwork
from voicemesh_asr.engines.moonshine.revision import Piece, Revision
from voicemesh_asr.engines.redecoding.pieces import HeardPiece, PieceTranscription, hear_pieces
from voicemesh_asr.engines.redecoding.transcription import Request

LANGUAGE = "en"
LONGEST_PIECE = 12 * RATE_HERTZ
"""Samples that are decoded at once. The network is good to about 30 s, but what has to be
read again at the end of a turn should fit into the silence before it: 12 s are read in
about 0.15 s on a core."""


@dataclass(frozen=True)
class MoonshinePiece(HeardPiece):
    """A piece, and what its text was before anybody revised it."""

    written: Decoded


class MoonshineTranscriber:
    """The network, and those who look at its texts."""

    def __init__(self, network: MoonshineNetwork, revisions: Sequence[Revision] = ()) -> None:
        """``revisions`` see each text in this order."""
        self._network = network
        self._revisions = tuple(revisions)

    def transcribe(
        self, request: Request, is_final: bool, counter: WorkCounter
    ) -> PieceTranscription[MoonshinePiece]:
        """All of the audio; CancelledDecode where nobody wants it any more."""
        hear = partial(self._hear, request, is_final, counter)
        return PieceTranscription(hear_pieces(request, LONGEST_PIECE, RATE_HERTZ, hear), LANGUAGE)

    def _hear(
        self,
        request: Request,
        is_final: bool,
        counter: WorkCounter,
        begin: int,
        end: int,
        before: MoonshinePiece | None,
    ) -> MoonshinePiece:
        """``before``: what was heard of the piece's beginning, whose text is a good draft."""
        samples = request.samples[begin:end]
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
        return MoonshinePiece(
            begin, end, f" {text}" if text else "", taken.log_probabilities, written
        )
