"""The host's CPU for a token: measured with the real engine and owner, on a chip that is idle.

The owner is a process over a sail that does nothing, so what is measured is all that a
token takes beside sail and the chip: the engine's loop, the exchange with the owner, and
the owner's way to each launch. Processor time, not that of the clock; and of several replies
the cheapest counts, as others on the machine can only add to it, by what they leave of the
processor's caches.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from voicemesh_llm.engines.engine import Message, Prompt, Role
from voicemesh_llm.engines.sophon_llm.benchmark.idle_model import (
    CHIP,
    HEAD_SIZE,
    HIDDEN,
    KV_HEADS,
    LAYERS,
    SEQUENCE,
    IdleTokens,
    write_model,
)
from voicemesh_llm.engines.sophon_llm.chat_template import ChatTemplate, template_source
from voicemesh_llm.engines.sophon_llm.decoding_loop import DecodingLoop, Equipment
from voicemesh_llm.engines.sophon_llm.heads import Heads
from voicemesh_llm.engines.sophon_llm.kv_memory import kv_memory
from voicemesh_llm.engines.sophon_llm.layout import read_layout
from voicemesh_llm.engines.sophon_llm.network import TransformerNetwork
from voicemesh_llm.engines.sophon_llm.prompts import PromptWriter
from voicemesh_llm.engines.sophon_llm.rules import SamplingRules
from voicemesh_llm.engines.sophon_llm.settings import SophonLLMSettings
from voicemesh_sophon.client import Chip
from voicemesh_sophon.devices import DevicesSettings
from voicemesh_sophon.idle_sail.sophon import sail
from voicemesh_sophon.owner_process import IDLE_SAIL, OwnerProcess

TOKENS = 400
"""Of a reply: as many as the sequence holds behind the prompt, rounded."""
REPLIES = 7
_QUESTION = Prompt(
    messages=(Message(Role.USER, ("what is it",)),),
    conversation_id="bench",
    max_output_tokens=TOKENS,
)


@dataclass(frozen=True)
class TokenCost:
    """Milliseconds of processor time for each token."""

    owner_ms: float
    """Of the chip's owner, without sail."""
    client_ms: float
    """Of the engine: decoding loop, network, head, its end of the connection."""
    sail_ms: float
    """Of the calls of sail that a token needs, where sail does nothing."""

    @property
    def total_ms(self) -> float:
        """All of the host's."""
        return self.owner_ms + self.client_ms + self.sail_ms

    def as_json(self) -> dict[str, float]:
        """Rounded to a microsecond."""
        return {
            "owner_ms": round(self.owner_ms, 3),
            "client_ms": round(self.client_ms, 3),
            "sail_ms": round(self.sail_ms, 3),
        }


def measure(replies: int = REPLIES) -> TokenCost:
    """The cost of a token, in the cheapest of ``replies``; takes some seconds."""
    sail_ms = _sail_ms()
    costs: list[TokenCost] = []
    with TemporaryDirectory() as folder, _decoding(Path(folder)) as (decoding, pid):
        for _ in range(replies):
            events = decoding.generate(_QUESTION, lambda: False)
            next(events)  # The prompt and the first token are no part of it.
            began = _owner_ms(pid), time.process_time() * 1000
            tokens = sum(1 for _ in events) - 1  # The last event is the end.
            owner_ms = (_owner_ms(pid) - began[0]) / tokens
            client_ms = (time.process_time() * 1000 - began[1]) / tokens
            costs.append(TokenCost(owner_ms - sail_ms, client_ms, sail_ms))
    return min(costs, key=lambda cost: cost.total_ms)


@contextmanager
def _decoding(folder: Path) -> Iterator[tuple[DecodingLoop, int]]:
    """The engine's loop over an idle chip, and the process id of that chip's owner."""
    devices = DevicesSettings(backend="cmodel", simulated_chip=CHIP, socket_folder=folder)
    with OwnerProcess(devices, sail=IDLE_SAIL) as owner:
        chip = Chip.open(owner.placement("llm"))
        try:
            yield DecodingLoop(SophonLLMSettings(), _equipment(chip, folder)), owner.pid
        finally:
            chip.close()


def _equipment(chip: Chip, folder: Path) -> Equipment:
    """What ``equip`` makes of a model's files, where there is no tokenizer."""
    settings, tokens = SophonLLMSettings(), IdleTokens()
    model = write_model(folder)
    layout = read_layout(chip.load(model, own_io=True).nets, model.name)
    template = ChatTemplate(template_source("chatml", ""), {})
    kv = kv_memory(chip, layout, True, settings.slots)
    network = TransformerNetwork(chip, layout, True, kv)
    return Equipment(
        tokens=tokens,
        ends=frozenset(),
        prompts=PromptWriter(template, tokens, layout.longest_prompt, layout.sequence),
        network=network,
        heads=Heads(chip, layout, tokens.size, network.last),
        rules=SamplingRules(settings, {}, only_greedy=False),
    )


def _owner_ms(pid: int) -> float:
    """The processor time of another process in milliseconds.

    Linux's number for the clock of a process, as clock_getcpuclockid(3) gives it: /proc
    counts in hundredths of a second.
    """
    return time.clock_gettime(~pid << 3 | 2) * 1000


def _sail_ms() -> float:
    """Milliseconds for the calls of one token: what it writes, its views, launches, its result."""
    handle = sail.Handle(0)

    def tensor(*shape: int) -> sail.Tensor:
        return sail.Tensor(handle, shape, sail.Dtype.BM_FLOAT16, False, True)

    cache, row = tensor(1, SEQUENCE, KV_HEADS, HEAD_SIZE), [1, 1, KV_HEADS, HEAD_SIZE]
    state, mask, one = tensor(1, 1, HIDDEN), tensor(1, 1, 1, SEQUENCE + 1), tensor(1, 1)
    values = np.zeros((1, 1, 1, SEQUENCE + 1), np.uint16)
    given = dict(enumerate((state, one, mask, cache, cache)))
    made = dict(enumerate((state, one, one)))
    engine = sail.EngineLLM.__new__(sail.EngineLLM)  # Its nets do not matter.

    def token(position: int) -> None:
        for written in (one, one, mask):
            written.update_data(values)
        for _ in range(LAYERS):
            for _ in "kv":
                sail.Tensor(cache, row, position)
            engine.process("block_cache", given, made)
        for _ in ("embedding", "lm_head", "greedy_head"):
            engine.process("head", given, made)
        one.asnumpy()

    return _per_token_ms(token)


def _per_token_ms(token: Callable[[int], None]) -> float:
    costs = []
    for _ in range(REPLIES):
        began = time.process_time()
        for position in range(TOKENS):
            token(position)
        costs.append((time.process_time() - began) * 1000 / TOKENS)
    return min(costs)
