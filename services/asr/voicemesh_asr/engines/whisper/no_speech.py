"""The guard beside Whisper's own: what nobody can have said is no text.

Whisper's probability of silence knows silence and hum. Of laughter, song and breaths it is low,
and a text is written that the network doubts: "It's over. It's over." The voice is looked at
with it (:mod:`sure_voice`).
"""

from __future__ import annotations

from voicemesh.audio import Samples
from voicemesh_asr.engines.redecoding.laughter import is_laughter
from voicemesh_asr.engines.redecoding.speech_rate import is_too_fast, is_too_slow
from voicemesh_asr.engines.redecoding.sure_voice import lacks_voice
from voicemesh_asr.mel_spectrum import RATE_HERTZ
from voicemesh_asr.vad.silero_network import shared_network

_LEAST_LOG_PROBABILITY = -1.2
"""Of a token, on average: below it what was said was not understood, if anything was."""
_WEIGHT_OF_MISSING_VOICE = 0.3
"""What a second of text without voice counts beside it: no text above -0.9 is dropped for that.
Quick Mandarin in a meeting has -0.7 to -0.8, and half of its voice is hidden."""


class NoSpeech:
    """Knows a text that nobody said. Blocking; may be called from several threads."""

    def __init__(self) -> None:
        """EngineMissing or EngineError where the network of voice activity cannot be read."""
        self._voice = shared_network()

    def invented(self, text: str, average: float, samples: Samples, is_final: bool) -> bool:
        """Whether nobody said ``text``, English or Chinese, in samples at 16 kHz, mono.

        ``average``: the mean logarithm of a token's probability. ``is_final``: whether the
        speaker has paused, so that the text is all of it.
        """
        if is_laughter(text):
            return True
        if is_final and (
            is_too_fast(text, samples, RATE_HERTZ) or is_too_slow(text, samples, RATE_HERTZ)
        ):
            return True
        may_miss_s = (average - _LEAST_LOG_PROBABILITY) / _WEIGHT_OF_MISSING_VOICE
        return lacks_voice(self._voice, text, samples, may_miss_s)
