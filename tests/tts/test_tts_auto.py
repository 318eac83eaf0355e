"""The engine auto: whose voices speak, and what is said of those that are missing."""

from __future__ import annotations

import logging
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from voicemesh.errors import EngineError, SettingsError
from voicemesh.models.store import ModelStore
from voicemesh.process_tree import descendants
from voicemesh.settings import Settings, engine_config, load
from voicemesh.work_counter import WorkCounter
from voicemesh_tts.engines.auto.engine import Auto
from voicemesh_tts.engines.auto.spec import SPEC
from voicemesh_tts.engines.hibari.voice import HibariVoice
from voicemesh_tts.engines.kokoro.engine import Kokoro
from voicemesh_tts.engines.kokoro.settings import KokoroSettings
from voicemesh_tts.settings import TtsSettings
from voicemesh_tts.voices import VoiceTable

from .speaking import check_spans, joined, loudness, speak, voice

ENGLISH = "The kitchen light is on."
CHINESE = "厨房的灯开着."


def settings_of(models_folder: Path, languages: str = '["en"]', **flags: Any) -> Settings:
    mesh = {"mesh.models_folder": str(models_folder), "mesh.languages": languages}
    return load(environ={}, flags=mesh | {"tts.embedded.flite_workers": "1"} | flags)


def engine_of(settings: Settings) -> Auto:
    config = engine_config(settings.section("tts", TtsSettings), SPEC)
    engine: Auto = SPEC.make(config, None, settings)
    return engine


@asynccontextmanager
async def loaded(settings: Settings) -> AsyncIterator[Auto]:
    engine = engine_of(settings)
    try:
        await engine.load()
        yield engine
    finally:
        await engine.close()


def speaker(engine: Auto, language: str) -> tuple[str, str]:
    """Who speaks a language unless somebody else is asked for: voice and engine."""
    found = VoiceTable(engine.voices(), {}, "auto").pick(language, None)
    assert found is not None
    return found.name, found.engine


async def test_english_is_hibari_and_children_wait_until_somebody_wants_them(
    tmp_path: Path,
) -> None:
    before = descendants(os.getpid())
    async with loaded(settings_of(tmp_path)) as engine:
        assert speaker(engine, "en") == ("heart", "hibari")
        assert speaker(engine, "de") == ("espeak-de", "embedded")
        assert descendants(os.getpid()) == before
        english = joined(await speak(engine, ENGLISH, "heart"))
        assert descendants(os.getpid()) == before
        german = joined(await speak(engine, "Das Licht ist an.", "espeak-de"))
        assert len(descendants(os.getpid())) == len(before) + 1
        assert loudness(english, 24_000) == pytest.approx(loudness(german, 22_050), abs=3)
    assert descendants(os.getpid()) == before


async def test_chinese_without_its_model_is_espeak_and_the_cure_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = settings_of(tmp_path, '["en", "zh"]')
    with caplog.at_level(logging.WARNING):
        async with loaded(settings) as engine:
            assert speaker(engine, "zh") == ("espeak-cmn", "embedded")
            assert len(joined(await speak(engine, CHINESE, "espeak-cmn"))) > 10_000
    cure = "voicemesh models pull kokoro-82m-zh"
    assert cure in caplog.text
    checked = SPEC.checked(engine_config(settings.section("tts", TtsSettings), SPEC), settings)
    assert checked is not None
    assert checked.usable
    assert "hibari speaks en" in checked.reason
    assert cure in checked.reason


async def test_chinese_with_its_model_is_kokoro_and_english_in_it_keeps_its_voice(
    models: ModelStore,
) -> None:
    async with loaded(settings_of(models.folder, '["zh"]')) as engine:
        assert speaker(engine, "zh") == ("zm_yunxi", "kokoro")
        assert speaker(engine, "en") == ("heart", "hibari")
        assert engine.capabilities.joined_languages == {"zh"}
        assert engine.capabilities.respell is not None


async def test_kokoro_is_not_loaded_where_nobody_speaks_chinese(models: ModelStore) -> None:
    async with loaded(settings_of(models.folder)) as engine:
        assert speaker(engine, "zh") == ("espeak-cmn", "embedded")


async def test_flite_says_what_hibari_fails_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise EngineError("the network is damaged")

    async with loaded(settings_of(tmp_path)) as engine:
        monkeypatch.setattr(HibariVoice, "render", fail)
        chunks = await speak(engine, ENGLISH, "heart")
        assert 1.0 < len(joined(chunks)) / 24_000 < 2.5
        check_spans(chunks, ENGLISH)


async def test_espeak_goes_on_where_kokoro_is_late(models: ModelStore) -> None:
    text = "你好, 我在路上慢慢地走着."
    patient = {"tts.kokoro.first_part_characters": "2", "tts.kokoro.part_deadline_s": "60"}
    settings = settings_of(models.folder, '["zh"]', **patient)
    async with loaded(settings) as engine:
        stream = engine.synthesize(text, voice(engine, "zm_yunxi"), 1.0, WorkCounter())
        said = [await anext(stream)]
        engine_of_voice = engine._owners["zm_yunxi"]
        assert isinstance(engine_of_voice, Kokoro)
        engine_of_voice._settings = KokoroSettings(part_deadline_s=0.01)
        said += [chunk async for chunk in stream]
    assert said[-1].end == len(text)
    assert 2.0 < len(joined(said)) / 24_000 < 4.5


async def test_flite_speaks_where_hibari_does_not_load(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HIBARI_HOME", str(tmp_path))
    with caplog.at_level(logging.WARNING):
        async with loaded(settings_of(tmp_path, **{"tts.hibari.voice": "emma"})) as engine:
            assert speaker(engine, "en") == ("rms", "embedded")
    assert "run `hibari --voice emma" in caplog.text


async def test_it_cannot_choose_itself(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, **{"tts.auto.preferred": '{"en": "auto"}'})
    with pytest.raises(SettingsError, match="cannot choose itself"):
        engine_of(settings)
