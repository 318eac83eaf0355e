"""The embedded engine: flite and espeak-ng, each in child processes."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Collection, Sequence
from contextlib import aclosing

from voicemesh.audio import pcm16
from voicemesh.errors import EngineError, EngineMissing
from voicemesh.work_counter import WorkCounter
from voicemesh_tts.engines.embedded.library_children import LibraryChildren
from voicemesh_tts.engines.embedded.settings import EmbeddedSettings
from voicemesh_tts.engines.embedded.voice_process import VoiceProcessConfig
from voicemesh_tts.engines.engine import Capabilities, SpokenChunk, Voice

log = logging.getLogger(__name__)

# Flite's first sample comes about 0.4 ms later for every character; with this the
# first audio of any unit is there within 50 ms, and nobody waits for long.
_MAX_UNIT_CHARS = 100


class Embedded:
    """English by flite, everything else by espeak-ng.

    Both libraries live in child processes: flite because it may not be called by
    two threads at once, espeak-ng because it is GPL. A unit borrows a child for as
    long as it takes, first come first served, so that conversations alternate.
    """

    capabilities = Capabilities(streaming=True, word_spans=True, max_unit_chars=_MAX_UNIT_CHARS)

    def __init__(self, settings: EmbeddedSettings) -> None:
        """Nothing is started before ``load``."""
        level, english = settings.target_level_dbfs, settings.english_voice
        self._english_voice = english
        self._flite = LibraryChildren(
            "flite",
            VoiceProcessConfig(level, (english,)),
            "flite",
            settings.flite_workers,
            settings.cores,
        )
        self._espeak = LibraryChildren(
            "espeak",
            VoiceProcessConfig(level, ("espeak-cmn",)),
            "espeak-ng",
            settings.espeak_workers,
            settings.cores,
        )
        self._voices: list[Voice] = []
        self._children: dict[str, LibraryChildren] = {}

    async def load(self) -> None:
        """Start the children. One kind may be missing: the other then speaks alone."""
        missing: list[str] = []
        for children in (self._flite, self._espeak):
            try:
                voices = await children.voices()
            except EngineMissing as error:
                log.warning("%s; going on without it", error)
                missing.append(str(error))
                continue
            voices = sorted(voices, key=lambda v: v.name != self._english_voice)
            self._voices += voices
            self._children.update(dict.fromkeys((v.name for v in voices), children))
        if not self._voices:
            raise EngineMissing("; ".join(missing))

    async def rest(self, but: Collection[str]) -> None:
        """End the children that speak none of the voices ``but``, until they are wanted."""
        busy = [self._children[name] for name in but if name in self._children]
        for children in (self._flite, self._espeak):
            if children not in busy:
                await children.rest()

    def voices(self) -> Sequence[Voice]:
        """The voice for English first, then flite's others, then espeak-ng's."""
        return self._voices

    async def synthesize(
        self, text: str, voice: Voice, rate: float, counter: WorkCounter
    ) -> AsyncGenerator[SpokenChunk, None]:
        """See :class:`voicemesh_tts.engines.engine.Synthesizer`."""
        children = self._children.get(voice.name)
        if children is None:
            raise EngineError(f"no voice {voice.name} is loaded")
        async with children.borrow() as worker:
            items = worker.stream("speak", voice.name, text, rate, counter=counter)
            async with aclosing(items):
                async for data, begin, end in items:
                    yield SpokenChunk(pcm16(data), begin, end)

    async def close(self) -> None:
        """End the children."""
        await self._flite.close()
        await self._espeak.close()
