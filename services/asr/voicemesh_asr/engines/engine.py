"""The protocol of a speech recogniser, as the rest of the room uses it.

A :class:`Recognizer` is loaded once. A :class:`RecognizerSession` hears utterances
of one speaker, one after the other; after any of them it may be closed, because
somebody else speaks (:mod:`voicemesh_asr.recognizer_slots`):

    accept* ─▶ finish ─▶ reset                    the utterance is over
                  └────▶ resume ─▶ accept* ─▶ …   it was not: the speaker went on

``finish`` is called at the first sign that the utterance may be over and must be
quick, for it runs while the silence that ends a turn is still being waited for.
A streaming engine runs its last pass there; an engine that transcribes a
growing buffer transcribes the buffer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from voicemesh.audio import Samples
from voicemesh.v1 import asr_pb2


@dataclass(frozen=True)
class Phrase:
    """Words that are likely to be said."""

    text: str
    boost: float = 0.0
    """How much likelier than the other phrases, 0 to 20."""
    may_go_on: bool = False
    """Often said before something else: it does not tell that a turn is over."""


@dataclass(frozen=True)
class HeardWord:
    """A recognised word and where it stands in the utterance."""

    text: str
    begin_s: float
    """Seconds from the utterance's first sample."""
    end_s: float
    """Seconds from the utterance's first sample."""
    confidence: float
    """0 to 1; 0: not known."""


@dataclass(frozen=True)
class Hypothesis:
    """What an utterance is taken to say."""

    text: str
    confidence: float = 0.0
    """0 to 1; 0: not known."""
    words: tuple[HeardWord, ...] = ()
    """Empty where the engine knows no times, and with interim results."""
    endpoint: bool = False
    """The engine itself has seen the end of the utterance; the turn is cut at once."""
    stability: float = 0.5
    """How much of an interim text will stay, 0 to 1. The default fits a decoder that
    does not know: its last words still change often."""
    language_code: str = ""
    """The language that was heard; empty: the one that was asked for."""
    stops_tell: bool = True
    """Whether a full stop at its end tells that the sentence is over. False: the engine was
    trained on whole sentences and puts one behind half of one as well."""


@dataclass(frozen=True)
class SessionOptions:
    """What one speaker asks of the engine."""

    language_code: str
    """One of the engine's languages, or a longer tag of one."""
    phrases: tuple[Phrase, ...] = ()
    """Likely phrases beside those of the settings."""
    languages: tuple[str, ...] = ()
    """All that may be spoken and the engine hears, ``language_code`` first; an engine
    that can tell languages apart chooses among them."""
    interim_results: bool = True
    """Whether anybody looks at the running text."""


class RecognizerSession(Protocol):
    """The utterances of one speaker. Calls come one at a time."""

    async def accept(self, samples: Samples) -> Hypothesis | None:
        """Take more of the utterance, at the engine's rate.

        Returns the running text, or None where there is nothing new to say.
        """

    async def finish(self) -> Hypothesis:
        """The best text for what has been heard of the utterance so far."""

    async def resume(self) -> None:
        """The utterance goes on after ``finish``."""

    async def reset(self) -> None:
        """Forget the utterance; the next ``accept`` begins another."""

    async def set_phrases(self, phrases: Sequence[Phrase]) -> None:
        """Replace this speaker's likely phrases, from the next utterance on."""

    async def close(self) -> None:
        """Give the decoder back. Never raises."""


class Recognizer(Protocol):
    """A speech recognition engine."""

    rate_hertz: int
    """The rate of the samples that sessions take."""
    model: str
    """The model's name, for people."""
    capabilities: asr_pb2.RecognizerCapabilities
    """What it can do; valid before ``load``."""

    async def load(self) -> None:
        """Load models and warm up; EngineError when that fails."""

    async def open(self, options: SessionOptions) -> RecognizerSession:
        """Reserve a decoder for a speaker; Busy at once when none is free."""

    async def close(self) -> None:
        """Free everything."""
