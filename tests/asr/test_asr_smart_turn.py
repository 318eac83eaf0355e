"""Smart Turn's contract, on an ONNX file that has its input and no training."""

from pathlib import Path

import numpy as np
import pytest

from voicemesh.audio import Samples
from voicemesh.errors import EngineError, SettingsError
from voicemesh_asr.turn_detection.smart_turn.engine import SmartTurn
from voicemesh_asr.turn_detection.smart_turn.settings import SmartTurnSettings
from voicemesh_asr.turn_detection.smart_turn.spec import SPEC
from voicemesh_asr.turn_detection.turn_model import window_of

MODELS = Path(__file__).parent / "models"


def model(name: str = "mean_of_the_last_second.onnx") -> SmartTurn:
    made: SmartTurn = SPEC.factory(SmartTurnSettings(model=MODELS / name))
    return made


def noise(seconds: float, level: float) -> Samples:
    generator = np.random.default_rng(7)
    return (generator.standard_normal(int(seconds * 16_000)) * level).astype(np.int16)


def test_the_model_hears_the_last_eight_seconds_with_silence_in_front() -> None:
    turn = model()
    assert (turn.rate_hertz, turn.window_samples) == (16_000, 128_000)
    ends_loud = turn.complete(window_of(noise(2, 1000), turn.window_samples))
    silence = np.zeros(32_000, dtype=np.int16)
    ends_quiet = turn.complete(
        window_of(np.concatenate([noise(2, 1000), silence]), turn.window_samples)
    )
    assert ends_loud > 0.5 > ends_quiet


def test_a_quiet_speaker_is_judged_as_a_loud_one() -> None:
    turn = model()
    quiet = turn.complete(window_of(noise(3, 200), turn.window_samples))
    loud = turn.complete(window_of(noise(3, 6000), turn.window_samples))
    assert quiet == pytest.approx(loud, abs=0.002)


def test_the_spectrum_is_that_of_variance_one() -> None:
    turn = model()
    window = window_of(noise(8, 1000), turn.window_samples)
    probability = turn.complete(window)
    mean = np.log(probability / (1 - probability))
    frames = np.lib.stride_tricks.sliding_window_view(window / window.std(), 400)[::160]
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(400) / 400)
    power = (np.abs(np.fft.rfft(frames * hann, axis=1)) ** 2).mean()
    # Slaney's triangles are 2 / (width in hertz) high and 40 Hz is one bin: what they pass
    # of a flat spectrum is 1/40 of its power, whatever their width.
    expected = (np.log10(power / 40) + 4) / 4
    assert mean == pytest.approx(expected, abs=0.06)


def test_silence_gives_a_probability_too() -> None:
    assert 0 <= model().complete(np.zeros(128_000, dtype=np.int16)) <= 1


def test_what_is_no_smart_turn_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="not a mel spectrum"):
        model("takes_samples.onnx")
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"no model")
    with pytest.raises(EngineError, match="download it again"):
        SPEC.factory(SmartTurnSettings(model=broken))
    with pytest.raises(SettingsError, match="does not exist"):
        SPEC.factory(SmartTurnSettings(model=tmp_path / "absent.onnx"))
    with pytest.raises(SettingsError, match="name the model"):
        SPEC.factory(SmartTurnSettings())
