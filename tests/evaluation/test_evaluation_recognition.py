"""`voicemesh eval recognition`: recordings with their texts against a service that runs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from voicemesh.cli import main
from voicemesh.errors import InvalidArgument
from voicemesh_evaluation.recognition.clip import read_clip, with_white_noise
from voicemesh_evaluation.recognition.material import Apart, read_material
from voicemesh_robot.files.audio_file import write_wav

Speech = Callable[..., NDArray[np.int16]]


def write(path: Path, content: Any) -> None:
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")


def measured(tmp_path: Path, *arguments: str) -> Any:
    figures = tmp_path / "figures.json"
    command = ["eval", "recognition", "--material", str(tmp_path), "--json", str(figures)]
    command += ["--set", "asr.engine=pocketsphinx", "--set", "asr.pocketsphinx.workers=1"]
    assert main([*command, *arguments]) == 0
    return json.loads(figures.read_text(encoding="utf-8"))


def test_recordings_are_heard_and_counted_by_group(
    tmp_path: Path, flite_speech: Speech, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("one", "two", "phone_three", "four"):
        write_wav(tmp_path / f"{name}.wav", flite_speech("what is the time"), 16_000)
    soundfile.write(tmp_path / "hiss.flac", np.random.default_rng(1).normal(0, 0.02, 8_000), 16_000)
    write(tmp_path / "one.txt", "What is the time?")
    write(tmp_path / "two.json", {"text": "where is the time", "group": "wrong", "speaker": "x"})
    write(tmp_path / "phone_three.txt", "what is the time")
    write(tmp_path / "hiss.json", {"kind": "hiss"})
    found = measured(tmp_path, "--apart", "phone_*=phone", "--noise", "30")
    counted = {
        name: (group["clips"], group["without_text"], group["words"], group["errors"])
        for name, group in found["groups"].items()
    }
    assert counted == {
        "recordings": (1, 1, 4, 0),
        "wrong": (1, 0, 4, 1),
        "phone": (1, 0, 4, 0),
        "recordings noise 30 dB": (1, 1, 4, 0),
        "wrong noise 30 dB": (1, 0, 4, 1),
        "phone noise 30 dB": (1, 0, 4, 0),
    }
    assert found["groups"]["wrong"]["word_error_rate"] == 0.25
    assert found["groups"]["wrong"]["exact"] == 0
    assert found["groups"]["recordings"]["final_pass_ms"]["p95"] > 0
    assert found["no_turn"] == {"hiss": {"clips": 1, "turns": 0}}
    assert found["refused"] == 0
    assert 0 < found["cpu_share"] < 2
    assert "wrong: two.wav (1)." in capsys.readouterr().out


def test_speakers_at_once_are_refused_where_there_is_no_place_for_them(
    tmp_path: Path, flite_speech: Speech
) -> None:
    for name in ("one", "two"):
        write_wav(tmp_path / f"{name}.wav", flite_speech("what is the time"), 16_000)
        write(tmp_path / f"{name}.txt", "what is the time")
    settings = ("asr.engine=simulated", "asr.simulated.workers=1", "asr.max_open_streams=1")
    flags = [argument for setting in settings for argument in ("--set", setting)]
    found = measured(tmp_path, "--speakers", "2", *flags)
    assert found["speakers"] == 2
    assert found["real_time"]
    assert found["refused"] == 1
    assert found["groups"]["recordings"]["clips"] == 1


def test_languages_that_the_engine_does_not_hear_are_named(
    tmp_path: Path, flite_speech: Speech
) -> None:
    write_wav(tmp_path / "one.wav", flite_speech("what is the time"), 16_000)
    write(tmp_path / "one.json", {"text": "几点了", "language": "zh-CN"})
    found = measured(tmp_path)
    assert found["groups"] == {}
    assert "zh" in found["not_heard"]["zh"]


def test_a_list_of_turns_and_sounds_is_read(tmp_path: Path, flite_speech: Speech) -> None:
    write_wav(tmp_path / "a.flac", flite_speech("yes"), 16_000)
    turn = {"file": "a.flac", "group": "short", "language": "en", "begin_s": 0.1, "end_s": 0.3}
    write(tmp_path / "turns.json", [{**turn, "text": None, "path": "tests/long_call.wav"}])
    write(tmp_path / "barge_in.json", [{"file": "a.flac", "kind": "noise", "what": "a door"}])
    material = read_material(tmp_path, [Apart("*_call.wav", "calls")])
    (recording,), (sound,) = material.recordings, material.sounds
    assert (recording.group, recording.text, recording.speech_s) == ("calls", None, (0.1, 0.3))
    assert (sound.kind, sound.name) == ("noise", "a.flac")


def test_a_group_in_several_languages_is_a_group_of_each(
    tmp_path: Path, flite_speech: Speech
) -> None:
    languages = {"one": "en", "two": "en-GB", "three": "zh", "four": "zh"}
    for name, language in languages.items():
        write_wav(tmp_path / f"{name}.wav", flite_speech("yes"), 16_000)
        group = "far" if name == "four" else "recordings"
        write(tmp_path / f"{name}.json", {"text": "x", "language": language, "group": group})
    groups = {each.path.stem: each.group for each in read_material(tmp_path).recordings}
    english, chinese = "recordings, en", "recordings, zh"
    assert groups == {"one": english, "two": english, "three": chinese, "four": "far"}


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ({}, "holds neither turns.json nor WAV or FLAC files"),
        ({"a.wav": "", "a.json": "{"}, "a.json is no JSON"),
        ({"a.wav": "", "a.json": {"text": 3}}, "a.json: text: input should be a valid string"),
        ({"turns.json": [{"file": "b.flac"}]}, "b.flac, which is listed"),
        ({"turns.json": [{"group": "x"}]}, r"turns.json: \[0\].file: field required"),
        ({"turns.json": [{"file": "b", "end_s": -1}]}, r"\[0\].end_s: input should be greater"),
    ],
)
def test_wrong_material_is_told_with_its_place(
    tmp_path: Path, files: dict[str, Any], told: str
) -> None:
    for name, content in files.items():
        write(tmp_path / name, content)
    with pytest.raises(InvalidArgument, match=told):
        read_material(tmp_path)


def test_noise_is_as_far_below_the_speech_as_asked(tmp_path: Path, flite_speech: Speech) -> None:
    speech = np.concatenate([np.zeros(16_000, np.int16), flite_speech("what is the time") // 8])
    write_wav(tmp_path / "one.wav", speech, 16_000)
    clip = read_clip(tmp_path / "one.wav", (1.0, len(speech) / 16_000))
    noisy = with_white_noise(clip, 15.0)
    noise = noisy.samples.astype(float) - clip.samples
    power = float((clip.samples[clip.speech].astype(float) ** 2).mean())
    assert 10 * np.log10(power / (noise**2).mean()) == pytest.approx(15.0, abs=0.1)
    assert np.array_equal(noisy.samples, with_white_noise(clip, 15.0).samples)


def test_a_pattern_that_fits_nothing_is_told(tmp_path: Path, flite_speech: Speech) -> None:
    write_wav(tmp_path / "one.wav", flite_speech("yes"), 16_000)
    with pytest.raises(InvalidArgument, match="no recording .* is named like 'two"):
        read_material(tmp_path, [Apart("two*", "x")])
