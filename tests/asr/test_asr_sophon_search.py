"""Whisper's search: beams, sampling, temperatures; on networks of numbers."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from voicemesh.work_counter import WorkCounter
from voicemesh_asr.engines.redecoding.jobs import CancelledDecode
from voicemesh_asr.engines.sophon_whisper.beam_search import BeamSearch
from voicemesh_asr.engines.sophon_whisper.decoding import (
    Decoded,
    SearchOptions,
    decode,
)
from voicemesh_asr.engines.sophon_whisper.logit_filters import log_softmax
from voicemesh_asr.engines.sophon_whisper.prompt import DecoderPrompt
from voicemesh_asr.engines.sophon_whisper.sampling import SamplingSearch
from voicemesh_asr.engines.sophon_whisper.search import Found, Search, choose
from voicemesh_asr.engines.sophon_whisper.vocabulary import WhisperVocabulary
from voicemesh_asr.engines.whisper.fallback import Fallback

Floats = NDArray[np.float32]
END = 5


def logits_after(seed: int, sequence: tuple[int, ...]) -> Floats:
    """A language of five words and an end: what follows depends on all that was said."""
    random = np.random.default_rng([seed, *sequence])
    values = random.normal(0, 2, END + 1).astype(np.float32)
    values[END] += len(sequence) - 2  # Texts end after some words.
    return values


def run(search: Search, seed: int, limit: int) -> None:
    """Decode with a network that keeps its pasts by row, as the chip does."""
    rows = len(search.last) if search.sequences[0] else len(search.sequences)
    pasts: list[tuple[int, ...]] = [()] * rows
    for step in range(limit):
        if step:
            pasts = [
                (*pasts[source], token)
                for token, source in zip(search.last.tolist(), search.sources.tolist(), strict=True)
            ]
            for past, sequence in zip(pasts, search.sequences, strict=False):
                assert past == tuple(sequence), "a row continues what its source has said"
        if search.advance(np.stack([logits_after(seed, past) for past in pasts])):
            return


def score(seed: int, sequence: tuple[int, ...]) -> float:
    """The log-probability of a whole text."""
    total = 0.0
    for at, token in enumerate(sequence):
        total += float(log_softmax(logits_after(seed, sequence[:at])[None])[0, token])
    return total


@given(seed=st.integers(0, 10_000))
@settings(max_examples=15, deadline=None)
def test_wide_beams_find_the_best_text_of_all(seed: int) -> None:
    """With room for every text, the result is that of trying them all."""
    limit, width = 3, 216
    search = BeamSearch(width, width, END)
    run(search, seed, limit)
    best = search.best(None)
    texts = [
        Found(words, score(seed, (*words, END)), True)
        for length in range(limit)
        for words in itertools.product(range(END), repeat=length)
    ]
    texts += [
        Found(words, score(seed, words), False)
        for words in itertools.product(range(END), repeat=limit)
    ]
    wanted = choose(texts, None)
    assert best.tokens == wanted.tokens
    assert best.log_probability == pytest.approx(wanted.log_probability, abs=1e-4)


@given(seed=st.integers(0, 10_000), size=st.integers(1, 5), patience=st.sampled_from([0.5, 1, 2]))
@settings(max_examples=60, deadline=None)
def test_beams_go_on_from_their_sources(seed: int, size: int, patience: float) -> None:
    search = BeamSearch(size, 5, END, patience)
    run(search, seed, 8)
    found = search.best(None)
    ended = (*found.tokens, END) if found.finished else found.tokens
    assert found.log_probability == pytest.approx(score(seed, ended), abs=1e-3)
    assert found.average == pytest.approx(found.log_probability / (len(found.tokens) + 1))


def test_one_beam_takes_the_likeliest_token_each_time() -> None:
    search = BeamSearch(1, 5, END)
    run(search, 7, 8)
    words: tuple[int, ...] = ()
    while len(words) < 8 and (token := int(np.argmax(logits_after(7, words)))) != END:
        words = (*words, token)
    assert search.best(None).tokens == words


def test_patience_waits_for_more_endings() -> None:
    class Counted(BeamSearch):
        steps = 0

        def advance(self, logits: Floats) -> bool:
            self.steps += 1
            return super().advance(logits)

    hasty, patient = Counted(5, 5, END), Counted(5, 5, END, patience=3)
    run(hasty, 3, 12)
    run(patient, 3, 12)
    assert hasty.steps < patient.steps


def test_forbidden_tokens_are_never_chosen() -> None:
    search = BeamSearch(3, 5, END)
    logits = np.full((5, END + 1), -np.inf, np.float32)
    logits[:, 2] = 1.0
    assert not search.advance(logits)
    assert [tuple(s) for s in search.sequences] == [(2,)]
    assert search.last.tolist() == [2] * 5


def test_the_length_penalty_weighs_long_texts() -> None:
    short, long = Found((1,), -1.0, True), Found((1,) * 8, -4.0, True)
    assert choose([short, long], None) is long
    assert choose([short, long], 0.0) is short
    assert choose([short, long], 1.0) is short


@given(seed=st.integers(0, 10_000), temperature=st.sampled_from([0.2, 0.6, 1.0]))
@settings(max_examples=40, deadline=None)
def test_samples_are_scored_by_the_network(seed: int, temperature: float) -> None:
    search = SamplingSearch(5, END, temperature, np.random.default_rng(seed))
    run(search, seed, 8)
    found = search.best(None)
    ended = (*found.tokens, END) if found.finished else found.tokens
    assert END not in found.tokens
    assert found.log_probability == pytest.approx(score(seed, ended), abs=1e-3)


def test_samples_follow_the_softmax_at_their_temperature() -> None:
    rows, temperature = 20_000, 0.5
    search = SamplingSearch(rows, END, temperature, np.random.default_rng(0))
    logits = logits_after(1, ())
    search.advance(np.tile(logits, (rows, 1)))
    drawn = np.bincount(search.last, minlength=END + 1) / rows
    wanted = np.exp(log_softmax(logits[None] / np.float32(temperature))[0])
    np.testing.assert_allclose(drawn, wanted, atol=0.02)


# Temperatures


def decoded(text: str = "Stop.", average: float = -0.1, no_speech: float = 0.0) -> Decoded:
    return Decoded((1, 2), text, average, no_speech, 0.0, True, 3, 0.0, 0.0)


def test_temperatures_are_tried_until_a_text_is_good() -> None:
    results = {0.0: decoded(average=-1.5), 0.2: decoded("la " * 60), 0.4: decoded("fine")}
    tried = []

    def at(temperature: float) -> Decoded:
        tried.append(temperature)
        return results[temperature]

    assert Fallback().first_good((0.0, 0.2, 0.4, 0.6), at).text == "fine"
    assert tried == [0.0, 0.2, 0.4]


def test_silence_is_not_tried_again_and_gives_no_text() -> None:
    unlikely = decoded(average=-2.0, no_speech=0.9)
    assert not Fallback().is_poor(unlikely)
    assert Fallback().is_silence(unlikely)
    assert not Fallback().is_silence(decoded(average=-0.2, no_speech=0.9)), "a sure text stays"
    assert Fallback(no_speech=0.95).is_poor(unlikely)


# One decode from begin to end


class Counting:
    """A network that says the tokens 65, 66, 67 ... and then ends."""

    def __init__(self, vocabulary: WhisperVocabulary, length: int) -> None:
        self.vocabulary, self.length, self.said = vocabulary, length, 0

    def _logits(self) -> Floats:
        logits = np.zeros((5, self.vocabulary.size), np.float32)
        at_end = self.said == self.length
        logits[:, self.vocabulary.end_of_text if at_end else 65 + self.said] = 30.0
        self.said += 1
        return logits

    def begin(self, prompt: DecoderPrompt) -> tuple[Floats, float]:
        return self._logits(), 0.25

    def step(self, tokens: NDArray[np.int32], sources: NDArray[np.int32]) -> Floats:
        return self._logits()


@pytest.fixture
def vocabulary() -> WhisperVocabulary:
    return WhisperVocabulary([bytes((byte,)) for byte in range(256)], 256 + 8 + 99 + 1501)


@pytest.mark.parametrize("temperature", [0.0, 0.4])
def test_a_decode_ends_with_its_text(vocabulary: WhisperVocabulary, temperature: float) -> None:
    options = SearchOptions(rows=5, pad=64, positions=448, beams=1)
    prompt = DecoderPrompt((1, 2, 3), 0, stamps=False)
    counter = WorkCounter()
    heard = decode(Counting(vocabulary, 4), vocabulary, prompt, options, temperature, counter)
    assert heard.text == "ABCD"
    assert (heard.finished, heard.steps, heard.no_speech) == (True, 5, 0.25)
    assert (counter.made, counter.late) == (5, 0)


class Remembering:
    """A network that keeps what each row was told, as the caches on a chip do."""

    def __init__(self, vocabulary: WhisperVocabulary, seed: int) -> None:
        self.vocabulary, self.seed = vocabulary, seed
        self.pasts: list[tuple[int, ...]] = [()] * 5
        self.moves = 0
        self.said: set[tuple[int, ...]] = {()}

    def _logits(self) -> Floats:
        logits = np.full((5, self.vocabulary.size), -20.0, np.float32)
        for row, past in zip(logits, self.pasts, strict=True):
            row[65 : 65 + END] = logits_after(self.seed, past)[:END]
            row[self.vocabulary.end_of_text] = logits_after(self.seed, past)[END]
        return logits

    def begin(self, prompt: DecoderPrompt) -> tuple[Floats, float]:
        return self._logits(), 0.0

    def step(self, tokens: NDArray[np.int32], sources: NDArray[np.int32]) -> Floats:
        self.moves += sources.tolist() != [0, 1, 2, 3, 4]
        pairs = zip(sources.tolist(), tokens.tolist(), strict=True)
        self.pasts = [(*self.pasts[source], token) for source, token in pairs]
        self.said.update(self.pasts)
        return self._logits()


def test_a_text_is_one_that_some_row_has_said(vocabulary: WhisperVocabulary) -> None:
    """Tokens and sources reach the network together, whatever way the beams take."""
    options = SearchOptions(rows=5, pad=64, positions=448, beams=5)
    moves = 0
    for seed in range(30):
        network = Remembering(vocabulary, seed)
        heard = decode(
            network, vocabulary, DecoderPrompt((1,), 0, stamps=False), options, 0.0, WorkCounter()
        )
        assert heard.finished
        assert heard.tokens in network.said
        moves += network.moves
    assert moves > 30, "beams have moved, so that a network without sources would be noticed"


def test_a_text_longer_than_the_pad_is_cut_and_says_so(vocabulary: WhisperVocabulary) -> None:
    options = SearchOptions(rows=5, pad=8, positions=448, beams=1)
    prompt = DecoderPrompt((1, 2, 3), 0, stamps=False)
    heard = decode(Counting(vocabulary, 20), vocabulary, prompt, options, 0.0, WorkCounter())
    assert heard.text == "ABCDE"
    assert not heard.finished


class GivenUp(Counting):
    """Nobody wants the text any more while the network works on one of its tokens."""

    def __init__(self, vocabulary: WhisperVocabulary, at: int) -> None:
        super().__init__(vocabulary, 20)
        self.counter, self.at = WorkCounter(), at

    def _logits(self) -> Floats:
        if self.said + 1 == self.at:
            self.counter.cancel()
        return super()._logits()


@pytest.mark.parametrize("token", [1, 2, 7])
def test_a_decode_ends_with_the_token_under_way_when_it_is_cancelled(
    vocabulary: WhisperVocabulary, token: int
) -> None:
    network = GivenUp(vocabulary, token)
    options = SearchOptions(rows=5, pad=64, positions=448, beams=1)
    with pytest.raises(CancelledDecode):
        decode(network, vocabulary, DecoderPrompt((1,), 0, False), options, 0.0, network.counter)
    assert (network.counter.made, network.counter.late) == (token, 1)


def test_a_text_that_nobody_wants_is_not_begun(vocabulary: WhisperVocabulary) -> None:
    """Nor is one at the next temperature, or of the next window."""
    network = GivenUp(vocabulary, 1)
    network.counter.cancel()
    options = SearchOptions(rows=5, pad=64, positions=448, beams=1)
    with pytest.raises(CancelledDecode):
        decode(network, vocabulary, DecoderPrompt((1,), 0, False), options, 0.0, network.counter)
    assert network.said == network.counter.made == 0
