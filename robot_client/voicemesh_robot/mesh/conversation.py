"""A conversation with the mesh: one Converse stream, seen from the client."""

from __future__ import annotations

import asyncio
from types import TracebackType

import grpc.aio

from voicemesh.aio import TaskSet, within
from voicemesh.errors import ProtocolViolation, Unavailable, VoiceMeshError
from voicemesh.grpc_client import Duplex
from voicemesh.heartbeats import HeartbeatCounter, echo_of
from voicemesh.stamps import Order, StampGate, order
from voicemesh.v1 import common_pb2, dialog_pb2
from voicemesh.v1.dialog_pb2_grpc import DialogServiceStub
from voicemesh_robot.clock import Clock, MonotonicClock
from voicemesh_robot.mesh.connection import ConversationOptions, connect
from voicemesh_robot.mesh.events import Event
from voicemesh_robot.sound.heard import EndOfSpeech, Heard, HeardSilence, HeardSound

STAGE = common_pb2.STAGE_ORCHESTRATOR
_OUTGOING = 64  # Over a second of microphone: who cannot send for that long waits.
_INCOMING = 256  # Beyond it gRPC's flow control holds the orchestrator back.
_GOODBYE_S = 1.0
_HEARTBEAT_S = 10.0  # Somebody who only types says nothing for minutes, and lives.
_SILENCE_S = 8.0  # The orchestrator sends a heartbeat every 2 s.
_LOOKS_PER_SILENCE = 4

_OF_A_REPLY = frozenset({"reply_text", "reply_audio"})


def _lost(error: VoiceMeshError) -> VoiceMeshError:
    """The same error in words that say what it means for the conversation."""
    if not isinstance(error, Unavailable) or error.stage != STAGE:
        return error
    reason = error.message.removeprefix("orchestrator: ")
    return Unavailable(
        f"orchestrator: connection lost ({reason}); open the conversation again",
        stage=STAGE,
        retry_after_ms=error.retry_after_ms,
    )


_STOPPED = Unavailable(
    "orchestrator: it has stopped, as it had announced; ask again when it is back", stage=STAGE
)


