"""One PocketSphinx decoder and the utterance that it hears."""

from __future__ import annotations

import math
import re

from pocketsphinx import Decoder

from voicemesh_asr.engines.engine import HeardWord
from voicemesh_asr.engines.pocketsphinx.likeness import ScoredWord

FRAME_S = 0.01
_LOG_BASE = math.log(1.0001)
# The model's cepstral mean before it has heard anybody: every speaker starts here,
# so that results do not depend on who spoke before.
_FIRST_MEAN = "40,3,-1"
# Fillers of the acoustic model and pronunciation variants: "[NOISE]", "are(2)".
_NO_TEXT = re.compile(r"\(\d+\)|\[[^]]*]|<[^>]*>|\+\+[^+]*\+\+")


def _plain(text: str) -> str:
    return " ".join(_NO_TEXT.sub("", text).split())


class UtteranceDecoder:
    """A decoder, and whether it is in an utterance: it must be begun and ended by turns."""

    def __init__(self, decoder: Decoder) -> None:
        """``decoder`` hears nothing else."""
        self.decoder = decoder
        self.open = False
        """Whether an utterance is under way."""
        self._mean = decoder.get_cmn()

    def forget_speaker(self) -> None:
        """Another speaker: forget how the last one sounded."""
        self.decoder.set_cmn(_FIRST_MEAN)

    def begin(self) -> None:
        """An utterance begins."""
        self._mean = self.decoder.get_cmn()
        self.decoder.start_utt()
        self.open = True

    def feed(self, pcm: bytes) -> None:
        """More of the utterance, mono 16-bit samples at 16 kHz; nothing when none is open."""
        if self.open:
            self.decoder.process_raw(pcm)

    def end(self) -> None:
        """The utterance is over: what is found now says all of it to its end."""
        if self.open:
            self.decoder.end_utt()
            self.open = False

    def resume(self, pcm: bytes) -> None:
        """The ended utterance, ``pcm`` so far, goes on: hear it as the first time."""
        self.decoder.set_cmn(self._mean)
        self.begin()
        self.feed(pcm)

    def text(self) -> str:
        """What has been said."""
        found = self.decoder.hyp()
        return _plain(found.hypstr) if found else ""

    def scored(self) -> list[ScoredWord]:
        """The words and silences of :meth:`text` with their acoustic scores."""
        return [
            ScoredWord(
                s.word, s.start_frame, s.end_frame, math.log(max(s.ascore, 1e-300)) / _LOG_BASE
            )
            for s in self.decoder.seg() or ()
            if s.end_frame > s.start_frame
        ]

    def words(self, begin_s: float, confidence: float | None = None) -> tuple[HeardWord, ...]:
        """The words of :meth:`text`; the utterance began at ``begin_s``.

        ``confidence``: of every word; None: as the decoder gives it for each.
        """
        return tuple(
            HeardWord(
                _plain(segment.word),
                begin_s + segment.start_frame * FRAME_S,
                begin_s + (segment.end_frame + 1) * FRAME_S,
                min(1.0, float(segment.prob)) if confidence is None else confidence,
            )
            for segment in self.decoder.seg() or ()
            if _plain(segment.word) and segment.word != "(NULL)"
        )
