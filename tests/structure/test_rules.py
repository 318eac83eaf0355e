"""What is asked of every room's code, read from its syntax trees."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from .rooms import ROOT, modules, packages, tree

ORCHESTRATOR = ROOT / "services" / "orchestrator" / "voicemesh_orchestrator"
MOST_LOOSE_MODULES = 12
MOST_LINES = 500


@pytest.mark.parametrize("room", sorted(set(packages()) - {"voicemesh"}))
def test_a_room_shows_its_folders_and_few_loose_modules(room: str) -> None:
    loose = [p.name for p in packages()[room].glob("*.py") if p.name != "__init__.py"]
    assert len(loose) <= MOST_LOOSE_MODULES, loose


@pytest.mark.parametrize("room", sorted(packages()))
def test_no_file_is_longer_than_a_reader_takes_in(room: str) -> None:
    long = [p for p in modules(packages()[room]) if len(p.read_text().splitlines()) > MOST_LINES]
    assert long == []


def test_the_orchestrator_has_no_object_that_is_made_in_halves() -> None:
    found = []
    for path in modules(ORCHESTRATOR):
        for node in ast.walk(tree(path)):
            match node:
                case ast.Assert() if "is not None" in ast.unparse(node.test):
                    found.append(f"{path.name}:{node.lineno}")
                case ast.Call() if ast.unparse(node.func) in ("hasattr", "setattr"):
                    found.append(f"{path.name}:{node.lineno}")
    assert found == []


# They pass a config on as it is: observers may keep it, and the door has it checked.
_MAY_NAME_IT = {"plan.py", "clients/converse_stream.py", "observing/observers.py"}
_MAY_NAME_IT |= {"observing/recorder.py"}


def test_the_raw_config_of_a_conversation_is_read_in_one_place() -> None:
    naming, reading = set(), set()
    for path in modules(ORCHESTRATOR):
        name = str(path.relative_to(ORCHESTRATOR))
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.Attribute) and node.attr == "ConverseConfig":
                naming.add(name)
            if _reads_field_of_config(node):
                reading.add(name)
    assert naming == _MAY_NAME_IT
    assert reading == {"plan.py"}


def _reads_field_of_config(node: ast.AST) -> bool:
    """Whether it is ``config.field`` or ``….config.field`` with a field of ConverseConfig."""
    from voicemesh.v1.dialog_pb2 import ConverseConfig

    if not isinstance(node, ast.Attribute):
        return False
    owner = ast.unparse(node.value).rpartition(".")[2]
    fields = {*ConverseConfig.DESCRIPTOR.fields_by_name, "HasField"}
    others = {"audio_format", "first_sample", "resume_from"}  # Of a recognition's own config.
    return owner == "config" and node.attr in fields - others


def test_metrics_have_names_that_a_search_finds() -> None:
    found = []
    for folder in packages().values():
        for path in modules(folder):
            if "from prometheus_client import" not in path.read_text():
                continue
            for node in ast.walk(tree(path)):
                if isinstance(node, ast.Call) and _makes_metric(node) and not _is_literal(node):
                    found.append(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert found == []


def _makes_metric(call: ast.Call) -> bool:
    kinds = ("Counter", "Gauge", "Histogram", "Summary")
    return ast.unparse(call.func) in kinds and bool(call.args)


def _is_literal(call: ast.Call) -> bool:
    """A whole name; or one that a function takes, which is then given whole names."""
    return isinstance(call.args[0], (ast.Constant, ast.Name))


def test_rules_are_read_from_this_repository() -> None:
    assert Path(__file__).is_relative_to(ROOT)
    assert {"voicemesh", "voicemesh_orchestrator", "voicemesh_robot"} <= set(packages())
