"""StreamingRecognize: the order of messages, their checks and stamps."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress

import numpy as np

from voicemesh.aio import cancel_and_wait
from voicemesh.audio import StreamResampler, pcm16
from voicemesh.errors import Busy, ProtocolViolation
from voicemesh.heartbeats import HeartbeatCounter, echo_of
from voicemesh.logs import bind
from voicemesh.sample_clock import SampleClock
from voicemesh.server import Outbox, StreamPatience
from voicemesh.stamps import StampGate
from voicemesh.v1 import asr_pb2 as pb
from voicemesh.v1 import common_pb2, operations_pb2
from voicemesh_asr.engines.engine import Phrase
from voicemesh_asr.stream_plan import StreamPlan, check_phrases
from voicemesh_asr.turn_recognizer import Refuse, Send, TurnRecognizer

_SIGN_OF_LIFE_S = 1.0  # A few of them fit into the time after which a client gives up.
OWN_VOICE = 0.9
"""Sound that is as likely as this the robot's own voice alone is heard as silence."""

MakeTurnRecognizer = Callable[[StreamPlan, Send, Refuse], TurnRecognizer]


def is_heartbeat(request: pb.StreamingRecognizeRequest) -> bool:
    """Whether a request only keeps the stream alive."""
    return request.WhichOneof("streaming_request") == "heartbeat"


async def first_config(
    requests: AsyncIterator[pb.StreamingRecognizeRequest], patience: StreamPatience
) -> tuple[pb.StreamingRecognitionConfig, common_pb2.Stamp]:
    """The config that opens a stream, and its stamp."""
    request = await patience.first(requests)
    if request is None or request.WhichOneof("streaming_request") != "streaming_config":
        raise ProtocolViolation(
            "the first request must carry streaming_config", field="streaming_config"
        )
    return request.streaming_config, request.stamp


class RecognitionStream:
    """One speaker's stream, from its config on."""

    def __init__(
        self,
        plan: StreamPlan,
        stamp: common_pb2.Stamp,
        outbox: Outbox[pb.StreamingRecognizeResponse],
        make_recognizer: MakeTurnRecognizer,
        settings_phrases: tuple[Phrase, ...],
    ) -> None:
        """``settings_phrases`` stay likely whatever the stream adds."""
        self._plan = plan
        self._outbox = outbox
        self._settings_phrases = settings_phrases
        self._gate = StampGate()
        self._gate.admit(stamp)
        self._recognizer = make_recognizer(plan, self._on_event, self._refused)
        self._recognizer.stamp = stamp
        self._clock = SampleClock(plan.rate_hertz, plan.first_sample)
        self._resampler = StreamResampler(plan.rate_hertz, self._recognizer.clock.engine_rate_hertz)
        self._phase_since = time.monotonic()
        self._working_since: float | None = None

    def send(self, **response: object) -> None:
        """Send a response under the newest stamp."""
        self._outbox.send(
            pb.StreamingRecognizeResponse(
                stamp=self._gate.newest,
                processed_sample=self._recognizer.processed_sample,
                **response,  # type: ignore[arg-type]  # one field of the oneof, by name
            )
        )

    def _on_event(self, event: pb.TurnEvent) -> None:
        if event.type in (pb.TURN_EVENT_TYPE_START_OF_TURN, pb.TURN_EVENT_TYPE_END_OF_TURN):
            self._phase_since = time.monotonic()
        self.send(turn_event=event)

    def _refused(self, busy: Busy) -> None:
        """An utterance is lost; the stream lives on."""
        self.send(error=busy.detail(common_pb2.STAGE_ASR))

    @property
    def in_turn(self) -> bool:
        """Whether somebody speaks."""
        return self._recognizer.in_turn

    def live_turn(self) -> operations_pb2.LiveTurn:
        """What this stream is doing."""
        return operations_pb2.LiveTurn(
            conversation_id=self._plan.conversation_id,
            stamp=self._gate.newest,
            phase="listening" if self._recognizer.in_turn else "idle",
            phase_ms=int((time.monotonic() - self._phase_since) * 1000),
        )

    async def run(
        self, requests: AsyncIterator[pb.StreamingRecognizeRequest], patience: StreamPatience
    ) -> None:
        """Serve the stream until the client half-closes, goes away or is silent for too long.

        The end of the requests never ends an utterance: it may mean that the
        client is gone.
        """
        loop = asyncio.get_running_loop()
        signs = loop.create_task(self._signs_of_life(), name="signs of life")
        try:
            with bind(self._plan.conversation_id):
                async for request in patience.messages(requests, is_heartbeat):
                    is_newest = self._gate.admit(request.stamp)
                    self._recognizer.stamp = self._gate.newest
                    self._working_since = time.monotonic()
                    with bind(stamp=self._gate.newest):
                        await self._handle(request, is_newest)
                    self._working_since = None
        finally:
            await cancel_and_wait(signs)
            self._recognizer.close()

    async def _signs_of_life(self) -> None:
        """Heartbeats while one message takes long: no other is read, nor is any echoed.

        A final pass over a long utterance may take seconds. Whoever waits for it must
        not take this service for stuck.
        """
        heartbeats = HeartbeatCounter()
        while True:
            await asyncio.sleep(_SIGN_OF_LIFE_S)
            now, since = time.monotonic(), self._working_since
            if since is not None and now - since >= _SIGN_OF_LIFE_S:
                with suppress(Busy):  # A client that does not read ends by itself.
                    self.send(heartbeat=heartbeats.next(now))

    async def _handle(self, request: pb.StreamingRecognizeRequest, is_newest: bool) -> None:
        match request.WhichOneof("streaming_request"):
            case "audio":
                await self._audio(request.audio)
            case "silence":
                await self._silence(request.silence)
            case "end_of_utterance":
                await self._end_of_utterance(request.end_of_utterance)
            case "turn_update":
                # An older one speaks of a turn that is over; older audio is still audio.
                if is_newest:
                    await self._turn_update(request.turn_update)
            case "heartbeat":
                if echo := echo_of(request.heartbeat):
                    self.send(heartbeat=echo)
            case "streaming_config":
                raise ProtocolViolation(
                    "streaming_config was sent twice; open another stream to change it",
                    field="streaming_config",
                )
            case _:
                raise ProtocolViolation(
                    "the request carries nothing; set one field of streaming_request",
                    field="streaming_request",
                )

    async def _audio(self, chunk: common_pb2.AudioChunk) -> None:
        self._clock.take_audio(chunk)
        samples = pcm16(chunk.audio)
        if chunk.echo.likelihood >= OWN_VOICE:
            samples = np.zeros_like(samples)
        await self._recognizer.feed(self._resampler.process(samples))

    async def _silence(self, silence: common_pb2.SilenceChunk) -> None:
        self._clock.take_silence(silence)
        zeros = np.zeros(silence.sample_count, dtype=np.int16)
        await self._recognizer.feed(self._resampler.process(zeros))

    async def _end_of_utterance(self, end: common_pb2.EndOfUtterance) -> None:
        self._clock.check_end(end)
        await self._recognizer.end_utterance()

    async def _turn_update(self, update: pb.TurnUpdate) -> None:
        phrases = check_phrases(update.phrase_hints, "turn_update.phrase_hints")
        if update.discard_utterance:
            await self._recognizer.discard()
        if phrases:
            await self._recognizer.set_phrases((*self._settings_phrases, *phrases))
