"""The import graph of all rooms: no circles, between modules or between folders."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter

import grimp
import pytest

from .rooms import packages


def circle(arrows: Mapping[str, Iterable[str]]) -> Sequence[str]:
    """A way from a node back to itself, where there is one."""
    try:
        TopologicalSorter(arrows).prepare()
    except CycleError as error:
        way: Sequence[str] = error.args[1]
        return way
    return []


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    return grimp.build_graph(*packages(), cache_dir=None)


def test_no_module_imports_itself_by_way_of_others(graph: grimp.ImportGraph) -> None:
    arrows = {m: graph.find_modules_directly_imported_by(m) for m in graph.modules}
    assert circle(arrows) == []


@pytest.mark.parametrize("room", sorted(packages()))
def test_no_folder_of_a_room_imports_itself_by_way_of_others(
    graph: grimp.ImportGraph, room: str
) -> None:
    def child(module: str) -> str:
        return ".".join(module.split(".")[:2])

    arrows: dict[str, set[str]] = {}
    for module in graph.modules:
        if module == room or not module.startswith(f"{room}."):
            continue
        for imported in graph.find_modules_directly_imported_by(module):
            if imported.startswith(f"{room}.") and child(imported) != child(module):
                arrows.setdefault(child(module), set()).add(child(imported))
    assert circle(arrows) == []


def test_a_circle_would_be_found() -> None:
    way = circle({"a": ["b"], "b": ["c"], "c": ["a"], "d": ["a"]})
    assert (way[0], set(way)) == (way[-1], {"a", "b", "c"})
