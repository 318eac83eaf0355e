"""The protocol of a synthesis engine."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from voicemesh.audio import Samples
from voicemesh.work_counter import WorkCounter
from voicemesh_tts.text.scripts import Reading
from voicemesh_tts.text.traced import TracedText


@dataclass(frozen=True)
class Voice:
    """A voice of an engine."""

    name: str
    """What settings and streams call it."""
    languages: tuple[str, ...]
    """Primary BCP-47 languages; the first is its own."""
    native_rate_hertz: int
    licence: str
    """SPDX identifier of the voice and of the engine that carries it."""
    engine: str = ""
    """The engine that carries it, where it is another than the one that lists it."""


@dataclass(frozen=True)
class Capabilities:
    """What an engine can do; checked when a stream starts."""

    streaming: bool
    """Whether audio comes while a unit is still being synthesised."""
    word_spans: bool
    """Whether spans follow the words; otherwise they are spread by length."""
    max_unit_chars: int
    """The longest text, in code points, that one call should say. It bounds the time
    to first audio where that grows with the text, and how long others wait."""
    joined_languages: frozenset[str] = frozenset()
    """Languages in which one call says several sentences at the price of one: there
    neighbouring units are joined, up to ``max_joined_chars``."""
    max_joined_chars: int = 0
    """The longest joined unit, in code points."""
    respell: Callable[[TracedText, Reading], TracedText] | None = None
    """What the engine wants to be written otherwise, of a text that is ready to be
    spoken but not yet cut into units, such as foreign words in a language's script."""


@dataclass(frozen=True)
class SpokenChunk:
    """Some of the audio of a unit, and the part of its text that it says."""

    samples: Samples
    """At the voice's native rate."""
    begin: int
    """The first code point of the unit's text that sounds here."""
    end: int
    """The code point after the last; begins and ends never decrease over a unit."""


class Synthesizer(Protocol):
    """An engine. Synthesis runs off the event loop; calls may overlap."""

    capabilities: Capabilities

    def voices(self) -> Sequence[Voice]:
        """All voices, those preferred for their language first. Valid after ``load``."""

    async def load(self) -> None:
        """Load and warm up; EngineMissing or EngineError says what is wrong."""

    def synthesize(
        self, text: str, voice: Voice, rate: float, counter: WorkCounter
    ) -> AsyncGenerator[SpokenChunk, None]:
        """Synthesise a unit: speakable text of one language, without a pause around it.

        ``rate`` is the speed, 1 being usual. ``counter`` counts chunks where they are
        made. Closing the iterator stops the engine within a chunk. EngineError when
        the engine fails.
        """

    async def close(self) -> None:
        """Free what it holds."""
