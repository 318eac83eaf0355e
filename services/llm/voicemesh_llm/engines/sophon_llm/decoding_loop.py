"""The decoding loop: prompt in, tokens out, one reply after the other.

A reply is a plain generator that a worker thread pulls.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from voicemesh_llm.engines.engine import Event, Finish, Finished, Prompt, TextDelta, Usage
from voicemesh_llm.engines.sophon_llm import metrics
from voicemesh_llm.engines.sophon_llm.feeding import Kind, Pace, PromptPiece, plan
from voicemesh_llm.engines.sophon_llm.heads import Head, Heads
from voicemesh_llm.engines.sophon_llm.network import NotWanted, Stopped, TransformerNetwork
from voicemesh_llm.engines.sophon_llm.prefix_cache import CacheSlot, PrefixCache
from voicemesh_llm.engines.sophon_llm.prompts import ModelPrompt, PromptWriter
from voicemesh_llm.engines.sophon_llm.rules import SamplingRules
from voicemesh_llm.engines.sophon_llm.settings import SophonLLMSettings
from voicemesh_llm.engines.sophon_llm.tokens import Tokens
from voicemesh_llm.engines.sophon_llm.visible_text import VisibleText
from voicemesh_llm.engines.sophon_llm.written import Written


@dataclass(frozen=True)
class Equipment:
    """What load() has made of a model's files."""

    tokens: Tokens
    ends: frozenset[int]
    """Ids that end a reply."""
    prompts: PromptWriter
    network: TransformerNetwork
    heads: Heads
    rules: SamplingRules
    pace: Pace = field(default_factory=Pace)
    """As it was measured at load; the loop goes on measuring."""


class DecodingLoop:
    """Generates replies and remembers what is in the caches. One reply at a time."""

    def __init__(self, settings: SophonLLMSettings, equipment: Equipment) -> None:
        """All slots are empty."""
        self._settings = settings
        self._with = equipment
        self._cache = PrefixCache(settings.slots)
        self._pace = equipment.pace
        metrics.SLOTS.labels("total").set(settings.slots)

    def read_ahead(self, system: str, stopped: Stopped) -> None:
        """Feed what prompts led by ``system`` begin with, into a slot that nobody has used.

        Nothing where there is none, or where that is more than a prompt can have.
        """
        slot = self._cache.unused()
        ids = self._with.prompts.beginning(system)
        if slot is None or not 0 < len(ids) < self._with.network.layout.longest_prompt:
            return
        reach, up_to = self._with.network.reach, self._settings.steps_up_to_tokens
        self._with.network.activate(slot.index, slot.index, 0)
        self._feed(slot, ids, plan(len(ids), 0, reach, self._pace, up_to), stopped)
        metrics.SLOTS.labels("used").set(self._cache.in_use)

    def generate(self, prompt: Prompt, stopped: Stopped) -> Iterator[Event]:
        """The events of a reply; every ``next()`` is one round trip to the chip, or a few.

        Ends without a Finished when ``stopped`` says so. What has been fed stays in
        the slot, so the next turn can use it.
        """
        rule = self._with.rules.rule(prompt.sampling)
        before = self._written(prompt.conversation_id)
        asked = self._with.prompts.write(prompt, self._room(prompt), before)
        head = self._with.heads.choose(rule, prompt.sampling.seed, self._settings.sampler == "chip")
        lease = self._cache.lease(prompt.conversation_id, asked.ids)
        pieces = plan(
            len(asked.ids),
            lease.matched,
            self._with.network.reach,
            self._pace,
            self._settings.steps_up_to_tokens,
        )
        reused = pieces[0].start
        metrics.LOOKUPS.labels(lease.match.value).inc()
        metrics.EVICTIONS.inc(lease.evicted)
        metrics.PREFIX_TOKENS.labels("reused").inc(reused)
        metrics.PREFIX_TOKENS.labels("fed").inc(len(asked.ids) - reused)
        slot = lease.slot
        try:
            source = lease.source if reused else slot
            slot.written = Written()
            self._with.network.activate(slot.index, source.index, reused)
            slot.ids[:] = asked.ids[:reused]
            self._feed(slot, asked.ids, pieces, stopped)
            metrics.SLOTS.labels("used").set(self._cache.in_use)
            yield from self._reply(prompt, asked, slot, head, reused, stopped)
        except NotWanted:
            return
        except Exception:
            self._cache.forget()
            raise

    def _written(self, conversation: str) -> Written:
        slot = self._cache.known(conversation)
        return slot.written if slot else Written()

    def _room(self, prompt: Prompt) -> int:
        """Tokens of the sequence to keep for the reply."""
        wanted = prompt.max_output_tokens or self._settings.max_tokens
        half = self._with.network.layout.sequence // 2
        return min(wanted, self._settings.reply_room_tokens, half)

    def _feed(
        self, slot: CacheSlot, ids: list[int], pieces: list[PromptPiece], stopped: Stopped
    ) -> None:
        network = self._with.network
        for piece in pieces:
            began = time.perf_counter()
            network.feed(piece, ids, stopped)
            slot.ids[:] = ids[: piece.end]
            seconds = time.perf_counter() - began
            self._pace.took(piece, network.reach.proportional, seconds)
            metrics.FEED.labels(piece.kind.value).observe(seconds)

    def _reply(
        self,
        prompt: Prompt,
        asked: ModelPrompt,
        slot: CacheSlot,
        head: Head,
        reused: int,
        stopped: Stopped,
    ) -> Iterator[Event]:
        limit = prompt.max_output_tokens or self._settings.max_tokens
        text = VisibleText(self._with.tokens, asked, prompt.stop)
        ids = list(asked.ids)
        said = 0
        if stopped():
            return
        token = self._with.network.token(head, self._recent(ids))
        prompt.counter.spend()
        while True:
            if token in self._with.ends:
                reason = Finish.STOP
                break
            ids.append(token)
            said += 1
            if new := text.process(token):
                yield TextDelta(new)
            if text.stopped:
                reason = Finish.STOP
                break
            if said >= limit or len(slot.ids) >= self._with.network.layout.sequence:
                reason = Finish.LENGTH
                break
            if stopped():
                return
            token = self._step(slot, ids, head)
            prompt.counter.spend()
        new = text.finish()
        slot.written = Written(asked.text + text.raw, tuple(ids))
        if new:
            yield TextDelta(new)
        yield Finished(reason, Usage(len(asked.ids), reused, said), dropped_messages=asked.dropped)

    def _step(self, slot: CacheSlot, ids: list[int], head: Head) -> int:
        """Feed the last of ``ids`` and choose the next."""
        began = time.perf_counter()
        position = len(slot.ids)
        token = self._with.network.step(ids[-1], position, head, self._recent(ids))
        slot.ids.append(ids[-1])
        seconds = time.perf_counter() - began
        self._pace.took(PromptPiece(Kind.STEP, position, position + 1), False, seconds)
        metrics.TOKEN.observe(seconds)
        return token

    def _recent(self, ids: list[int]) -> list[int]:
        return ids[-self._settings.penalty_window_tokens :]
