"""Sampling of independent sequences, at temperatures above 0."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from voicemesh_asr.engines.sophon_whisper.logit_filters import log_softmax
from voicemesh_asr.engines.sophon_whisper.search import Floats, Found, Integers, choose


class SamplingSearch:
    """Draws a sequence on every row that the decoder was compiled for; the best one wins."""

    def __init__(
        self, rows: int, end_of_text: int, temperature: float, random: np.random.Generator
    ) -> None:
        """``temperature`` above 0: the higher, the likelier are unlikely tokens."""
        self._end = end_of_text
        self._temperature = np.float32(temperature)
        self._random = random
        self._sequences: list[tuple[int, ...]] = [()] * rows
        self._scores = [0.0] * rows
        self._ended = [False] * rows
        self._last = np.full(rows, end_of_text, dtype=np.int32)

    @property
    def sequences(self) -> Sequence[tuple[int, ...]]:
        """See Search. Rows that have ended keep the length of the others."""
        return self._sequences

    @property
    def last(self) -> Integers:
        """See Search."""
        return self._last

    @property
    def sources(self) -> Integers:
        """See Search: every row continues itself."""
        return np.arange(len(self._last), dtype=np.int32)

    def advance(self, logits: Floats) -> bool:
        """See Search."""
        probabilities = log_softmax(logits)
        # The highest of logits / temperature plus Gumbel noise is a draw from their softmax.
        noise = self._random.gumbel(size=logits.shape).astype(np.float32)
        drawn = np.argmax(logits / self._temperature + noise, axis=1)
        for row, token in enumerate(drawn.tolist()):
            if self._ended[row]:
                token = self._end
            else:
                self._scores[row] += float(probabilities[row, token])
                self._ended[row] = token == self._end
            self._sequences[row] = (*self._sequences[row], token)
            self._last[row] = token
        return all(self._ended)

    def best(self, length_penalty: float | None) -> Found:
        """See Search."""
        found = [
            Found(tuple(t for t in tokens if t != self._end), score, ended)
            for tokens, score, ended in zip(self._sequences, self._scores, self._ended, strict=True)
        ]
        return choose(found, length_penalty)
