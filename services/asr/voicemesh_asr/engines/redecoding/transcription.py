"""What a session asks of a network that reads whole utterances, and what it gets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from voicemesh.audio import Samples
from voicemesh.work_counter import WorkCounter
from voicemesh_asr.engines.engine import Phrase


@dataclass(frozen=True)
class Segment:
    """A piece of text and the samples in which it is said."""

    text: str
    """With the space before it, where the language writes one."""
    begin: int
    """Its first sample."""
    end: int
    """The sample after its last. A long utterance may be cut there."""
    tokens: tuple[int, ...] = ()
    """Text tokens; empty where earlier text does not lead later text."""


class Transcription(Protocol):
    """The text of some audio."""

    @property
    def segments(self) -> Sequence[Segment]:
        """In a row they are the text. One alone where the audio cannot be cut."""

    @property
    def language(self) -> str:
        """The language that was heard: one of those asked for."""

    @property
    def confidence(self) -> float:
        """0 to 1; 0: not known, or no text."""


@dataclass(frozen=True)
class Request:
    """What is to be transcribed."""

    samples: Samples
    """The utterance from ``begin`` on, at the engine's rate, mono."""
    utterance: int
    """Its number, unique in this process."""
    begin: int
    """Samples of the utterance before these, which have been cut off."""
    languages: tuple[str, ...]
    """Codes; one is taken as given, several are told apart."""
    previous: tuple[int, ...] = ()
    """Tokens of the text before."""
    phrases: tuple[Phrase, ...] = ()
    """What is likely to be said."""
    newest: Any = None
    """The engine's newest Transcription of these samples' beginning, whose work may be used
    again; None: there is none."""


def text_of(segments: Sequence[Segment]) -> str:
    """All segments in a row."""
    return "".join(segment.text for segment in segments)


Transcribe = Callable[[Request, bool, WorkCounter], Transcription]
"""Decodes all of a request's audio: request, whether the text is final, a counter of tokens that
tells when nobody wants it any more. Blocking, in a thread; CancelledDecode when that is so."""
