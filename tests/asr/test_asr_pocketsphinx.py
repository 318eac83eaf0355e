"""The embedded recogniser with real decoders and synthetic speech."""

import os
import signal
from collections.abc import AsyncIterator, Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from voicemesh.errors import Busy, EngineError
from voicemesh_asr.engines.engine import Hypothesis, Phrase, RecognizerSession, SessionOptions
from voicemesh_asr.engines.pocketsphinx import phrase_grammar
from voicemesh_asr.engines.pocketsphinx.decoders import DICTIONARY, Decoders
from voicemesh_asr.engines.pocketsphinx.engine import PocketSphinx
from voicemesh_asr.engines.pocketsphinx.likeness import (
    ScoredWord,
    is_speech,
    lenience,
    worst_misfit,
)
from voicemesh_asr.engines.pocketsphinx.settings import PocketSphinxSettings

Speech = Callable[..., NDArray[np.int16]]
PHRASES = (
    *("what time is it", "what is your name", "how are you", "where is the kitchen"),
    *("tell me a joke", "what is artificial intelligence", "turn on the light", "good morning"),
)
HINTS = [Phrase(phrase) for phrase in PHRASES]


def padded(clip: NDArray[np.int16], seed: int = 0) -> bytes:
    """Speech with quiet room noise around it, as a microphone hears it."""
    room = np.random.default_rng(seed).normal(0, 3, len(clip) + 8000)
    room[4000:-4000] += clip
    return room.astype(np.int16).tobytes()


@pytest.fixture(scope="module")
def decoders() -> Decoders:
    return Decoders(PocketSphinxSettings())


def hear(decoders: Decoders, pcm: bytes) -> Hypothesis:
    for start in range(0, len(pcm), 3200):
        decoders.accept(pcm[start : start + 3200])
    return decoders.finish()


@pytest.mark.parametrize("voice", ["rms", "kal16"])
def test_hinted_questions_are_heard_word_for_word(
    decoders: Decoders, flite_speech: Speech, voice: str
) -> None:
    for phrase in PHRASES:
        decoders.open(HINTS)
        heard = hear(decoders, padded(flite_speech(phrase, voice)))
        assert heard.text == phrase
        assert heard.confidence >= 0.5


def test_sounds_of_a_third_of_a_second_are_heard_where_they_are_expected(
    decoders: Decoders, flite_speech: Speech
) -> None:
    short = ("stop", "okay", "wait", "sure", "i see", "that's right", "be quiet")
    hints = [*HINTS, *(Phrase(phrase, 5.0, may_go_on=True) for phrase in short)]
    for phrase in short:
        decoders.open(hints)
        heard = hear(decoders, padded(flite_speech(phrase, "kal16")))
        assert heard.text == phrase
        assert heard.confidence >= 0.5


def test_at_the_end_a_whole_phrase_is_heard_where_the_beginning_of_another_sounds_better(
    decoders: Decoders, flite_speech: Speech
) -> None:
    decoders.open([Phrase("wow", 5.0, may_go_on=True), Phrase("one moment", 5.0)])
    heard = hear(decoders, padded(flite_speech("wow", "awb")))
    assert heard.text == "wow"
    assert heard.confidence >= 0.5
    assert decoders.finish() == heard
    decoders.resume()
    longer = hear(decoders, padded(flite_speech("what is the weather like", "awb")))
    assert len(longer.text.split()) > 2


def test_at_a_pause_the_beginning_of_a_question_is_not_heard_as_the_whole_of_it(
    decoders: Decoders, flite_speech: Speech
) -> None:
    decoders.open([Phrase("wow"), Phrase("one moment")])
    assert hear(decoders, padded(flite_speech("wow", "awb"))).text != "wow"
    decoders.open([*HINTS, Phrase("what is the earth")])
    for beginning in ("what is the", "what is", "where is the"):
        heard = hear(decoders, padded(flite_speech(beginning, "rms")))
        assert heard.text not in ("what is the earth", *PHRASES)


def test_a_phrase_may_fit_worse_where_free_speech_doubts_or_has_heard_half_of_it() -> None:
    assert lenience("that's true", "that's trailer", 0.8) > 1
    assert lenience("no kidding", "look you eat", 0.4) > 1
    assert lenience("that's true", "where is the kitchen", 0.8) == 1
    assert lenience("stop", "stop it", 0.8) == 1  # Of one word there is no half.


def test_a_short_phrase_is_not_drawn_out_over_a_long_sound() -> None:
    silence = ScoredWord("<sil>", 0, 99, 0)
    phones = {"got": 3, "it": 2}
    spoken = [silence, ScoredWord("got", 100, 125, 0), ScoredWord("it", 126, 145, 0)]
    assert is_speech(spoken, phones)
    assert not is_speech([*spoken, ScoredWord("it", 146, 220, 0)], phones)


def test_a_phrase_is_not_taken_where_something_else_fits_much_better(
    flite_speech: Speech,
) -> None:
    strict = Decoders(PocketSphinxSettings(phrase_margin=15))
    strict.open([Phrase("oh i see", 5.0)])
    heard = hear(strict, padded(flite_speech("oh i see", "awb")))
    assert heard.text != "oh i see"
    assert heard.confidence >= 0.5


