"""What happens to a mesh, for people as a line and for machines as JSON."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Literal

EventKind = Literal[
    "serves", "ended", "hangs", "warning", "ready", "stopping", "killing", "stopped",
    "failed",
]  # fmt: skip
"""docs/operations.md says what each means and which facts it has."""


class MeshEvent:
    """Something that has happened just now. ``str(event)`` is a line for a person."""

    def __init__(self, kind: EventKind, text: str, **facts: str | int | float) -> None:
        """``facts``: what machines want to know of it, by name."""
        self.kind = kind
        self.text = text
        self.facts = facts
        self.at = datetime.now(UTC)

    def __str__(self) -> str:
        """The line."""
        return self.text

    def as_json(self) -> str:
        """One JSON object on one line."""
        at = self.at.isoformat(timespec="milliseconds")
        event = {"event": self.kind, "at": at, "text": self.text, **self.facts}
        return json.dumps(event, ensure_ascii=False)
