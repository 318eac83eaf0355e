"""One question on its way: sent, listened to, its reply played, until its turn is over."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from voicemesh.errors import DeadlineExceeded, InvalidArgument, NotFound
from voicemesh.v1 import asr_pb2, dialog_pb2
from voicemesh.v1 import common_pb2 as pb
from voicemesh_robot.asking.playback_clock import PlaybackClock, StorageClock
from voicemesh_robot.asking.question_record import QuestionRecord
from voicemesh_robot.asking.reply_collector import ReplyCollector
from voicemesh_robot.asking.simulated_playback import SimulatedPlayback
from voicemesh_robot.asking.streamed_conversation import StreamedConversation, StreamingMode
from voicemesh_robot.clock import Clock
from voicemesh_robot.mesh.events import Event
from voicemesh_robot.settings import RobotSettings

if TYPE_CHECKING:
    from voicemesh_robot.asking.file_sources import FileSource
    from voicemesh_robot.files.streamed_file import StreamedFile

Observe = Callable[[Event], None]


@dataclass(frozen=True)
class Question:
    """What is asked: a recording, typed text, or both in one turn."""

    audio: Path | None = None
    text: str = ""

    def __post_init__(self) -> None:
        """InvalidArgument where nothing is asked."""
        if self.audio is None and not self.text.strip():
            raise InvalidArgument(
                "there is nothing to ask; give an audio file or a text", stage=pb.STAGE_CLIENT
            )

    def new_record(self, settings: RobotSettings) -> QuestionRecord:
        """A record in which nothing has happened yet."""
        typed = self.text.strip()
        return QuestionRecord(
            reply=ReplyCollector(settings.reply_rate_hertz),
            typed=typed,
            transcript="" if self.audio else typed,
        )


class QuestionTurn:
    """Asks one question in a conversation and receives until the mesh has answered it.

    A recording with pauses may become several turns of the mesh. The last one,
    whose end was decided at or after the recording's last voiced sample, is the
    one that counts; ``observe`` sees them all.
    """

    def __init__(
        self,
        streamed: StreamedConversation,
        question: Question,
        recording: StreamedFile | None,
        settings: RobotSettings,
        mode: StreamingMode,
        observe: Observe,
        clock: Clock,
    ) -> None:
        """``recording`` is the question's audio, opened."""
        self._streamed = streamed
        self._question = question
        self._recording = recording
        self._settings = settings
        self._mode = mode
        self._observe = observe
        self._clock = clock
        self._playback: SimulatedPlayback | None = None
        self._asked_s = clock.now()
        self._troubled_s = 0.0
        self.record = question.new_record(settings)
        """What is known of the turn so far."""

    async def run(self) -> QuestionRecord:
        """Ask and listen; a VoiceMeshError when the conversation is lost or takes too long."""
        await self._ask()
        earlier: QuestionRecord | None = None
        while True:
            event = await self._receive(earlier)
            if event is None:
                return earlier or self._unheard()
            self._observe(event)
            if _was_no_turn(event):
                continue
            self.record.take(event)
            if isinstance(event.payload, pb.ErrorDetail):
                self._troubled_s = event.arrived_s
            await self._react(event)
            if not self.record.ended:
                continue
            if self._is_answer():
                self._note_end_of_question()
                return self.record
            earlier = self.record
            self.record = self._question.new_record(self._settings)

    async def _ask(self) -> None:
        self._asked_s = self._progress_s = self._clock.now()
        if self._question.text:
            with_speech = self._recording is not None
            await self._streamed.conversation.send_text(self._question.text, with_speech)
            self.record.spoken_s = self._clock.now()
        if self._recording is not None:
            self._source.stream(self._recording)

    @property
    def _source(self) -> FileSource:
        if self._streamed.source is None:
            raise InvalidArgument(
                "this conversation only types; open one that speaks", stage=pb.STAGE_CLIENT
            )
        return self._streamed.source

    @property
    def _spoken_until_s(self) -> float:
        """When the recording will have been streamed at a microphone's pace."""
        if self._recording is None:
            return self._asked_s
        return self._asked_s + self._recording.sample_count / self._source.rate_hertz

    async def _receive(self, earlier: QuestionRecord | None) -> Event | None:
        """The next event; None when the recording is over and nothing of it was heard (again)."""
        limit_s = max(self._spoken_until_s, self._progress_s) + self._settings.turn_timeout_s
        quiet = self._recording is not None and not self.record.begun
        if quiet:
            # What was said into trouble may still be understood when that is mended.
            said_s = max(self._spoken_until_s, self._troubled_s)
            limit_s = min(limit_s, said_s + self._settings.quiet_after_s)
        try:
            async with asyncio.timeout(max(0.0, limit_s - self._clock.now())):
                event = await self._streamed.conversation.receive()
            self._progress_s = event.arrived_s
            return event
        except TimeoutError:
            if quiet:
                return None
            raise DeadlineExceeded(
                f"client: nothing came of the turn for {self._settings.turn_timeout_s:g} s; look "
                "at the orchestrator's log, or allow more with --timeout",
                stage=pb.STAGE_CLIENT,
            ) from None

    def _unheard(self) -> QuestionRecord:
        """The record of a recording in which the mesh noticed no speech, or could not."""
        if self.record.error is not None:
            self.record.outcome = dialog_pb2.TURN_OUTCOME_FAILED
            return self.record
        self.record.outcome = dialog_pb2.TURN_OUTCOME_NOTHING_HEARD
        self.record.error = NotFound(
            f"asr: no speech was heard in {self._question.audio}; "
            "is it loud enough and in a language of the mesh?",
            stage=pb.STAGE_ASR,
        )
        return self.record

    def _is_answer(self) -> bool:
        """Whether the turn that has ended is the one that answers the whole question."""
        recording = self._recording
        if recording is None:
            return True
        decided = self.record.end_of_turn_sample
        if decided is None:
            # It ended without an end of speech: recognition was lost.
            return self.record.outcome == dialog_pb2.TURN_OUTCOME_FAILED
        begin = recording.first_sample or 0
        return decided >= begin + recording.voiced_end

    def _note_end_of_question(self) -> None:
        recording = self._recording
        if recording is not None and recording.first_sample is not None:
            last_voiced = recording.first_sample + recording.voiced_end
            self.record.spoken_s = self._source.recorded_at(last_voiced)

    async def _react(self, event: Event) -> None:
        match event.payload:
            case asr_pb2.TurnEvent(type=kind) if self._streamed.source is not None:
                if kind == asr_pb2.TURN_EVENT_TYPE_START_OF_TURN:
                    self._streamed.source.expect_speech()
                elif kind == asr_pb2.TURN_EVENT_TYPE_END_OF_TURN:
                    self._streamed.source.expect_silence()
            case dialog_pb2.ReplyAudio(chunk=chunk):
                if self._playback is None:
                    self._playback = self._new_playback(event.stamp)
                self._playback.arrived(len(chunk.audio) // 2)
            case dialog_pb2.ReplyEnded() if self._playback and self._plays(event.stamp):
                await self._playback.complete()
            case dialog_pb2.ReplyInterrupted() if self._plays(event.stamp):
                self.record.reply.cut(await self._stop_playback())
            case dialog_pb2.ReplyPaused() if self._playback and self._plays(event.stamp):
                await self._playback.pause()
            case dialog_pb2.ReplyDucked(volume=volume) if self._playback and self._plays(
                event.stamp
            ):
                self.record.reply.set_volume(volume, self._playback.played())
                await self._playback.resume()
            case dialog_pb2.ReplyResumed() if self._playback and self._plays(event.stamp):
                self.record.reply.set_volume(1.0, self._playback.played())
                await self._playback.resume()
            case dialog_pb2.TurnEnded():
                await self._stop_playback()

    def _new_playback(self, stamp: pb.Stamp) -> SimulatedPlayback:
        kind = StorageClock if self._mode.store_reply else PlaybackClock
        return SimulatedPlayback(
            self._streamed.conversation,
            stamp,
            kind(self._settings.reply_rate_hertz),
            self._clock,
            self._streamed.microphone_sample,
            self._settings.playback_report_ms / 1000,
        )

    def _plays(self, stamp: pb.Stamp) -> bool:
        return self._playback is not None and self._playback.stamp == stamp

    async def _stop_playback(self) -> int:
        """Play no more; how many samples were played."""
        playback, self._playback = self._playback, None
        return 0 if playback is None else await playback.stop()

    async def close(self) -> None:
        """Play no more, and say no more of a question whose turn is over."""
        if self._streamed.source is not None:
            self._streamed.source.stop()
        await self._stop_playback()


def _was_no_turn(event: Event) -> bool:
    """Whether an event says that something heard over the reply was no turn."""
    return (
        isinstance(event.payload, dialog_pb2.TurnEnded)
        and event.payload.outcome == dialog_pb2.TURN_OUTCOME_BACKCHANNEL
    )
