"""The system prompt that leads a conversation where the request brings none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from voicemesh_llm.engines.engine import Message, Speaker
from voicemesh_llm.prompting.language import primary_tag, speaks_chinese

DEFAULT_PERSONA_EN = (
    "You are the voice assistant of a robot. What you write is spoken aloud. Answer in one to "
    "three short sentences of plain words, without Markdown, lists, emoji, code or web addresses. "
    "Answer in the language of the question. If you do not know something, say so. A message that "
    "is marked as interrupted was heard only up to the mark."
)
DEFAULT_PERSONA_ZH = (
    "你是机器人的语音助手，你写的内容会被朗读出来。请用一到三个简短的口语句子回答，"
    "不要使用 Markdown、列表、表情符号、代码或网址。用提问的语言回答。不知道的就直说不知道。"
    "标明被打断的消息，对方只听到标记之前的部分。"
)


def with_persona(
    messages: Sequence[Message], language_code: str, persona_en: str, persona_zh: str
) -> tuple[Message, ...]:
    """``messages`` led by a system message that also names the language to answer in."""
    chinese = speaks_chinese(messages[-1].text, language_code)
    head = messages[0]
    if head.speaker is not Speaker.SYSTEM:
        head = Message(Speaker.SYSTEM, (persona_zh if chinese else persona_en,))
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
