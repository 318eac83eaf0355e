"""How fast a chip reads prompts: measured when a model has been loaded."""

from __future__ import annotations

import time

from voicemesh_llm.engines.sophon_llm.feeding import Kind, Pace, PromptPiece
from voicemesh_llm.engines.sophon_llm.network import TransformerNetwork

ROUNDS = 2
"""The quicker one counts: the first is the first of its kind, and others use the chip as well."""
MOST_TOKENS = 32
"""Of nets that take any length: a short question. Those of one length take theirs anyway."""


def measure(network: TransformerNetwork) -> Pace:
    """Read some tokens whole, and one by a step; takes as long as two prompts.

    What the first slot holds is lost.
    """
    reach, pace = network.reach, Pace()
    tokens = min(reach.piece, network.layout.longest_prompt - 1, MOST_TOKENS)
    ids = [0] * (tokens + 1)
    network.activate(0, 0, 0)
    for piece in (PromptPiece(Kind.WHOLE, 0, tokens), PromptPiece(Kind.STEP, tokens, tokens + 1)):
        seconds = min(_seconds(network, piece, ids) for _ in range(ROUNDS))
        pace.took(piece, reach.proportional, seconds)
    return pace


def _seconds(network: TransformerNetwork, piece: PromptPiece, ids: list[int]) -> float:
    began = time.perf_counter()
    network.feed(piece, ids, lambda: False)
    return time.perf_counter() - began
