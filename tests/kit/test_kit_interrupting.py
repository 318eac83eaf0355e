"""Ctrl-C while a command is still being imported."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

_IMPATIENT = "import os, signal\nos.kill(os.getpid(), signal.SIGINT)\n"


@pytest.fixture
def impatience(tmp_path: Path) -> dict[str, str]:
    """An environment where the user of the command ``hurry`` cannot wait for its import."""
    info = tmp_path / "impatience-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: impatience\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[voicemesh.commands]\nhurry = impatience:COMMAND\n"
        "[voicemesh.settings]\nhurry = impatience:Settings\n"
    )
    (tmp_path / "impatience.py").write_text(_IMPATIENT)
    return os.environ | {"PYTHONPATH": str(tmp_path)}


@pytest.mark.parametrize("command", ["hurry", "config"])
def test_ctrl_c_while_a_command_is_imported_ends_it_without_a_traceback(
    impatience: dict[str, str], tmp_path: Path, command: str
) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "voicemesh", command],
        env=impatience,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        # A shell's background job ignores Ctrl-C, and so would the command as its child.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert ended.returncode == -signal.SIGINT
    assert ended.stderr == ""
