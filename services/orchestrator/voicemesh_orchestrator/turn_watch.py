"""What a controller sees of the turn that it asked for."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from voicemesh.aio import Channel, ChannelClosed, ChannelFull
from voicemesh.errors import Superseded, Unavailable, VoiceMeshError
from voicemesh.stamps import order
from voicemesh.v1 import asr_pb2, common_pb2, dialog_pb2

_CAPACITY = 1024

News = dialog_pb2.RunTurnResponse


class TurnWatch:
    """The news of one turn of a conversation, in order."""

    def __init__(self) -> None:
        """Sees nothing before ``stamp`` is set."""
        self.stamp: common_pb2.Stamp | None = None
        """The turn that is watched."""
        self._news: Channel[News] = Channel(_CAPACITY)
        self._heard = False
        self._failure: VoiceMeshError = Unavailable(
            "robot: the conversation has ended", stage=common_pb2.STAGE_ROBOT
        )

    def tell(self, event: dialog_pb2.ConverseResponse) -> None:
        """Something has happened in the conversation."""
        kind = event.WhichOneof("converse_response")
        if kind == "turn_event" and not self._heard:
            self._heard = event.turn_event.type == asr_pb2.TURN_EVENT_TYPE_END_OF_TURN
            if self._heard and self.stamp and order(event.stamp) > order(self.stamp):
                # Text was typed while the user spoke: the same turn under a newer number.
                self.stamp = event.stamp
        if event.stamp != self.stamp:
            return
        match kind:
            case "turn_event":
                self._show(News(stamp=event.stamp, turn_event=event.turn_event))
            case "reply_text":
                self._show(News(stamp=event.stamp, reply_text=event.reply_text))
            case "turn_ended":
                self._show(News(stamp=event.stamp, turn_ended=event.turn_ended))
            case "error":
                self._show(News(stamp=event.stamp, error=event.error))

    def played(self, report: common_pb2.PlaybackReport) -> None:
        """The robot says where its speaker stands."""
        if report.stamp == self.stamp:
            self._show(News(stamp=report.stamp, playback=report))

    def _show(self, news: News) -> None:
        with suppress(ChannelFull, ChannelClosed):  # Who is that far behind has left.
            self._news.send(news)

    def supersede(self) -> None:
        """Somebody else has asked for a newer turn."""
        self._failure = Superseded(
            "a newer turn was asked for on this robot", stage=common_pb2.STAGE_ORCHESTRATOR
        )
        self._news.clear()
        self._news.close()

    def end(self) -> None:
        """Nothing more will happen."""
        self._news.close()

    async def next(self, limit_s: float) -> News | None:
        """What happens next; None when that long nothing does. Superseded or Unavailable."""
        try:
            async with asyncio.timeout(limit_s):
                return await self._news.receive()
        except TimeoutError:
            return None
        except ChannelClosed:
            raise self._failure from None

    def waiting(self) -> bool:
        """Whether something has happened that was not asked for yet."""
        return len(self._news) > 0
