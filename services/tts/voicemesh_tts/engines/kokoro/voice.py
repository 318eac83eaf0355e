"""Kokoro's network: parts of a text in, waveforms out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from onnxruntime import RunOptions

from voicemesh.errors import EngineError, EngineMissing
from voicemesh_tts.audio.shaping import TimedWord
from voicemesh_tts.audio.stretching import stretched
from voicemesh_tts.engines.kokoro.parts import Part
from voicemesh_tts.engines.kokoro.settings import MODEL
from voicemesh_tts.engines.kokoro.sounds import PADDING, mark_symbol, symbols
from voicemesh_tts.engines.onnx_voice.rendered import Rendered, samples_of
from voicemesh_tts.engines.onnx_voice.session import open_session

RATE_HERTZ = 24_000
# The tensor that says how long each symbol lasts, in units of 25 ms.
_DURATIONS = "/encoder/Clip_output_0"
_DURATION_SAMPLES = 600
_STYLE_WIDTH = 256
# The rate at which it is as fast as the other voices; docs/engines.md has the measurements.
_USUAL_SPEED = 0.87


class KokoroVoice:
    """One network for all voices. Calls must not overlap."""

    def __init__(self, folder: Path, threads: int) -> None:
        """``folder`` holds ``kokoro.onnx`` and ``voices``; EngineError where they are wrong."""
        self._session = open_session(folder / "kokoro.onnx", threads, _DURATIONS)
        self._styles = _styles(folder / "voices")

    @property
    def names(self) -> list[str]:
        """The voices that are there."""
        return sorted(self._styles)

    def render(self, part: Part, name: str, rate: float, options: RunOptions) -> Rendered:
        """Say a part. ``options.terminate`` ends it from another thread, with an EngineError."""
        ids, begins = _read(part)
        style = self._styles[name]
        feeds = {
            "tokens": np.asarray([ids], np.int64),
            "style": style[min(len(ids) - 2, len(style) - 1)][None],
            "speed": np.asarray([_USUAL_SPEED], np.float32),
        }
        try:
            audio, durations = self._session.run(["audio", _DURATIONS], feeds, options)
        except Exception as error:  # onnxruntime's errors have no class of their own
            raise EngineError(f"Kokoro could not say this text: {error}") from error
        waveform: NDArray[np.float32] = np.asarray(audio, np.float32).ravel()
        ends = np.cumsum(np.ravel(durations)) * (_DURATION_SAMPLES / rate)
        spoken = [character for clause in part for character in clause.characters]
        words = [
            TimedWord(character.begin, character.end, int(ends[first - 1]))
            for character, first in zip(spoken, begins, strict=True)
        ]
        return Rendered([samples_of(stretched(waveform, RATE_HERTZ, rate))], words)


def _read(part: Part) -> tuple[list[int], list[int]]:
    """The symbols of a part between two paddings, and where those of each character begin."""
    ids, begins = [PADDING], []
    for clause in part:
        for place, character in enumerate(clause.characters):
            if len(ids) > 1 and (character.begins_word or place == 0):
                ids.append(mark_symbol(" "))
            begins.append(len(ids))
            ids += symbols(character.syllable)
        if clause.mark:
            ids.append(mark_symbol(clause.mark))
    return [*ids, PADDING], begins


def _styles(folder: Path) -> Mapping[str, NDArray[np.float32]]:
    """The styles of each voice by the number of symbols, [510, 256]."""
    styles = {
        file.stem: np.fromfile(file, np.float32).reshape(-1, _STYLE_WIDTH)
        for file in sorted(folder.glob("z?_*.bin"))
    }
    if not styles:
        raise EngineMissing(
            f"no Mandarin voice is in {folder}; run `voicemesh models verify {MODEL}`"
        )
    return styles
