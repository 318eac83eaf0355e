"""The simulated voice: slices of one tone.

It makes chunk after chunk at its pace. The first is given out when it is due;
later ones, for which nobody waits, a few at a time.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence

import numpy as np

from voicemesh.audio import Samples
from voicemesh.audio_format import FULL_SCALE
from voicemesh.simulation import SimulatedDevice
from voicemesh.work_counter import WorkCounter
from voicemesh_tts.engines.engine import Capabilities, SpokenChunk, Voice
from voicemesh_tts.engines.simulated.settings import SimulatedSettings

_LEVEL = 0.1  # Of full scale: -23 dBFS, as loud as the embedded voices.
_LONGEST_UNIT = 500
# A fast voice makes a chunk every millisecond, which is no reason to wake up for each.
_GRAIN_S = 0.005


def _tone(hertz: int, rate_hertz: int, count: int) -> Samples:
    """``count`` samples of a sine."""
    phase = np.arange(count) * (2 * np.pi * hertz / rate_hertz)
    tone: Samples = np.rint(np.sin(phase) * _LEVEL * FULL_SCALE).astype(np.int16)
    return tone


class SimulatedVoice:
    """One voice on one simulated device."""

    capabilities = Capabilities(streaming=True, word_spans=False, max_unit_chars=_LONGEST_UNIT)

    def __init__(self, settings: SimulatedSettings) -> None:
        """The tone is made once; chunks are views of it."""
        self._settings = settings
        self._rate = settings.sample_rate_hertz
        self._voice = Voice("simulated", settings.languages, self._rate, "Apache-2.0")
        self._chunk = max(1, self._rate * settings.chunk_ms // 1000)
        # It repeats every second; what is given out at once begins anywhere within one.
        self._tone = _tone(settings.tone_hertz, self._rate, 2 * self._rate + self._chunk)
        self._device = SimulatedDevice(settings.jobs_at_once)

    async def load(self) -> None:
        """Nothing to load."""

    def voices(self) -> Sequence[Voice]:
        """The one voice."""
        return (self._voice,)

    async def synthesize(
        self, text: str, voice: Voice, rate: float, counter: WorkCounter
    ) -> AsyncGenerator[SpokenChunk, None]:
        """See :class:`voicemesh_tts.engines.engine.Synthesizer`."""
        settings = self._settings
        total = round(len(text) * settings.seconds_per_character / rate * self._rate)
        first_s = settings.first_chunk_ms / 1000
        pace = self._rate * settings.realtime_factor
        async with self._device.job() as job:
            position = 0
            while position < total:
                await job.reach(first_s + position / pace, _GRAIN_S if position else 0.0)
                made = self._made(position, (job.elapsed_s - first_s) * pace, total)
                counter.spend(-(-(made - position) // self._chunk))
                yield self._chunk_of(text, position, made, total)
                position = made

    def _made(self, position: int, pace_samples: float, total: int) -> int:
        """How far the voice has come: whole chunks, at least one more than ``position``."""
        chunks = int(pace_samples // self._chunk) + 1 if position else 1
        made = max(position + self._chunk, chunks * self._chunk)
        return min(made, position + max(self._rate, self._chunk), total)

    def _chunk_of(self, text: str, begin: int, end: int, total: int) -> SpokenChunk:
        phase = begin % self._rate
        return SpokenChunk(
            self._tone[phase : phase + end - begin],
            begin * len(text) // total,
            -(-end * len(text) // total),  # Rounded up: that character has begun.
        )

    async def close(self) -> None:
        """Nothing to free."""
