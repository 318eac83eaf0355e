"""One synthesis stream: reads requests, keeps the current reply, drops what is old."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import suppress

import grpc.aio

from voicemesh.aio import TaskSet
from voicemesh.audio_format import check_format
from voicemesh.errors import Busy, InvalidArgument, ProtocolViolation
from voicemesh.heartbeats import echo_of
from voicemesh.server import Outbox
from voicemesh.stamps import StampGate, order
from voicemesh.v1 import common_pb2, operations_pb2, tts_pb2
from voicemesh_tts import metrics
from voicemesh_tts.piece_synthesizer import PieceSynthesizer, SpeakingOptions
from voicemesh_tts.reply_pace import ReplyPace
from voicemesh_tts.reply_synthesis import ReplySynthesis
from voicemesh_tts.settings import TtsSettings
from voicemesh_tts.text.scripts import Reading
from voicemesh_tts.voices import VoiceTable

log = logging.getLogger(__name__)

Request = tts_pb2.StreamingSynthesizeRequest
Response = tts_pb2.StreamingSynthesizeResponse
Context = grpc.aio.ServicerContext[Request, Response]

SLOWEST, FASTEST = 0.5, 2.0
# Audio of some minutes: a client may read as it plays, but not never.
OUTBOX_MESSAGES = 2048


def is_heartbeat(request: Request) -> bool:
    """Whether a request only keeps the stream alive."""
    return request.WhichOneof("streaming_request") == "heartbeat"


def speaking_options(
    config: tts_pb2.StreamingSynthesisConfig, settings: TtsSettings, voices: VoiceTable
) -> SpeakingOptions:
    """How a stream is to be spoken; the errors name the wrong field of the config."""
    rate_hertz = check_format(config.audio_format, "streaming_config.audio_format")
    language = config.language_code or settings.language
    voices.check_language(language, "streaming_config.language_code")
    speaking_rate = config.speaking_rate if config.HasField("speaking_rate") else 1.0
    if not SLOWEST <= speaking_rate <= FASTEST:
        raise InvalidArgument(
            f"a speaking rate of {speaking_rate:g} is not possible; use {SLOWEST:g} to {FASTEST:g}",
            field="streaming_config.speaking_rate",
        )
    return SpeakingOptions(
        sample_rate_hertz=rate_hertz,
        reading=Reading.of(language, settings.latin_language),
        voice=voices.named(config.voice_name, "streaming_config.voice_name"),
        rate=speaking_rate,
    )


class SynthesisStream:
    """The life of one StreamingSynthesize call.

    At most one reply speaks: that of the newest stamp. A newer stamp ends it at
    once; nothing that is left of it is sent. The newer one begins when its engine has
    stopped, within a chunk: so a stream asks the engine for one thing at a time, however
    fast its stamps come, and those that are outdated by then cost nothing.
    """

    def __init__(
        self,
        config: tts_pb2.StreamingSynthesisConfig,
        options: SpeakingOptions,
        synthesizer: PieceSynthesizer,
        settings: TtsSettings,
        outbox: Outbox[Response],
        tasks: TaskSet,
    ) -> None:
        """``config`` has been checked; ``options`` are made of it.

        ``tasks`` outlives the stream: a reply that is cancelled waits until its
        engine has stopped, and the stream does not wait for that.
        """
        self.conversation_id = config.conversation_id
        self._options = options
        self._synthesizer = synthesizer
        self._settings = settings
        self._outbox = outbox
        self._gate = StampGate()
        self._reply: ReplySynthesis | None = None
        self._task: asyncio.Task[None] | None = None
        self._engine_turn = asyncio.Lock()
        self._pace = ReplyPace(settings.replies_per_second)
        self._tasks = tasks
        self._unread: Busy | None = None  # the client does not read: its stream ends

    @property
    def speaking(self) -> bool:
        """Whether a reply is under way."""
        return self._task is not None and not self._task.done()

    @property
    def working(self) -> bool:
        """Whether something that was sent is still to be spoken."""
        return self._reply is not None and self.speaking and self._reply.working

    def live_turn(self) -> operations_pb2.LiveTurn:
        """What the stream is doing, for introspection."""
        turn = operations_pb2.LiveTurn(conversation_id=self.conversation_id, phase="idle")
        if self._reply is not None and self.speaking:
            turn.stamp.CopyFrom(self._reply.stamp)
            turn.phase = "speaking"
            turn.phase_ms = int((time.monotonic() - self._reply.started) * 1000)
        return turn

    def notice(self, notice: common_pb2.DrainNotice) -> None:
        """Tell the client that the process will stop, if it reads at all."""
        with suppress(Busy):
            self._outbox.send(Response(drain=notice))

    async def run(self, requests: AsyncIterator[Request]) -> None:
        """Serve until the client ends its side and the pieces received are spoken."""
        try:
            async for request in requests:
                if self._unread is not None:
                    raise self._unread
                self._handle(request)
            if self._reply is not None and self._task is not None:
                self._reply.end_of_input()
                await self._task
        finally:
            self._stop()

    def _send(self, response: Response) -> None:
        try:
            self._outbox.send(response)
        except Busy as error:
            self._unread = error
            raise

    def _handle(self, request: Request) -> None:
        kind = request.WhichOneof("streaming_request")
        if kind == "input":
            self._queue(request.stamp, request.input)
        elif kind == "cancel":
            self._gate.admit(request.stamp)
            if self._reply is not None and not self._gate.is_current(self._reply.stamp):
                log.debug("cancelled: %s", request.cancel.reason)
                self._stop()
        elif kind == "heartbeat":
            if echo := echo_of(request.heartbeat):
                self._outbox.send(Response(stamp=request.stamp, heartbeat=echo))
        elif kind == "streaming_config":
            raise ProtocolViolation(
                "the config was sent already; open another stream to change it",
                field="streaming_config",
            )
        else:
            raise ProtocolViolation(
                "the request is empty; send input, cancel or heartbeat", field="streaming_request"
            )

    def _queue(self, stamp: common_pb2.Stamp, piece: tts_pb2.SynthesisInput) -> None:
        if not self._gate.admit(stamp):
            metrics.PIECES.labels("outdated").inc()
            return
        if self._reply is None or order(self._reply.stamp) != order(stamp):
            self._stop()
            self._reply = ReplySynthesis(
                self.conversation_id,
                stamp,
                self._synthesizer,
                self._options,
                self._settings.max_waiting_pieces,
                self._send,
            )
            self._task = self._tasks.start(
                self._speak(self._reply), f"reply {self.conversation_id}"
            )
        self._reply.offer(piece)

    async def _speak(self, reply: ReplySynthesis) -> None:
        async with self._engine_turn:
            await self._pace.turn()
            await reply.run()

    def _stop(self) -> None:
        """End the current reply without waiting: its engine stops within a chunk."""
        if self._reply is None or self._task is None:
            return
        waiting = self._reply.cancel()
        if not self._task.done():
            self._task.cancel()
            waiting += 1
        metrics.PIECES.labels("cancelled").inc(waiting)
        self._reply = self._task = None
