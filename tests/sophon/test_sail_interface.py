"""Nothing of sail is used that is not in the table, and the table is what sail has."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import inspect
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from voicemesh_sophon import cmodel
from voicemesh_sophon.cmodel.sophon import sail as stand_in

SOPHON = Path(str(cmodel.__file__)).parents[1]
TABLE: dict[str, dict[str, Any]] = tomllib.loads((SOPHON / "sail_interface.toml").read_text())
CALLED = [name for name, entry in TABLE.items() if "calls" in entry]

Parameters = tuple[tuple[str | None, str, str | None], ...]
"""Name (None without one), type and default of each parameter."""


def split(text: str) -> list[str]:
    """The parts between the commas that stand in no brackets."""
    parts, depth = [""], 0
    for letter in text:
        depth += (letter in "[(") - (letter in ")]")
        if letter == "," and not depth:
            parts.append("")
        else:
            parts[-1] += letter
    return [part.strip() for part in parts if part.strip()]


def kind(text: str) -> str:
    """A type as the table writes it, whoever wrote it."""
    text = re.sub(r"\b(sophon\.sail|sail|typing|np|numpy|collections\.abc)\.", "", text)
    text = re.sub(r"\bndarray(\[[^\]]*\]\]?)?", "array", text)
    text = re.sub(r"\b(List|Sequence)\[", "list[", text).replace("Dict[", "dict[")
    return re.sub(r"\b(Any|handle)\b", "object", text).strip()


def parameters(text: str) -> Parameters:
    """Of a signature as the table has it: ``(a: int, b: str, /, c: int = 1)``."""
    parts = split(text.strip()[1:-1])
    unnamed = parts.index("/") if "/" in parts else 0
    found = []
    for index, part in enumerate(part for part in parts if part != "/"):
        name, _, rest = part.partition(":")
        written, _, default = rest.partition("=")
        found.append((None if index < unnamed else name, kind(written), default.strip() or None))
    return tuple(found)


def stand_in_signatures(thing: Any) -> set[Parameters]:
    """Those of a function, method or class of the stand-in."""
    if inspect.isclass(thing):
        thing = thing.__dict__["__init__"]
    signatures = set()
    for choice in getattr(thing, "choices", [thing]):
        found = []
        for parameter in inspect.signature(choice).parameters.values():
            if parameter.name == "self":
                continue
            default = None if parameter.default is parameter.empty else repr(parameter.default)
            if isinstance(parameter.default, tuple):
                default = repr(list(parameter.default))
            named = parameter.kind is not parameter.POSITIONAL_ONLY
            found.append((parameter.name if named else None, kind(parameter.annotation), default))
        signatures.add(tuple(found))
    return signatures


def documented_signatures(documentation: str, name: str) -> set[Parameters]:
    """Those that a C++ binding writes into the documentation of ``name``."""
    signatures = set()
    for line in documentation.splitlines():
        match = re.match(rf"\s*(?:\d+\. )?{name}\((.*)\) -> ", line)
        if match:
            written = [part for part in split(match[1]) if not part.startswith("self:")]
            parsed = parameters(f"({', '.join(written)})")
            signatures.add(
                tuple(
                    (None if re.fullmatch(r"arg\d+", str(n)) else n, written_kind, default)
                    for n, written_kind, default in parsed
                )
            )
    return signatures


def member(module: Any, name: str) -> Any:
    for part in name.split("."):
        module = inspect.getattr_static(module, part, None)
        if isinstance(module, staticmethod):
            module = module.__func__
    return module


@pytest.mark.parametrize("name", CALLED)
def test_the_stand_in_has_the_signatures_of_the_table(name: str) -> None:
    wanted = {parameters(call) for call in TABLE[name]["calls"]}
    assert stand_in_signatures(member(stand_in, name)) == wanted


def test_the_stand_in_has_what_is_in_the_table_and_nothing_else() -> None:
    offered = set(stand_in.__all__)
    for name in stand_in.__all__:
        thing = getattr(stand_in, name)
        if inspect.isclass(thing) and "members" not in TABLE[name] and "calls" in TABLE[name]:
            offered |= {f"{name}.{part}" for part in vars(thing) if not part.startswith("_")}
    assert offered - {"Tensor.on"} == set(TABLE)


@pytest.mark.parametrize("name", [name for name in TABLE if "members" in TABLE[name]])
def test_enumerations_have_the_numbers_of_the_table(name: str) -> None:
    members = {member.name: int(member) for member in getattr(stand_in, name)}
    assert members == TABLE[name]["members"]


def test_a_bindings_documentation_is_understood() -> None:
    documentation = """process(*args, **kwargs)
    Overloaded function.

    1. process(self: sophon.sail.Engine, graph_name: str, input: Dict[str, sophon.sail.Tensor], \
output: Dict[str, sophon.sail.Tensor], core_list: List[int] = []) -> None
    """
    assert documented_signatures(documentation, "process") == {
        parameters(TABLE["Engine.process"]["calls"][0])
    }
    array = "__init__(self: T, handle: sail.Handle, data: numpy.ndarray[numpy.int8]) -> None"
    assert documented_signatures(array, "__init__") == {parameters(TABLE["Tensor"]["calls"][0])}
    unnamed = "sync_s2d(self: sail.Tensor, arg0: int) -> None"
    assert documented_signatures(unnamed, "sync_s2d") == {parameters("(size: int, /)")}


# A folder of that name, such as ours, is no package of the vendor's.
INSTALLED = all(importlib.util.find_spec(name) for name in ("sophon", "sophon.sail"))


@pytest.mark.skipif(not INSTALLED, reason="the vendor's sophon.sail is not installed here")
@pytest.mark.parametrize("name", [name for name in TABLE if INSTALLED])
def test_the_installed_sail_has_the_table(name: str) -> None:
    thing: Any = importlib.import_module("sophon.sail")
    for part in name.split("."):
        if not hasattr(thing, part) and TABLE[name].get("optional"):
            pytest.skip(f"this build is without {name}, the chip owner asks before it uses it")
        thing = getattr(thing, part)
    for member_name, number in TABLE[name].get("members", {}).items():
        assert int(getattr(thing, member_name)) == number
    if name in CALLED:
        documented = thing.__init__ if inspect.isclass(thing) else thing
        found = documented_signatures(str(documented.__doc__), documented.__name__)
        # Older versions lack some; one with other types or names would be a mistake.
        first = parameters(TABLE[name]["calls"][0])
        assert first in found


# What the modules of the chip owner call sail and its objects.
SAIL = {"sail", "self.sail"}
OBJECTS = {
    "self._engine": ("Engine", "EngineLLM"),
    "tensor": ("Tensor",),
    "source": ("Tensor",),
    "target": ("Tensor",),
    "trial": ("Tensor",),
    "handle": ("Handle",),
    "self._handle": ("Handle",),
}


def uses(module: ast.Module) -> Iterator[tuple[str, str]]:
    """Each ``object.attribute``, by the object's text; getattr and hasattr too."""
    for node in ast.walk(module):
        if isinstance(node, ast.Attribute):
            yield ast.unparse(node.value), node.attr
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in ("getattr", "hasattr"):
            asked = node.args[1]
            if isinstance(asked, ast.Constant):
                yield ast.unparse(node.args[0]), str(asked.value)


def test_the_chip_owner_uses_nothing_that_is_not_in_the_table() -> None:
    path = SOPHON / "chip_owner" / "sail_chip.py"
    used = set()
    for thing, attribute in uses(ast.parse(path.read_text())):
        if thing in SAIL and not attribute.startswith("__"):
            used.add(attribute)
            assert attribute in TABLE, f"sail.{attribute}"
        for owner in SAIL:
            if thing.startswith(f"{owner}.") and (name := thing[len(owner) + 1 :]) in TABLE:
                known = TABLE[name].get("members", {})
                assert attribute in known or f"{name}.{attribute}" in TABLE, f"{name}.{attribute}"
        if thing in OBJECTS:
            names = OBJECTS[thing]
            assert any(f"{name}.{attribute}" in TABLE for name in names), f"{thing}.{attribute}"
            used.add(attribute)
    assert {"Engine", "EngineLLM", "Tensor", "process", "update_data"} <= used


def test_one_module_of_the_chip_owner_alone_touches_sail() -> None:
    for path in (SOPHON / "chip_owner").glob("*.py"):
        imported = re.search(r"(import|from) sophon\b", path.read_text())
        assert (imported is not None) == (path.name == "sail_chip.py"), path.name
