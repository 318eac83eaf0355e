"""Voices that are slower than speech: heard later, and without a gap inside a unit."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voicemesh.work_counter import WorkCounter
from voicemesh_tts.engines.engine import SpokenChunk, Voice
from voicemesh_tts.engines.simulated.engine import SimulatedVoice
from voicemesh_tts.engines.simulated.settings import SimulatedSettings
from voicemesh_tts.message_growth import GrowingMessages
from voicemesh_tts.piece_synthesizer import PieceSynthesizer, SpeakingOptions, Speech
from voicemesh_tts.settings import TtsSettings
from voicemesh_tts.text.scripts import Reading
from voicemesh_tts.text.speech import SpeechText
from voicemesh_tts.voice_pace import UnitFlow, VoicePace
from voicemesh_tts.voices import VoiceTable

RATE = 16_000
CHUNK_S = 0.02
SLOWNESS = 1.3


def measured(slowness: float, characters: int, seconds_per_character: float) -> VoicePace:
    """A pace that one unit has been measured of, chunk by chunk."""
    pace, flow = VoicePace(), UnitFlow()
    chunks = round(characters * seconds_per_character / CHUNK_S)
    for chunk in range(chunks):
        flow.came(CHUNK_S, 5.0 + chunk * CHUNK_S * slowness)
    pace.spoke(characters, 1.0, flow)
    return pace


@given(st.floats(1.01, 3), st.integers(5, 200))
def test_a_slow_voice_is_never_waited_for_inside_a_unit(slowness: float, characters: int) -> None:
    pace = measured(slowness, 40, 0.06)
    assert pace.slowness == pytest.approx(slowness)
    chunks = round(characters * 0.06 / CHUNK_S)
    head = pace.head_s(characters, 1.0)
    # When each message goes out, as the service sends them.
    sent: list[tuple[float, float]] = []
    now = 0.0
    messages = GrowingMessages(RATE, lambda m: sent.append((now, len(m.samples) / RATE)))
    held: list[Speech] = []
    for chunk in range(chunks):
        now = chunk * CHUNK_S * slowness
        held.append(_frame())
        if len(held) * CHUNK_S >= head or chunk == chunks - 1:
            head = 0.0
            for frame in held:
                messages.add(frame)
            held.clear()
    messages.flush()
    begins, heard_s = sent[0][0], 0.0
    for came, lasts in sent:
        assert came - begins <= heard_s + 1e-6
        heard_s += lasts


def _frame() -> Speech:
    return Speech(np.zeros(int(RATE * CHUNK_S), np.int16), 0, 1)


@given(st.floats(0.01, 0.99), st.integers(1, 200))
def test_a_voice_that_keeps_up_waits_for_nothing(slowness: float, characters: int) -> None:
    assert measured(slowness, 40, 0.06).head_s(characters, 1.0) == 0


def test_a_voice_that_does_not_stream_waits_for_nothing() -> None:
    pace, flow = VoicePace(), UnitFlow()
    flow.came(2.0, 100.0)
    pace.spoke(30, 1.0, flow)
    assert (pace.slowness, pace.head_s(30, 1.0)) == (0.0, 0.0)


def test_the_wait_goes_by_the_ratio_and_the_speaking_rate() -> None:
    pace = measured(SLOWNESS, 50, 0.06)
    slow, quick = pace.head_s(100, 1.0), pace.head_s(100, 2.0)
    assert slow == pytest.approx(6 * (1 - 1 / SLOWNESS) + 0.2)
    assert quick == pytest.approx(3 * (1 - 1 / SLOWNESS) + 0.2)


class CountedVoice(SimulatedVoice):
    """Counts the audio that it has made of a unit."""

    made_s = 0.0

    async def synthesize(
        self, text: str, voice: Voice, rate: float, counter: WorkCounter
    ) -> AsyncGenerator[SpokenChunk, None]:
        self.made_s = 0.0
        async with aclosing(super().synthesize(text, voice, rate, counter)) as chunks:
            async for chunk in chunks:
                self.made_s += len(chunk.samples) / RATE
                yield chunk


async def test_a_slow_voice_begins_later_once_its_pace_is_known() -> None:
    engine = CountedVoice(SimulatedSettings(realtime_factor=1 / SLOWNESS, first_chunk_ms=0))
    table = VoiceTable(engine.voices(), {}, "simulated")
    synthesizer = PieceSynthesizer(engine, table, TtsSettings())
    options = SpeakingOptions(RATE, Reading.of("en", "en"), None, 1.0)
    text, there_s, lasted_s = "One two three four.", [], []
    reading = options.reading
    for _ in range(2):
        counter, samples = WorkCounter(), 0
        speech = synthesizer.synthesize(text, SpeechText(reading), options, True, counter)
        async with aclosing(speech) as parts:
            async for part in parts:
                if not samples:
                    there_s.append(engine.made_s)
                samples += len(part.samples)
        lasted_s.append(samples / RATE)
    synthesizer.close()
    assert there_s[0] == pytest.approx(CHUNK_S)
    assert there_s[1] >= lasted_s[1] * (1 - 1 / SLOWNESS)
    assert lasted_s[0] == lasted_s[1]
