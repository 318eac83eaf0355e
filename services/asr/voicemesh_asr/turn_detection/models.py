"""The optional models of turn detection, as settings choose them."""

from __future__ import annotations

from functools import partial

import numpy as np

from voicemesh.registry import engine_spec
from voicemesh.settings import engine_config
from voicemesh_asr.settings import AsrSettings
from voicemesh_asr.turn_detection.punctuation_model import PUNCTUATION_MODELS, PunctuationModel
from voicemesh_asr.turn_detection.shared_model import SharedModel
from voicemesh_asr.turn_detection.turn_listener import TurnListener
from voicemesh_asr.turn_detection.turn_model import TURN_MODELS, TurnModel


def _judge_silence(model: TurnModel) -> None:
    model.complete(np.zeros(model.window_samples, dtype=np.int16))


def _judge_text(model: PunctuationModel) -> None:
    model.judge("hello")


class TurnModels:
    """An audio turn model and a punctuation model, each where it is chosen."""

    def __init__(self, settings: AsrSettings) -> None:
        """SettingsError where a name is not installed; nothing is loaded yet."""
        self.audio: SharedModel[TurnModel] | None = None
        self.punctuation: SharedModel[PunctuationModel] | None = None
        if settings.turn_model:
            spec = engine_spec(TURN_MODELS, settings.turn_model, "asr.turn_model")
            make = partial(spec.factory, engine_config(settings, spec))
            self.audio = SharedModel("turn model", make, _judge_silence)
        if settings.punctuation_model:
            spec = engine_spec(
                PUNCTUATION_MODELS, settings.punctuation_model, "asr.punctuation_model"
            )
            make = partial(spec.factory, engine_config(settings, spec))
            self.punctuation = SharedModel("punctuation model", make, _judge_text)

    async def load(self) -> None:
        """Load what is chosen; raises why it cannot be."""
        for model in (self.audio, self.punctuation):
            if model is not None:
                await model.load()

    def listener(self, rate_hertz: int) -> TurnListener | None:
        """Ears for one speaker, whose samples come at ``rate_hertz``; None without a model."""
        return None if self.audio is None else TurnListener(self.audio, rate_hertz)

    def close(self) -> None:
        """Free the threads."""
        for model in (self.audio, self.punctuation):
            if model is not None:
                model.close()
