"""What the tests of Sophgo chips share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

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
    """``shared_owner(views=True)``: an owner for tests that neither script nor end it."""
    started: list[ScriptedOwner] = []

    @cache
    def start(views: bool = True) -> ScriptedOwner:
        started.append(ScriptedOwner(tmp_path_factory.mktemp("chip"), views=views))
        return started[-1]

    yield start
    for owner in started:
        owner.clean_up()


@pytest.fixture
def scripted(tmp_path: Path) -> Iterator[Callable[..., ScriptedOwner]]:
    """``scripted(gated=False, views=True)``: the owner of a chip that follows a script."""
    started: list[ScriptedOwner] = []

    def start(**options: bool) -> ScriptedOwner:
        folder = tmp_path / f"chip{len(started)}"
        folder.mkdir()
        started.append(ScriptedOwner(folder, **options))
        return started[-1]

    yield start
    for owner in started:
        owner.clean_up()
