"""Smart Turn: an audio model that hears whether a speaker has finished, as ONNX.

The contract is that of Smart Turn 3 (pipecat-ai/smart-turn, BSD-2-Clause, 23
languages): the last 8 s of the turn at 16 kHz with silence in front, brought to
mean 0 and variance 1, as Whisper's logarithmic mel spectrum of shape
(1, 80, 800); out comes the probability that the turn is complete. The weights
come from the catalogue of models; they are quantised to 8 bits, so that a
spectrum which differs in its last bits may change a probability near 0.5 by
some hundredths.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from voicemesh.audio import Samples
from voicemesh.audio_format import FULL_SCALE
from voicemesh.errors import EngineError, EngineMissing, SettingsError
from voicemesh_asr.mel_spectrum import HOP, RATE_HERTZ, Floats, log_mel_of
from voicemesh_asr.turn_detection.smart_turn.settings import EXTRA, MODEL

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

_LEAST_VARIANCE = 1e-7
"""Added to a window's variance, of samples in -1..1, so that silence stays silence."""


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
        spectrum = log_mel_of(_normalised(window), self._mels, self._frames)
        output = self._session.run(None, {self._input: spectrum[None]})[0]
        return float(np.clip(np.asarray(output).reshape(-1)[0], 0.0, 1.0))


def _normalised(window: Samples) -> Floats:
    """Mean 0 and variance 1."""
    wave = window * np.float32(1 / FULL_SCALE)
    wave -= wave.mean()
    wave /= np.sqrt(wave.var() + np.float32(_LEAST_VARIANCE))
    return wave


def load(path: Path, threads: int) -> SmartTurn:
    """Load an ONNX file, which then works with so many threads.

    EngineMissing without onnxruntime, SettingsError where there is no such file,
    EngineError where it is no Smart Turn.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise EngineMissing(f"onnxruntime is not installed; pip install '{EXTRA}'") from error
    if not path.is_file():
        raise SettingsError(
            f"{path} does not exist; correct asr.smart_turn.model, or run "
            f"`voicemesh models pull {MODEL}` and leave it unset",
            field="asr.smart_turn.model",
        )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    try:
        session = onnxruntime.InferenceSession(
            str(path), options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # onnxruntime's own kinds are private.
        raise EngineError(f"asr: {path} cannot be loaded ({error}); pull it again") from error
    return SmartTurn(session, path)
