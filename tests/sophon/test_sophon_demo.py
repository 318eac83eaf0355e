"""The whole mesh on a simulated chip: a spoken question, its answer spoken."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import soundfile

ROOT = Path(__file__).parents[2]


@pytest.mark.long
@pytest.mark.parametrize(
    ("chip", "chips"),
    [("bm1688", [["asr", "llm", "tts"]]), ("bm1684x", [["asr"], ["llm"], ["tts"]])],
)
def test_the_demo_answers_on_a_simulated_chip(
    chip: str, chips: list[list[str]], simulator: Callable[[str], Path], tmp_path: Path
) -> None:
    simulator(chip)
    wav, path = tmp_path / "answer.wav", tmp_path / "report.json"
    files: list[str | Path] = ["--output-file", wav, "--json", path]
    demo = subprocess.run(
        [ROOT / "scripts/demo", "--sophon-cmodel", chip, *files],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=500,
    )
    assert demo.returncode == 0, demo.stdout + demo.stderr
    assert f"on a simulator of the {chip}: slow" in demo.stderr
    report = json.loads(path.read_text())
    (turn,) = report["turns"]
    assert turn["transcript"] == "你好"
    assert turn["reply_text"].strip() == "你好！我是语音助手，很高兴为你服务。"
    assert turn["reply_seconds"] == pytest.approx(3.89, abs=0.2)
    assert soundfile.info(wav).duration == pytest.approx(turn["reply_seconds"], abs=0.001)
    assert {"asr_final", "llm_first_token", "tts_first_audio"} <= set(turn["stages"])
    assert [one["services"] for one in report["chips"]] == chips
    assert all(one["simulated"] and one["target"] == chip.upper() for one in report["chips"])


def test_the_demo_refuses_an_unknown_chip() -> None:
    demo = subprocess.run(
        [ROOT / "scripts/demo", "--sophon-cmodel", "bm9"], capture_output=True, text=True
    )
    assert demo.returncode == 2
    assert "bm1688 or bm1684x" in demo.stderr
