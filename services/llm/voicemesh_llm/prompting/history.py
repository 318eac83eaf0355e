"""Bounds the history: whole exchanges go, the oldest first; the question stays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from voicemesh.errors import InvalidArgument
from voicemesh_llm.engines.engine import Audio, Message, Role
from voicemesh_llm.engines.exchanges import split_exchanges
from voicemesh_llm.token_estimate import MESSAGE_OVERHEAD_TOKENS

AUDIO_TOKENS_PER_SECOND = 25
"""What audio models of today spend on a second of speech (12.5 to 25)."""


@dataclass(frozen=True)
class BoundedHistory:
    """What is kept, and how many messages were dropped."""

    messages: tuple[Message, ...]
    dropped: int


def bound_history(
    messages: Sequence[Message],
    max_exchanges: int,
    token_budget: int,
    count_tokens: Callable[[str], int],
    cure: str = "raise llm.max_prompt_tokens",
) -> BoundedHistory:
    """Keep the leading system messages, the last exchange and what else fits.

    An exchange begins where the person speaks and holds all that follows. At most
    ``max_exchanges`` former ones are kept. InvalidArgument when what must stay is
    over ``token_budget`` already; ``cure`` tells what would raise that.
    """
    head_length = next(
        (i for i, m in enumerate(messages) if m.role is not Role.SYSTEM), len(messages)
    )
    head, exchanges = messages[:head_length], split_exchanges(messages[head_length:])
    cost = sum(message_tokens(m, count_tokens) for m in (*head, *exchanges[-1]))
    if cost > token_budget:
        raise InvalidArgument(
            f"the last message and the system prompt have about {cost} tokens, but only "
            f"{token_budget} fit; shorten them or {cure}",
            field="generation.messages",
        )
    kept = [exchanges[-1]]
    for exchange in reversed(exchanges[:-1]):
        cost += sum(message_tokens(m, count_tokens) for m in exchange)
        if len(kept) > max_exchanges or cost > token_budget:
            break
        kept.append(exchange)
    result = (*head, *(m for exchange in reversed(kept) for m in exchange))
    return BoundedHistory(result, len(messages) - len(result))


def message_tokens(message: Message, count_tokens: Callable[[str], int]) -> int:
    """About what a message costs in a prompt."""
    cost = MESSAGE_OVERHEAD_TOKENS
    for part in message.parts:
        if isinstance(part, Audio):
            samples = len(part.pcm) // 2
            cost += -(-samples * AUDIO_TOKENS_PER_SECOND // part.sample_rate_hertz)
        else:
            cost += count_tokens(part)
    for call in message.tool_calls:
        cost += count_tokens(call.name) + count_tokens(call.arguments_json)
    return cost
