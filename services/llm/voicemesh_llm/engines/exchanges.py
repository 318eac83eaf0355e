"""A conversation cut into exchanges: a question and all that follows it."""

from __future__ import annotations

from collections.abc import Sequence

from voicemesh_llm.engines.engine import Message, Role


def split_exchanges(messages: Sequence[Message]) -> list[list[Message]]:
    """Cut at each user message that does not follow another one directly."""
    exchanges: list[list[Message]] = []
    before: Role | None = None
    for message in messages:
        begins = message.role is Role.USER and before is not Role.USER
        if begins or not exchanges:
            exchanges.append([])
        exchanges[-1].append(message)
        before = message.role
    return exchanges
