"""The Whisper engine: many languages by one network."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from voicemesh.errors import SettingsError
from voicemesh.language_tags import primary_language
from voicemesh.work_counter import WorkCounter
from voicemesh_asr.engines.pocketsphinx.contest import TextContest
from voicemesh_asr.engines.redecoding.recognizer import RedecodingRecognizer
from voicemesh_asr.engines.redecoding.session import CUT_FROM, Streaming
from voicemesh_asr.engines.redecoding.spelled_alike import SpelledAlike
from voicemesh_asr.engines.redecoding.transcription import Request, Transcribe
from voicemesh_asr.engines.whisper.network import WhisperNetwork
from voicemesh_asr.engines.whisper.settings import WhisperSettings
from voicemesh_asr.engines.whisper.simplified import Simplifier
from voicemesh_asr.engines.whisper.transcriber import LONGEST_PIECE, WhisperTranscriber
from voicemesh_asr.mel_spectrum import RATE_HERTZ


class WhisperEngine(RedecodingRecognizer):
    """The engine."""

    def __init__(self, config: WhisperSettings, folder: Path, languages: Sequence[str]) -> None:
        """``folder`` holds the model."""
        streaming = Streaming(
            RATE_HERTZ,
            # Where a piece is complete, the buffer is cut behind it.
            window=round(LONGEST_PIECE / CUT_FROM),
            every_ms=config.interim_every_ms,
            share=config.interim_share,
            keeps=False,
            stops_tell=False,
        )
        self._codes = tuple(dict.fromkeys(map(primary_language, languages)))
        self._takes_phrases = config.phrase_difference > 0 and "en" in self._codes
        super().__init__(
            "whisper",
            folder,
            languages,
            streaming,
            phrase_hints=self._takes_phrases,
            workers=config.workers,
            decodes_at_once=config.decodes_at_once,
            cores=config.cores,
        )
        self._config = config
        self._languages = tuple(languages)

    def load_network(self) -> Transcribe:
        """See RedecodingRecognizer; about a second."""
        config = self._config
        network = WhisperNetwork.load(
            self._folder, config.threads, config.decodes_at_once, config.shortest_window_s
        )
        self._check_languages(network)
        simplifier = Simplifier() if config.simplified and "zh" in self._codes else None
        hints = None
        if self._takes_phrases:
            hints = SpelledAlike(TextContest(), config.phrase_difference)
        transcriber = WhisperTranscriber(network, config, simplifier, hints)
        silence = np.zeros(RATE_HERTZ, np.int16)
        request = Request(silence, utterance=-1, begin=0, languages=self._codes)
        transcriber.transcribe(request, True, WorkCounter())
        return transcriber.transcribe

    def _check_languages(self, network: WhisperNetwork) -> None:
        for tag in self._languages:
            if not network.knows(primary_language(tag)):
                raise SettingsError(
                    f"the model in {self._folder} does not know {tag}; leave it out, or take a "
                    "model that does",
                    field="asr.whisper.languages" if self._config.languages else "mesh.languages",
                )
