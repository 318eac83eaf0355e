"""The system prompt that leads a conversation where the request brings none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from voicemesh_llm.engines.engine import Message, Role
from voicemesh_llm.language import primary_tag, speaks_chinese


def with_persona(
    messages: Sequence[Message], language_code: str, persona_en: str, persona_zh: str
) -> tuple[Message, ...]:
    """``messages`` led by a system message that also names the language to answer in."""
    chinese = speaks_chinese(messages[-1].text, language_code)
    head = messages[0]
    if head.role is not Role.SYSTEM:
        head = Message(Role.SYSTEM, (persona_zh if chinese else persona_en,))
        messages = (head, *messages)
    if language_code:
        head = replace(head, parts=(*head.parts, _language_rule(language_code)))
    return (head, *messages[1:])


def _language_rule(language_code: str) -> str:
    primary = primary_tag(language_code)
    if primary == "zh":
        return "\n请用中文回答。"
    name = "English" if primary == "en" else f"the language with the tag {language_code}"
    return f"\nAnswer in {name}."
