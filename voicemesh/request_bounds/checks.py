"""Checks of whole messages, made of the table once for each type."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from voicemesh.errors import InvalidArgument
from voicemesh.request_bounds.bounds import ANY, BOUNDS, ELSEWHERE, Bound

Check = Callable[[Any], None]
"""Takes a message; InvalidArgument with the path of the first field that is out of bounds."""

_OURS = "voicemesh.v1"
_INTEGERS = {
    FieldDescriptor.CPPTYPE_INT32,
    FieldDescriptor.CPPTYPE_INT64,
}
_FLOATS = {FieldDescriptor.CPPTYPE_FLOAT, FieldDescriptor.CPPTYPE_DOUBLE}


@cache
def check_of(descriptor: Descriptor) -> Check | None:
    """The check of a type of message; None where nothing in it can be out of bounds.

    What a message does not carry costs next to nothing: of a oneof only the field that
    is set is looked at. 20 ms of audio take about a microsecond.
    """
    steps: list[Check] = []
    for field in descriptor.fields:
        if not _is_choice(field) and (step := _step(field)) is not None:
            steps.append(step)
    for choice in descriptor.oneofs:
        options = {f.name: step for f in choice.fields if (step := _step(f)) is not None}
        if options and _is_choice(choice.fields[0]):
            steps.append(_chosen(choice.name, options))
    if not steps:
        return None
    if len(steps) == 1:
        return steps[0]

    def check(message: Any) -> None:
        for step in steps:
            step(message)

    return check


def bound_of(field: FieldDescriptor) -> Bound | None:
    """What the table says of a field; None: nothing."""
    message = field.containing_type
    assert message is not None  # There are no extensions.
    if message.file.package != _OURS:
        return ELSEWHERE
    if message.GetOptions().map_entry:
        return ANY  # The bound of the map is that of its entries.
    return BOUNDS.get(f"{message.name}.{field.name}")


def _is_choice(field: FieldDescriptor) -> bool:
    """Whether it belongs to a oneof that somebody wrote, not to one that `optional` makes."""
    choice = field.containing_oneof
    return choice is not None and not (len(choice.fields) == 1 and choice.name == f"_{field.name}")


def _chosen(choice: str, options: dict[str, Check]) -> Check:
    def check(message: Any) -> None:
        step = options.get(message.WhichOneof(choice))
        if step is not None:
            step(message)

    return check


def _step(field: FieldDescriptor) -> Check | None:
    """The check of one field; None where it needs none."""
    bound = bound_of(field) or ANY
    if field.is_repeated:
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            return _map(field.name, bound)
        return _repeated(field, bound)
    if field.message_type is not None:
        return _within(field.name, check_of(field.message_type))
    if field.cpp_type == FieldDescriptor.CPPTYPE_STRING and bound.length is not None:
        unit = "bytes" if field.type == FieldDescriptor.TYPE_BYTES else "characters"
        return _length(field.name, bound.length, unit)
    if field.cpp_type in _FLOATS:
        return _number(field.name, bound.numbers)
    if field.cpp_type in _INTEGERS and bound.numbers is not None:
        return _integer(field.name, *bound.numbers)
    return None


def _within(name: str, inner: Check | None) -> Check | None:
    if inner is None:
        return None

    def check(message: Any) -> None:
        if message.HasField(name):
            try:
                inner(getattr(message, name))
            except InvalidArgument as error:
                error.field = f"{name}.{error.field}"
                raise

    return check


def _length(name: str, most: int, unit: str) -> Check:
    def check(message: Any) -> None:
        length = len(getattr(message, name))
        if length > most:
            raise InvalidArgument(
                f"{length} {unit} are more than {most}; send less at once", field=name
            )

    return check


def _number(name: str, numbers: tuple[int, int] | None) -> Check:
    def check(message: Any) -> None:
        value = getattr(message, name)
        if not math.isfinite(value):
            raise InvalidArgument(
                f"{value} is no finite number; send one, or leave it out", field=name
            )
        if numbers is not None and not numbers[0] <= value <= numbers[1]:
            raise _outside(name, value, *numbers)

    return check


def _integer(name: str, least: int, greatest: int) -> Check:
    def check(message: Any) -> None:
        value = getattr(message, name)
        if not least <= value <= greatest:
            raise _outside(name, value, least, greatest)

    return check


def _outside(name: str, value: float, least: int, greatest: int) -> InvalidArgument:
    return InvalidArgument(f"{value} is out of range; send {least} to {greatest}", field=name)


def _count(name: str, entries: Any, most: int | None) -> None:
    if most is not None and len(entries) > most:
        raise InvalidArgument(
            f"{len(entries)} entries are more than {most}; send fewer", field=name
        )


def _repeated(field: FieldDescriptor, bound: Bound) -> Check:
    name, length = field.name, bound.length
    inner = None if field.message_type is None else check_of(field.message_type)

    def check(message: Any) -> None:
        entries = getattr(message, name)
        _count(name, entries, bound.entries)
        if inner is not None:
            for index, entry in enumerate(entries):
                try:
                    inner(entry)
                except InvalidArgument as error:
                    error.field = f"{name}[{index}].{error.field}"
                    raise
        elif length is not None:
            for index, entry in enumerate(entries):
                if len(entry) > length:
                    raise InvalidArgument(
                        f"{len(entry)} characters are more than {length}; send less",
                        field=f"{name}[{index}]",
                    )

    return check


def _map(name: str, bound: Bound) -> Check:
    length = bound.length or 0

    def check(message: Any) -> None:
        entries = getattr(message, name)
        _count(name, entries, bound.entries)
        for key, value in entries.items():
            if len(key) > length or len(value) > length:
                raise InvalidArgument(
                    f"a name and what it stands for have at most {length} characters each; "
                    "send less",
                    field=f'{name}["{key[:40]}"]',
                )

    return check
