"""Choosing the next token on the host, from the logits of the whole vocabulary."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Logits: TypeAlias = npt.NDArray[np.float32]
"""Scores of the vocabulary, shape (V,), float32."""
Ids: TypeAlias = npt.NDArray[np.int64]


@dataclass(frozen=True)
class SamplingRule:
    """How tokens are chosen. The defaults choose the likeliest one."""

    temperature: float = 0.0
    """Divides the logits; 0: always the likeliest token."""
    top_p: float = 1.0
    """Keep the likeliest tokens until they hold this share of probability."""
    top_k: int = 0
    """Keep this many; 0: all."""
    min_p: float = 0.0
    """Keep tokens of at least this share of the likeliest one's probability."""
    repetition_penalty: float = 1.0
    """Divides the positive logits of recent tokens, multiplies the negative ones."""

    @property
    def greedy(self) -> bool:
        """Whether the plain likeliest token is meant, without any look at the past."""
        return self.temperature == 0 and self.repetition_penalty == 1


def penalised(logits: Logits, recent: Sequence[int], penalty: float) -> Logits:
    """``logits`` with the penalty on each id of ``recent`` once (Keskar et al., CTRL, 2019)."""
    if penalty == 1 or not recent:
        return logits
    ids = np.unique(np.asarray(recent, np.int64))
    ids = ids[ids < len(logits)]
    seen = logits[ids]
    changed = logits.copy()
    changed[ids] = np.where(seen < 0, seen * penalty, seen / penalty)
    return changed


def candidates(logits: Logits, rule: SamplingRule) -> tuple[Ids, npt.NDArray[np.float64]]:
    """The ids that may follow, likeliest first, and their probabilities.

    Temperature, top-k, top-p and min-p act in this order, as in the libraries whose
    recommended values the models' publishers give. ``rule.temperature`` is above 0.
    """
    keep = min(rule.top_k or len(logits), len(logits))
    if keep < len(logits):
        found = np.argpartition(-logits, keep - 1)[:keep]
        ids = found[np.lexsort((found, -logits[found]))]
    else:
        ids = np.argsort(-logits, kind="stable")
    scaled = logits[ids].astype(np.float64) / rule.temperature
    shares = np.exp(scaled - scaled[0])
    return trimmed(ids, shares, rule)


def trimmed(
    ids: Ids, shares: npt.NDArray[np.float64], rule: SamplingRule
) -> tuple[Ids, npt.NDArray[np.float64]]:
    """What top-k, top-p and min-p leave of candidates, likeliest first; shares add up to 1."""
    keep = min(rule.top_k or len(ids), len(ids))
    ids, shares = ids[:keep], shares[:keep] / shares[:keep].sum()
    before = np.cumsum(shares) - shares
    kept = (before < rule.top_p) & (shares >= rule.min_p * shares[0])
    kept[0] = True  # With top_p = 0 the likeliest is left.
    ids, shares = ids[kept], shares[kept]
    return ids, shares / shares.sum()


class Sampler:
    """Chooses tokens by one rule; with a seed, always the same ones."""

    def __init__(self, rule: SamplingRule, seed: int | None = None) -> None:
        """``seed`` None: chosen by the system."""
        self.rule = rule
        # Any 64-bit number is a seed for clients, negative ones too.
        self._random = np.random.default_rng(None if seed is None else seed & (2**64 - 1))

    def choose(self, logits: Logits, recent: Sequence[int]) -> int:
        """The next token; ``recent`` are the ids that the repetition penalty looks at."""
        scored = penalised(logits, recent, self.rule.repetition_penalty)
        if self.rule.temperature == 0:
            return int(np.argmax(scored))
        return self.draw(*candidates(scored, self.rule))

    def draw(self, ids: Ids, shares: npt.NDArray[np.float64]) -> int:
        """One of ``ids`` by its share."""
        ends = np.cumsum(shares)
        place = int(np.searchsorted(ends, self._random.random() * ends[-1], side="right"))
        return int(ids[min(place, len(ids) - 1)])
