"""The engine: the voices of several engines as one."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace

from voicemesh.audio import StreamResampler
from voicemesh.errors import EngineError, EngineMissing
from voicemesh.registry import engine_spec
from voicemesh.settings import Settings, engine_config
from voicemesh.work_counter import WorkCounter
from voicemesh_tts import metrics
from voicemesh_tts.engines.auto.choice import FALLBACK, Wanted, languages, wanted
from voicemesh_tts.engines.auto.settings import AutoSettings
from voicemesh_tts.engines.embedded.engine import Embedded
from voicemesh_tts.engines.engine import Capabilities, SpokenChunk, Synthesizer, Voice
from voicemesh_tts.settings import ENGINES, TtsSettings

log = logging.getLogger(__name__)


class Auto:
    """The preferred engines for the languages that are spoken here, before the embedded one.

    What cannot be loaded, or is too slow for this machine, is told in the log with its
    cure, and left out. The embedded engine's children wait until somebody wants them where
    all the languages that are spoken here have better voices.
    """

    def __init__(self, config: AutoSettings, settings: Settings) -> None:
        """Nothing is loaded before ``load``."""
        self._settings = settings
        self._section = settings.section("tts", TtsSettings)
        self._languages = languages(settings)
        self._wanted = wanted(config, settings)
        self._fallback: Embedded | None = None
        self._engines: list[Synthesizer] = []
        self._owners: dict[str, Synthesizer] = {}
        self._voices: list[Voice] = []
        self.capabilities = Capabilities(streaming=True, word_spans=True, max_unit_chars=100)

    async def load(self) -> None:
        """Load what is here; EngineMissing where nothing is."""
        reasons = []
        for engine in self._wanted:
            try:
                await self._add(engine)
            except EngineError as error:
                reasons.append(str(error))
                log.warning("%s; %s speaks %s", error, FALLBACK, " and ".join(engine.languages))
        try:
            await self._add_fallback()
        except EngineMissing as error:
            if not self._voices:
                raise EngineMissing("; ".join([*reasons, str(error)])) from None
            log.warning("%s; the languages are: %s", error, ", ".join(self._spoken()))
        self.capabilities = self._joint_capabilities()

    async def _add(self, wanted: Wanted) -> None:
        if not wanted.probe.usable:
            cure = f"; {wanted.probe.cure}" if wanted.probe.cure else ""
            raise EngineMissing(f"{wanted.probe.reason}{cure}")
        config = engine_config(self._section, wanted.spec)
        engine: Synthesizer = wanted.spec.make(config, None, self._settings)
        try:
            await engine.load()
        except BaseException:
            await engine.close()
            raise
        self._own(engine, wanted.spec.name)

    async def _add_fallback(self) -> None:
        """The embedded engine, of which a child stays only where nobody else speaks a language."""
        spec = engine_spec(ENGINES, FALLBACK, "tts.auto.preferred")
        fallback: Embedded = spec.make(engine_config(self._section, spec))
        better = set(self._spoken())
        try:
            await fallback.load()
        except BaseException:
            await fallback.close()
            raise
        self._fallback = fallback
        self._own(fallback, spec.name)
        needed = set(self._languages) - better
        await fallback.rest(but=[v.name for v in fallback.voices() if v.languages[0] in needed])

    def _own(self, engine: Synthesizer, name: str) -> None:
        self._engines.append(engine)
        voices = [replace(voice, engine=name) for voice in engine.voices()]
        self._voices += [voice for voice in voices if voice.name not in self._owners]
        self._owners = {voice.name: engine for voice in voices} | self._owners

    def _spoken(self) -> list[str]:
        return list(dict.fromkeys(voice.languages[0] for voice in self._voices))

    def _joint_capabilities(self) -> Capabilities:
        able = [engine.capabilities for engine in self._engines]
        respells = [can.respell for can in able if can.respell is not None]
        return Capabilities(
            streaming=all(can.streaming for can in able),
            word_spans=all(can.word_spans for can in able),
            max_unit_chars=min(can.max_unit_chars for can in able),
            joined_languages=frozenset[str]().union(*(can.joined_languages for can in able)),
            max_joined_chars=max(can.max_joined_chars for can in able),
            respell=respells[0] if respells else None,
        )

    def voices(self) -> Sequence[Voice]:
        """The preferred engines' voices, then the embedded engine's."""
        return self._voices

    async def synthesize(
        self, text: str, voice: Voice, rate: float, counter: WorkCounter
    ) -> AsyncGenerator[SpokenChunk, None]:
        """See :class:`voicemesh_tts.engines.engine.Synthesizer`.

        What an engine fails to say of a unit is said by the embedded engine.
        """
        owner = self._owners.get(voice.name)
        if owner is None:
            raise EngineError(f"no voice {voice.name} is loaded")
        said = 0
        try:
            async with aclosing(owner.synthesize(text, voice, rate, counter)) as chunks:
                async for chunk in chunks:
                    said = chunk.end
                    yield chunk
            return
        except EngineError as error:
            substitute = self._substitute(voice)
            if substitute is None or counter.cancelled:
                raise
            log.warning("%s failed: %s; %s goes on", voice.name, error, substitute.name)
            metrics.SUBSTITUTED.inc()
        resampler = StreamResampler(substitute.native_rate_hertz, voice.native_rate_hertz)
        rest = self._owners[substitute.name].synthesize(text[said:], substitute, rate, counter)
        async with aclosing(rest) as chunks:
            async for chunk in chunks:
                samples = resampler.process(chunk.samples)
                yield SpokenChunk(samples, said + chunk.begin, said + chunk.end)
        yield SpokenChunk(resampler.finish(), len(text), len(text))

    def _substitute(self, voice: Voice) -> Voice | None:
        """The embedded engine's voice for a language of a voice that is not its own."""
        if self._fallback is None or self._owners[voice.name] is self._fallback:
            return None
        spoken = (v for v in self._fallback.voices() if voice.languages[0] in v.languages)
        return next(spoken, None)

    async def close(self) -> None:
        """Close all that are loaded."""
        for engine in self._engines:
            await engine.close()
