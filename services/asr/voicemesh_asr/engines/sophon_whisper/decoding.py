"""One window of audio at one temperature: from logits to text."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from voicemesh.work_counter import WorkCounter
from voicemesh_asr.engines.redecoding.jobs import stop_if_unwanted
from voicemesh_asr.engines.sophon_whisper.beam_search import BeamSearch
from voicemesh_asr.engines.sophon_whisper.logit_filters import LogitFilters
from voicemesh_asr.engines.sophon_whisper.prompt import DecoderPrompt, new_tokens
from voicemesh_asr.engines.sophon_whisper.sampling import SamplingSearch
from voicemesh_asr.engines.sophon_whisper.search import Floats, Integers, Search
from voicemesh_asr.engines.sophon_whisper.vocabulary import WhisperVocabulary
from voicemesh_asr.engines.whisper.fallback import compression_ratio


class WhisperNetwork(Protocol):
    """What gives logits for growing sequences."""

    def begin(self, prompt: DecoderPrompt) -> tuple[Floats, float]:
        """(logits [rows, vocabulary] behind the prompt, no-speech probability)."""

    def step(self, tokens: Integers, sources: Integers) -> Floats:
        """Logits behind one more token of each row."""


@dataclass(frozen=True)
class SearchOptions:
    """How the best text is looked for."""

    rows: int
    """Sequences that the decoder takes at once."""
    pad: int
    """Tokens that a sequence may have."""
    positions: int
    """Rows of the position table."""
    beams: int
    """Beams at temperature 0, at most ``rows``."""
    patience: float = 1.0
    length_penalty: float | None = None


@dataclass(frozen=True)
class Decoded:
    """What a window says."""

    tokens: tuple[int, ...]
    text: str
    average: float
    """The mean logarithm of a token's probability."""
    no_speech: float
    """The probability that nobody speaks."""
    temperature: float
    finished: bool
    """False: the text did not fit into the pad and is cut."""
    steps: int
    """Tokens of the longest sequence that was tried."""
    first_token_s: float = field(compare=False)
    """Seconds of the first pass."""
    steps_s: float = field(compare=False)
    """Seconds of all later steps together."""

    @property
    def compression_ratio(self) -> float:
        """How much zlib shortens the text: high where it repeats itself."""
        return compression_ratio(self.text)


def decode(
    network: WhisperNetwork,
    vocabulary: WhisperVocabulary,
    prompt: DecoderPrompt,
    options: SearchOptions,
    temperature: float,
    counter: WorkCounter,
) -> Decoded:
    """Decode what the network has heard.

    ``counter`` counts the tokens; CancelledDecode before the next one where nobody
    wants it.
    """
    filters = LogitFilters(vocabulary, prompt.stamps)
    search = _search(vocabulary, options, temperature)
    limit = new_tokens(prompt, options.pad, options.positions)
    began = time.perf_counter()
    stop_if_unwanted(counter)
    logits, no_speech = network.begin(prompt)
    counter.spend()
    first = time.perf_counter()
    steps = 0
    while True:
        rows = len(search.sequences)
        filters.apply(logits[:rows], search.sequences)
        steps += 1
        if search.advance(logits) or steps == limit:
            break
        stop_if_unwanted(counter)
        logits = network.step(search.last, search.sources)
        counter.spend()
    best = search.best(options.length_penalty)
    return Decoded(
        tokens=best.tokens,
        text=vocabulary.decode(best.tokens).strip(),
        average=best.average,
        no_speech=no_speech,
        temperature=temperature,
        finished=best.finished,
        steps=steps,
        first_token_s=first - began,
        steps_s=time.perf_counter() - first,
    )


def _search(vocabulary: WhisperVocabulary, options: SearchOptions, temperature: float) -> Search:
    if temperature == 0.0:
        return BeamSearch(options.beams, options.rows, vocabulary.end_of_text, options.patience)
    # A fixed seed: the same audio gives the same text.
    random = np.random.default_rng(round(temperature * 1000))
    return SamplingSearch(options.rows, vocabulary.end_of_text, temperature, random)
