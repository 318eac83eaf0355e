"""One conversation over Converse in which a robot listens and speaks."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import aclosing, suppress

from voicemesh.aio import TaskSet
from voicemesh.audio import pcm16
from voicemesh.errors import InternalError, VoiceMeshError
from voicemesh.v1 import asr_pb2, common_pb2, dialog_pb2, robot_pb2
from voicemesh_robot.devices.device import DeviceLost
from voicemesh_robot.dialling.commands import carry_out
from voicemesh_robot.echo.evidence import echo_message
from voicemesh_robot.mesh.conversation import Conversation
from voicemesh_robot.mesh.events import Event
from voicemesh_robot.sound.playback_reports import send_playback_reports
from voicemesh_robot.sound.robot import Robot
from voicemesh_robot.sound.speech_source import SpeechSource

log = logging.getLogger(__name__)

_IDLE_SILENCE_S = 1.0
"""How often a closed microphone is told of as silence. Keeps its clock and the stream alive."""

Observe = Callable[[Event], None]


class RobotConversation:
    """A robot in a conversation: microphone out, replies to the speaker, commands carried out."""

    def __init__(
        self, conversation: Conversation, robot: Robot, source: SpeechSource, always_listening: bool
    ) -> None:
        """``source``: its samples count from 0. Use ``open``."""
        self._conversation = conversation
        self._robot = robot
        self._source = source
        self._always = always_listening
        self._listening = asyncio.Event()
        self._closed = asyncio.Event()
        self._told_to_stop = False
        self._keeps_listening = False
        self._asleep = False
        self._tasks = TaskSet()

    @classmethod
    async def open(
        cls, conversation: Conversation, robot: Robot, always_listening: bool
    ) -> RobotConversation:
        """Open the speaker, and the microphone where it is always open.

        DeviceLost where one of them is not there.
        """
        talk: RobotConversation | None = None

        def began(begin: int) -> None:
            if talk is not None:
                talk.speech_began(begin)

        source = await robot.speech_source(began, first_sample=0)
        talk = cls(conversation, robot, source, always_listening)
        await robot.speaker.open()
        if always_listening:
            await talk.begin_listening()
        return talk

    async def run(self, observe: Observe) -> None:
        """Talk until the conversation is lost (its error is raised) or gives notice.

        ``observe`` sees every event as it arrives.
        """
        self._tasks.start(self._stream_microphone(), "microphone")
        try:
            while True:
                event = await self._conversation.receive()
                observe(event)
                await self._react(event)
                if self._conversation.draining and not self._robot.speaker.playing:
                    return
        finally:
            self._robot.speaker.complete()  # What has arrived of a reply is still said.
            await self._tasks.close()
            await self._robot.microphone.close()

    # The microphone (see MicrophoneControl).

    async def begin_listening(self, keep: bool = False) -> None:
        """See MicrophoneControl."""
        if self._told_to_stop:
            await self._closed.wait()
        await self._source.open()
        self._told_to_stop, self._keeps_listening = False, keep
        self._asleep = False
        self._closed.clear()
        self._listening.set()

    def end_listening(self) -> None:
        """See MicrophoneControl."""
        if not self._always and self._listening.is_set():
            self._told_to_stop = True

    def sample_now(self) -> int:
        """See MicrophoneControl."""
        return self._source.sample_at(self._robot.clock.now())

    def speech_began(self, begin: int) -> None:
        """The local detector hears somebody."""
        paused = self._robot.local_pause.speech_began()
        speech = dialog_pb2.LocalSpeech(
            begin_sample=begin, playback_paused=paused, echo=echo_message(self._source.evidence)
        )
        self._conversation.offer(dialog_pb2.ConverseRequest(local_speech=speech))

    async def wake(self, cause: str) -> None:
        """Tell the mesh that somebody wants to speak to the robot.

        A robot that listens always is in no need of that, unless it has fallen asleep.
        """
        if self._always:
            if not self._asleep:
                return
            await self.begin_listening()
        event = dialog_pb2.WakeEvent(cause=cause, sample=self.sample_now())
        await self._conversation.send(dialog_pb2.ConverseRequest(wake=event))

    async def _stream_microphone(self) -> None:
        try:
            while True:
                if self._listening.is_set():
                    await self._listen()
                else:
                    await self._idle()
        # A conversation that cannot hear is of no use. Whoever receives is told.
        except VoiceMeshError as error:
            self._conversation.give_up(error)
        except Exception as error:
            log.exception("the microphone cannot be heard")
            self._conversation.give_up(InternalError(f"the robot failed: {error}"))

    async def _listen(self) -> None:
        """The microphone is open until it is told to stop."""
        async with aclosing(self._source.sounds()) as sounds:
            async for heard in sounds:
                await self._conversation.send_heard(heard)
                if self._told_to_stop:
                    break
        self._listening.clear()
        self._told_to_stop = False
        self._closed.set()

    async def _idle(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(_IDLE_SILENCE_S):
                await self._listening.wait()
        for heard in self._source.pass_time():
            await self._conversation.send_heard(heard)

    # What the mesh says.

    async def _react(self, event: Event) -> None:
        match event.payload:
            case asr_pb2.TurnEvent(type=kind):
                if kind == asr_pb2.TURN_EVENT_TYPE_START_OF_TURN:
                    self._source.expect_speech()
                elif kind == asr_pb2.TURN_EVENT_TYPE_END_OF_TURN:
                    self._source.expect_silence()
                    if not self._keeps_listening:
                        self.end_listening()
            case dialog_pb2.ReplyAudio(chunk=chunk):
                await self._play(event.stamp, chunk)
            case dialog_pb2.ReplyEnded() if self._plays(event.stamp):
                self._robot.speaker.complete()
            case dialog_pb2.ReplyInterrupted() if self._plays(event.stamp):
                self._robot.stop()
            case dialog_pb2.ReplyPaused() if self._plays(event.stamp):
                self._robot.pause()
            case dialog_pb2.ReplyDucked(volume=volume) if self._plays(event.stamp):
                self._robot.duck(volume)
            case dialog_pb2.ReplyResumed() if self._plays(event.stamp):
                self._robot.resume()
            case dialog_pb2.FallAsleep() if self._always and self._listening.is_set():
                self._asleep = self._told_to_stop = True
            case robot_pb2.RobotCommand() as command:
                self._tasks.start(self._obey(command), "robot command")

    def _plays(self, stamp: common_pb2.Stamp) -> bool:
        return self._robot.speaker.stamp == stamp

    async def _play(self, stamp: common_pb2.Stamp, chunk: common_pb2.AudioChunk) -> None:
        robot = self._robot
        if not self._plays(stamp) or chunk.first_sample == 0:
            with suppress(DeviceLost):  # Who observes the devices has been told.
                await robot.speaker.begin(stamp, robot.settings.reply_rate_hertz)
                self._tasks.start(self._report(), "playback reports")
        if self._plays(stamp):
            robot.speaker.add(pcm16(chunk.audio))

    async def _report(self) -> None:
        def send(report: common_pb2.PlaybackReport) -> None:
            self._conversation.offer(dialog_pb2.ConverseRequest(playback=report))

        every_s = self._robot.settings.playback_report_ms / 1000
        await send_playback_reports(self._robot.speaker, self.sample_now, send, every_s)

    async def _obey(self, command: robot_pb2.RobotCommand) -> None:
        result = await carry_out(command, self._robot, self)
        with suppress(VoiceMeshError):  # A lost conversation tells whoever receives from it.
            await self._conversation.send(dialog_pb2.ConverseRequest(command_result=result))
