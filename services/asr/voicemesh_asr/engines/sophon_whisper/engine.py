"""The Whisper engine: files to the chip, speakers to the queue."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from voicemesh.errors import Busy, SettingsError
from voicemesh.language_tags import primary_language
from voicemesh.v1 import asr_pb2, common_pb2
from voicemesh.work_counter import WorkCounter
from voicemesh.workers import ThreadWorker
from voicemesh_asr.engines.engine import SessionOptions
from voicemesh_asr.engines.redecoding.jobs import JobQueue
from voicemesh_asr.engines.redecoding.session import Jobs, RedecodingSession, Streaming
from voicemesh_asr.engines.redecoding.transcription import Request as SpeechRequest
from voicemesh_asr.engines.sophon_whisper import metrics, self_test
from voicemesh_asr.engines.sophon_whisper.decoder import Decoder
from voicemesh_asr.engines.sophon_whisper.decoding import SearchOptions
from voicemesh_asr.engines.sophon_whisper.fixed_question import fixed_question
from voicemesh_asr.engines.sophon_whisper.graphs import WhisperGraphs
from voicemesh_asr.engines.sophon_whisper.model_files import (
    check_files,
    check_positions,
    read_positions,
)
from voicemesh_asr.engines.sophon_whisper.prompt import longest_previous
from voicemesh_asr.engines.sophon_whisper.settings import SophonWhisperSettings
from voicemesh_asr.engines.sophon_whisper.transcriber import (
    Request,
    Transcriber,
    Transcription,
)
from voicemesh_asr.engines.sophon_whisper.vocabulary import WhisperVocabulary
from voicemesh_asr.engines.whisper.fallback import Fallback
from voicemesh_asr.mel_spectrum import RATE_HERTZ
from voicemesh_sophon.client import Chip
from voicemesh_sophon.models.bmodel_paths import bmodels
from voicemesh_sophon.placing.placement import Placement

log = logging.getLogger(__name__)


class SophonWhisper:
    """The engine. One thread talks to the chip; speakers take turns."""

    rate_hertz = RATE_HERTZ

    def __init__(self, config: SophonWhisperSettings, placement: Placement) -> None:
        """Nothing is loaded before ``load``; SettingsError when a file is missing."""
        check_files(config)
        self._config = config
        self._placement = placement
        self.model = bmodels(config.model_files)[0].stem
        self.capabilities = asr_pb2.RecognizerCapabilities(
            languages=[common_pb2.Language(language_code=tag) for tag in config.languages],
            sample_rates_hertz=[self.rate_hertz],
            interim_results=True,
            punctuation=True,
            max_concurrent_streams=config.workers,
        )
        self._worker = ThreadWorker("whisper")
        self._chip: Chip | None = None
        self._jobs: Jobs | None = None
        self._speakers = 0

    async def load(self) -> None:
        """Load the bmodels and try every graph; a few seconds."""
        self._final, self._interim = await self._worker.run(self._load)
        self._jobs = JobQueue((self._worker,), self._transcribe)
        self._jobs.start()

    def _load(self) -> tuple[Transcriber, Transcriber]:
        config = self._config
        self._chip = Chip.open(self._placement)
        assert config.positions_file is not None, "check_files has seen to it"
        table = read_positions(config.positions_file)
        final = self._transcriber(config.model_files, table)
        if not config.interim_model_files:
            return final, final
        return final, self._transcriber(config.interim_model_files, table)

    def _transcriber(self, files: Sequence[Path], table: NDArray[np.float32]) -> Transcriber:
        """Load one set, check it, and try it."""
        config = self._config
        assert self._chip is not None, "the chip is open"
        assert config.positions_file is not None, "check_files has seen to it"
        assert config.vocabulary_file is not None, "check_files has seen to it"
        files = bmodels(files)
        model = self._chip.load(*files, checked=True)
        graphs = WhisperGraphs(model)
        d = graphs.dimensions
        check_positions(table, config.positions_file, d)
        vocabulary = WhisperVocabulary.read(config.vocabulary_file, d.vocabulary)
        self._check_settings(vocabulary, d.rows, d.pad)
        decoder = Decoder(self._chip, graphs, table)
        self_test.run_all_graphs(decoder, vocabulary)
        in_place = self._cache_update(decoder)
        question = fixed_question(self._chip, graphs, table, vocabulary, in_place)
        self._chip.check(model, question)
        log.info(
            "whisper from %s: %s; caches %s; simulated: %s",
            files[0].name,
            d,
            "in place" if in_place else "in two sets",
            self._chip.simulated,
        )
        return Transcriber(
            decoder,
            vocabulary,
            SearchOptions(
                rows=d.rows,
                pad=d.pad,
                positions=len(table),
                beams=config.beams or d.rows,
                patience=config.patience,
                length_penalty=config.length_penalty,
            ),
            Fallback(
                config.compression_ratio_threshold,
                config.log_probability_threshold,
                config.no_speech_threshold,
            ),
            translate=config.task == "translate",
            initial_prompt=tuple(self._initial_prompt(vocabulary)),
            previous_tokens=min(config.previous_tokens, longest_previous(d.pad)),
        )

    def _cache_update(self, decoder: Decoder) -> bool:
        wanted = self._config.cache_update
        if wanted == "auto":
            in_place = self_test.updates_in_place(decoder)
        else:
            self_test.check_reordering(decoder)
            in_place = wanted == "in_place"
        decoder.settle(in_place)
        return in_place

    def _initial_prompt(self, vocabulary: WhisperVocabulary) -> list[int]:
        prompt = self._config.initial_prompt.strip()
        return vocabulary.encode(f" {prompt}") if prompt else []

    def _check_settings(self, vocabulary: WhisperVocabulary, rows: int, pad: int) -> None:
        if self._config.beams > rows:
            raise SettingsError(
                f"{self._config.beams} beams are more than the {rows} that the bmodels were "
                "compiled for; lower it or give another set",
                field="asr.sophon_whisper.beams",
            )
        length = len(self._initial_prompt(vocabulary))
        if length > longest_previous(pad):
            raise SettingsError(
                f"the prompt has {length} tokens, but {longest_previous(pad)} is all that a set "
                f"with a pad of {pad} has room for; shorten it or use a set with a larger pad",
                field="asr.sophon_whisper.initial_prompt",
            )
        for tag in self._config.languages:
            if primary_language(tag) not in vocabulary.languages:
                raise SettingsError(
                    f"this model does not know {tag}; only large-v3 and newer do",
                    field="asr.sophon_whisper.languages",
                )

    def _transcribe(
        self, speech: SpeechRequest, is_final: bool, counter: WorkCounter
    ) -> Transcription:
        """In the worker's thread."""
        request = Request(
            samples=speech.samples,
            name=(speech.utterance, speech.begin),
            languages=speech.languages,
            temperatures=self._config.temperatures if is_final else (0.0,),
            stamps=self._config.timestamps or not is_final,
            previous=speech.previous,
        )
        transcriber = self._final if is_final else self._interim
        transcription = transcriber.transcribe(request, counter)
        _measure(transcription, is_final)
        return transcription

    async def open(self, options: SessionOptions) -> RedecodingSession:
        """Hear one more speaker; Busy when all places are taken."""
        assert self._jobs is not None, "load comes first"
        if self._speakers >= self._config.workers:
            raise Busy(
                f"all {self._config.workers} places are taken; "
                "raise asr.sophon_whisper.workers, or try again later",
                retry_after_ms=1000,
            )
        self._speakers += 1
        config = self._config
        streaming = Streaming(
            self.rate_hertz,
            window=min(self._final.window, self._interim.window),
            every_ms=config.interim_every_ms,
            guesses=config.interim_guesses,
            translated=config.task == "translate",
        )
        return RedecodingSession(streaming, options, self._jobs, self._leave)

    def _leave(self) -> None:
        self._speakers -= 1

    async def close(self) -> None:
        """Stop decoding and free the chip."""
        if self._jobs is not None:
            await self._jobs.close()
        chip, self._chip = self._chip, None
        if chip is not None:
            chip.close()  # Not in the worker, which a launch that hangs would hold.
        self._worker.close()


def _measure(transcription: Transcription, is_final: bool) -> None:
    for window in transcription.windows:
        decoded = window.decoded
        if window.encode_s:
            metrics.ENCODE.observe(window.encode_s)
        metrics.FIRST_TOKEN.observe(decoded.first_token_s)
        metrics.STEPS.observe(decoded.steps)
        if decoded.steps > 1:
            metrics.STEP.observe(decoded.steps_s / (decoded.steps - 1))
        metrics.WINDOWS.labels(f"{decoded.temperature:g}").inc()
        log.debug(
            "%s: encode %.0f ms, first token %.0f ms, %d steps in %.0f ms, temperature %g, "
            "no speech %.2f, log probability %.2f",
            "final" if is_final else "interim",
            window.encode_s * 1000,
            decoded.first_token_s * 1000,
            decoded.steps,
            decoded.steps_s * 1000,
            decoded.temperature,
            decoded.no_speech,
            decoded.average,
        )
