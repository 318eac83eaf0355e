"""A turn that a controller asks for: by RunTurn or ListenOnce, of a robot dialled or dialling."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from voicemesh.errors import DeadlineExceeded, InvalidArgument, Superseded
from voicemesh.v1 import common_pb2, dialog_pb2
from voicemesh_orchestrator.conversation import Conversation
from voicemesh_orchestrator.settings import OrchestratorSettings
from voicemesh_orchestrator.turn_machine import MAX_TYPED_CHARS
from voicemesh_orchestrator.turn_watch import News, TurnWatch

_HEARTBEAT_S = 5.0
_LONGEST_NO_SPEECH_MS = 600_000


@dataclass(frozen=True)
class Wanted:
    """What a controller wants of a turn."""

    text: str = ""
    """Asked instead of listening."""
    no_speech_ms: int = 0
    """How long to wait for speech; 0: the setting."""
    wants_answer: bool = True
    """Whether what is heard is answered."""

    def __post_init__(self) -> None:
        """InvalidArgument with the field that is wrong."""
        if not 0 <= self.no_speech_ms <= _LONGEST_NO_SPEECH_MS:
            raise InvalidArgument(
                f"{self.no_speech_ms} ms is out of range; wait 0 (the setting) to "
                f"{_LONGEST_NO_SPEECH_MS}",
                field="no_speech_timeout_ms",
            )
        if self.text and not self.text.strip():
            raise InvalidArgument(
                "the text is blank; ask something, or leave it empty to listen", field="text"
            )
        if len(self.text) > MAX_TYPED_CHARS:
            raise InvalidArgument(
                f"the text is longer than {MAX_TYPED_CHARS} characters; ask less", field="text"
            )


class ControlledTurn:
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
        self._watch = TurnWatch()
        self._heartbeats = 0

    async def run(self, wanted: Wanted) -> dialog_pb2.TurnEnded:
        """The whole turn; its end is told and returned.

        Superseded when a newer one is asked for, Unavailable when the robot
        leaves, and the robot's error when its microphone does not open. Whoever
        cancels this gives the turn up.
        """
        limit = self._settings.deadlines.robot_turn_s
        try:
            async with asyncio.timeout(limit):
                await self._begin(wanted)
                return await self._follow()
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
            self._conversation.give_up(self._watch.stamp)

    async def _begin(self, wanted: Wanted) -> None:
        conversation = self._conversation
        conversation.watch(self._watch)
        if wanted.text:
            conversation.type_text(dialog_pb2.TypedText(text=wanted.text))
            self._watch.stamp = conversation.stamp
        else:
            self._watch.stamp = conversation.expect(wanted.wants_answer)
            await conversation.listen(self._watch.stamp, wanted.no_speech_ms)

    async def _follow(self) -> dialog_pb2.TurnEnded:
        while True:
            news = await self._watch.next(_HEARTBEAT_S)
            if news is None:
                self._beat()
            elif news.WhichOneof("run_turn_response") == "turn_ended":
                return await self._end(news)
            else:
                self._tell(news)

    def _beat(self) -> None:
        self._heartbeats += 1
        sent_ms = int(asyncio.get_running_loop().time() * 1000)
        beat = common_pb2.Heartbeat(sequence=self._heartbeats, sent_ms=sent_ms)
        self._tell(News(stamp=self._watch.stamp, heartbeat=beat))

    async def _end(self, ended: News) -> dialog_pb2.TurnEnded:
        """The end of the turn comes when the robot is silent, after its last report."""
        await self._conversation.face.settled()
        while self._watch.waiting():
            news = await self._watch.next(_HEARTBEAT_S)
            if news is not None:
                self._tell(news)
        self._tell(ended)
        return ended.turn_ended
