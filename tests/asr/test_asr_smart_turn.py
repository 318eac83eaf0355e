"""Smart Turn's contract, on an ONNX file that has its input and no training; and its weights."""

from pathlib import Path

import numpy as np
import pytest

from voicemesh.audio import Samples
from voicemesh.errors import EngineError, EngineMissing, SettingsError
from voicemesh.models.store import ModelStore
from voicemesh.settings import load
from voicemesh_asr.turn_detection.smart_turn.engine import SmartTurn
from voicemesh_asr.turn_detection.smart_turn.settings import SmartTurnSettings
from voicemesh_asr.turn_detection.smart_turn.spec import SPEC
from voicemesh_asr.turn_detection.turn_model import window_of
from voicemesh_robot.files.audio_file import AudioFile

MODELS = Path(__file__).parent / "models"


SAMPLES = Path(__file__).parents[2] / "samples"
NO_MODELS = {"mesh.models_folder": "/nowhere"}


def made(config: SmartTurnSettings, **flags: str) -> SmartTurn:
    turn: SmartTurn = SPEC.make(config, None, load(environ={}, flags=flags, only=("mesh",)))
    return turn


def model(name: str = "mean_of_the_last_second.onnx") -> SmartTurn:
    return made(SmartTurnSettings(model=MODELS / name))


def sample(name: str) -> Samples:
    with AudioFile(SAMPLES / name) as file:
        return np.concatenate(list(file.blocks(16_000)))


def test_the_weights_hear_a_question_that_is_over_and_one_that_is_not(models: ModelStore) -> None:
    turn = made(SmartTurnSettings(), **{"mesh.models_folder": str(models.folder)})
    question = sample("what_is_a_robot.wav")
    assert turn.complete(window_of(question, turn.window_samples)) > 0.8
    half = question[: len(question) // 2]
    # Whole numbers of eight bits: from processor to processor it differs by hundredths.
    assert turn.complete(window_of(half, turn.window_samples)) < 0.5


def test_without_weights_the_cure_is_named() -> None:
    with pytest.raises(EngineMissing, match="voicemesh models pull smart-turn-v3"):
        made(SmartTurnSettings(), **NO_MODELS)
    checked = SPEC.checked(SmartTurnSettings(), load(environ={}, flags=NO_MODELS, only=("mesh",)))
    assert checked is not None
    assert not checked.usable
    assert checked.cure == "voicemesh models pull smart-turn-v3"


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
    with pytest.raises(EngineError, match="pull it again"):
        made(SmartTurnSettings(model=broken))
    with pytest.raises(SettingsError, match="does not exist"):
        made(SmartTurnSettings(model=tmp_path / "absent.onnx"))
