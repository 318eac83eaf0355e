"""The question that shows whether a model's nets are still what they were at load."""

from __future__ import annotations

import numpy as np

from voicemesh_llm.engines.sophon_llm.feeding import Kind, PromptPiece
from voicemesh_llm.engines.sophon_llm.heads import Heads
from voicemesh_llm.engines.sophon_llm.kv_memory import KeyValues, PassingMemory
from voicemesh_llm.engines.sophon_llm.layout import Layout
from voicemesh_llm.engines.sophon_llm.masks import StepMask
from voicemesh_llm.engines.sophon_llm.network import TransformerNetwork
from voicemesh_llm.engines.sophon_llm.sampling import SamplingRule
from voicemesh_sophon.client import Chip, DeviceTensor, FixedQuestion, Launch, Read, Step, Write

_TOKENS = 4
"""Of a prompt, which a net of any piece takes; every vocabulary has ids 1 to 8."""


def fixed_question(
    chip: Chip, layout: Layout, own_io: bool, caches: KeyValues, vocabulary: int
) -> list[Step]:
    """A short prompt, as much again behind it where nets do that, and a token by itself.

    ``own_io``: the model was loaded so. ``caches``: those that steps work on, which are read
    and stay as they are: the token sees nothing of them. So it may be asked amid a reply.
    ``vocabulary``: the size of the tokenizer's.
    """
    question = FixedQuestion(chip)
    network = TransformerNetwork(question, layout, own_io, PassingMemory(question, layout))
    ids = range(1, 2 * _TOKENS + 1)
    network.feed(PromptPiece(Kind.WHOLE, 0, _TOKENS), ids, _never)
    network.last_state()
    if network.reach.history:
        network.feed(PromptPiece(Kind.HISTORY, _TOKENS, 2 * _TOKENS), ids, _never)
        network.last_state()
    state = _step(question, layout, caches)
    head = Heads(question, layout, vocabulary, state).choose(SamplingRule(), None, on_chip=False)
    question.run([Read(state), head.start([1])])
    return question.steps


def _step(chip: Chip, layout: Layout, caches: KeyValues) -> DeviceTensor:
    """One token through all layers as if it were the first; its last hidden state."""
    token, position = (chip.tensor((1, 1), "int32") for _ in "ip")
    source, target = (chip.tensor((1, 1, layout.hidden), layout.dtype) for _ in "ab")
    row = (1, 1, layout.kv_heads, layout.head_size)
    rows = [chip.tensor(row, layout.dtype) for _ in "kv"]
    mask = StepMask(layout.sequence, layout.dtype).behind(0)
    blocked = chip.tensor(mask.shape, layout.dtype)
    steps: list[Step] = [
        Write(token, np.array([[1]], np.int32)),
        Write(position, np.array([[0]], np.int32)),
        Write(blocked, mask),
        Launch(layout.step_embedding, [token], [source]),
    ]
    for net, keys, values in zip(layout.step, caches.keys, caches.values, strict=True):
        inputs = [source, position, blocked, keys, values]
        steps.append(Launch(net, inputs, [target, *rows]))
        source, target = target, source
    chip.run(steps)
    return source


def _never() -> bool:
    return False
