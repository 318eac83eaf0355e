"""One question to a running mesh in real time, and what somebody says into the answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from voicemesh.aio import cancel_and_wait
from voicemesh.audio import Samples, pcm16
from voicemesh.v1 import asr_pb2, common_pb2, dialog_pb2
from voicemesh_evaluation.turns.sound_booth import BoothMicrophone, BoothSpeaker, Sounding
from voicemesh_evaluation.turns.speech import RATE_HERTZ
from voicemesh_robot.clock import MonotonicClock
from voicemesh_robot.dialling.robot_conversation import RobotConversation
from voicemesh_robot.echo.settings import EchoSettings
from voicemesh_robot.files.speech_end import SpeechEndFinder
from voicemesh_robot.mesh.connection import ConversationOptions
from voicemesh_robot.mesh.conversation import Conversation
from voicemesh_robot.mesh.events import Event
from voicemesh_robot.settings import RobotSettings
from voicemesh_robot.sound.robot import Robot

# Microphone, streams and network are ready before the question begins.
_LEAD_S = 0.4
_ANSWER_LIMIT_S = 10.0
# Who was not stopped this long after the last word will not be: longer than every wait.
_DECISION_S = 2.5
_AFTER_S = 0.3
_GOODBYE_S = 1.0
_POLL_S = 0.02
# A gap in what is heard that is longer than this is silence, not a late buffer.
_GAP_S = 0.1


@dataclass(frozen=True)
class SpokenLine:
    """What is said."""

    text: str
    samples: Samples
    voice: str = ""
    """Whose; empty: it does not matter."""


@dataclass
class Scene:
    """What happened, on one clock in seconds."""

    name: str
    zero_s: float
    """When the microphone's sample 0 was recorded."""
    said: list[Sounding]
    """What the user said: the question, then what was said into the answer."""
    played: list[Sounding]
    """What was heard of the robot, in buffers."""
    events: list[Event] = field(default_factory=list)
    end_s: float = 0.0
    """When it was over; 0: not yet. What is left of the reply then is of no interest."""

    @property
    def reply_stamp(self) -> common_pb2.Stamp | None:
        """The first reply's; None: none came."""
        for event in self.events:
            if isinstance(event.payload, dialog_pb2.ReplyAudio):
                return event.stamp
        return None

    def _of_reply(self, event: Event) -> bool:
        return event.stamp == self.reply_stamp

    @property
    def question_end_s(self) -> float:
        """The last voiced sample of the question, judged on its energy."""
        speech_end = SpeechEndFinder(RATE_HERTZ)
        speech_end.feed(self.said[0].samples)
        return self.said[0].begin_s + speech_end.end_sample() / RATE_HERTZ

    @property
    def voice_to_voice_ms(self) -> float | None:
        """From the last voiced sample to the first reply audio at the client."""
        for event in self.events:
            if isinstance(event.payload, dialog_pb2.ReplyAudio):
                return (event.arrived_s - self.question_end_s) * 1000
        return None

    @property
    def configured_silence_ms(self) -> int:
        """The silence that the turn detector waited for after the question."""
        stamp = self.reply_stamp
        for event in self.events:
            payload = event.payload
            if (
                isinstance(payload, asr_pb2.TurnEvent)
                and payload.type == asr_pb2.TURN_EVENT_TYPE_END_OF_TURN
                and stamp is not None
                and event.stamp.turn == stamp.turn
            ):
                return payload.wait_ms
        return 0

    @property
    def heard_as_one(self) -> bool:
        """Whether the question was taken for one turn that ended after its end."""
        ends = [
            event
            for event in self.events
            if isinstance(event.payload, asr_pb2.TurnEvent)
            and event.payload.type == asr_pb2.TURN_EVENT_TYPE_END_OF_TURN
        ]
        return bool(ends) and ends[0].arrived_s >= self.question_end_s

    @property
    def interrupted(self) -> bool:
        """Whether the reply was stopped before the scene was over."""
        return any(
            isinstance(event.payload, dialog_pb2.ReplyInterrupted)
            and self._of_reply(event)
            and (not self.end_s or event.arrived_s <= self.end_s)
            for event in self.events
        )

    @property
    def understood(self) -> str:
        """What the mesh had understood of the reaction when it decided about the reply."""
        text = ""
        for event in self.events:
            payload = event.payload
            if len(self.said) > 1 and event.arrived_s > self.said[1].begin_s:
                if isinstance(payload, dialog_pb2.ReplyInterrupted):
                    break
                if isinstance(payload, asr_pb2.TurnEvent):
                    text = payload.transcript.text or text
        return text

    @property
    def over(self) -> bool:
        """Whether the reply's turn is over."""
        return any(
            isinstance(event.payload, dialog_pb2.TurnEnded) and self._of_reply(event)
            for event in self.events
        )

    def stretches(self) -> list[tuple[float, float]]:
        """When something was heard of the robot: begin and end."""
        found: list[tuple[float, float]] = []
        for block in self.played:
            if found and block.begin_s - found[-1][1] < _GAP_S:
                found[-1] = (found[-1][0], block.end_s)
            else:
                found.append((block.begin_s, block.end_s))
        return found

    @property
    def stop_ms(self) -> float | None:
        """From the first sample said into the reply to silence; None: there was none.

        Silence is what is heard: the buffers under way are counted.
        """
        if len(self.said) < 2:
            return None
        begin_s = self.said[1].begin_s
        for first_s, last_s in self.stretches():
            if first_s <= begin_s < last_s:
                ended = self.played[-1].end_s == last_s and not self.interrupted
                return None if ended else (last_s - begin_s) * 1000
        return None

    @property
    def pause_ms(self) -> float | None:
        """How long the reply paused for what was said into it; None: it did not, or stopped."""
        stretches = self.stretches()
        for (_, end_s), (begin_s, _) in zip(stretches, stretches[1:], strict=False):
            if len(self.said) > 1 and end_s > self.said[1].begin_s:
                return (begin_s - end_s) * 1000
        return None

    @property
    def received(self) -> Samples:
        """The reply as it arrived."""
        chunks = [
            pcm16(event.payload.chunk.audio)
            for event in self.events
            if isinstance(event.payload, dialog_pb2.ReplyAudio) and self._of_reply(event)
        ]
        return np.concatenate([np.zeros(0, dtype=np.int16), *chunks])

    @property
    def went_on_exactly(self) -> bool:
        """Whether the reply was heard to its end or to the scene's, no sample twice or missing."""
        heard = np.concatenate([np.zeros(0, dtype=np.int16), *(b.samples for b in self.played)])
        goes_on = self.over or self.end_s - self.played[-1].end_s < _GAP_S
        return goes_on and np.array_equal(heard, self.received[: len(heard)])


