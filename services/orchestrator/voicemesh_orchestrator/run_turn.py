"""A turn that a controller asks for: by RunTurn or ListenOnce, of a robot dialled or dialling."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from voicemesh.errors import DeadlineExceeded, InvalidArgument, Superseded
from voicemesh.v1 import common_pb2, dialog_pb2
from voicemesh_orchestrator.conversation.conversation import Conversation
from voicemesh_orchestrator.conversation.turn_feed import News, TurnFeed
from voicemesh_orchestrator.settings import OrchestratorSettings
from voicemesh_orchestrator.turn.machine import MAX_TYPED_CHARS
from voicemesh_orchestrator.turn.policy import check_policy

_HEARTBEAT_S = 5.0
_LONGEST_NO_SPEECH_MS = 600_000


@dataclass(frozen=True)
class WantedTurn:
    """What a controller wants of a turn."""

    text: str = ""
    """Asked instead of listening."""
    no_speech_ms: int = 0
    """How long to wait for speech; 0: the setting."""
    wants_answer: bool = True
    """Whether what is heard is answered."""
    say: str = ""
    """Said by the robot first."""
    say_only: bool = False
    """Whether nothing follows that."""
    policy: dialog_pb2.InterruptionPolicy.ValueType = dialog_pb2.INTERRUPTION_POLICY_UNSPECIFIED
    """What happens when the user speaks over what the robot says."""

    def __post_init__(self) -> None:
        """InvalidArgument with the field that is wrong."""
        if not 0 <= self.no_speech_ms <= _LONGEST_NO_SPEECH_MS:
            raise InvalidArgument(
                f"{self.no_speech_ms} ms is out of range; wait 0 (the setting) to "
                f"{_LONGEST_NO_SPEECH_MS}",
                field="no_speech_timeout_ms",
            )
        for field, text in (("text", self.text), ("say", self.say)):
            if text and not text.strip():
                raise InvalidArgument(
                    f"{field} is blank; fill it in, or leave it empty", field=field
                )
            if len(text) > MAX_TYPED_CHARS:
                raise InvalidArgument(
                    f"{field} is longer than {MAX_TYPED_CHARS} characters; send less", field=field
                )
        if self.say_only and (self.text or not self.say):
            raise InvalidArgument(
                "say_only needs something to say, and nothing to ask; set say, and leave text "
                "empty",
                field="say_only",
            )
        check_policy(self.policy, "interruption_policy")


class RequestedTurn:
    """Asks for one turn of a conversation and tells what becomes of it."""

    def __init__(
        self,
        conversation: Conversation,
        settings: OrchestratorSettings,
        tell: Callable[[News], None],
    ) -> None:
        """``tell`` sends news to the controller and never waits."""
        self._conversation = conversation
        self._settings = settings
        self._tell = tell
        self._watch = TurnFeed()
        self._heartbeats = 0

    async def run(self, wanted: WantedTurn) -> dialog_pb2.TurnEnded:
        """The whole turn; its end is told and returned.

        Superseded when a newer one is asked for, Unavailable when the robot
        leaves, and the robot's error when its microphone does not open. Whoever
        cancels this gives the turn up.
        """
        limit = self._settings.deadlines.robot_turn_s
        try:
            async with asyncio.timeout(limit):
                self._conversation.watch(self._watch)
                ended = await self._say(wanted) if wanted.say else None
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
        if self._watch.stamp is not None:
            self._conversation.asked_turns.give_up(self._watch.stamp)

    async def _say(self, wanted: WantedTurn) -> News | None:
        """What is said first; the end of it where that is the end of all."""
        stamp = self._conversation.asked_turns.say(wanted.say, wanted.policy)
        self._starts(stamp, "")
        ended = await self._follow()
        said = ended.turn_ended.outcome == dialog_pb2.TURN_OUTCOME_COMPLETED
        if wanted.say_only or not said or ended.stamp != stamp:
            return ended  # Or somebody has interrupted it, and was answered.
        await self._settle()
        return None

    def _starts(self, stamp: common_pb2.Stamp, question: str) -> None:
        """A reply is under way; that it has started was told before it could be watched."""
        self._watch.follow(stamp, spoken=False)
        self._tell(News(stamp=stamp, reply_started=dialog_pb2.ReplyStarted(question=question)))

    async def _begin(self, wanted: WantedTurn) -> None:
        conversation = self._conversation
        if wanted.text:
            conversation.type_text(
                dialog_pb2.TypedText(text=wanted.text, interruption_policy=wanted.policy)
            )
            self._starts(conversation.stamp, wanted.text)
        else:
            stamp = conversation.asked_turns.expect(wanted.wants_answer, wanted.policy)
            self._watch.follow(stamp, spoken=True)
            await conversation.asked_turns.listen(stamp, wanted.no_speech_ms)

    async def _follow(self) -> News:
        """Tell what happens, up to the turn's end, which is returned."""
        while True:
            news = await self._watch.next(_HEARTBEAT_S)
            if news is None:
                self._beat()
            elif news.WhichOneof("run_turn_response") == "turn_ended":
                return news
            else:
                self._tell(news)

    def _beat(self) -> None:
        self._heartbeats += 1
        sent_ms = int(asyncio.get_running_loop().time() * 1000)
        beat = common_pb2.Heartbeat(sequence=self._heartbeats, sent_ms=sent_ms)
        self._tell(News(stamp=self._watch.stamp, heartbeat=beat))

    async def _end(self, ended: News) -> dialog_pb2.TurnEnded:
        """The end of the turn comes when the robot is silent, after its last report."""
        await self._settle()
        self._tell(ended)
        return ended.turn_ended

    async def _settle(self) -> None:
        await self._conversation.face.settled()
        while self._watch.waiting():
            news = await self._watch.next(_HEARTBEAT_S)
            if news is not None:
                self._tell(news)
