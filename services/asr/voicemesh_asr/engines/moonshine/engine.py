"""The Moonshine engine: one network, speakers take turns."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np

from voicemesh.errors import Busy, EngineMissing
from voicemesh.v1 import asr_pb2, common_pb2
from voicemesh.work_counter import WorkCounter
from voicemesh.workers import ThreadWorker
from voicemesh_asr.engines.engine import SessionOptions
from voicemesh_asr.engines.moonshine.network import RATE_HERTZ, MoonshineNetwork
from voicemesh_asr.engines.moonshine.settings import MODEL, MoonshineSettings
from voicemesh_asr.engines.moonshine.transcriber import (
    LANGUAGE,
    LONGEST_PIECE,
    MoonshineTranscriber,
)
from voicemesh_asr.engines.redecoding.jobs import JobQueue
from voicemesh_asr.engines.redecoding.session import CUT_FROM, Jobs, RedecodingSession, Streaming
from voicemesh_asr.engines.redecoding.transcription import Request

log = logging.getLogger(__name__)

_FIRST_MS = 600
"""Speech before the first interim text, a quarter of a second of which is what came before it:
of less the network makes an invented word."""
_WARM_UP_S = (1, 4)
"""Lengths of silence that are decoded at load: the first passes allocate memory."""


class Moonshine:
    """The engine. See Recognizer."""

    rate_hertz = RATE_HERTZ
    model = MODEL

    def __init__(self, config: MoonshineSettings, folder: Path) -> None:
        """Nothing is loaded before ``load``; EngineMissing where the model is not there."""
        if not folder.is_dir():
            raise EngineMissing(
                f"the model {folder} is missing; run `voicemesh models pull {MODEL}`, or set "
                "asr.moonshine.model to its folder"
            )
        self._config = config
        self._folder = folder
        self.capabilities = asr_pb2.RecognizerCapabilities(
            languages=[common_pb2.Language(language_code=LANGUAGE)],
            sample_rates_hertz=[self.rate_hertz],
            interim_results=True,
            punctuation=True,
            max_concurrent_streams=config.workers,
        )
        self._streaming = Streaming(
            self.rate_hertz,
            # Where a piece is complete, the buffer is cut behind it.
            window=round(LONGEST_PIECE / CUT_FROM),
            every_ms=config.interim_every_ms,
            first_ms=_FIRST_MS,
            keeps=False,
            share=config.interim_share,
        )
        self._threads = tuple(
            ThreadWorker(f"moonshine {number}") for number in range(config.decodes_at_once)
        )
        self._jobs: Jobs | None = None
        self._speakers = 0

    async def load(self) -> None:
        """Load the network and try it; about half a second."""
        transcriber = await self._threads[0].run(self._load)
        self._jobs = JobQueue(self._threads, transcriber.transcribe)
        self._jobs.start()

    def _load(self) -> MoonshineTranscriber:
        network = MoonshineNetwork.load(self._folder, self._config.threads)
        transcriber = MoonshineTranscriber(network)
        for seconds in _WARM_UP_S:
            silence = np.zeros(seconds * self.rate_hertz, np.int16)
            request = Request(silence, utterance=-1, begin=0, languages=(LANGUAGE,))
            transcriber.transcribe(request, True, WorkCounter())
        return transcriber

    async def open(self, options: SessionOptions) -> RedecodingSession:
        """Hear one more speaker; Busy when all places are taken."""
        assert self._jobs is not None, "load comes first"
        if self._speakers >= self._config.workers:
            raise Busy(
                f"all {self._config.workers} places are taken; "
                "raise asr.moonshine.workers, or try again later",
                retry_after_ms=1000,
            )
        self._speakers += 1
        return RedecodingSession(self._streaming, options, self._jobs, self._leave)

    def _leave(self) -> None:
        self._speakers -= 1

    async def close(self) -> None:
        """Stop decoding."""
        if self._jobs is not None:
            await self._jobs.close()
        for thread in self._threads:
            thread.close()
