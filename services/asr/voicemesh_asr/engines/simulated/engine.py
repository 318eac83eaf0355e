"""The simulated recogniser: it counts samples and lets time pass."""

from __future__ import annotations

import re
from collections.abc import Sequence

from voicemesh.audio import Samples
from voicemesh.errors import Busy
from voicemesh.simulation import SimulatedDevice
from voicemesh.v1 import asr_pb2, common_pb2
from voicemesh.writing import WIDE
from voicemesh_asr.engines.engine import Hypothesis, Phrase, SessionOptions
from voicemesh_asr.engines.simulated.settings import SimulatedSettings

# Running text grows by a word, or a Chinese character, at about the pace of speech.
_UNIT = re.compile(rf"[^\s{WIDE}]+\s*|[{WIDE}]\s*")
_UNIT_S = 0.3


class SimulatedSession:
    """One speaker. The n-th utterance is recognised as the n-th text."""

    def __init__(self, engine: SimulatedRecognizer) -> None:
        """Use ``SimulatedRecognizer.open``."""
        self._engine = engine
        self._config = engine.config
        self._utterance = 0
        self._heard_s = 0.0
        self._told_s = 0.0
        self._closed = False

    @property
    def _text(self) -> str:
        return self._config.texts[self._utterance % len(self._config.texts)]

    async def accept(self, samples: Samples) -> Hypothesis | None:
        """Let the work on these samples take its time."""
        seconds = len(samples) / self._engine.rate_hertz
        self._heard_s += seconds
        await self._engine.work(seconds * self._config.realtime_factor)
        every_s = self._config.interim_every_ms / 1000
        if not every_s or self._heard_s - self._told_s < every_s:
            return None
        self._told_s = self._heard_s
        units = _UNIT.findall(self._text)[: int(self._heard_s / _UNIT_S)]
        return Hypothesis("".join(units).strip())

    async def finish(self) -> Hypothesis:
        """The whole text, after the delay of the final pass."""
        config = self._config
        delay_ms = config.final_delay_ms + config.final_delay_ms_per_second * self._heard_s
        await self._engine.work(delay_ms / 1000)
        return Hypothesis(self._text, confidence=1.0)

    async def resume(self) -> None:
        """The utterance goes on; nothing is lost."""

    async def reset(self) -> None:
        """The next utterance says the next text."""
        if self._heard_s:
            self._utterance += 1
        self._heard_s = self._told_s = 0.0

    async def set_phrases(self, phrases: Sequence[Phrase]) -> None:
        """Set texts need no hints."""

    async def close(self) -> None:
        """Make room for another speaker."""
        if not self._closed:
            self._closed = True
            self._engine.speakers -= 1


class SimulatedRecognizer:
    """The engine: one simulated device for all speakers."""

    rate_hertz = 16_000
    model = "simulated"

    def __init__(self, config: SimulatedSettings) -> None:
        """Nothing has to be loaded."""
        self.config = config
        self.speakers = 0
        self._device = SimulatedDevice(config.jobs_at_once)
        self.capabilities = asr_pb2.RecognizerCapabilities(
            languages=[common_pb2.Language(language_code=code) for code in config.languages],
            sample_rates_hertz=[self.rate_hertz],
            interim_results=config.interim_every_ms > 0,
            phrase_hints=True,
            punctuation=True,
            max_concurrent_streams=config.workers,
        )

    async def load(self) -> None:
        """Nothing to load."""

    async def work(self, seconds: float) -> None:
        """Keep the device busy for so long, after the jobs before."""
        if seconds > 0:
            async with self._device.job() as job:
                await job.reach(seconds)

    async def open(self, options: SessionOptions) -> SimulatedSession:
        """Hear one more speaker; Busy when every worker has one."""
        if self.speakers >= self.config.workers:
            raise Busy(
                f"all {self.config.workers} simulated workers hear a speaker; "
                "raise asr.simulated.workers",
                retry_after_ms=1000,
            )
        self.speakers += 1
        return SimulatedSession(self)

    async def close(self) -> None:
        """Nothing to free."""
