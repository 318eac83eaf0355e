"""Addresses of gRPC servers in settings: host:port."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator

_HOST_AND_PORT = re.compile(r"(?P<host>\S+):(?P<port>\d{1,5})", re.ASCII)


def _checked(text: str) -> str:
    found = _HOST_AND_PORT.fullmatch(text)
    if found is None or not 0 < int(found["port"]) < 65_536:
        raise ValueError(f"has to be host:port, such as 127.0.0.1:50050, not {text!r}")
    return text


def _checked_if_set(text: str) -> str:
    return _checked(text) if text else text


Target = Annotated[str, AfterValidator(_checked)]
"""Where a server is dialled."""
OptionalTarget = Annotated[str, AfterValidator(_checked_if_set)]
"""The same, or empty for none."""