def test_a_question_is_not_cut_down_to_a_short_hint_that_it_begins_with(
    decoders: Decoders, flite_speech: Speech
) -> None:
    for said in ("okay what is the moon", "no tell me about mars", "what about the weather"):
        decoders.open([*HINTS, Phrase("okay", 5.0), Phrase("no"), Phrase("what")])
        heard = hear(decoders, padded(flite_speech(said, "kal16")))
        assert len(heard.text.split()) >= 3


def test_what_is_not_hinted_is_not_forced_into_a_hint(
    decoders: Decoders, flite_speech: Speech
) -> None:
    for said in ("where is the bathroom", "turn on the radio", "what time is the train", "yes"):
        decoders.open(HINTS)
        heard = hear(decoders, padded(flite_speech(said, "kal16")))
        assert heard.text not in PHRASES
        assert set(heard.text.split()) & set(said.split())


def test_hints_change_what_is_heard(decoders: Decoders, flite_speech: Speech) -> None:
    pcm = padded(flite_speech("how are you", "rms"))
    decoders.open([])
    assert hear(decoders, pcm).text != "how are you"
    decoders.open(HINTS)
    assert hear(decoders, pcm).text == "how are you"


def test_a_speaker_is_heard_the_same_whoever_spoke_before(
    decoders: Decoders, flite_speech: Speech
) -> None:
    pcm = padded(flite_speech("please bring the red cup to the table", "kal16"))
    decoders.open(HINTS)
    first = hear(decoders, pcm)
    decoders.open([])
    hear(decoders, padded(flite_speech("something quite different", "rms") // 8))
    decoders.open(HINTS)
    assert hear(decoders, pcm) == first


def test_an_utterance_that_goes_on_is_heard_as_one(
    decoders: Decoders, flite_speech: Speech
) -> None:
    pcm = padded(flite_speech("i would like to order a pizza for dinner", "kal16"))
    half = len(pcm) // 4 * 2
    decoders.open(HINTS)
    whole = hear(decoders, pcm)
    decoders.open(HINTS)
    hear(decoders, pcm[:half])
    decoders.resume()
    assert hear(decoders, pcm[half:]).text == whole.text


def test_a_long_utterance_keeps_its_text_when_it_goes_on(flite_speech: Speech) -> None:
    short_memory = Decoders(PocketSphinxSettings(replay_limit_s=0.5))
    short_memory.open([])
    hear(short_memory, padded(flite_speech("the dog needs to go outside", "kal16")))
    before = short_memory.finish()
    short_memory.resume()
    after = hear(short_memory, padded(flite_speech("open the window", "kal16")))
    assert after.text.startswith(before.text)
    assert len(after.text) > len(before.text)
    times = [word.begin_s for word in after.words]
    assert times == sorted(times)
    assert " ".join(word.text for word in after.words) == after.text


def test_silence_says_nothing(decoders: Decoders) -> None:
    decoders.open(HINTS)
    assert decoders.finish() == Hypothesis("")
    assert hear(decoders, bytes(32_000)).text == ""


def test_phrases_that_cannot_be_pronounced_are_left_out() -> None:
    grammar = phrase_grammar.build(
        [Phrase("hello xyzzyq"), Phrase("Good morning!"), Phrase("")], DICTIONARY
    )
    assert grammar is not None
    assert grammar.phrases == {"good morning"}
    assert phrase_grammar.build([Phrase("现在几点")], DICTIONARY) is None


def test_a_boosted_phrase_is_likelier_than_its_neighbours() -> None:
    grammar = phrase_grammar.build([Phrase("good morning"), Phrase("good night", 9)], DICTIONARY)
    assert grammar is not None
    likely = {arc[3]: arc[2] for arc in grammar.arcs if len(arc) == 4}
    assert likely["good"] == 1
    assert likely["night"] == pytest.approx(10 / 11)
    assert likely["morning"] == pytest.approx(1 / 11)


def test_one_wrong_word_is_seen_however_long_the_sentence() -> None:
    good = [ScoredWord("a", 0, 199, -4000.0)]
    one_off = [ScoredWord("a", 0, 159, -3200.0), ScoredWord("b", 160, 199, -2800.0)]
    assert worst_misfit(good, good) == 0
    assert worst_misfit(one_off, good) == pytest.approx(50)
    assert worst_misfit([], good) == float("inf")


@pytest.fixture
async def engine() -> AsyncIterator[PocketSphinx]:
    engine = PocketSphinx(PocketSphinxSettings(workers=1))
    await engine.load()
    yield engine
    await engine.close()


async def say(session: RecognizerSession, pcm: bytes) -> str:
    await session.accept(np.frombuffer(pcm, np.int16))
    return (await session.finish()).text


async def test_one_speaker_more_than_workers_is_refused_and_a_dead_worker_replaced(
    engine: PocketSphinx, flite_speech: Speech
) -> None:
    options = SessionOptions("en", tuple(Phrase(p) for p in PHRASES))
    session = await engine.open(options)
    pcm = padded(flite_speech("tell me a joke"))
    assert await say(session, pcm) == "tell me a joke"
    with pytest.raises(Busy, match="workers"):
        await engine.open(options)

    assert session._worker is not None
    os.kill(session._worker.pid, signal.SIGKILL)
    with pytest.raises(EngineError):
        await say(session, pcm)
    await session.close()
    async with engine._pool.borrow():
        pass  # Waits until the replacement is there.
    again = await engine.open(options)
    assert await say(again, pcm) == "tell me a joke"
    await again.close()