class Conversation:
    """An open conversation. Use ``async with await Conversation.open(...)``.

    Events come from ``receive``; a conversation that is lost ends them with an
    error that names the stage. One task may receive; any number may send.

    Text and audio of a reply that has been interrupted, or that a newer reply has
    replaced, are dropped. The end of such a turn still arrives: it says how it ended.
    """

    def __init__(
        self,
        channel: grpc.aio.Channel,
        stream: Duplex[dialog_pb2.ConverseRequest, dialog_pb2.ConverseResponse],
        clock: Clock,
    ) -> None:
        """Use ``open``."""
        self._channel = channel
        self._stream = stream
        self._clock = clock
        self._outgoing: asyncio.Queue[dialog_pb2.ConverseRequest] = asyncio.Queue(_OUTGOING)
        self._incoming: asyncio.Queue[Event | None] = asyncio.Queue(_INCOMING)
        self._tasks = TaskSet()
        self._seen = StampGate()
        self._replying = StampGate()
        self._interrupted: Order = (0, 0, 0, 0)
        self._heartbeats = HeartbeatCounter()
        self._failure: VoiceMeshError | None = None
        self._heard_s: float | None = None
        self._closing = False
        self._over = False
        self.started = dialog_pb2.ConversationStarted()
        """What the orchestrator said of the conversation when it began."""
        self.draining = False
        """Whether the orchestrator will stop: the next turn belongs into a new conversation."""

    @classmethod
    async def open(cls, options: ConversationOptions, clock: Clock | None = None) -> Conversation:
        """Connect, send the config and wait until the orchestrator has admitted it.

        Unavailable when nothing answers, Busy when every slot is taken, and
        InvalidArgument with its field when the config cannot be accepted.
        """
        channel = await connect(options.target, options.connect_timeout_s)
        try:
            stream: Duplex[dialog_pb2.ConverseRequest, dialog_pb2.ConverseResponse] = Duplex(
                DialogServiceStub(channel).Converse(), STAGE
            )
            conversation = cls(channel, stream, clock or MonotonicClock())
            await conversation._begin(options)
        except BaseException:
            await channel.close()
            raise
        return conversation

    async def _begin(self, options: ConversationOptions) -> None:
        await self._stream.write(dialog_pb2.ConverseRequest(config=options.config()))
        first = asyncio.ensure_future(self._stream.read())
        if not await within(options.admission_timeout_s, first):
            self._stream.cancel()
            await asyncio.wait({first})
            raise Unavailable(
                f"orchestrator: {options.target} is connected but does not admit the "
                "conversation; look at its log",
                stage=STAGE,
            )
        response = first.result()
        if response is None or response.WhichOneof("converse_response") != "started":
            raise ProtocolViolation(
                f"orchestrator: {options.target} does not speak this protocol; "
                "install the same version on both sides",
                stage=STAGE,
            )
        self._seen.admit(response.stamp)
        self.started = response.started
        self._tasks.start(self._write(), "conversation writer")
        self._tasks.start(self._read(), "conversation reader")
        self._tasks.start(self._watch(), "conversation watch")

    async def _write(self) -> None:
        while True:
            request = await self._next_request()
            request.stamp.CopyFrom(self._seen.newest)
            try:
                await self._stream.write(request)
            except VoiceMeshError:
                return  # The reader sees the same end, and learns why.

    async def _next_request(self) -> dialog_pb2.ConverseRequest:
        """What is to be sent next; a heartbeat where there has been nothing for long."""
        try:
            async with asyncio.timeout(_HEARTBEAT_S):
                return await self._outgoing.get()
        except TimeoutError:
            heartbeat = self._heartbeats.next(self._clock.now())
            return dialog_pb2.ConverseRequest(heartbeat=heartbeat)

    async def _read(self) -> None:
        try:
            while (response := await self._stream.read()) is not None:
                event = self._received(response)
                if event is not None:
                    await self._incoming.put(event)
            if not self._closing:
                self._fail(Unavailable("the service ended the conversation", stage=STAGE))
        except VoiceMeshError as error:
            self._fail(error)
        await self._incoming.put(None)

    def _received(self, response: dialog_pb2.ConverseResponse) -> Event | None:
        """The event of a response; None where it is not for the caller."""
        kind = response.WhichOneof("converse_response")
        if kind is None or kind == "started":
            return None
        if self._heard_s is not None:
            self._heard_s = self._clock.now()
        if kind == "heartbeat":
            self._echo(response.heartbeat)
            return None
        self._seen.admit(response.stamp)
        if kind == "reply_started":
            self._replying.admit(response.stamp)
        elif kind == "reply_interrupted":
            self._interrupted = max(self._interrupted, order(response.stamp))
        elif kind == "drain":
            self.draining = True
        elif kind in _OF_A_REPLY and self._is_stale(response.stamp):
            return None
        return Event(response.stamp, self._clock.now(), getattr(response, kind))

    def _is_stale(self, stamp: common_pb2.Stamp) -> bool:
        return order(stamp) <= self._interrupted or not self._replying.is_current(stamp)

    def _echo(self, heartbeat: common_pb2.Heartbeat) -> None:
        echo = echo_of(heartbeat)
        if echo is None:
            return
        self._heard_s = self._clock.now()  # More will come, or the orchestrator is stuck.
        if self._outgoing.full():
            return  # A stream that is full of messages needs no sign of life.
        self._outgoing.put_nowait(dialog_pb2.ConverseRequest(heartbeat=echo))

    async def _watch(self) -> None:
        """Find out that the orchestrator is stuck, which a healthy connection hides."""
        every_s = _SILENCE_S / _LOOKS_PER_SILENCE
        looked_s = self._clock.now()
        while True:
            await asyncio.sleep(every_s)
            now = self._clock.now()
            # Whoever slept himself, or has not taken what came, has not heard the rest.
            awake = now - looked_s < 2 * every_s and not self._incoming.full()
            looked_s = now
            if awake and self._heard_s is not None and now - self._heard_s > _SILENCE_S:
                text = f"it has said nothing for {_SILENCE_S:g} s"
                self.give_up(_lost(Unavailable(text, stage=STAGE)))
                return

    def _fail(self, error: VoiceMeshError) -> None:
        if self._failure is None:
            self._failure = _STOPPED if self.draining else _lost(error)
        while not self._outgoing.empty():  # Wakes whoever waits to send.
            self._outgoing.get_nowait()

    @property
    def failure(self) -> VoiceMeshError | None:
        """Why the conversation is lost; None while it is not."""
        return self._failure

    def give_up(self, error: VoiceMeshError) -> None:
        """Count the conversation as lost because of ``error``."""
        self._fail(error)
        self._stream.cancel()
        # gRPC cancels whoever reads of a stream that is cancelled here: it tells nobody.
        self._tasks.start(self._incoming.put(None), "conversation given up")

    async def receive(self) -> Event:
        """The next thing the mesh says; the conversation's error when it is lost.

        A caller that is cancelled while it waits loses nothing.
        """
        event = None if self._over else await self._incoming.get()
        if event is None:
            self._over = True
            raise self._failure or Unavailable(
                "client: the conversation is closed; open another", stage=common_pb2.STAGE_CLIENT
            )
        return event

    async def send(self, request: dialog_pb2.ConverseRequest) -> None:
        """Send anything; waits while the mesh is slow. The error when it is lost."""
        if self._failure is not None:
            raise self._failure
        await self._outgoing.put(request)

    def offer(self, request: dialog_pb2.ConverseRequest) -> bool:
        """Send news that is worth nothing later; False where there is no room for it now."""
        if self._failure is not None or self._outgoing.full():
            return False
        self._outgoing.put_nowait(request)
        return True

    async def send_heard(self, heard: Heard) -> None:
        """What was heard: sound (at most a second of it), silence, or the end of the utterance."""
        match heard:
            case HeardSound():
                request = dialog_pb2.ConverseRequest(audio=heard.message())
            case HeardSilence():
                request = dialog_pb2.ConverseRequest(silence=heard.message())
            case EndOfSpeech():
                request = dialog_pb2.ConverseRequest(end_of_utterance=heard.message())
        await self.send(request)

    async def send_text(self, text: str, with_speech: bool = False) -> None:
        """Something typed: a turn of its own, or a part of the turn that is spoken."""
        typed = dialog_pb2.TypedText(text=text, with_speech=with_speech)
        await self.send(dialog_pb2.ConverseRequest(text=typed))

    async def report_playback(self, report: common_pb2.PlaybackReport) -> None:
        """How much of a reply has been heard."""
        await self.send(dialog_pb2.ConverseRequest(playback=report))

    async def interrupt(self, playback: common_pb2.PlaybackReport) -> None:
        """The user wants the robot to be quiet."""
        await self.send(
            dialog_pb2.ConverseRequest(interrupt=dialog_pb2.Interrupt(playback=playback))
        )

    async def close(self) -> None:
        """Say good-bye, give the orchestrator a moment to end the stream, disconnect."""
        if not self._closing:
            self._closing = True
            if self._failure is None and not self._outgoing.full():
                bye = dialog_pb2.EndConversation(reason="done")
                self._outgoing.put_nowait(dialog_pb2.ConverseRequest(end=bye))
                await within(_GOODBYE_S, self._tasks.start(self._ended(), "goodbye"))
        await self._tasks.close()
        await self._channel.close()

    async def _ended(self) -> None:
        """Read on, so that the reader sees the end, and throw away what comes."""
        while not self._over:
            self._over = await self._incoming.get() is None

    async def __aenter__(self) -> Conversation:
        """The open conversation."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close it."""
        await self.close()
