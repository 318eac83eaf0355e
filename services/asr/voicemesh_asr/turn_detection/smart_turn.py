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
from pydantic import Field

from voicemesh.audio import FULL_SCALE, Samples
from voicemesh.errors import EngineError, EngineMissing, SettingsError
from voicemesh.registry import EngineSpec, Probe, probe_import
from voicemesh.settings import Section
from voicemesh_asr.engines.sophon_whisper.mel import HOP, RATE_HERTZ, log_mel

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

_EXTRA = "voicemesh-asr[smart-turn]"
# Variance 1 does not fit into 16-bit samples: they are made this much quieter, and the
# spectrum, which is logarithmic, is raised again. No sample of speech lies beyond 16
# standard deviations.
_QUIETER = 16.0
_RAISE = np.float32(2 * np.log10(_QUIETER) / 4)


class SmartTurnSettings(Section):
    """``[asr.smart_turn]``."""

    model: Path | None = Field(
        None,
        description="The ONNX file, such as smart-turn-v3.2-cpu.onnx (8 MB) from the project's "
        "pages. It has to be downloaded by hand, once.",
    )
    threads: int = Field(
        1,
        ge=1,
        le=16,
        description="Threads of one judgement. One, because the recogniser works at the same "
        "time; it takes 10 to 65 ms.",
    )


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


def _make(config: SmartTurnSettings) -> SmartTurn:
    if config.model is None:
        raise SettingsError("name the model's ONNX file", field="asr.smart_turn.model")
    try:
        import onnxruntime
    except ImportError as error:
        raise EngineMissing(f"onnxruntime is not installed; pip install '{_EXTRA}'") from error
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


def _check(config: SmartTurnSettings) -> Probe:
    if config.model is not None and config.model.is_file():
        return Probe(True, f"{config.model} is there")
    return Probe(
        False, "asr.smart_turn.model names no file", "download the ONNX file of Smart Turn"
    )


SPEC = EngineSpec(
    name="smart-turn",
    summary="Hears by intonation whether a speaker has finished; 23 languages; weights apart",
    licence="BSD-2-Clause",
    config_type=SmartTurnSettings,
    factory=_make,
    probe=lambda: probe_import("onnxruntime", "onnxruntime", _EXTRA),
    check=_check,
    extra=_EXTRA,
)
