"""Files that the documentation names are there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from .rooms import ROOT

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
_NAMED = re.compile(r"`([a-z_0-9/]+(?:\.py|/))`")
_OF_OTHERS = {"out/"}
"""What is made when something runs."""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_names_only_files_and_folders_that_are_there(page: Path) -> None:
    here = [
        f"/{path.relative_to(ROOT)}{'/' if path.is_dir() else ''}"
        for path in ROOT.rglob("*")
        if ".venv" not in path.parts and ".git" not in path.parts
    ]
    named = set(_NAMED.findall(page.read_text())) - _OF_OTHERS
    missing = {name for name in named if not any(path.endswith(f"/{name}") for path in here)}
    assert missing == set()
