"""The sound of a client's microphone on its way to recognition."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from voicemesh.v1 import common_pb2
from voicemesh.v1.common_pb2 import Language
from voicemesh_orchestrator.upstream.recognition import Recognition


class SoundFollower(Protocol):
    """The user's turns, as the sound that they are made of sees them."""

    def heard_until(self, sample: int) -> None:
        """Sound has come up to there."""

    def end_utterance(self, end: common_pb2.EndOfUtterance) -> None:
        """The user says that the utterance is over."""


class SoundInput:
    """One open microphone. What it is given has been checked and counted already."""

    def __init__(
        self, recognition: Recognition, turns: SoundFollower, languages: Sequence[Language]
    ) -> None:
        """``recognition`` is open; ``languages``: those that it understands."""
        self.languages = languages
        self._recognition = recognition
        self._turns = turns

    async def audio(self, chunk: common_pb2.AudioChunk) -> None:
        """Microphone audio. Waits while ASR is behind."""
        self._turns.heard_until(chunk.first_sample + len(chunk.audio) // 2)
        await self._recognition.audio(chunk)

    def silence(self, chunk: common_pb2.SilenceChunk) -> None:
        """Silence as a duration."""
        self._turns.heard_until(chunk.first_sample + chunk.sample_count)
        self._recognition.silence(chunk)

    def end_utterance(self, end: common_pb2.EndOfUtterance) -> None:
        """The user says that the utterance is over."""
        self._turns.end_utterance(end)

    async def close(self) -> None:
        """The microphone is closed: end the stream to recognition."""
        await self._recognition.close()
