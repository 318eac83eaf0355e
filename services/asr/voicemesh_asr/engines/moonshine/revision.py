"""What may change the text that the network wrote: expected phrases, a guard against noise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from voicemesh.audio import Samples
from voicemesh.work_counter import WorkCounter
from voicemesh_asr.engines.engine import Phrase
from voicemesh_asr.engines.moonshine.network import Decoded, Encoded, MoonshineNetwork

DOUBTFUL = -0.2
"""The mean logarithm of a token's probability below which a text is doubtful. Between -0.1
and -0.3 the words of a second reading hardly differ; from -0.2 on most utterances of a quiet
room are read once."""


@dataclass(frozen=True)
class Piece:
    """Some audio and what the network makes of it."""

    samples: Samples
    """16 kHz mono."""
    encoded: Encoded
    is_final: bool
    """Whether the speaker has paused behind it: the text will be acted on."""
    is_whole: bool
    """Whether it is all of the utterance so far; a long one is cut into pieces."""
    phrases: tuple[Phrase, ...]
    """What is likely to be said: of the settings and of the stream."""
    counter: WorkCounter
    """Tells when nobody wants the text any more."""


class Revision(Protocol):
    """One look at a piece's text. Blocking; called from any worker's thread."""

    def revise(self, network: MoonshineNetwork, piece: Piece, decoded: Decoded) -> Decoded:
        """The text that is to be taken; ``decoded`` itself where it is right.

        No tokens: nothing was said. ``log_probabilities`` make the confidence.
        """
