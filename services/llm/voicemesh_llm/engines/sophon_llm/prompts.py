"""From a conversation to the ids that are fed, within the model's sequence."""

from __future__ import annotations

from dataclasses import dataclass

from voicemesh.errors import InvalidArgument
from voicemesh_llm.engines.engine import Message, Prompt, Role
from voicemesh_llm.engines.exchanges import split_exchanges
from voicemesh_llm.engines.prompt_notes import with_facts
from voicemesh_llm.engines.sophon_llm.chat_template import ChatTemplate, begins_in_thought
from voicemesh_llm.engines.sophon_llm.prefix_cache import common_prefix
from voicemesh_llm.engines.sophon_llm.tokens import Tokens
from voicemesh_llm.engines.sophon_llm.written import Written

_DIFFERENT = ("What?", "好")
"""Questions that share no beginning."""


@dataclass(frozen=True)
class ModelPrompt:
    """What is fed."""

    text: str
    ids: list[int]
    dropped: int
    """The oldest messages that did not fit."""

    @property
    def in_thought(self) -> bool:
        """Whether the reply begins inside the model's reasoning."""
        return begins_in_thought(self.text)


class PromptWriter:
    """Writes prompts that leave room for a reply."""

    def __init__(self, template: ChatTemplate, tokens: Tokens, longest: int, sequence: int) -> None:
        """``longest`` prompt and whole ``sequence``, in tokens."""
        self._template = template
        self._tokens = tokens
        self._longest = longest
        self._sequence = sequence

    def write(self, prompt: Prompt, room: int, before: Written) -> ModelPrompt:
        """The prompt; ``room`` tokens are kept for the reply.

        The oldest exchanges go first, the system prompt and the question stay.
        InvalidArgument where these two alone are too long. ``before``: prompt and
        reply of the conversation's last turn.
        """
        messages = with_facts(prompt.messages, prompt.facts)
        split = next(
            (i for i, m in enumerate(messages) if m.role is not Role.SYSTEM), len(messages)
        )
        head, exchanges = messages[:split], split_exchanges(messages[split:])
        most = min(self._longest, self._sequence - room)
        for first in range(len(exchanges)):
            kept = [*head, *(m for exchange in exchanges[first:] for m in exchange)]
            text = self._template.write(kept)
            ids = self.encode(text, before)
            if len(ids) <= most:
                return ModelPrompt(text, ids, len(messages) - len(kept))
        raise InvalidArgument(
            f"the system prompt and the question are {len(ids)} tokens long, but {most} fit: the "
            f"model's sequence is {self._sequence} and {self._sequence - most} are kept for the "
            "reply or cannot be read at once; shorten them, or use a bmodel with a longer sequence",
            field="generation.messages",
        )

    def beginning(self, system: str) -> list[int]:
        """The ids that the prompts of all conversations led by ``system`` begin with."""
        head = Message(Role.SYSTEM, (system,))
        first, second = (
            self._tokens.encode(self._template.write([head, Message(Role.USER, (question,))]))
            for question in _DIFFERENT
        )
        return first[: common_prefix(first, second)]

    def encode(self, text: str, before: Written) -> list[int]:
        """The ids of ``text``.

        A model writes the same words with other tokens than its tokenizer would, now
        and then. Where ``text`` continues what is known, the known ids stay, so that
        their keys and values can be used. The cut is at a special token only, which
        no tokenizer joins with what is before it.
        """
        rest = text[len(before.text) :]
        if before.text and text.startswith(before.text) and self._is_cut(rest):
            return [*before.ids, *self._tokens.encode(rest)]
        return self._tokens.encode(text)

    def _is_cut(self, rest: str) -> bool:
        return rest.startswith(tuple(self._tokens.special))
