"""A turn that a controller asks for: by RunTurn or ListenOnce, of a robot dialled or dialling."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from voicemesh.errors import DeadlineExceeded, Superseded
from voicemesh.heartbeats import HeartbeatCounter
from voicemesh.v1 import common_pb2, dialog_pb2
from voicemesh_orchestrator.conversation.conversation import Conversation
from voicemesh_orchestrator.conversation.turn_feed import News, TurnFeed
from voicemesh_orchestrator.request_checks import TurnRequest
from voicemesh_orchestrator.settings import OrchestratorSettings

_HEARTBEAT_S = 2.0


class RunTurn:
    """Asks for one turn of a conversation and tells what becomes of it."""

    def __init__(
        self,
        conversation: Conversation[Any],
        settings: OrchestratorSettings,
        send: Callable[[News], None],
    ) -> None:
        """``send`` sends news to the controller and never waits."""
        self._conversation = conversation
        self._settings = settings
        self._send = send
        self._feed = TurnFeed()
        self._heartbeats = HeartbeatCounter()

    async def run(self, wanted: TurnRequest) -> dialog_pb2.TurnEnded:
        """The whole turn; its end is told and returned.

        Superseded when a newer one is asked for, Unavailable when the robot
        leaves, and the robot's error when its microphone does not open. Whoever
        cancels this gives the turn up.
        """
        limit = self._settings.deadlines.robot_turn_s
        try:
            async with asyncio.timeout(limit):
                self._conversation.follow(self._feed)
                ended = await self._speak_first(wanted) if wanted.say else None
                if ended is None:
                    await self._begin(wanted)
                    ended = await self._follow()
                return await self._end(ended)
        except TimeoutError:
            self._give_up()
            raise DeadlineExceeded(
                f"the turn did not end within {limit:g} s", stage=common_pb2.STAGE_ORCHESTRATOR
            ) from None
        except Superseded:
            raise  # The turn belongs to somebody else now.
        except BaseException:
            self._give_up()
            raise

    def _give_up(self) -> None:
        if self._feed.stamp is not None:
            self._conversation.requested_turns.give_up(self._feed.stamp)

    async def _speak_first(self, wanted: TurnRequest) -> News | None:
        """What is said first; the end of it where that is the end of all."""
        stamp = self._conversation.requested_turns.speak(wanted.say, wanted.policy)
        self._starts(stamp, "")
        ended = await self._follow()
        said = ended.turn_ended.outcome == dialog_pb2.TURN_OUTCOME_COMPLETED
        if wanted.say_only or not said or ended.stamp != stamp:
            return ended  # Or somebody has interrupted it, and was answered.
        await self._settle()
        return None

    def _starts(self, stamp: common_pb2.Stamp, question: str) -> None:
        """A reply is under way; that it has started was told before it could be watched."""
        self._feed.follow(stamp, spoken=False)
        self._send(News(stamp=stamp, reply_started=dialog_pb2.ReplyStarted(question=question)))

    async def _begin(self, wanted: TurnRequest) -> None:
        conversation = self._conversation
        if wanted.text:
            conversation.type_text(
                dialog_pb2.TypedText(text=wanted.text, interruption_policy=wanted.policy)
            )
            self._starts(conversation.stamp, wanted.text)
        else:
            stamp = conversation.requested_turns.expect(wanted.wants_answer, wanted.policy)
            self._feed.follow(stamp, spoken=True)
            await conversation.requested_turns.listen(stamp, wanted.no_speech_ms)

    async def _follow(self) -> News:
        """Tell what happens, up to the turn's end, which is returned."""
        while True:
            news = await self._feed.next(_HEARTBEAT_S)
            if news is None:
                self._send_heartbeat()
            elif news.WhichOneof("run_turn_response") == "turn_ended":
                return news
            else:
                self._send(news)

    def _send_heartbeat(self) -> None:
        heartbeat = self._heartbeats.next(asyncio.get_running_loop().time())
        self._send(News(stamp=self._feed.stamp, heartbeat=heartbeat))

    async def _end(self, ended: News) -> dialog_pb2.TurnEnded:
        """The end of the turn comes when the robot is silent, after its last report."""
        await self._settle()
        self._send(ended)
        return ended.turn_ended

    async def _settle(self) -> None:
        await self._conversation.client.settled()
        while self._feed.waiting():
            news = await self._feed.next(_HEARTBEAT_S)
            if news is not None:
                self._send(news)
