"""``voicemesh bench token``: what a token costs the host beside the chip."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from voicemesh.cli import main

BAR_MS = 0.6
SHARED_MACHINE = 4
"""By how much a machine that does other things beside may be slower. Without programs a token
took ten times the bar."""


def test_the_cost_of_a_token_is_told_and_below_its_bar(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "out" / "token.json"
    assert main(["bench", "token", "--json", str(path)]) == 0
    cost = json.loads(path.read_text())
    assert sorted(cost) == ["client_ms", "owner_ms", "sail_ms"]
    assert min(cost.values()) > 0
    total_ms = sum(cost.values())
    assert total_ms < SHARED_MACHINE * BAR_MS
    told = re.search(r"a token of 32 layers costs (\S+) ms", capsys.readouterr().out)
    assert told is not None
    assert float(told[1]) == pytest.approx(total_ms, abs=0.01)


def test_a_report_that_cannot_be_written_is_told_first(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["bench", "token", "--json", "/proc/nowhere/token.json"]) != 0
    assert "cannot be written" in capsys.readouterr().err
