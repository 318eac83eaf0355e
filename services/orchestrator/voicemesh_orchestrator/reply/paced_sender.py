"""Sends the audio of one reply to the client, at most the lead ahead of play-out."""

from __future__ import annotations

import asyncio
import time
from collections import deque

from voicemesh.v1 import common_pb2, dialog_pb2
from voicemesh_orchestrator import metrics
from voicemesh_orchestrator.plan import ConversationPlan
from voicemesh_orchestrator.reply.events import ReplyEvents
from voicemesh_orchestrator.reply.outgoing import Outgoing
from voicemesh_orchestrator.reply.playback_estimate import PlaybackEstimate, SpokenText

_LONGEST_LIVE_LEAD_MS = 10_000


class PacedSender:
    """The audio of one reply between synthesis and speaker.

    gRPC would buffer minutes of audio; an interruption must not find them there.
    So a chunk is sent only when it begins at most the lead after what has been
    played, as far as reports or the clock tell.
    """

    def __init__(
        self,
        stamp: common_pb2.Stamp,
        plan: ConversationPlan,
        ahead_ms: int,
        outgoing: Outgoing,
        events: ReplyEvents,
    ) -> None:
        """``stamp``: of the reply. Its audio goes to ``outgoing``; ``events`` hear of the first.

        ``ahead_ms``: how much may wait here before synthesis must pause.
        """
        rate_hertz, lead_ms = plan.reply_rate_hertz, plan.reply_lead_ms
        ahead_ms = max(lead_ms, ahead_ms)
        self._stamp = stamp
        self._outgoing = outgoing
        self._events = events
        self._rate = rate_hertz
        self._lead = rate_hertz * lead_ms // 1000
        self._ahead = rate_hertz * ahead_ms // 1000
        # Whoever asks for more only stores the reply and cannot run dry.
        self._heard_live = lead_ms <= _LONGEST_LIVE_LEAD_MS
        self._waiting: deque[dialog_pb2.ReplyAudio] = deque()
        self._waiting_samples = 0
        self._received = 0
        self._complete = False
        self._news = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._held = False
        self._playback = PlaybackEstimate(rate_hertz, plan.reports_playback)
        self.spoken = SpokenText()

    @property
    def sent_samples(self) -> int:
        """The samples that the client has been sent."""
        return self._playback.sent

    @property
    def received_samples(self) -> int:
        """The samples that have come from synthesis."""
        return self._received

    @property
    def received_s(self) -> float:
        """The same in seconds."""
        return self._received / self._rate

    def add(self, audio: bytes, span: common_pb2.TextSpan) -> None:
        """More audio of the reply and the text that it says."""
        chunk = common_pb2.AudioChunk(audio=audio, first_sample=self._received)
        count = len(audio) // 2
        self._received += count
        self.spoken.add(self._received, span.end_char)
        self._waiting.append(dialog_pb2.ReplyAudio(chunk=chunk, span=span))
        self._waiting_samples += count
        if self._waiting_samples > self._ahead:
            self._room.clear()
        self._news.set()

    def complete(self) -> None:
        """No more audio will come."""
        self._complete = True
        self._news.set()

    async def room(self) -> None:
        """Wait until synthesis may go on."""
        await self._room.wait()

    def report(self, report: common_pb2.PlaybackReport) -> None:
        """The client says where its speaker stands."""
        self._playback.report(report.played_samples, report.paused, time.monotonic())
        self._news.set()

    def hold(self) -> None:
        """Send nothing: the client was asked to pause."""
        self._held = True
        self._playback.asked_to_pause(time.monotonic())
        self._news.set()

    def release(self) -> None:
        """Go on where it was held."""
        self._held = False
        self._playback.asked_to_resume(time.monotonic())
        self._news.set()

    def heard_text(self, text: str, ahead_s: float = 0.0) -> str:
        """What of the reply's ``text`` has been heard, or will have been ``ahead_s`` from now."""
        heard = self._playback.heard(time.monotonic()) + int(ahead_s * self._rate)
        return self.spoken.heard(text, max(0, min(heard, self._playback.sent)))

    def drop_waiting(self) -> None:
        """Forget what has not been sent; something else will be said instead."""
        self._received -= self._waiting_samples
        self._waiting.clear()
        self._waiting_samples = 0
        self.spoken.break_off(self._received)
        self._room.set()

    async def send_all(self) -> None:
        """Send the reply's audio, as the lead allows, until all has been sent."""
        while self._waiting or not self._complete:
            self._news.clear()
            now = time.monotonic()
            delay: float | None = None
            if self._waiting and not self._held:
                # It may go once its beginning is within the lead.
                delay = self._playback.seconds_until(self._playback.sent - self._lead, now)
                if delay == 0:
                    self._send_next(now)
                    continue
            await self._wait(delay)

    async def played_out(self) -> None:
        """Wait until the client has played everything that was sent."""
        while True:
            self._news.clear()
            delay = self._playback.seconds_until(self._playback.sent, time.monotonic())
            if self._held and not self._playback.said_all:
                delay = None  # The report of the pause is on its way: the clock is wrong.
            if delay == 0:
                return
            await self._wait(delay)

    def _send_next(self, now: float) -> None:
        reply = self._waiting.popleft()
        count = len(reply.chunk.audio) // 2
        self._waiting_samples -= count
        if self._waiting_samples <= self._ahead:
            self._room.set()
        first, underruns = not self._playback.sent, self._playback.underruns
        self._playback.add(count, now)
        if self._heard_live:
            metrics.LATE_AUDIO.inc(self._playback.underruns - underruns)
        if first:
            self._events.reply_audible(self._stamp)
        self._outgoing.send_reply(self._stamp, dialog_pb2.ConverseResponse(reply_audio=reply))

    async def _wait(self, seconds: float | None) -> None:
        """Wait for news, at most that long."""
        try:
            async with asyncio.timeout(seconds):
                await self._news.wait()
        except TimeoutError:
            return
