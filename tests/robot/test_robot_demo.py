from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
import soundfile

ROOT = Path(__file__).parents[2]


@pytest.mark.long
def test_demo_answers_its_own_question(tmp_path: Path) -> None:
    wav, report = tmp_path / "answer.wav", tmp_path / "report.json"
    demo = subprocess.run(
        [ROOT / "scripts/demo", "--turns", "2", "--output-file", wav, "--json", report],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert demo.returncode == 0, demo.stderr
    written = json.loads(report.read_text())
    turns = written["turns"]
    asked = [turn["transcript"].lower().rstrip("?") for turn in turns]
    assert asked == ["what is artificial intelligence"] * 2
    assert all("intelligence" in turn["reply_text"] for turn in turns)
    assert soundfile.info(wav).duration == pytest.approx(turns[0]["reply_seconds"], abs=0.001)
    assert "client_first_audio" in demo.stdout
    over = [turn["response_ms"] - turn["configured_silence_ms"] for turn in turns]
    assert written["over_silence_ms"] == pytest.approx(sum(over) / 2, abs=0.2)
    assert written["voice_to_voice_ms"] > written["over_silence_ms"]
    assert 100 < written["mesh_pss_mb"] < 1_000


@pytest.mark.long
def test_demo_answers_a_chinese_question_in_chinese(tmp_path: Path) -> None:
    wav, report = tmp_path / "answer.wav", tmp_path / "report.json"
    demo = subprocess.run(
        [ROOT / "scripts/demo", "--output-file", wav, "--language", "zh", "--json", report],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert demo.returncode == 0, demo.stderr
    (turn,) = json.loads(report.read_text())["turns"]
    assert "什么是机器人" in turn["transcript"]
    assert "传感器" in turn["reply_text"]
    assert soundfile.info(wav).duration > 10


@pytest.mark.long
def test_demo_fails_when_nothing_is_said(tmp_path: Path) -> None:
    silence = tmp_path / "silence.wav"
    soundfile.write(silence, [0.0] * 8_000, 16_000)
    demo = subprocess.run(
        [ROOT / "scripts/demo", "--audio-in", silence, "--output-file", tmp_path / "answer.wav"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert demo.returncode == 1
    assert "no speech was heard" in demo.stdout
    assert not (tmp_path / "answer.wav").exists()
