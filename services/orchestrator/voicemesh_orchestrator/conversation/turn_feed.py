"""What a controller sees of the turn that it asked for."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass

from voicemesh.aio import Channel, ChannelClosed, ChannelFull
from voicemesh.errors import Superseded, Unavailable, VoiceMeshError
from voicemesh.stamps import order
from voicemesh.v1 import asr_pb2, common_pb2, dialog_pb2

_CAPACITY = 1024
_BY_VOICE = ("speech", "stop")
_TOLD = frozenset(
    ("turn_event", "reply_started", "reply_text", "reply_paused", "reply_ducked", "reply_resumed")
    + ("reply_interrupted", "error", "turn_ended")
)
# How a turn that nobody answers may end without meaning anything.
_NOTHING = (
    dialog_pb2.TURN_OUTCOME_COMPLETED,
    dialog_pb2.TURN_OUTCOME_NOTHING_HEARD,
    dialog_pb2.TURN_OUTCOME_BACKCHANNEL,
)

News = dialog_pb2.RunTurnResponse
Event = dialog_pb2.ConverseResponse


@dataclass(frozen=True)
class _Overlap:
    """The turn of somebody who speaks over the reply that is watched."""

    stamp: common_pb2.Stamp
    said: bool
    """Whether it has been said to its end."""


class TurnFeed:
    """The news of one turn of a conversation, in order.

    Who interrupts its reply begins a turn that the controller has not asked for but
    wants as well: the watch goes on with that one and ends with it. Where nothing
    comes of it, such as after "stop", the end is that of the turn that was asked for.
    """

    def __init__(self) -> None:
        """Sees nothing before ``follow``."""
        self.stamp: common_pb2.Stamp | None = None
        """The turn that is watched."""
        self._news: Channel[News] = Channel(_CAPACITY)
        self._awaits_speech = False
        self._answered = False
        self._by_voice = False
        self._over: _Overlap | None = None
        self._end: News | None = None
        self._failure: VoiceMeshError = Unavailable(
            "robot: the conversation has ended", stage=common_pb2.STAGE_ROBOT
        )

    def follow(self, stamp: common_pb2.Stamp, spoken: bool) -> None:
        """Watch the turn of ``stamp``; ``spoken``: the user has still to say it."""
        self.stamp = stamp
        self._awaits_speech = spoken
        self._answered = self._by_voice = False
        self._over = None

    def send(self, event: Event) -> None:
        """Something has happened in the conversation."""
        if self.stamp is None:
            return
        kind = event.WhichOneof("converse_response")
        if kind == "turn_event":
            self._follow_user(self.stamp, event)
        elif kind == "turn_ended" and self._over is not None and event.stamp == self._over.stamp:
            self._over = None  # It was no turn: a nod, a noise.
        if event.stamp != self.stamp or kind not in _TOLD:
            return
        news = News(stamp=event.stamp)
        getattr(news, kind).CopyFrom(getattr(event, kind))
        if kind == "turn_ended":
            self._ended(news)
            return
        if kind == "reply_started":
            self._answered = True
        elif kind == "reply_interrupted":
            self._by_voice = event.reply_interrupted.reason in _BY_VOICE
        self._show(news)

    def _follow_user(self, stamp: common_pb2.Stamp, event: Event) -> None:
        """The user speaks: in the turn of ``stamp``, which is watched, or over its reply."""
        said = event.turn_event.type == asr_pb2.TURN_EVENT_TYPE_END_OF_TURN
        if self._awaits_speech:
            if said:
                self._awaits_speech = False
                # Newer where text was typed while the user spoke, or where the answer
                # was begun before the end: it is the same turn.
                self.stamp = max(stamp, event.stamp, key=order)
        elif order(event.stamp) > order(stamp):
            self._over = _Overlap(event.stamp, said)
            if self._end is not None and self._by_voice:
                self._go_on(self._over)

    def _ended(self, end: News) -> None:
        """The turn that is watched is over, and with it all, unless it was interrupted."""
        first, self._end = self._end, None
        if first is not None and not self._answered and end.turn_ended.outcome in _NOTHING:
            self._show(first)
            return
        if self._over is None and not self._by_voice:
            self._show(end)
            return
        self._end = end
        if self._over is not None:
            self._go_on(self._over)

    def _go_on(self, over: _Overlap) -> None:
        """Watch the turn of whoever has interrupted."""
        self.follow(over.stamp, spoken=not over.said)

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
