"""One voice of hibari: its network, and the waveform that is made of what it gives."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from hibari import dsp

from voicemesh.errors import EngineError
from voicemesh_tts.audio.shaping import TimedWord
from voicemesh_tts.audio.stretching import stretched
from voicemesh_tts.engines.hibari.pronunciation import Pronunciation
from voicemesh_tts.engines.hibari.waveform import waveform
from voicemesh_tts.engines.onnx_voice.rendered import Rendered, samples_of
from voicemesh_tts.engines.onnx_voice.session import open_session

RATE_HERTZ = int(dsp.SR)
# The tensor that says how long each phoneme lasts, in units of 25 ms: two frames of the
# spectrum.
_DURATIONS = "/Clip_output_0"
_DURATION_SAMPLES = 2 * int(dsp.HOP)
_SPECTRA = ("lh", "theta", "ln", "lr", "phi", "f0")
# The rate at which it is as fast as the other voices; docs/engines.md has the measurements.
_USUAL_SPEED = 0.88


class HibariVoice:
    """Turns text into speech. Calls must not overlap."""

    def __init__(self, model: Path, pronunciation: Pronunciation, threads: int) -> None:
        """``model``: the voice's network; EngineError when it cannot be opened."""
        self._pronunciation = pronunciation
        self._session = open_session(model, threads, _DURATIONS)
        self._outputs = [output.name for output in self._session.get_outputs()]

    def render(self, text: str, rate: float) -> Rendered:
        """Say a unit, to be made part by part; the same text sounds the same each time."""
        read = self._pronunciation.read(text)
        if not read.words:
            return Rendered([], [])
        feeds = {
            "ids": np.asarray([read.ids], np.int64),
            "speed": np.asarray([_USUAL_SPEED], np.float32),
        }
        try:
            values = self._session.run(self._outputs, feeds)
        except Exception as error:  # onnxruntime's errors have no class of their own
            raise EngineError(f"hibari could not say this text: {error}") from error
        named = dict(zip(self._outputs, values, strict=True))
        ends = np.cumsum(named[_DURATIONS].ravel()) * (_DURATION_SAMPLES / rate)
        words = [TimedWord(w.begin, w.end, int(ends[w.first - 1])) for w in read.words]
        parts = waveform(*(named[name][0] for name in _SPECTRA))
        if rate != 1.0:
            # The network's own speed rounds each sound to 25 ms: at twice the pace a recogniser
            # gets 19 % of its words wrong, 6 % this way.
            parts = iter([stretched(np.concatenate(list(parts)), RATE_HERTZ, rate)])
        return Rendered(map(samples_of, parts), words)
