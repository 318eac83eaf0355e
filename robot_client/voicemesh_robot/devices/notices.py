"""News of a device that is lost, back or clipping."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Notice:
    """News of a device, for people and for whoever watches."""

    kind: Literal["lost", "back", "clipping"]
    text: str


Observe = Callable[[Notice], None]


def to_log(notice: Notice) -> None:
    """Write a notice into the log."""
    (log.info if notice.kind == "back" else log.warning)("%s", notice.text)
