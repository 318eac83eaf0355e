"""A conversation together with the source whose audio is streamed into it."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from voicemesh.aio import TaskSet
from voicemesh.errors import VoiceMeshError
from voicemesh_robot.clock import Clock
from voicemesh_robot.mesh.connection import ConversationOptions
from voicemesh_robot.mesh.conversation import Conversation
from voicemesh_robot.settings import RobotSettings
from voicemesh_robot.speech_rate import SPEECH_RATE_HERTZ

if TYPE_CHECKING:
    from voicemesh_robot.asking.file_sources import FileSource

STORED_LEAD_MS = 600_000
"""Nobody waits for a reply to be played that is only stored."""


@dataclass(frozen=True)
class StreamingMode:
    """How audio is streamed in and out: at which pace, and whether at all."""

    real_time: bool = True
    """Send audio at a microphone's pace; otherwise as fast as the mesh takes it."""
    store_reply: bool = False
    """Take the reply as fast as it is made; otherwise at the pace of a loudspeaker."""
    speaks: bool = True
    """Send audio at all; otherwise questions are typed."""
    hears: bool = True
    """Ask for replies as audio; otherwise as text only."""

    def source(self, settings: RobotSettings, clock: Clock) -> FileSource | None:
        """The source of a conversation in this mode; None: questions are typed."""
        if not self.speaks:
            return None
        # Whoever only types does without numpy and what it takes to read audio files.
        from voicemesh_robot.asking.file_sources import FastFileSource, RealTimeFileSource

        if not self.real_time:
            return FastFileSource(clock)
        return RealTimeFileSource(clock, settings.silence_chunk_ms)


class StreamedConversation:
    """An open conversation whose source is being sent."""

    def __init__(self, conversation: Conversation, source: FileSource | None) -> None:
        """Begins to send what ``source`` hears; None: the conversation only types."""
        self.conversation = conversation
        self.source = source
        self._tasks = TaskSet()
        if source is not None:
            self._tasks.start(self._listen(source), "microphone")

    @classmethod
    async def open(
        cls, settings: RobotSettings, mode: StreamingMode, clock: Clock
    ) -> StreamedConversation:
        """Open a conversation in that mode; errors as of Conversation.open."""
        conversation = await Conversation.open(
            ConversationOptions(
                target=settings.target,
                input_rate_hertz=SPEECH_RATE_HERTZ if mode.speaks else None,
                reply_rate_hertz=settings.reply_rate_hertz if mode.hears else None,
                language_codes=settings.language_codes,
                reply_lead_ms=STORED_LEAD_MS if mode.store_reply else 0,
            ),
            clock,
        )
        return cls(conversation, mode.source(settings, clock))

    @property
    def usable(self) -> bool:
        """Whether another turn can be had over it."""
        return self.conversation.failure is None and not self.conversation.draining

    def microphone_sample(self, moment_s: float) -> int:
        """The microphone's sample at a moment of the clock; 0 without a microphone."""
        return 0 if self.source is None else self.source.sample_at(moment_s)

    async def _listen(self, source: FileSource) -> None:
        # A lost conversation tells whoever receives from it.
        with suppress(VoiceMeshError):
            async for heard in source.sounds():
                await self.conversation.send_heard(heard)

    async def close(self) -> None:
        """Stop sending and end the conversation."""
        await self._tasks.close()
        await self.conversation.close()
