"""What scripts/setup installs is what the commands of the README want."""

from __future__ import annotations

import re
import subprocess
import tomllib

import pytest

from voicemesh_evaluation.commands import bench

from .rooms import ROOT

SETUP = (ROOT / "scripts" / "setup").read_text()
README = (ROOT / "README.md").read_text()
FOR_PYAUDIO = ("portaudio19-dev", "gcc", "python3-dev")


def extras(room: str) -> dict[str, list[str]]:
    project = tomllib.loads((ROOT / room / "pyproject.toml").read_text())["project"]
    found: dict[str, list[str]] = project["optional-dependencies"]
    return found


def test_the_demo_set_up_brings_what_the_benchmark_measures_with() -> None:
    listed = {re.split("[<>=]", wanted)[0] for wanted in extras("evaluation")["bench"]}
    assert set(bench._NEEDED.values()) == listed
    assert re.search(r'= evaluation \]; then extra="\[bench\]"', SETUP)


def test_the_talk_set_up_builds_pyaudio_with_the_packages_that_the_readme_names() -> None:
    assert extras("robot_client")["audio"] == ["pyaudio>=0.2.14"]
    assert f"debian_packages {' '.join(FOR_PYAUDIO)}" in SETUP
    assert "./scripts/setup talk" in README
    assert all(f"`{package}`" in README for package in FOR_PYAUDIO)


def test_who_misses_pyaudio_is_told_the_same_packages() -> None:
    source = (ROOT / "robot_client" / "voicemesh_robot" / "checks" / "sound_cards.py").read_text()
    assert f"apt-get install {' '.join(FOR_PYAUDIO)}" in source


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["tests"], "setup: demo, talk or test, not tests"),
        (["demo", "--language", "fr"], "setup: --language en or zh, not fr"),
        (["--language"], "setup: --language TAG, not --language"),
    ],
)
def test_set_up_refuses_what_it_does_not_know(arguments: list[str], sentence: str) -> None:
    setup = subprocess.run([ROOT / "scripts" / "setup", *arguments], capture_output=True, text=True)
    assert (setup.returncode, setup.stderr) == (2, f"{sentence}\n")
