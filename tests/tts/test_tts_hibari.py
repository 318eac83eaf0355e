"""The engine hibari for real."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import pytest
import pytest_asyncio

from voicemesh.errors import EngineMissing
from voicemesh.work_counter import WorkCounter
from voicemesh_tts.engines.hibari.engine import Hibari
from voicemesh_tts.engines.hibari.pronunciation import Pronunciation
from voicemesh_tts.engines.hibari.settings import HibariSettings

from .speaking import check_edges, check_spans, heard, joined, loudness, speak, voice, words

pytestmark = pytest.mark.asyncio(loop_scope="module")

TEXT = "The kitchen light is on, and the door is open."
RATE_HERTZ = 24_000


# Loading the lexicon is what costs time: the tests share it.
@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine() -> AsyncIterator[Hibari]:
    engine = Hibari(HibariSettings())
    await engine.load()
    yield engine
    await engine.close()


@pytest.fixture(scope="module")
def pronunciation() -> Pronunciation:
    return Pronunciation(british=False)


async def test_a_sentence_is_said_at_the_usual_level_pace_and_from_sound_to_sound(
    engine: Hibari,
) -> None:
    assert voice(engine, "heart").native_rate_hertz == RATE_HERTZ
    samples = joined(await speak(engine, TEXT, "heart"))
    assert 2.4 < len(samples) / RATE_HERTZ < 3.4  # ten words at 170 to 240 a minute
    assert -25 < loudness(samples, RATE_HERTZ) < -20
    check_edges(samples, RATE_HERTZ)


async def test_the_first_chunk_is_short_and_spans_follow_the_words(engine: Hibari) -> None:
    chunks = await speak(engine, TEXT, "heart")
    assert len(chunks[0].samples) == 0.02 * RATE_HERTZ
    check_spans(chunks, TEXT)
    # The comma's pause stands between what is said before it and after it.
    before = sum(len(c.samples) for c in chunks if c.end <= TEXT.index(" and"))
    after = sum(len(c.samples) for c in chunks if c.begin >= TEXT.index("and"))
    assert 0.4 < before / RATE_HERTZ < 1.6
    assert 0.4 < after / RATE_HERTZ < 1.6


async def test_a_rate_changes_the_length_alone(engine: Hibari) -> None:
    usual, fast = [joined(await speak(engine, TEXT, "heart", rate)) for rate in (1.0, 1.5)]
    assert len(fast) / len(usual) == pytest.approx(1 / 1.5, abs=0.03)
    assert loudness(fast, RATE_HERTZ) == pytest.approx(loudness(usual, RATE_HERTZ), abs=1.5)


async def test_a_recogniser_understands_it(engine: Hibari) -> None:
    text = "I will be back in the morning with some water and bread."
    content = {word for word in words(text) if len(word) > 3}
    understood = content & heard(joined(await speak(engine, text, "heart")), RATE_HERTZ)
    assert len(understood) >= 0.7 * len(content), understood


async def test_words_that_no_lexicon_holds_are_spoken(engine: Hibari) -> None:
    samples = joined(await speak(engine, "Zorbifax, Łódź, hmpf!", "heart"))
    assert len(samples) > 0.8 * RATE_HERTZ


async def test_who_leaves_early_has_cost_one_unit_and_who_never_began_nothing(
    engine: Hibari,
) -> None:
    left, waited = WorkCounter(), WorkCounter()
    heart = voice(engine, "heart")
    async with aclosing(engine.synthesize(TEXT, heart, 1.0, left)) as chunks:
        await anext(chunks)
    assert left.made == 1
    speaking = asyncio.create_task(speak(engine, TEXT, "heart"))
    chunks = engine.synthesize(TEXT, heart, 1.0, waited)
    in_line = asyncio.Event()

    async def wait_in_line() -> None:
        in_line.set()
        await anext(chunks)

    waiting = asyncio.create_task(wait_in_line())
    await in_line.wait()
    waiting.cancel()
    assert len(await speaking) > 3
    await asyncio.wait({waiting})
    assert waited.made == 0


async def test_a_letter_a_is_no_article(pronunciation: Pronunciation) -> None:
    letter, article = 24, 70
    assert letter in pronunciation.read("A I").ids
    assert pronunciation.read("the U S A").ids[-2] == letter
    assert article in pronunciation.read("There is a door.").ids


async def test_every_word_knows_where_its_sounds_begin(pronunciation: Pronunciation) -> None:
    text = "It's Dr O'Brien's twenty-first e-mail, isn't it?"
    read = pronunciation.read(text)
    assert [text[w.begin : w.end] for w in read.words][:3] == ["It's", "Dr", "O'Brien's"]
    assert [w.first for w in read.words] == sorted({w.first for w in read.words})


async def test_a_voice_that_is_not_here_is_told_with_its_cure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HIBARI_HOME", str(tmp_path))
    engine = Hibari(HibariSettings(voice="emma"))
    with pytest.raises(EngineMissing, match="run `hibari --voice emma"):
        await engine.load()
    await engine.close()
