"""The protocol of a language model engine, and the plain data that it works on.

The service checks requests, adds the persona, bounds the history and enforces
stop strings, length and deadlines; an engine only turns a Prompt into events.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol

from voicemesh.work_counter import WorkCounter


class Role(Enum):
    """Who speaks in a message. The values are the names of chat templates."""

    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"
    TOOL = "tool"


class Finish(Enum):
    """Why an engine ended a reply."""

    STOP = "stop"
    LENGTH = "length"
    TOOL_CALLS = "tool_calls"
    CONTENT_FILTER = "content_filter"


@dataclass(frozen=True)
class Audio:
    """Audio inside a message: mono signed 16-bit little-endian PCM, no header."""

    pcm: bytes
    sample_rate_hertz: int


@dataclass(frozen=True)
class ToolCall:
    """A whole call of a tool; the arguments are JSON text."""

    tool_call_id: str
    name: str
    arguments_json: str


@dataclass(frozen=True)
class Message:
    """A message of the conversation; ``parts`` are texts and audio in order."""

    role: Role
    parts: tuple[str | Audio, ...]
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str = ""
    interrupted: bool = False

    @property
    def text(self) -> str:
        """The text parts, joined."""
        return "".join(part for part in self.parts if isinstance(part, str))


@dataclass(frozen=True)
class Tool:
    """A function that the model may call; the parameters are a JSON schema."""

    name: str
    description: str
    parameters_json_schema: str


class ToolChoice(Enum):
    """Whether the model must call a tool."""

    AUTO = "auto"
    NONE = "none"
    REQUIRED = "required"


@dataclass(frozen=True)
class Sampling:
    """How tokens are chosen; None leaves it to the engine's settings."""

    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    seed: int | None = None
    repetition_penalty: float | None = None


@dataclass(frozen=True)
class Prompt:
    """What is to be answered. ``messages`` are oldest first; the last is a user's or a tool's."""

    messages: tuple[Message, ...]
    conversation_id: str = ""
    tools: tuple[Tool, ...] = ()
    tool_choice: ToolChoice = ToolChoice.AUTO
    sampling: Sampling = Sampling()
    stop: tuple[str, ...] = ()
    max_output_tokens: int = 0
    """The longest reply in tokens; 0: the engine's own bound."""
    language_code: str = ""
    """The language to answer in (BCP-47); empty: that of the question."""
    model: str = ""
    """The model asked for; empty: the engine's own."""
    facts: Mapping[str, str] = field(default_factory=dict)
    speculative: bool = False
    interactive: bool = True
    counter: WorkCounter = field(default_factory=WorkCounter, compare=False)
    """Where the engine counts tokens as it makes them."""


@dataclass(frozen=True)
class TextDelta:
    """More of the reply."""

    text: str


@dataclass(frozen=True)
class Usage:
    """What a reply cost, in tokens."""

    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0


@dataclass(frozen=True)
class Finished:
    """The last event of a reply; ``usage`` is None where the engine does not count."""

    reason: Finish
    usage: Usage | None = None
    dropped_messages: int = 0
    """The oldest messages that the engine left out, beside those that the service did."""


Event = TextDelta | ToolCall | Finished


@dataclass(frozen=True)
class Capabilities:
    """What an engine can do."""

    languages: tuple[str, ...] = ()
    """BCP-47 tags; empty: whatever the model knows."""
    tools: bool = False
    audio_input: bool = False
    speculative: bool = False
    """Whether generating has no side effect, so that a turn may be tried early."""
    context_tokens: int = 0
    """The longest prompt and reply together; 0: not known."""
    model_choice: bool = False
    """Whether a request may name another model than the engine's own."""


class LanguageModel(Protocol):
    """An engine. Its methods run on the event loop and must not hold it up."""

    @property
    def name(self) -> str:
        """The engine's registered name."""

    @property
    def model(self) -> str:
        """The model's name; empty before load() has found it."""

    @property
    def capabilities(self) -> Capabilities:
        """What the engine can do; holds once it is loaded."""

    async def load(self) -> None:
        """Make ready to generate; EngineError or Unavailable when that cannot be."""

    def generate(self, prompt: Prompt) -> AsyncIterator[Event]:
        """Events up to and including one Finished; leaving early cancels the work.

        The iterator is an async generator: whoever leaves it early calls
        ``aclose()``, and once that returns the engine spends nothing more on it.
        """

    def count_tokens(self, text: str) -> int:
        """The number of tokens of ``text``, exact or estimated."""

    async def close(self) -> None:
        """Release what load() took."""
