"""``[llm]``: settings of the language model service."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, field_validator

from voicemesh.engine_choices import EngineChoice
from voicemesh.settings import Section, ServerSettings, with_engines

ENGINE_GROUP = "voicemesh.llm_engines"

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


class LanguageModelSettings(ServerSettings):
    """The language model service."""

    port: int = Field(50052, ge=0, le=65535, description="gRPC port; 0: any free one.")
    metrics_port: int = Field(
        9452, ge=-1, le=65535, description="Prometheus port; 0: any free one, -1: none."
    )
    engine: Annotated[str, EngineChoice(ENGINE_GROUP)] = Field(
        "scripted",
        description="The engine that answers: scripted, openai, sophon-llm or simulated. The "
        "default needs nothing else.",
    )
    max_concurrent_streams: int = Field(
        16,
        ge=1,
        le=4096,
        description="Replies generated at once; one more is refused with BUSY. Model servers queue "
        "without limit, and a voice cannot wait in a queue.",
    )
    system_prompt: str = Field(
        DEFAULT_PERSONA_EN,
        description="Persona for questions in English and other languages, used where the request "
        "brings no system message. Says that answers are spoken.",
    )
    system_prompt_zh: str = Field(
        DEFAULT_PERSONA_ZH, description="The same for questions in Chinese."
    )
    max_exchanges: int = Field(
        10,
        ge=0,
        le=1000,
        description="Former question-answer pairs that the model sees. Talk rarely refers further "
        "back, and every pair costs time to first token.",
    )
    max_prompt_tokens: int = Field(
        3000,
        ge=64,
        le=100_000,
        description="Budget of the prompt in tokens, system prompt included. Fits a 4096-token "
        "context together with max_output_tokens.",
    )
    max_output_tokens: int = Field(
        512,
        ge=1,
        le=100_000,
        description="Longest reply in tokens where the request names none: about three minutes of "
        "speech.",
    )
    stop: tuple[str, ...] = Field(
        (),
        description="Texts that end every reply and are no part of it, beside the request's own, "
        'for models that go on with the other side of the talk ("\\nUser:").',
    )
    first_token_timeout_s: float = Field(
        15.0,
        gt=0,
        le=600,
        description="Seconds until the first word; then DEADLINE_EXCEEDED. Nobody listens to "
        "silence for longer.",
    )
    total_timeout_s: float = Field(
        120.0,
        gt=0,
        le=3600,
        description="Seconds for a whole reply. Guards against a model that never ends.",
    )
    request_timeout_s: float = Field(
        10.0,
        gt=0,
        le=600,
        description="Seconds that a new stream may take to send its request. Guards against idle "
        "streams.",
    )
    delta_flush_ms: int = Field(
        40,
        ge=0,
        le=1000,
        description="Longest that words wait to be joined into one message, in milliseconds. Below "
        "what a listener notices; saves most messages of a fast model.",
    )
    reset_phrases: tuple[str, ...] = Field(
        ("start over", "重新开始"),
        description="Utterances that start the conversation over, in any case and with or without "
        "courtesies.",
    )

    @field_validator("stop")
    @classmethod
    def _no_empty_stop(cls, stops: tuple[str, ...]) -> tuple[str, ...]:
        if "" in stops:
            raise ValueError("an empty stop string would end every reply; remove it")
        return stops


def section() -> type[Section]:
    """The section with a sub-section for each installed engine."""
    return with_engines(LanguageModelSettings, ENGINE_GROUP)
