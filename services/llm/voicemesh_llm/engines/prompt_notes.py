"""Notes for a language model: where a reply was interrupted, what the robot reported."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from voicemesh_llm.engines.engine import Message, Role
from voicemesh_llm.language import speaks_chinese


def with_interruption_note(message: Message) -> Message:
    """An interrupted reply says so at its end; other messages stay as they are."""
    if not message.interrupted or message.role is not Role.ASSISTANT:
        return message
    note = " ——（说到这里被打断）" if speaks_chinese(message.text) else " — (interrupted here)"
    return replace(message, parts=(*message.parts, note))


def with_facts(messages: Sequence[Message], facts: Mapping[str, str]) -> tuple[Message, ...]:
    """The robot's facts, in front of the last user message.

    They stand there and not in the system message because they change: what comes
    before them stays byte-identical, so that a server's prefix cache keeps it.
    """
    last = last_user_index(messages)
    if not facts or last is None:
        return tuple(messages)
    asked = messages[last]
    said = "; ".join(f"{name}: {value}" for name, value in facts.items())
    note = f"[机器人报告：{said}]\n" if speaks_chinese(asked.text) else f"[robot reports: {said}]\n"
    told = replace(asked, parts=(note, *asked.parts))
    return (*messages[:last], told, *messages[last + 1 :])


def last_user_index(messages: Sequence[Message]) -> int | None:
    """The index of the last message of the person."""
    found = (i for i in range(len(messages) - 1, -1, -1) if messages[i].role is Role.USER)
    return next(found, None)
