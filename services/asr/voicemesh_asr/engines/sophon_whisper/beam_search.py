"""Beam search as Whisper does it, at temperature 0."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

import numpy as np

from voicemesh_asr.engines.sophon_whisper.logit_filters import log_softmax
from voicemesh_asr.engines.sophon_whisper.search import Floats, Found, Integers, as_row, choose

_Tokens = tuple[int, ...]


class BeamSearch:
    """Keeps the likeliest ``size`` sequences.

    Each beam offers its ``size`` + 1 likeliest tokens. In the order of their
    probability, offers that end the text go to the finished list and others become
    the next beams. The search is over when ``size`` * ``patience`` sequences are
    finished (Kasai et al., arXiv 2204.05424).
    """

    def __init__(self, size: int, rows: int, end_of_text: int, patience: float = 1.0) -> None:
        """``rows`` are the sequences that the decoder was compiled for, at least ``size``."""
        self._size = size
        self._rows = rows
        self._end = end_of_text
        self._wanted = max(1, round(size * patience))
        self._beams: list[_Tokens] = [()] * size
        self._scores = [0.0] * size
        self._sources = [0] * size
        self._finished: dict[_Tokens, float] = {}

    @property
    def sequences(self) -> Sequence[_Tokens]:
        """See Search."""
        return self._beams

    @property
    def last(self) -> Integers:
        """See Search."""
        return as_row([beam[-1] for beam in self._beams], self._rows)

    @property
    def sources(self) -> Integers:
        """See Search."""
        return as_row(self._sources, self._rows)

    def advance(self, logits: Floats) -> bool:
        """See Search."""
        offers = self._offers(log_softmax(logits[: len(self._beams)]))
        ranked = sorted(offers.items(), key=lambda offer: -offer[1][0])
        ended: list[tuple[_Tokens, float]] = []
        going: list[tuple[_Tokens, float, int]] = []
        for tokens, (score, source) in ranked:
            if tokens[-1] == self._end:
                ended.append((tokens[:-1], score))
            else:
                going.append((tokens, score, source))
                if len(going) == self._size:
                    break
        free = self._wanted - len(self._finished)
        self._finished.update(islice(ended, free))
        if going:
            self._beams = [tokens for tokens, _, _ in going]
            self._scores = [score for _, score, _ in going]
            self._sources = [source for _, _, source in going]
        return not going or len(self._finished) >= self._wanted

    def _offers(self, probabilities: Floats) -> dict[_Tokens, tuple[float, int]]:
        """Sequences with their score and source; equal ones count once."""
        offers: dict[_Tokens, tuple[float, int]] = {}
        for row, (beam, score) in enumerate(zip(self._beams, self._scores, strict=True)):
            for token in _likeliest(probabilities[row], self._size + 1):
                probability = float(probabilities[row, token])
                offers.setdefault((*beam, int(token)), (score + probability, row))
        return offers

    def best(self, length_penalty: float | None) -> Found:
        """See Search. Beams that are still open fill up the finished list."""
        found = [Found(tokens, score, True) for tokens, score in self._finished.items()]
        by_score = sorted(zip(self._beams, self._scores, strict=True), key=lambda beam: -beam[1])
        open_beams = (Found(tokens, score, False) for tokens, score in by_score)
        found += islice(open_beams, max(0, self._wanted - len(found)))
        return choose(found, length_penalty)


def _likeliest(row: Floats, count: int) -> Sequence[int]:
    """The indices of the highest values, highest first, ties by index; none at -infinity."""
    least = np.partition(row, -count)[-count] if count < len(row) else row.min()
    candidates = np.flatnonzero(row >= least)
    candidates = candidates[np.isfinite(row[candidates])]
    order = np.argsort(-row[candidates], kind="stable")[:count]
    chosen: list[int] = candidates[order].tolist()
    return chosen
