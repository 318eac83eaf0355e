"""The Moonshine engine: English by one network."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from voicemesh.work_counter import WorkCounter
from voicemesh_asr.engines.moonshine.network import RATE_HERTZ, MoonshineNetwork
from voicemesh_asr.engines.moonshine.no_speech import NoSpeech, WithoutLoops
from voicemesh_asr.engines.moonshine.phrase_hints import PhraseHints
from voicemesh_asr.engines.moonshine.revision import Revision
from voicemesh_asr.engines.moonshine.second_reading import SecondReading
from voicemesh_asr.engines.moonshine.settings import MoonshineSettings
from voicemesh_asr.engines.moonshine.transcriber import (
    LANGUAGE,
    LONGEST_PIECE,
    MoonshineTranscriber,
)
from voicemesh_asr.engines.pocketsphinx.contest import TextContest
from voicemesh_asr.engines.redecoding.recognizer import RedecodingRecognizer
from voicemesh_asr.engines.redecoding.session import CUT_FROM, Streaming
from voicemesh_asr.engines.redecoding.transcription import Request, Transcribe

_FIRST_MS = 600
"""Speech before the first interim text, a quarter of a second of which is what came before it:
of less the network makes an invented word."""
_WARM_UP_S = (1, 4)
"""Lengths of silence that are decoded at load: the first passes allocate memory."""


class Moonshine(RedecodingRecognizer):
    """The engine."""

    def __init__(self, config: MoonshineSettings, folder: Path) -> None:
        """``folder`` holds the model."""
        streaming = Streaming(
            RATE_HERTZ,
            # Where a piece is complete, the buffer is cut behind it.
            window=round(LONGEST_PIECE / CUT_FROM),
            every_ms=config.interim_every_ms,
            first_ms=_FIRST_MS,
            share=config.interim_share,
            keeps=False,
            stops_tell=False,
        )
        super().__init__(
            "moonshine",
            folder,
            (LANGUAGE,),
            streaming,
            phrase_hints=config.phrase_margin > 0,
            workers=config.workers,
            decodes_at_once=config.decodes_at_once,
            cores=config.cores,
        )
        self._config = config

    def load_network(self) -> Transcribe:
        """See RedecodingRecognizer; about half a second."""
        network = MoonshineNetwork.load(self._folder, self._config.threads)
        transcriber = MoonshineTranscriber(network, revisions(self._config))
        for seconds in _WARM_UP_S:
            silence = np.zeros(seconds * RATE_HERTZ, np.int16)
            request = Request(silence, utterance=-1, begin=0, languages=(LANGUAGE,))
            transcriber.transcribe(request, True, WorkCounter())
        return transcriber.transcribe


def revisions(config: MoonshineSettings) -> tuple[Revision, ...]:
    """Who looks at each text, in this order: what is no speech is no phrase either."""
    without_loops = WithoutLoops()
    revisions: list[Revision] = [without_loops]
    if config.no_speech_threshold < 0:
        revisions.append(NoSpeech(config.no_speech_threshold))
    if config.phrase_margin == 0:
        return (*revisions, SecondReading(without_loops))
    hints = PhraseHints(config.phrase_margin, TextContest())
    return (*revisions, hints, SecondReading(without_loops, hints))
