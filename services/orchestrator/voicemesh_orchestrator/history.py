"""What was said in the conversation. The orchestrator is its one owner."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from voicemesh.v1 import llm_pb2 as pb
from voicemesh.v1.asr_pb2 import TurnDetectorState
from voicemesh.v1.common_pb2 import Stamp


@dataclass(frozen=True)
class Exchange:
    """A question and what was heard of its answer; without a question the robot spoke first."""

    question: str
    heard: str
    interrupted: bool


def _message(role: pb.Role.ValueType, text: str, interrupted: bool = False) -> pb.ChatMessage:
    return pb.ChatMessage(role=role, parts=[pb.ContentPart(text=text)], interrupted=interrupted)


class History:
    """The newest exchanges, at most a set number."""

    def __init__(self, max_exchanges: int) -> None:
        """``max_exchanges``: older ones are forgotten."""
        self._exchanges: deque[Exchange] = deque(maxlen=max_exchanges)

    def __len__(self) -> int:
        """The number of exchanges kept."""
        return len(self._exchanges)

    def add(self, exchange: Exchange) -> None:
        """Keep an exchange; nothing heard of its answer keeps only the question."""
        if exchange.question or exchange.heard:
            self._exchanges.append(exchange)

    def clear(self) -> None:
        """Forget everything."""
        self._exchanges.clear()

    def messages(self, system_prompt: str, question: str) -> list[pb.ChatMessage]:
        """The conversation as the model is shown it, ending with ``question``.

        An empty ``system_prompt`` leaves the persona to the model's service.
        """
        messages = [_message(pb.ROLE_SYSTEM, system_prompt)] if system_prompt else []
        for exchange in self._exchanges:
            if exchange.question:
                messages.append(_message(pb.ROLE_USER, exchange.question))
            if exchange.heard:
                messages.append(_message(pb.ROLE_ASSISTANT, exchange.heard, exchange.interrupted))
        return [*messages, _message(pb.ROLE_USER, question)]


@dataclass
class Memory:
    """What a conversation remembers. It may outlive the stream that carries it."""

    conversation_id: str
    history: History
    stamp: Stamp
    """The newest that it has minted; its epoch is the lease."""
    speaker: TurnDetectorState = field(default_factory=TurnDetectorState)
    """What the turn detector has learnt of how the user pauses."""
