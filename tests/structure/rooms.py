"""The packages of this repository, and what their syntax trees say."""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
_GENERATED = ROOT / "voicemesh" / "v1"


@cache
def packages() -> dict[str, Path]:
    """The top-level packages of all distributions, by name."""
    found = {}
    for project in ROOT.glob("**/pyproject.toml"):
        if ".venv" in project.parts or "tests" in project.parts:
            continue
        include = tomllib.loads(project.read_text())["tool"]["setuptools"]["packages"]["find"]
        name = include["include"][0].rstrip(".*")
        found[name] = project.parent / name
    return found


def modules(folder: Path) -> Iterator[Path]:
    """The modules below ``folder`` that people write."""
    for path in sorted(folder.rglob("*.py")):
        if _GENERATED not in path.parents:
            yield path


@cache
def tree(path: Path) -> ast.Module:
    """The syntax tree of a module."""
    return ast.parse(path.read_text())
