"""Whether somebody is heard to speak for so long, by the network that detects voice activity.

It lets a turn begin where voice is likelier than not, since nothing that is said may be lost.
Laughter, song and what rings often lie just above that. Speech does so at its edges; within
it the network is sure.
"""

from __future__ import annotations

from voicemesh.audio import Samples
from voicemesh_asr.vad.silero import SileroVad
from voicemesh_asr.vad.silero_network import SileroNetwork

_SURE = 0.9
"""The probability from which on a frame is voice for sure. So is nearly all sound of people who
speak in a quiet room, three quarters of it at the fifth percentile of them."""


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
