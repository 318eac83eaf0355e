"""The engine kokoro for real: its own sounds, its parts, and what it says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import numpy as np
import pytest
import pytest_asyncio

from voicemesh.errors import EngineError
from voicemesh.models.store import ModelStore
from voicemesh.work_counter import WorkCounter
from voicemesh_tts.engines.kokoro.engine import Kokoro
from voicemesh_tts.engines.kokoro.parts import Part, parts
from voicemesh_tts.engines.kokoro.settings import KokoroSettings
from voicemesh_tts.engines.kokoro.sounds import symbols
from voicemesh_tts.engines.mandarin.clauses import Reader
from voicemesh_tts.engines.mandarin.latin import LatinReading
from voicemesh_tts.engines.mandarin.lexicon import BUILT_IN, Lexicon
from voicemesh_tts.engines.mandarin.pronunciation import Pronunciation
from voicemesh_tts.engines.mandarin.syllables import (
    FINALS,
    INITIALS,
    NO_INITIAL,
    Syllable,
    syllable,
)
from voicemesh_tts.settings import TtsSettings

from .speaking import check_edges, check_spans, joined, loudness, voice

pytestmark = pytest.mark.asyncio(loop_scope="module")

VOICE, RATE_HERTZ = "zm_yunxi", 24_000
LEXICON = Lexicon.load(BUILT_IN)
READER = Reader(Pronunciation(LEXICON.readings), LatinReading(LEXICON, spell_unknown=True))
LONG = "人工智能是研究如何让机器完成通常需要人类智慧才能完成的事情的科学, 它很有用."


def engine_of(models: ModelStore, alone: bool = True, **settings: Any) -> Kokoro:
    # However busy the machine is, a part is waited for.
    config = KokoroSettings.model_validate({"part_deadline_s": 60, **settings})
    return Kokoro(config, models, TtsSettings(), alone=alone)


# Each run of the network costs half of what it says: the tests share it.
@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine(models: ModelStore) -> AsyncIterator[Kokoro]:
    engine = engine_of(models)
    await engine.load()
    yield engine
    await engine.close()


async def test_a_sentence_is_said_at_the_usual_level_and_its_spans_follow(engine: Kokoro) -> None:
    text, heart = "你好, 今天天气很好.", voice(engine, VOICE)
    assert (heart.languages, heart.native_rate_hertz) == (("zh",), RATE_HERTZ)
    async with aclosing(engine.synthesize(text, heart, 1.0, WorkCounter())) as stream:
        chunks = [chunk async for chunk in stream]
    samples = joined(chunks)
    assert 1.6 < len(samples) / RATE_HERTZ < 3.0
    assert -26 < loudness(samples, RATE_HERTZ) < -19
    check_edges(samples, RATE_HERTZ)
    check_spans(chunks, text)


class WatchedCounter(WorkCounter):
    """Tells while the engine is at work on a part: it can be told then to leave off."""

    def __init__(self) -> None:
        self.working = asyncio.Event()
        super().__init__()

    def __setattr__(self, name: str, value: object) -> None:
        super().__setattr__(name, value)
        if name == "on_cancel":
            (self.working.clear if value is None else self.working.set)()


async def test_a_part_that_nobody_wants_any_more_is_broken_off(engine: Kokoro) -> None:
    counter = WatchedCounter()
    stream = engine.synthesize(LONG, voice(engine, VOICE), 1.0, counter)
    await anext(stream)
    following = asyncio.ensure_future(anext_with_audio_of_the_next_part(stream, counter))
    await counter.working.wait()
    counter.cancel()
    with pytest.raises(EngineError, match="terminate"):
        await following
    assert (counter.made, counter.late) == (1, 0)


async def anext_with_audio_of_the_next_part(stream: Any, counter: WorkCounter) -> None:
    async for _ in stream:
        assert counter.made == 1


async def test_auto_does_not_get_a_voice_that_is_too_slow(models: ModelStore) -> None:
    slow = engine_of(models, alone=False, slowest_realtime_factor=0.001)
    with pytest.raises(EngineError, match=r"may take 0\.001 \(tts\.kokoro\.slowest_realtime"):
        await slow.load()
    await slow.close()


# Sounds.


@pytest.mark.parametrize(
    ("pinyin", "written"),
    [
        ("ni3", "ni↓"),
        ("tian1", "tʰjɛ→n"),
        ("zhi4", "ꭧɨ↘"),
        ("si4", "sɨ↘"),
        ("yuan2", "ɥɛ↗n"),
        ("jue2", "ʨɥe↗"),
        ("bo1", "pwo→"),
        ("o4", "ɔ↘"),
        ("er4", "ɚ↘"),
        ("de5", "tɤ"),
        ("xiong2", "ɕjʊ↗ŋ"),
        ("lv4", "ly↘"),
    ],
)
async def test_a_syllable_is_written_as_the_network_was_taught(pinyin: str, written: str) -> None:
    found = syllable(pinyin)
    assert found is not None
    vocabulary = {1: "", **_characters()}
    assert "".join(vocabulary[symbol] for symbol in symbols(found)) == written


def _characters() -> dict[int, str]:
    from voicemesh_tts.engines.kokoro.sounds import _SYMBOLS

    return {number: character for character, number in _SYMBOLS.items()}


async def test_all_that_pinyin_can_write_has_symbols() -> None:
    written = {
        tuple(symbols(Syllable(initial, final, tone)))
        for initial in (*INITIALS, NO_INITIAL)
        for final in FINALS
        for tone in "12345"
    }
    # ii and iii are one sound, and uo after an initial is its o.
    assert len(written) > len(INITIALS) * (len(FINALS) - 3) * 5


# Parts.


def planned(text: str, first: int, realtime_factor: float) -> list[str]:
    return [said(part) for part in parts(READER.read(text).clauses, first, realtime_factor)]


def said(part: Part) -> str:
    return "".join("".join(c.character for c in clause.characters) + clause.mark for clause in part)


async def test_the_first_part_is_short_and_each_gives_time_for_the_next() -> None:
    assert planned("你好. 我是机器人, 很高兴见到你.", 6, 0.2) == [
        "你好.",
        "我是机器人,",
        "很高兴见到你.",
    ]
    lengths = [len(part) for part in planned(LONG, 8, 0.6)]
    assert lengths[0] <= 12
    assert sum(lengths) == len(LONG.replace(" ", ""))
    quick = [len(part) for part in planned(LONG, 8, 0.3)]
    assert len(quick) < len(lengths)


async def test_a_long_clause_is_cut_where_a_speaker_may_draw_breath() -> None:
    first, *_ = planned("人工智能是研究如何让机器完成通常需要人类智慧的科学.", 8, 0.5)
    assert first == "人工智能是研究如何"
    assert planned("我在路上走着.", 8, 0.5) == ["我在路上走着."]


async def test_nothing_is_left_out_however_it_is_cut() -> None:
    rng = np.random.default_rng(1)
    for _ in range(50):
        text = "".join(rng.choice(list("我在的是好人家,,."), 80))
        clauses = READER.read(text).clauses
        together = "".join(said(part) for part in parts(clauses, 4, 0.5))
        assert together == "".join(said((clause,)) for clause in clauses)
