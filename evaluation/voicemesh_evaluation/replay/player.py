"""Does what a recorded client did, in a new conversation."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field

from voicemesh.aio import TaskSet
from voicemesh.errors import VoiceMeshError
from voicemesh.v1 import common_pb2, dialog_pb2
from voicemesh_evaluation.replay.replayed_playback import ReplayedPlayback
from voicemesh_evaluation.replay.script import ReplayScript, Step
from voicemesh_evaluation.replay.turns import TurnLog, TurnOutline
from voicemesh_robot.clock import Clock
from voicemesh_robot.mesh.connection import ConversationOptions
from voicemesh_robot.mesh.conversation import Conversation
from voicemesh_robot.mesh.events import Event

_PATIENCE_S = 3.0
_LET_THROUGH = 6  # Steps of sound that pass while expected news does not come.

RecordMessage = Callable[[float, dialog_pb2.ConverseRequest | Event], Awaitable[None]]
"""Records a message of the replay: milliseconds since its start, and the message."""


@dataclass(frozen=True)
class RecordedOptions(ConversationOptions):
    """A conversation with a config that was recorded."""

    recorded: dialog_pb2.ConverseConfig = field(default_factory=dialog_pb2.ConverseConfig)

    def config(self) -> dialog_pb2.ConverseConfig:
        """The recorded config, of a conversation of its own."""
        config = dialog_pb2.ConverseConfig()
        config.CopyFrom(self.recorded)
        config.resume_token = ""
        return config


class Player:
    """Replays one script.

    Sound, texts and interruptions come in their recorded order, each at its own
    sample of the microphone, and never before the news that the recorded client
    had waited for: where the mesh is slower than it was, the rest of the recording
    moves back, as a person would wait.
    """

    def __init__(
        self,
        script: ReplayScript,
        conversation: Conversation,
        clock: Clock,
        fast: bool,
        timeout_s: float,
    ) -> None:
        """``fast``: no waiting but for the mesh. ``timeout_s``: the longest wait for a turn."""
        self._script = script
        self._conversation = conversation
        self._clock = clock
        self._fast = fast
        self._timeout_s = timeout_s
        self._playback = ReplayedPlayback(self._report, hold=fast)
        self._log = TurnLog()
        self._reached: set[tuple[str, int]] = set()
        self._next = 0  # The first milestone that has not been reached or given up.
        self._let_through = 0
        self._began_s = clock.now()
        self._start_s = self._began_s  # Of the recording's time; moves where the mesh is slower.
        self._record_message: RecordMessage | None = None
        self._news = asyncio.Event()
        self._tasks = TaskSet()
        self._failure: VoiceMeshError | None = None

    async def run(self, record_message: RecordMessage | None = None) -> dict[int, TurnOutline]:
        """Replay it; the turns that came of it, by number. The conversation's error if lost."""
        self._record_message = record_message
        self._tasks.start(self._receive(), "replay receiver")
        try:
            steps = self._script.steps()
            while (step := await asyncio.to_thread(_next_step, steps)) is not None:
                waited = await self._wait(step.after, step.is_sound)
                await self._pace(step, waited)
                await self._do(step)
            await self._wait(len(self._script.milestones), is_sound=False)
        finally:
            await self._tasks.close()
        if self._failure is not None:
            raise self._failure
        return self._log.turns

    async def _receive(self) -> None:
        try:
            while True:
                event = await self._conversation.receive()
                await self._record(event)
                self._log.take(event.stamp, event.payload)
                match event.payload:
                    case dialog_pb2.ReplyStarted():
                        self._reached.add(("reply_started", event.stamp.turn))
                    case dialog_pb2.TurnEnded():
                        self._reached.add(("turn_ended", event.stamp.turn))
                await self._playback.received(event)
                self._news.set()
        except VoiceMeshError as error:
            self._failure = error
            self._news.set()

    async def _record(self, said: dialog_pb2.ConverseRequest | Event) -> None:
        if self._record_message is not None:
            await self._record_message((self._clock.now() - self._began_s) * 1000, said)

    async def _wait(self, after: int, is_sound: bool) -> bool:
        """Wait until the first ``after`` milestones have been reached; whether that took time.

        A turn that is being answered is waited for until the timeout. Where nothing
        is under way, news that does not come soon never will: this replay has gone
        another way, and goes on.
        """
        waited = False
        while self._next < after and self._failure is None:
            self._news.clear()  # Before looking, so that nothing is missed while looking.
            milestone = self._script.milestones[self._next]
            if (milestone.kind, milestone.turn) in self._reached:
                self._next += 1
                self._let_through = 0
                continue
            waited = True
            if self._fast and milestone.played_out:
                await self._playback.play_out(milestone.turn)
            if await self._hear_news(self._patience_s(is_sound)):
                continue
            if is_sound and not self._answering() and self._let_through < _LET_THROUGH:
                # The mesh may need a little more sound than it did to decide.
                self._let_through += 1
                break
            self._next += 1
        return waited

    def _patience_s(self, is_sound: bool) -> float:
        if self._answering():
            return self._timeout_s
        return _PATIENCE_S / _LET_THROUGH if is_sound else _PATIENCE_S

    def _answering(self) -> bool:
        turns = self._log.turns.values()
        return any(turn.question and not turn.outcome for turn in turns)

    async def _hear_news(self, within_s: float) -> bool:
        """Wait for what has come since the last clear."""
        try:
            async with asyncio.timeout(within_s):
                await self._news.wait()
        except TimeoutError:
            return False
        return True

    async def _pace(self, step: Step, waited: bool) -> None:
        """Wait for the step's moment."""
        if self._fast:
            return
        due_s = self._start_s + step.at_ms / 1000
        if waited:
            # Whoever waited for the mesh goes on from here, at the recorded pace.
            late_s = max(0.0, self._clock.now() - due_s)
            self._start_s += late_s
            due_s += late_s
        await self._clock.sleep_until(due_s)

    async def _do(self, step: Step) -> None:
        request = step.request
        if step.kind == "playback":
            await self._play(request.playback)
            return
        if step.kind == "interrupt" and request.interrupt.HasField("playback"):
            await self._play(request.interrupt.playback)
            playback = self._playback.stamped(request.interrupt.playback)
            request = dialog_pb2.ConverseRequest(interrupt=dialog_pb2.Interrupt(playback=playback))
        await self._send(request)

    async def _play(self, report: common_pb2.PlaybackReport) -> None:
        """Play as far as the report says; in a fast replay at once, as soon as it has come."""
        self._news.clear()
        await self._playback.play(report)
        while self._fast and self._playback.behind(report.stamp.turn) and self._failure is None:
            if not await self._hear_news(self._timeout_s):
                return
            self._news.clear()

    async def _report(self, report: common_pb2.PlaybackReport) -> None:
        await self._send(dialog_pb2.ConverseRequest(playback=report))

    async def _send(self, request: dialog_pb2.ConverseRequest) -> None:
        if self._failure is None:
            await self._record(request)
            await self._conversation.send(request)


def _next_step(steps: Iterator[Step]) -> Step | None:
    return next(steps, None)
