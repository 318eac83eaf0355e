"""What the tests of Sophgo chips share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from .owners import ScriptedOwner

ASSETS = Path(__file__).parent / "assets"


@pytest.fixture(scope="session")
def assets() -> Path:
    """The tiny bmodels, tables and spoken sentences."""
    return ASSETS


@pytest.fixture(scope="session")
def shared_owner(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Callable[..., ScriptedOwner]]:
    """``shared_owner(sail="3.10.7")``: an owner for tests that neither script nor end it."""
    started: list[ScriptedOwner] = []

    @cache
    def start(sail: str = "3.10.7") -> ScriptedOwner:
        started.append(ScriptedOwner(tmp_path_factory.mktemp("chip"), sail=sail))
        return started[-1]

    yield start
    for owner in started:
        owner.clean_up()


@pytest.fixture
def scripted(tmp_path: Path) -> Iterator[Callable[..., ScriptedOwner]]:
    """``scripted(gated=False, sail="3.10.7", ...)``: the owner of a chip that follows a script."""
    started: list[ScriptedOwner] = []

    def start(**options: Any) -> ScriptedOwner:
        folder = tmp_path / f"chip{len(started)}"
        folder.mkdir(exist_ok=True)  # A test may have put its script there.
        started.append(ScriptedOwner(folder, **options))
        return started[-1]

    yield start
    for owner in started:
        owner.clean_up()
