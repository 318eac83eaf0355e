"""The embedded engine for real: flite and espeak-ng in their child processes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import pytest
import pytest_asyncio

from voicemesh.audio import StreamResampler
from voicemesh.work_counter import WorkCounter
from voicemesh_tts.engines.embedded.engine import Embedded
from voicemesh_tts.engines.embedded.settings import EmbeddedSettings

from .speaking import check_edges, check_spans, heard, joined, loudness, speak, voice, words

pytestmark = pytest.mark.asyncio(loop_scope="module")

ENGLISH = "The kitchen light is on, and the door is open."
MANDARIN = "你好, 我是你的语音助手."


@asynccontextmanager
async def embedded(**settings: object) -> AsyncIterator[Embedded]:
    engine = Embedded(EmbeddedSettings.model_validate({"flite_workers": 1} | settings))
    try:
        await engine.load()
        yield engine
    finally:
        await engine.close()


# Starting the children is what costs time: the tests share them.
@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine() -> AsyncIterator[Embedded]:
    async with embedded() as loaded:
        yield loaded


async def test_english_comes_from_flite_without_silence_around_it(engine: Embedded) -> None:
    samples = joined(await speak(engine, ENGLISH, "rms"))
    assert 2.0 < len(samples) / 16_000 < 4.5
    assert -26 < loudness(samples, 16_000) < -19
    check_edges(samples, 16_000)


async def test_mandarin_comes_from_espeak(engine: Embedded) -> None:
    about = voice(engine, "espeak-cmn")
    assert about.languages == ("zh",)
    samples = joined(await speak(engine, MANDARIN, "espeak-cmn"))
    assert 1.0 < len(samples) / about.native_rate_hertz < 4.0
    assert -26 < loudness(samples, about.native_rate_hertz) < -19


async def test_voices_are_equally_loud(engine: Embedded) -> None:
    levels = {}
    for name, text in (
        ("rms", ENGLISH),
        ("slt", ENGLISH),
        ("espeak-cmn", "今天的天气怎么样, 要不要带伞."),
        ("espeak-de", "Das Licht in der Küche ist an."),
    ):
        rate = voice(engine, name).native_rate_hertz
        levels[name] = loudness(joined(await speak(engine, text, name)), rate)
    # Sentences of one voice differ by 1.5 dB either way; voices as they are by 12 dB.
    assert max(levels.values()) - min(levels.values()) < 3.5, levels


async def test_the_level_follows_the_setting(engine: Embedded) -> None:
    async with embedded(target_level_dbfs=-33) as quiet:
        soft = loudness(joined(await speak(quiet, ENGLISH, "kal16")), 16_000)
    loud = loudness(joined(await speak(engine, ENGLISH, "kal16")), 16_000)
    assert 7 < loud - soft < 12


@pytest.mark.parametrize(("name", "text"), [("rms", ENGLISH), ("espeak-cmn", MANDARIN)])
async def test_spans_follow_the_words_and_leave_nothing_out(
    engine: Embedded, name: str, text: str
) -> None:
    chunks = await speak(engine, text, name)
    check_spans(chunks, text)


@pytest.mark.parametrize("name", ["rms", "espeak-en-us"])
async def test_a_higher_rate_speaks_faster(engine: Embedded, name: str) -> None:
    usual = len(joined(await speak(engine, ENGLISH, name)))
    fast = len(joined(await speak(engine, ENGLISH, name, 1.5)))
    assert 0.5 < fast / usual < 0.85


async def test_leaving_early_stops_the_child_and_leaves_it_usable(engine: Embedded) -> None:
    text = " ".join([ENGLISH] * 6)
    counter = WorkCounter()
    async with aclosing(engine.synthesize(text, voice(engine, "rms"), 1.0, counter)) as chunks:
        first = await anext(chunks)
    assert len(first.samples) < 16_000
    assert (counter.made, counter.late) == (1, 1)
    # The only child is free again, and what it says next is only the next text.
    assert len(joined(await speak(engine, "Yes.", "rms"))) < 1.2 * 16_000


async def test_two_conversations_take_turns_on_one_child(engine: Embedded) -> None:
    said = await asyncio.gather(*(speak(engine, text, "rms") for text in ("One.", ENGLISH)))
    alone = [await speak(engine, text, "rms") for text in ("One.", ENGLISH)]
    for both, single in zip(said, alone, strict=True):  # flite's noise is random
        assert len(joined(both)) == pytest.approx(len(joined(single)), rel=0.1)


async def test_espeak_is_loaded_in_no_process_but_its_own(engine: Embedded) -> None:
    await speak(engine, MANDARIN, "espeak-cmn")
    assert "espeak-ng.so" not in await asyncio.to_thread(Path("/proc/self/maps").read_text)


async def test_a_recogniser_understands_the_english_voice(engine: Embedded) -> None:
    for text in (
        "I will be back in the morning with some water and bread.",
        "My name is robot and I live in your house.",
    ):
        content = {word for word in words(text) if len(word) > 3}
        understood = content & heard(joined(await speak(engine, text, "rms")), 16_000)
        assert len(understood) >= 0.7 * len(content), understood


async def test_speech_keeps_its_length_at_another_rate(engine: Embedded) -> None:
    chunks = await speak(engine, ENGLISH, "rms")
    resampler = StreamResampler(16_000, 24_000)
    parts = [resampler.process(chunk.samples) for chunk in chunks] + [resampler.finish()]
    assert sum(map(len, parts)) == pytest.approx(1.5 * len(joined(chunks)), abs=50)
