"""Smart Turn: an audio model that hears whether a speaker has finished, as ONNX.

The contract is that of Smart Turn 3 (pipecat-ai/smart-turn, BSD-2-Clause, 23
languages): the last 8 s of the turn at 16 kHz with silence in front, brought to
mean 0 and variance 1, as Whisper's logarithmic mel spectrum of shape
(1, 80, 800); out comes the probability that the turn is complete. The weights
are not shipped.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from voicemesh.audio import Samples
from voicemesh.audio_format import FULL_SCALE
from voicemesh.errors import EngineError, EngineMissing, SettingsError
from voicemesh_asr.mel_spectrum import HOP, RATE_HERTZ, log_mel
from voicemesh_asr.turn_detection.smart_turn.settings import EXTRA, SmartTurnSettings

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

# Variance 1 does not fit into 16-bit samples: they are made this much quieter, and the
# spectrum, which is logarithmic, is raised again. No sample of speech lies beyond 16
# standard deviations.
_QUIETER = 16.0
_RAISE = np.float32(2 * np.log10(_QUIETER) / 4)


class SmartTurn:
    """See TurnModel."""

    rate_hertz = RATE_HERTZ

    def __init__(self, session: InferenceSession, path: Path) -> None:
        """``session`` of the model in ``path``; EngineError where its input is another."""
        self._session = session
        entry = session.get_inputs()[0]
        self._input = entry.name
        shape = entry.shape
        if len(shape) != 3 or not all(isinstance(size, int) for size in shape[1:]):
            raise EngineError(
                f"asr: {path} takes {shape} and not a mel spectrum such as [1, 80, 800]; "
                "use an ONNX file of Smart Turn 3"
            )
        self._mels, self._frames = shape[1:]
        self.window_samples = self._frames * HOP

    def complete(self, window: Samples) -> float:
        """See TurnModel."""
        spectrum = log_mel(_normalised(window), self._mels, self._frames) + _RAISE
        output = self._session.run(None, {self._input: spectrum[None]})[0]
        return float(np.clip(np.asarray(output).reshape(-1)[0], 0.0, 1.0))


def _normalised(window: Samples) -> Samples:
    """Mean 0 and variance 1 over ``_QUIETER`` squared, as 16-bit samples; silence as it is."""
    deviation = float(window.std())
    if not deviation:
        return window
    scaled = (window - window.mean()) * (FULL_SCALE / _QUIETER / deviation)
    clipped: Samples = np.clip(np.rint(scaled), -FULL_SCALE, FULL_SCALE - 1).astype(np.int16)
    return clipped


def load(config: SmartTurnSettings) -> SmartTurn:
    """Load the ONNX file that the settings name.

    SettingsError where none is named or it is missing, EngineMissing without onnxruntime,
    EngineError where the file is no Smart Turn.
    """
    if config.model is None:
        raise SettingsError("name the model's ONNX file", field="asr.smart_turn.model")
    try:
        import onnxruntime
    except ImportError as error:
        raise EngineMissing(f"onnxruntime is not installed; pip install '{EXTRA}'") from error
    if not config.model.is_file():
        raise SettingsError(
            f"{config.model} does not exist; download it, or leave asr.turn_model empty",
            field="asr.smart_turn.model",
        )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = config.threads
    options.inter_op_num_threads = 1
    try:
        session = onnxruntime.InferenceSession(
            str(config.model), options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # onnxruntime's own kinds are private.
        raise EngineError(
            f"asr: {config.model} cannot be loaded ({error}); download it again"
        ) from error
    return SmartTurn(session, config.model)
