"""Questions asked one after the other, over conversations that may be lost."""

from __future__ import annotations

from voicemesh.backoff import Backoff
from voicemesh.errors import VoiceMeshError
from voicemesh_robot.asking.question_record import QuestionRecord
from voicemesh_robot.asking.question_turn import Observe, Question, QuestionTurn
from voicemesh_robot.asking.streamed_conversation import StreamedConversation, StreamingMode
from voicemesh_robot.clock import Clock, MonotonicClock
from voicemesh_robot.settings import RobotSettings

_FIRST_BACKOFF_S = 0.1
_LONGEST_BACKOFF_S = 2.0


class QuestionSession:
    """Asks questions in one conversation, and opens a new one where it was lost."""

    def __init__(
        self,
        settings: RobotSettings,
        mode: StreamingMode,
        observe: Observe = lambda event: None,
        clock: Clock | None = None,
    ) -> None:
        """``observe`` sees every event as it arrives. Nothing is opened yet."""
        self._settings = settings
        self._mode = mode
        self._observe = observe
        self._clock = clock or MonotonicClock()
        self._streamed: StreamedConversation | None = None
        self._connected_once = False

    async def ask(self, question: Question) -> QuestionRecord:
        """One turn. What goes wrong on the way stands in the record's ``error``.

        Only a file that cannot be read raises, before anything is sent.
        """
        recording = None
        if question.audio is not None:
            # A typed question needs nothing of what it takes to read audio files.
            from voicemesh_robot.files.streamed_file import StreamedFile

            recording = await StreamedFile.open(question.audio)
        try:
            streamed = await self._open()
        except VoiceMeshError as error:
            record = question.new_record(self._settings)
            record.error = error
            return record
        turn = QuestionTurn(
            streamed, question, recording, self._settings, self._mode, self._observe, self._clock
        )
        try:
            return await turn.run()
        except VoiceMeshError as error:
            turn.record.error = error
            await self.close()
            return turn.record
        finally:
            await turn.close()

    async def _open(self) -> StreamedConversation:
        """The open conversation, or a new one.

        A mesh that was there before is tried again for a while, because a
        supervisor brings it back; one that never answered is reported at once.
        """
        if self._streamed is not None:
            if self._streamed.usable:
                return self._streamed
            await self.close()
        deadline = self._clock.now()
        if self._connected_once:
            deadline += self._settings.connect_timeout_s
        backoff = Backoff(_FIRST_BACKOFF_S, _LONGEST_BACKOFF_S)
        while True:
            try:
                self._streamed = await StreamedConversation.open(
                    self._settings, self._mode, self._clock
                )
                self._connected_once = True
                return self._streamed
            except VoiceMeshError as error:
                again = self._clock.now() + backoff.next_s()
                if not error.retryable or again > deadline:
                    raise
            await self._clock.sleep_until(again)

    async def close(self) -> None:
        """End the conversation; another question opens a new one."""
        streamed, self._streamed = self._streamed, None
        if streamed is not None:
            await streamed.close()

    async def __aenter__(self) -> QuestionSession:
        """The session."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close it."""
        await self.close()
