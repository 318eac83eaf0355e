"""Synthesis of the pieces of a stream: text to units, units to audio at the stream's rate."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass

import numpy as np

from voicemesh.audio import Samples, StreamResampler
from voicemesh.errors import DeadlineExceeded, EngineError
from voicemesh.work_counter import WorkCounter
from voicemesh.workers import ThreadWorker
from voicemesh_tts import metrics
from voicemesh_tts.engines.engine import SpokenChunk, Synthesizer, Voice
from voicemesh_tts.settings import TtsSettings
from voicemesh_tts.text.scripts import Reading
from voicemesh_tts.text.speech import SpeechText
from voicemesh_tts.text.traced import TracedText
from voicemesh_tts.text.units import Unit, joined, units
from voicemesh_tts.voice_pace import UnitFlow, VoicePace
from voicemesh_tts.voices import VoiceTable

# Put into words within a millisecond, which is what the way to a thread and back
# takes on a busy core. It is the length of most pieces, above all of the first.
_SHORT_TEXT = 120


@dataclass(frozen=True)
class SpeakingOptions:
    """How a stream is to be spoken."""

    sample_rate_hertz: int
    reading: Reading
    voice: Voice | None
    """For the languages that it speaks; None: by language."""
    rate: float


@dataclass(frozen=True)
class Speech:
    """Some audio at the stream's rate, and the part of the piece that it says."""

    samples: Samples
    begin: int
    """The first code point of the piece as it was written."""
    end: int
    pause: bool = False
    """Silence between two units; may be empty."""


class PieceSynthesizer:
    """Synthesises written pieces. Shared by all streams of a process."""

    def __init__(self, engine: Synthesizer, voices: VoiceTable, settings: TtsSettings) -> None:
        """``engine`` is loaded."""
        self._engine = engine
        self._voices = voices
        self._settings = settings
        self._text_worker = ThreadWorker("speech text")
        self._paces: dict[str, VoicePace] = {}
        self._pauses_ms = {
            "sentence": settings.sentence_pause_ms,
            "clause": settings.clause_pause_ms,
            "none": settings.joint_pause_ms,
        }

    async def synthesize(
        self,
        written: str,
        text: SpeechText,
        options: SpeakingOptions,
        last: bool,
        counter: WorkCounter,
    ) -> AsyncGenerator[Speech, None]:
        """The audio of a piece; ``last``: nothing follows it in the reply.

        ``text`` carries what earlier pieces of the reply have left open; ``counter``
        counts what the engine makes of it.
        """
        if len(written) <= _SHORT_TEXT:
            spoken = self._spoken(written, text, options.reading)
        else:
            spoken = await self._text_worker.run(self._spoken, written, text, options.reading)
        can = self._engine.capabilities
        cut = units(spoken.text, options.reading, can.max_unit_chars)
        parts = list(joined(cut, spoken.text, can.joined_languages, can.max_joined_chars))
        for index, unit in enumerate(parts):
            voice = self._voices.pick(unit.language, options.voice)
            if voice is None:
                metrics.UNSPOKEN.labels(unit.language).inc()
                continue
            trace = _Trace(spoken, unit, len(written))
            async with aclosing(self._unit(unit, voice, trace, options, counter)) as audio:
                async for speech in audio:
                    yield speech
            if not (last and index == len(parts) - 1):
                _, end = trace.span(0, len(unit.text))
                yield Speech(self._pause(unit, options), end, end, pause=True)

    def _spoken(self, written: str, text: SpeechText, reading: Reading) -> TracedText:
        spoken = text.spoken(written)
        respell = self._engine.capabilities.respell
        return respell(spoken, reading) if respell is not None else spoken

    def _pause(self, unit: Unit, options: SpeakingOptions) -> Samples:
        seconds = self._pauses_ms[unit.ending] / 1000 / options.rate
        return np.zeros(round(seconds * options.sample_rate_hertz), dtype=np.int16)

    async def _unit(
        self,
        unit: Unit,
        voice: Voice,
        trace: _Trace,
        options: SpeakingOptions,
        counter: WorkCounter,
    ) -> AsyncGenerator[Speech, None]:
        rate_hertz = options.sample_rate_hertz
        resampler = StreamResampler(voice.native_rate_hertz, rate_hertz)
        begin, end = trace.span(0, 0)
        pace, flow = self._paces.setdefault(voice.name, VoicePace()), UnitFlow()
        # Of a voice that is slower than speech the beginning waits for more.
        held: list[Speech] = []
        missing = round(pace.head_s(len(unit.text), options.rate) * rate_hertz)
        async with aclosing(self._persistent(unit.text, voice, options.rate, counter)) as chunks:
            async for chunk in chunks:
                flow.came(len(chunk.samples) / voice.native_rate_hertz, time.monotonic())
                begin, end = trace.span(chunk.begin, chunk.end)
                samples = resampler.process(chunk.samples)
                if len(samples):
                    held.append(Speech(samples, begin, end))
                    missing -= len(samples)
                if missing <= 0:
                    for speech in held:
                        yield speech
                    held.clear()
        tail = resampler.finish()
        if len(tail):
            held.append(Speech(tail, begin, end))
        pace.spoke(len(unit.text), options.rate, flow)
        for speech in held:
            yield speech

    async def _persistent(
        self, text: str, voice: Voice, rate: float, counter: WorkCounter
    ) -> AsyncGenerator[SpokenChunk, None]:
        """The chunks of a unit, begun anew once when the engine fails before the first."""
        for attempt in (1, 2):
            begun = False
            try:
                async with aclosing(self._in_time(text, voice, rate, counter)) as chunks:
                    async for chunk in chunks:
                        begun = True
                        yield chunk
                return
            except EngineError:
                if begun or attempt == 2:
                    raise
                metrics.RETRIES.inc()

    async def _in_time(
        self, text: str, voice: Voice, rate: float, counter: WorkCounter
    ) -> AsyncGenerator[SpokenChunk, None]:
        """The chunks of a unit; DeadlineExceeded when one does not come in time."""
        limit = self._settings.unit_deadline_s
        async with aclosing(self._engine.synthesize(text, voice, rate, counter)) as chunks:
            while True:
                try:
                    async with asyncio.timeout(limit):
                        chunk = await anext(chunks, None)
                except TimeoutError:
                    raise DeadlineExceeded(
                        f"the voice {voice.name} said nothing within {limit:g} s; the service is "
                        "overloaded or its engine hangs"
                    ) from None
                if chunk is None:
                    return
                yield chunk
                # An engine that makes a unit at once has its next chunk ready: without this
                # nobody else would have the event loop until the unit is sent.
                await asyncio.sleep(0)

    def close(self) -> None:
        """Free the text worker."""
        self._text_worker.close()


class _Trace:
    """The way back from a unit's text to the piece as it was written.

    Spans leave nothing out: what is skipped, such as markup, belongs to the words
    before it.
    """

    def __init__(self, spoken: TracedText, unit: Unit, written_length: int) -> None:
        self._spoken = spoken
        self._offset = unit.begin
        self._length = written_length

    def span(self, begin: int, end: int) -> tuple[int, int]:
        """The written code points behind a range of the unit's text."""
        first, stop = self._offset + begin, self._offset + end
        begins, ends = self._spoken.begins, self._spoken.ends
        source_begin = 0 if first == 0 else begins[min(first, len(begins) - 1)]
        source_end = ends[stop - 1] if stop > 0 else 0
        following = begins[stop] if stop < len(begins) else self._length
        return source_begin, max(source_begin, source_end, following if stop else 0)
