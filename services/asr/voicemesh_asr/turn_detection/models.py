"""The optional models of turn detection, as settings choose them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from voicemesh.cores import OnCores
from voicemesh.engine_choices import meant_engine
from voicemesh.errors import EngineMissing
from voicemesh.settings import Settings, engine_config
from voicemesh.workers import ThreadWorker
from voicemesh_asr.entry_point_groups import (
    PUNCTUATION_MODELS,
    TURN_LANGUAGE_MODELS,
    TURN_MODELS,
)
from voicemesh_asr.settings import AsrSettings
from voicemesh_asr.turn_detection.completeness.english_evidence import EnglishEvidence
from voicemesh_asr.turn_detection.completeness.judgement import TextEvidence
from voicemesh_asr.turn_detection.punctuation_model import PunctuationModel
from voicemesh_asr.turn_detection.shared_model import SharedModel
from voicemesh_asr.turn_detection.turn_audio import TurnAudio
from voicemesh_asr.turn_detection.turn_language_model import TurnLanguageModel
from voicemesh_asr.turn_detection.turn_model import TurnModel

log = logging.getLogger(__name__)

# The languages that a language model has anything to say of, and who makes evidence of it.
_EVIDENCE: Mapping[str, Callable[[TurnLanguageModel], TextEvidence]] = {"en": EnglishEvidence}


def _judge_silence(model: TurnModel) -> None:
    model.complete(np.zeros(model.window_samples, dtype=np.int16))


def _judge_text(model: PunctuationModel) -> None:
    model.judge("hello")


class TurnModels:
    """An audio, a punctuation and a language model, each where it is chosen."""

    def __init__(self, settings: Settings) -> None:
        """SettingsError where a name is not installed; nothing is loaded yet."""
        self._settings = settings
        self.audio: SharedModel[TurnModel] | None = None
        self.punctuation: SharedModel[PunctuationModel] | None = None
        self.evidence: TextEvidence | None = None
        """What the language model knows of texts; None: no model, or not loaded."""
        self._make_language_model: Callable[[], TurnLanguageModel] | None = None
        asr = settings.section("asr", AsrSettings)
        if asr.turn_language_model:
            self._make_language_model, _ = self._chosen(
                TURN_LANGUAGE_MODELS, asr.turn_language_model, "asr.turn_language_model"
            )
        if asr.turn_model:
            make, cores = self._chosen(TURN_MODELS, asr.turn_model, "asr.turn_model")
            self.audio = SharedModel("turn model", make, _judge_silence, cores)
        if asr.punctuation_model:
            make, cores = self._chosen(
                PUNCTUATION_MODELS, asr.punctuation_model, "asr.punctuation_model"
            )
            self.punctuation = SharedModel("punctuation model", make, _judge_text, cores)

    def _chosen(self, group: str, name: str, path: str) -> tuple[Callable[[], Any], Sequence[int]]:
        """What loads the model that a setting names, and the cores that it works on."""
        spec = meant_engine(group, name, path, self._settings)
        config = engine_config(self._settings.section("asr", AsrSettings), spec)
        cores = config.cores if isinstance(config, OnCores) else ()
        return partial(spec.make, config, None, self._settings), cores

    async def load(self) -> None:
        """Load what is chosen; raises why it cannot be."""
        for model in (self.audio, self.punctuation):
            if model is not None:
                await model.load()
        if self._make_language_model is not None and self.evidence is None:
            self.evidence = await self._load_evidence(self._make_language_model)

    async def _load_evidence(self, make: Callable[[], TurnLanguageModel]) -> TextEvidence | None:
        worker = ThreadWorker("turn language model")
        try:
            model = await worker.run(make)
        except EngineMissing as missing:
            log.warning("ends of turns are judged by rules alone: %s", missing.message)
            return None
        finally:
            worker.close()
        make_evidence = _EVIDENCE.get(model.language)
        return None if make_evidence is None else make_evidence(model)

    def turn_audio(self, rate_hertz: int) -> TurnAudio | None:
        """The audio model for one speaker, heard at ``rate_hertz``; None without a model."""
        return None if self.audio is None else TurnAudio(self.audio, rate_hertz)

    def close(self) -> None:
        """Free the threads."""
        for model in (self.audio, self.punctuation):
            if model is not None:
                model.close()
