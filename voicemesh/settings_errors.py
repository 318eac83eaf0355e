"""What is wrong with a setting, and what would be right, in the words of its users.

pydantic says what it expected of a Python value; whoever wrote the setting into a
file, a variable or an option wants to know what to write instead.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from typing import Any, get_args

from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

_UNITS = {
    "ms": "milliseconds",
    "s": "seconds",
    "hertz": "hertz",
    "mb": "MiB",
    "megabytes": "megabytes",
    "db": "decibels",
    "dbfs": "dBFS",
    "percent": "percent",
}
"""What the last word of a setting's name says of its number."""
_LISTS = frozenset({"tuple_type", "list_type", "set_type", "frozen_set_type"})
_WHOLE = frozenset({"int_type", "int_parsing", "int_from_float", "int_parsing_size"})
_NUMBERS = frozenset({"float_type", "float_parsing", "finite_number"})
_RANGES = frozenset({"greater_than", "greater_than_equal", "less_than", "less_than_equal"})

_LONGEST_SHOWN = 40
_USUAL: Any = 30
"""An example of a number where the default is none."""


class Wrong:
    """The first thing that a model found wrong with its values."""

    def __init__(self, error: ValidationError, model: type[BaseModel]) -> None:
        """``error`` of validating values of ``model``."""
        self._problem = error.errors()[0]
        self._field, self._holder = _field_at(model, self._problem)

    @property
    def place(self) -> tuple[str, ...]:
        """The names that lead to the value, within the model."""
        return tuple(str(part) for part in self._problem["loc"])

    @property
    def is_unknown(self) -> bool:
        """Whether there is no setting of that name."""
        return self._problem["type"] == "extra_forbidden"

    def suggestion(self) -> str:
        """The path of a known setting that is like it; empty where none is."""
        *outer, name = self.place
        near = nearest(name, self._holder.model_fields)
        return ".".join((*outer, near)) if near else ""

    def sentence(self) -> str:
        """What the value has to be, such as ``has to be 0 to 3, not 9``."""
        kind = self._problem["type"]
        if kind == "value_error":  # A validator of ours: it has said all.
            return str(self._problem["ctx"]["error"])
        describe = self._right(kind)
        if describe is None:
            return self._problem["msg"].replace("Input should", "has to", 1)
        return f"has to be {describe}{self._given()}"

    def _right(self, kind: str) -> str | None:
        """What would be right; None where pydantic's own words say it."""
        if kind in _LISTS:
            return f"a list, such as {json.dumps(self._example_items())}"
        if kind == "dict_type":
            return 'a table, such as {"name": "value"}'
        if kind == "model_type":
            return "a section, whose settings are set by their names"
        if kind in _WHOLE or kind in _NUMBERS:
            return self._number("a whole number" if kind in _WHOLE else "a number")
        if kind in _RANGES and self._field is not None:
            bounds = _range(self._field)
            return f"{bounds}{self._unit()}" if bounds else None
        if kind in ("bool_type", "bool_parsing"):
            return "true or false"
        if kind == "string_pattern_mismatch":
            return f"like {self._field.default}" if self._field is not None else None
        if kind == "literal_error":
            return str(self._problem["ctx"]["expected"])
        return None

    def _given(self) -> str:
        """``, not 9``; nothing where it is long, or perhaps a secret."""
        value = self._problem["input"]
        if not isinstance(value, bool | int | float | str):
            return ""
        text = value if isinstance(value, str) and value else json.dumps(value)
        return f", not {text}" if len(text) <= _LONGEST_SHOWN else ""

    def _unit(self) -> str:
        """`` milliseconds`` for a number whose name ends with _ms; empty where none is known."""
        _, underscore, last = str(self._problem["loc"][-1]).rpartition("_")
        unit = _UNITS.get(last) if underscore else None
        return f" {unit}" if unit else ""

    def _number(self, what: str) -> str:
        counted = f"{what} of{unit}" if (unit := self._unit()) else what
        in_a_list = isinstance(self._problem["loc"][-1], int)
        return counted if in_a_list else f"{counted}, such as {self._example()}"

    def _example(self) -> str:
        """A value that would do: the default where it is one, else a number within bounds."""
        default = None if self._field is None else self._field.default
        if isinstance(default, int | float | str) and default:
            return str(default)
        bounds = () if self._field is None else self._field.metadata
        return str(min([_USUAL, *(bound.le for bound in bounds if isinstance(bound, Le))]))

    def _example_items(self) -> list[Any]:
        """Two items of a list's type."""
        annotation = None if self._field is None else self._field.annotation
        kinds = get_args(annotation)
        return [0, 1] if kinds and kinds[0] in (int, float) else ["a", "b"]


def nearest(name: str, known: Iterable[str]) -> str:
    """The known name that is most like ``name``; empty where none is like it."""
    return next(iter(get_close_matches(name, list(known), 1)), "")


def _field_at(
    model: type[BaseModel], problem: ErrorDetails
) -> tuple[FieldInfo | None, type[BaseModel]]:
    """The field that a problem is of, None where there is none, and the section it is in."""
    holder, field = model, None
    for part in problem["loc"]:
        field = holder.model_fields.get(str(part))
        inner = None if field is None else field.annotation
        if not (isinstance(inner, type) and issubclass(inner, BaseModel)):
            break
        holder = inner
    return field, holder


_BOUNDS: dict[type, Callable[[Any], str]] = {
    Ge: lambda bound: f"at least {bound.ge}",
    Gt: lambda bound: f"more than {bound.gt}",
    Le: lambda bound: f"at most {bound.le}",
    Lt: lambda bound: f"less than {bound.lt}",
}


def _range(field: FieldInfo) -> str | None:
    """What the bounds of a number allow; None where they are not the field's own."""
    bounds = {type(bound): bound for bound in field.metadata if type(bound) in _BOUNDS}
    if {*bounds} == {Ge, Le}:
        return f"{bounds[Ge].ge} to {bounds[Le].le}"
    return " and ".join(_BOUNDS[kind](bound) for kind, bound in bounds.items()) or None
