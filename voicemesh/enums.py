"""Names of enum values for people, logs and metrics."""

from __future__ import annotations

import re
from functools import cache
from typing import Protocol

from google.protobuf.descriptor import EnumDescriptor

_WORD_BEGINS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


class Enum(Protocol):
    """A generated enum type, such as ``common_pb2.Stage``."""

    @property
    def DESCRIPTOR(self) -> EnumDescriptor:
        """Its values by number."""


@cache
def _prefix(type_name: str) -> str:
    return _WORD_BEGINS.sub("_", type_name).upper() + "_"


def short_name(enum: Enum, value: int) -> str:
    """``value`` without its type's prefix, in lower case: STAGE_ASR is ``asr``.

    A value that this version does not know, because the other side is newer, is
    ``unknown_`` and its number: never an error.
    """
    described = enum.DESCRIPTOR.values_by_number.get(value)
    if described is None:
        return f"unknown_{value}"
    name: str = described.name
    return name.removeprefix(_prefix(enum.DESCRIPTOR.name)).lower()
