"""Whether a voice is heard for as long as a text takes to say, by the network of voice activity.

It lets a turn begin where voice is likelier than not, since nothing that is said may be lost.
Laughter, song and what rings often lie just above that. Speech does so at its edges; within
it the network is sure.
"""

from __future__ import annotations

from voicemesh.audio import Samples
from voicemesh_asr.engines.redecoding.speech_rate import spoken_s
from voicemesh_asr.vad.silero import SileroVad
from voicemesh_asr.vad.silero_network import SileroNetwork

_SURE = 0.9
"""The probability from which on a frame is voice for sure. So is nearly all sound of people who
speak in a quiet room, three quarters of it at the fifth percentile of them."""

_UNTIL_SURE_S = 0.25
"""The network has heard a voice for so long before it is sure: of some short words it never is."""
_MOST_MISSING_S = 1.0
"""What may be missing at most: a sure text is said even where noise hides the voice."""


def lacks_voice(network: SileroNetwork, text: str, samples: Samples, may_miss_s: float) -> bool:
    """Whether more than ``may_miss_s`` of the seconds that a text takes to say have no sure voice.

    ``samples``: at 16 kHz, mono. Below 0 s too much is missing, whatever is heard; from 1 s on
    nothing is looked at.
    """
    if may_miss_s < 0:
        return True
    if may_miss_s >= _MOST_MISSING_S:
        return False
    return not has_sure_voice(network, samples, spoken_s(text) - _UNTIL_SURE_S - may_miss_s)


def has_sure_voice(network: SileroNetwork, samples: Samples, seconds: float) -> bool:
    """Whether at least ``seconds`` of samples at 16 kHz, mono, are voice for sure.

    Looks no further than it has to: 3 ms for a second of sound.
    """
    vad = SileroVad(network)
    size = vad.frame_samples
    missing = seconds * vad.rate_hertz
    for begin in range(0, len(samples) - size + 1, size):
        if missing <= 0:
            return True
        if vad.probability(samples[begin : begin + size]) > _SURE:
            missing -= size
    return missing <= 0