class _Stage:
    """A robot between booth devices in a conversation."""

    def __init__(self, name: str, target: str) -> None:
        self._clock = MonotonicClock()
        self.microphone = BoothMicrophone(self._clock)
        self.speaker = BoothSpeaker(self._clock)
        # Nothing of the speaker reaches the booth's microphone: echo is measured elsewhere.
        self.settings = RobotSettings(
            target=target,
            # The booth's own rate, so that what was heard can be compared sample by sample.
            reply_rate_hertz=RATE_HERTZ,
            echo=EchoSettings(canceller="none"),
        )
        self.robot = Robot(
            self.settings, microphone=self.microphone, speaker=self.speaker, clock=self._clock
        )
        self.scene = Scene(name, self._clock.now(), self.microphone.said, self.speaker.played)

    def observe(self, event: Event) -> None:
        self.scene.events.append(event)

    async def until(self, condition: Callable[[], bool], within_s: float) -> bool:
        """Wait for ``condition``; whether it came true."""
        limit_s = self._clock.now() + within_s
        while not condition():
            if self._clock.now() > limit_s:
                return False
            await asyncio.sleep(_POLL_S)
        return True

    async def play(self, question: SpokenLine, reaction: SpokenLine | None, after_s: float) -> None:
        await asyncio.sleep(_LEAD_S)
        self.microphone.play(question.samples, question.text)
        begun = await self.until(lambda: bool(self.speaker.played), _ANSWER_LIMIT_S)
        if not begun or reaction is None:
            await asyncio.sleep(_AFTER_S)
            return
        enough = round(after_s * 1000)
        await self.until(lambda: self._heard_ms() >= enough or self.scene.over, _ANSWER_LIMIT_S)
        if self.scene.over:
            return
        said = self.microphone.play(reaction.samples, reaction.text)
        await self._see_reaction(said)
        await asyncio.sleep(_AFTER_S)

    async def end(self, conversation: Conversation) -> None:
        """Ask for quiet, so that the mesh tells how the reply's turn went."""
        self.scene.end_s = self._clock.now()
        if self.scene.reply_stamp is not None and not self.scene.over:
            await conversation.interrupt(self.robot.report())
            await self.until(lambda: self.scene.over, _GOODBYE_S)

    async def _see_reaction(self, said: Sounding) -> None:
        """Until the reply is over or stopped, and what was said has been said."""
        scene = self.scene
        decided_s = said.end_s - self._clock.now() + _DECISION_S
        await self.until(lambda: scene.interrupted or scene.over, decided_s)
        await asyncio.sleep(max(0.0, said.end_s - self._clock.now()))

    def _heard_ms(self) -> float:
        return 1000 * sum(len(block.samples) for block in self.speaker.played) / RATE_HERTZ


async def act(
    name: str,
    target: str,
    question: SpokenLine,
    reaction: SpokenLine | None = None,
    after_s: float = 1.2,
) -> Scene:
    """Ask the mesh at ``target``; say ``reaction`` after ``after_s`` seconds of its reply.

    Without a reaction it ends with the first sounds of the reply. A VoiceMeshError
    where the conversation is lost.
    """
    stage = _Stage(name, target)
    options = ConversationOptions(
        target=target,
        input_rate_hertz=RATE_HERTZ,
        reply_rate_hertz=stage.settings.reply_rate_hertz,
    )
    try:
        async with await Conversation.open(options, stage.robot.clock) as conversation:
            stage.scene.zero_s = stage.robot.clock.now()
            talk = await RobotConversation.open(conversation, stage.robot, True)
            running = asyncio.create_task(talk.run(stage.observe), name="talk")
            playing = asyncio.create_task(stage.play(question, reaction, after_s), name="scene")
            try:
                await asyncio.wait({running, playing}, return_when=asyncio.FIRST_COMPLETED)
                (running if running.done() else playing).result()
                await stage.end(conversation)
            finally:
                await cancel_and_wait(running, playing)
    finally:
        await stage.robot.close()
    return stage.scene
