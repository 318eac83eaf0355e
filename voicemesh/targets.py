"""Addresses of gRPC servers: host:port, in settings and in options."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator

_HOST_AND_PORT = re.compile(r"\S+:(?P<port>.*)")
_PORT = re.compile(r"\d{1,5}", re.ASCII)


def is_port(text: str) -> bool:
    """Whether ``text`` is a port that a server can be dialled on, 1 to 65535."""
    return _PORT.fullmatch(text) is not None and 0 < int(text) < 65_536


def is_host_and_port(text: str) -> bool:
    """Whether ``text`` is host:port, with a port that can be dialled."""
    found = _HOST_AND_PORT.fullmatch(text)
    return found is not None and is_port(found["port"])


def checked_target(text: str) -> str:
    """``text`` where it is host:port; else ValueError with what it has to be."""
    if not is_host_and_port(text):
        raise ValueError(f"has to be host:port, such as 127.0.0.1:50050, not {text!r}")
    return text


def _checked_if_set(text: str) -> str:
    return checked_target(text) if text else text


Target = Annotated[str, AfterValidator(checked_target)]
"""Where a server is dialled."""
OptionalTarget = Annotated[str, AfterValidator(_checked_if_set)]
"""The same, or empty for none."""
