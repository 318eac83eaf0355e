"""The chip owner runs on the Python of a board: 3.8, with numpy and sail alone."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from voicemesh_sophon.owner_process import OWNER

FILES = sorted(OWNER.glob("*.py"))
ALLOWED = frozenset(sys.stdlib_module_names) | {"numpy", "sophon", "chip_owner"}
# Of the standard library, what came after 3.8 and is easily reached for.
YOUNGER = frozenset(
    {
        *("removeprefix", "removesuffix", "send_fds", "recv_fds", "lcm", "nextafter"),
        *("to_thread", "pairwise", "bit_count", "is_relative_to", "hardlink_to", "readlink"),
        *("with_stem", "timeout_at", "batched", "randbytes", "waitstatus_to_exitcode"),
        *("packages_distributions", "F_GET_SEALS", "F_ADD_SEALS", "stdlib_module_names"),
    }
)
YOUNGER_MODULES = frozenset({"tomllib", "zoneinfo", "graphlib"})


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_file_is_python_3_8_and_imports_nothing_else(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 8))
    assert any(
        isinstance(node, ast.ImportFrom) and node.module == "__future__" for node in tree.body
    ) or not any(isinstance(node, ast.AnnAssign | ast.FunctionDef) for node in ast.walk(tree))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            roots = {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            roots = {(node.module or "").partition(".")[0]}
        else:
            roots = set()
        assert roots <= ALLOWED - YOUNGER_MODULES
        if isinstance(node, ast.Attribute):
            assert node.attr not in YOUNGER
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert not (node.func.id == "zip" and any(k.arg == "strict" for k in node.keywords))
            assert not (
                node.func.id == "dataclass" and any(k.arg == "slots" for k in node.keywords)
            )
        assert not isinstance(node, ast.Match)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_no_type_is_subscripted_or_joined_while_the_file_runs(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    annotations = {
        id(inner)
        for node in ast.walk(tree)
        for name in ("annotation", "returns")
        if (written := getattr(node, name, None)) is not None
        for inner in ast.walk(written)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Subscript) and id(node) not in annotations:
            generic = isinstance(node.value, ast.Name) and node.value.id in {
                *("list", "dict", "tuple", "set", "frozenset", "type", "OrderedDict"),
            }
            assert not generic, f"line {node.lineno}: Python 3.8 cannot subscript it"


def test_the_owner_needs_nothing_of_voicemesh() -> None:
    blocked = (
        "import runpy, sys; sys.modules['voicemesh'] = None; "
        f"sys.argv = ['chip_owner', '--help']; runpy.run_path({str(OWNER)!r}, run_name='__main__')"
    )
    done = subprocess.run([sys.executable, "-I", "-c", blocked], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "--socket" in done.stdout
