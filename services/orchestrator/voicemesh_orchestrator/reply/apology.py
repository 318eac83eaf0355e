"""What the user hears when a stage fails: clips made beforehand, one a language.

They need no service, because the one that is down may be the one that speaks.
``scripts/make_apologies`` makes them.
"""

from __future__ import annotations

import wave
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np

from voicemesh.audio import StreamResampler

_TEXTS = {
    "en": "Sorry, something went wrong. Please ask me again.",
    "zh": "抱歉，出了点问题，请再说一遍。",
}


@dataclass(frozen=True)
class Apology:
    """A spoken apology: its text and its samples (LINEAR16 at the asked rate)."""

    text: str
    audio: bytes


@cache
def apology(language_code: str, rate_hertz: int) -> Apology:
    """The apology in a language (English where there is none), at a rate."""
    language = language_code.partition("-")[0].lower()
    if language not in _TEXTS:
        language = "en"
    resource = files("voicemesh_orchestrator") / "clips" / f"apology_{language}.wav"
    with resource.open("rb") as opened, wave.open(opened) as clip:
        samples = np.frombuffer(clip.readframes(clip.getnframes()), dtype="<i2")
        resampler = StreamResampler(clip.getframerate(), rate_hertz)
    spoken = np.concatenate([resampler.process(samples), resampler.finish()])
    return Apology(_TEXTS[language], spoken.astype("<i2").tobytes())
