"""Zeros tell of an echo only where an echo was found."""

import numpy as np
import pytest

from voicemesh.audio import Samples
from voicemesh_robot.echo.cancelling import Cancelled
from voicemesh_robot.echo.evidence import NO_ECHO, EchoEvidence
from voicemesh_robot.local_vad import VadType, Voice, make_local_vad

ZEROS = np.zeros(320, np.int16)
SOUND = np.full(320, 3000, np.int16)
ECHO = EchoEvidence(likelihood=0.9)


class EverythingIsSpeech:
    frame_samples = 320

    def __init__(self) -> None:
        self.heard: list[Samples] = []

    def judge(self, frame: Samples) -> Voice:
        self.heard.append(frame)
        return Voice.CLEAR


@pytest.mark.parametrize(
    ("cleaned", "voice"),
    [
        (Cancelled(ZEROS, ECHO, residual=SOUND), Voice.NONE),
        (Cancelled(SOUND, ECHO, residual=SOUND), Voice.CLEAR),
        (Cancelled(ZEROS, NO_ECHO), Voice.CLEAR),
        (Cancelled(SOUND, NO_ECHO), Voice.CLEAR),
    ],
)
def test_zeros_are_nobodys_speech_only_beside_an_echo(cleaned: Cancelled, voice: Voice) -> None:
    vad = EverythingIsSpeech()
    assert cleaned.judge(vad) is voice
    assert vad.heard[0] is (cleaned.samples if cleaned.residual is None else cleaned.residual)


@pytest.mark.parametrize("kind", ["silero", "webrtc"])
def test_a_detector_hears_zeros_and_takes_them_for_no_speech(kind: VadType) -> None:
    vad = make_local_vad(kind, 3)
    zeros = np.zeros(vad.frame_samples, np.int16)
    assert {vad.judge(zeros) for _ in range(20)} == {Voice.NONE}
