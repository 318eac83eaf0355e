"""Voice activity in quiet and in noise, and where exactly the sound ends."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from voicemesh.audio import Samples
from voicemesh.registry import engine_spec
from voicemesh_asr.entry_point_groups import VADS
from voicemesh_asr.vad.activity import Activity, FrameLabel, SpeechActivity
from voicemesh_asr.vad.vad import Vad

RATE = 16_000
LEAD = 2 * RATE
Speech = Callable[..., NDArray[np.int16]]


def make_vad(name: str) -> Vad:
    spec = engine_spec(VADS, name, "asr.vad")
    vad: Vad = spec.factory(spec.config_type())
    return vad


def noise(colour: str, count: int) -> NDArray[np.float64]:
    """Noise of unit power; pink falls by 3 dB an octave."""
    spectrum = np.fft.rfft(np.random.default_rng(7).normal(size=count))
    if colour == "pink":
        spectrum[1:] /= np.sqrt(np.arange(1, len(spectrum)))
    shaped = np.fft.irfft(spectrum, count)
    unit: NDArray[np.float64] = shaped / np.sqrt(np.mean(shaped**2))
    return unit


def spoken(clip: Samples) -> tuple[int, int]:
    """The first and the last sample of a clean clip within 35 dB of its loudest 10 ms."""
    slices = clip[: len(clip) // 160 * 160].reshape(-1, 160).astype(float)
    levels = 10 * np.log10(np.mean(slices**2, axis=1) + 1)
    loud = np.nonzero(levels > levels.max() - 35)[0]
    return int(loud[0]) * 160, (int(loud[-1]) + 1) * 160


def scene(clip: Samples, colour: str, snr_db: float) -> tuple[Samples, int, int]:
    """(two seconds, speech, two seconds, all in noise; first, last spoken sample)."""
    begin, end = spoken(clip)
    audio = np.concatenate([np.zeros(LEAD), clip, np.zeros(LEAD)])
    speech_power = np.mean(clip[begin:end].astype(float) ** 2)
    audio += noise(colour, len(audio)) * np.sqrt(speech_power / 10 ** (snr_db / 10))
    return np.clip(audio, -32768, 32767).astype(np.int16), LEAD + begin, LEAD + end


def listen(vad: Vad, audio: Samples, min_speech_ms: int = 90) -> list[Activity]:
    smooth = SpeechActivity(0.5, min_speech_ms, RATE)
    size = vad.frame_samples
    frames = audio[: len(audio) // size * size].reshape(-1, size)
    return [smooth.process(frame, vad.probability(frame)) for frame in frames]


def last_voiced(heard: list[Activity]) -> int:
    return max(a.voiced_end for a in heard if a.label is FrameLabel.SPEECH)


@pytest.mark.parametrize("voice", ["rms", "kal16"])
@pytest.mark.parametrize("name", ["silero", "webrtc"])
def test_the_end_of_speech_is_found_to_30_ms_in_quiet(
    flite_speech: Speech, name: str, voice: str
) -> None:
    for text in ("what time is it", "what is artificial intelligence", "how are you"):
        audio, begin, end = scene(flite_speech(text, voice), "white", 60)
        heard = listen(make_vad(name), audio)
        speech = [a for a in heard if a.label is FrameLabel.SPEECH]
        assert abs(last_voiced(heard) - end) <= 0.030 * RATE
        # kal16 clicks before it speaks, which counts as its beginning here.
        assert abs(speech[0].onset - begin) <= (0.05 if voice == "rms" else 0.25) * RATE


@pytest.mark.parametrize("snr_db", [10, 5])
@pytest.mark.parametrize("colour", ["white", "pink"])
def test_the_default_detector_holds_in_noise(
    flite_speech: Speech, colour: str, snr_db: float
) -> None:
    for voice in ("rms", "kal16"):
        audio, begin, end = scene(
            flite_speech("what is artificial intelligence", voice), colour, snr_db
        )
        heard = listen(make_vad("silero"), audio)
        wrong = [a for a in heard if a.label is FrameLabel.SPEECH and a.end <= begin]
        assert not wrong
        inside = [a for a in heard if begin <= a.begin and a.end <= end]
        assert sum(a.label is not FrameLabel.SILENCE for a in inside) >= 0.8 * len(inside)
        assert abs(last_voiced(heard) - end) <= 0.15 * RATE
        assert heard[-1].label is FrameLabel.SILENCE


def test_a_click_is_no_speech() -> None:
    smooth = SpeechActivity(0.5, 90, RATE)
    loud = np.full(320, 5000, np.int16)
    quiet = np.zeros(320, np.int16)
    labels = [smooth.process(loud if p else quiet, p).label for p in (0.0, 1.0, 1.0, 0.0, 0.0)]
    assert labels == [
        FrameLabel.SILENCE,
        FrameLabel.MAYBE,
        FrameLabel.MAYBE,
        FrameLabel.SILENCE,
        FrameLabel.SILENCE,
    ]


def test_speech_is_proven_once_it_is_long_enough_and_knows_where_it_began() -> None:
    smooth = SpeechActivity(0.5, 60, RATE)
    loud = np.full(320, 5000, np.int16)
    heard = [smooth.process(loud, p) for p in (0.1, 0.9, 0.9, 0.9, 0.4)]
    assert [a.label for a in heard] == [
        *(
            FrameLabel.SILENCE,
            FrameLabel.MAYBE,
            FrameLabel.MAYBE,
            FrameLabel.SPEECH,
            FrameLabel.SPEECH,
        )
    ]
    assert heard[-1].onset == 320


def test_a_gap_as_short_as_a_plosive_does_not_interrupt_speech() -> None:
    smooth = SpeechActivity(0.5, 60, RATE)
    loud, quiet = np.full(320, 5000, np.int16), np.zeros(320, np.int16)
    pattern = [1.0] * 5 + [0.0] * 4 + [1.0] + [0.0] * 10 + [1.0]
    heard = [smooth.process(loud if p else quiet, p) for p in pattern]
    assert heard[9].label is FrameLabel.SPEECH
    assert heard[20].label is FrameLabel.MAYBE
