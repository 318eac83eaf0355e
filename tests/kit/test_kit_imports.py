"""What is imported, and when: a command brings only what it needs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

_RUN = """
import json, sys
from voicemesh.cli import main
try:
    main(sys.argv[1:])
except SystemExit:
    pass
print(json.dumps(sorted(sys.modules)))
"""
_WALK = """
import json, pkgutil, sys
from importlib import import_module
import voicemesh_robot
for module in pkgutil.walk_packages(voicemesh_robot.__path__, "voicemesh_robot."):
    import_module(module.name)
print(json.dumps(sorted(sys.modules)))
"""
_WITHOUT_SOPHON = """
import importlib.metadata, sys
everything = importlib.metadata.distributions
importlib.metadata.distributions = lambda **kwargs: (
    found for found in everything(**kwargs) if found.name != "voicemesh-sophon"
)
sys.modules["voicemesh_sophon"] = None
"""
HEAVY = {"grpc", "numpy", "prometheus_client", "pydantic", "soxr", "uvloop"}
SERVICES = {"voicemesh_asr", "voicemesh_llm", "voicemesh_tts", "voicemesh_orchestrator"}
NOT_A_ROBOTS = {"voicemesh_sophon", "voicemesh_evaluation", *SERVICES}


def _imported(cwd: Path, script: str, *arguments: str) -> set[str]:
    """The packages that are imported when a script has run with these arguments."""
    ran = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=True,
    )
    modules: list[str] = json.loads(ran.stdout.splitlines()[-1])
    return {module.partition(".")[0] for module in modules}


@pytest.mark.parametrize("arguments", [("--version",), ("--help",), ("ask", "--help")])
def test_what_dials_nobody_imports_nothing_heavy(
    tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    assert not _imported(tmp_path, _RUN, *arguments) & HEAVY


def test_who_types_imports_nothing_that_sound_needs(tmp_path: Path) -> None:
    imported = _imported(tmp_path, _RUN, "ask", "--text", "hi", "--port", "9")
    assert "grpc" in imported
    assert not imported & {"numpy", "prometheus_client", "soundfile", "soxr"}


def test_a_named_command_imports_no_other_room(tmp_path: Path) -> None:
    asked = ("ask", "--text", "hello", "--port", "1", "--set", "robot.connect_timeout_s=0.01")
    imported = _imported(tmp_path, _RUN, *asked)
    assert {"grpc", "voicemesh_robot"} <= imported
    assert not imported & NOT_A_ROBOTS


def test_no_module_of_the_robot_client_imports_tpu_code_evaluation_or_a_service(
    tmp_path: Path,
) -> None:
    imported = _imported(tmp_path, _WALK)
    assert "voicemesh_robot" in imported
    assert not imported & NOT_A_ROBOTS


@pytest.fixture
def without_sophon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder where processes that are started find no voicemesh-sophon; it holds no settings."""
    (tmp_path / "sitecustomize.py").write_text(_WITHOUT_SOPHON)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    for name in [name for name in os.environ if name.startswith("VOICEMESH_")]:
        monkeypatch.delenv(name)
    return tmp_path


def _voicemesh(cwd: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "voicemesh", *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
    )


def test_config_and_doctor_work_without_tpu_code(without_sophon: Path) -> None:
    config = _voicemesh(without_sophon, "config")
    assert config.returncode == 0, config.stderr
    assert "asr.sophon_whisper.beams" in config.stdout
    assert "devices." not in config.stdout
    found = json.loads(_voicemesh(without_sophon, "doctor", "--json").stdout)
    engines = {check["name"]: check for check in found["engines"]}
    assert engines["asr.engine = pocketsphinx"]["verdict"] == "ok"
    for engine, extra in (
        ("asr.engine = sophon-whisper", "voicemesh-asr[sophon]"),
        ("llm.engine = sophon-llm", "voicemesh-llm[sophon]"),
        ("tts.engine = sophon-vits", "voicemesh-tts[sophon]"),
    ):
        assert engines[engine]["verdict"] == "warn"
        assert engines[engine]["cure"] == f"pip install '{extra}'"
    tried = _voicemesh(without_sophon, "doctor", "--tpu")
    assert tried.returncode == 1
    assert "install the distribution of your device" in tried.stdout


@pytest.mark.parametrize("command", ["serve", "up"])
def test_an_engine_without_its_tpu_code_is_told_with_the_cure(
    without_sophon: Path, command: str
) -> None:
    ended = _voicemesh(without_sophon, command, "tts", "--set=tts.engine=sophon-vits")
    assert ended.returncode == 1
    assert ended.stderr == (
        "voicemesh: sophon-vits works on a device of kind sophon, which nothing installed here "
        "knows; pip install 'voicemesh-tts[sophon]'\n"
    )


def test_a_mesh_runs_without_tpu_code(without_sophon: Path) -> None:
    arguments = ("up", "--ephemeral", "--set=asr.pocketsphinx.workers=1")
    with subprocess.Popen(
        [sys.executable, "-m", "voicemesh", *arguments],
        cwd=without_sophon,
        stdout=subprocess.PIPE,
        text=True,
    ) as mesh:
        assert mesh.stdout is not None
        lines: list[str] = []
        for line in mesh.stdout:
            lines.append(line)
            if line.startswith("ready: "):
                mesh.send_signal(signal.SIGTERM)
        assert mesh.wait() == 0, lines
    assert any(line.startswith("ready: ") for line in lines)
