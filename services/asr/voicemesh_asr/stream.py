"""StreamingRecognize: the order of messages, their checks and stamps."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable

import numpy as np

from voicemesh.audio import StreamResampler, check_chunk, pcm16
from voicemesh.errors import InvalidArgument, ProtocolViolation
from voicemesh.logs import bind
from voicemesh.server import Outbox
from voicemesh.stamps import StampGate
from voicemesh.v1 import asr_pb2 as pb
from voicemesh.v1 import common_pb2, operations_pb2
from voicemesh_asr.engines.engine import Phrase
from voicemesh_asr.recognition_session import Hearing, Send
from voicemesh_asr.stream_plan import StreamPlan, check_phrases

MAX_SILENCE_S = 10
OWN_VOICE = 0.9
"""Sound that is as likely as this the robot's own voice alone is heard as silence."""

MakeHearing = Callable[[StreamPlan, Send], Hearing]


async def first_config(
    requests: AsyncIterator[pb.StreamingRecognizeRequest],
) -> tuple[pb.StreamingRecognitionConfig, common_pb2.Stamp]:
    """The config that opens a stream, and its stamp."""
    async for request in requests:
        if request.WhichOneof("streaming_request") != "streaming_config":
            break
        return request.streaming_config, request.stamp
    raise ProtocolViolation(
        "the first request must carry streaming_config", field="streaming_config"
    )


class RecognitionStream:
    """One speaker's stream, from its config on."""

    def __init__(
        self,
        plan: StreamPlan,
        stamp: common_pb2.Stamp,
        outbox: Outbox[pb.StreamingRecognizeResponse],
        make_hearing: MakeHearing,
        settings_phrases: tuple[Phrase, ...],
    ) -> None:
        """``settings_phrases`` stay likely whatever the stream adds."""
        self._plan = plan
        self._outbox = outbox
        self._settings_phrases = settings_phrases
        self._gate = StampGate()
        self._gate.admit(stamp)
        self._hearing = make_hearing(plan, self._on_event)
        self._hearing.stamp = stamp
        self._next_sample = plan.first_sample
        self._resampler = StreamResampler(plan.rate_hertz, self._hearing.clock.engine_rate_hertz)
        self._phase_since = time.monotonic()

    def send(self, **response: object) -> None:
        """Send a response under the newest stamp."""
        self._outbox.send(
            pb.StreamingRecognizeResponse(
                stamp=self._gate.newest,
                processed_sample=self._hearing.processed_sample,
                **response,  # type: ignore[arg-type]  # one field of the oneof, by name
            )
        )

    def _on_event(self, event: pb.TurnEvent) -> None:
        if event.type in (pb.TURN_EVENT_TYPE_START_OF_TURN, pb.TURN_EVENT_TYPE_END_OF_TURN):
            self._phase_since = time.monotonic()
        self.send(turn_event=event)

    def live_turn(self) -> operations_pb2.LiveTurn:
        """What this stream is doing."""
        return operations_pb2.LiveTurn(
            conversation_id=self._plan.conversation_id,
            stamp=self._gate.newest,
            phase="listening" if self._hearing.in_turn else "idle",
            phase_ms=int((time.monotonic() - self._phase_since) * 1000),
        )

    async def run(self, requests: AsyncIterator[pb.StreamingRecognizeRequest]) -> None:
        """Serve the stream until the client half-closes or goes away.

        The end of the requests never ends an utterance: it may mean that the
        client is gone.
        """
        try:
            with bind(self._plan.conversation_id):
                async for request in requests:
                    is_newest = self._gate.admit(request.stamp)
                    self._hearing.stamp = self._gate.newest
                    with bind(stamp=self._gate.newest):
                        await self._handle(request, is_newest)
        finally:
            self._hearing.close()

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
                if not request.heartbeat.echo:
                    beat = request.heartbeat
                    self.send(
                        heartbeat=common_pb2.Heartbeat(
                            sequence=beat.sequence, sent_ms=beat.sent_ms, echo=True
                        )
                    )
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
        count = check_chunk(chunk, self._next_sample, self._plan.rate_hertz, "audio")
        self._next_sample += count
        samples = pcm16(chunk.audio)
        if chunk.echo.likelihood >= OWN_VOICE:
            samples = np.zeros_like(samples)
        await self._hearing.hear(self._resampler.process(samples))

    async def _silence(self, silence: common_pb2.SilenceChunk) -> None:
        longest = MAX_SILENCE_S * self._plan.rate_hertz
        if not 0 < silence.sample_count <= longest:
            raise InvalidArgument(
                f"{silence.sample_count} samples of silence are not 1 to {longest} "
                f"({MAX_SILENCE_S} s); send longer silences in parts",
                field="silence.sample_count",
            )
        if silence.first_sample != self._next_sample:
            raise InvalidArgument(
                f"the silence begins at sample {silence.first_sample}, but {self._next_sample} "
                "is next; samples follow each other without a gap or an overlap",
                field="silence.first_sample",
            )
        self._next_sample += silence.sample_count
        zeros = np.zeros(silence.sample_count, dtype=np.int16)
        await self._hearing.hear(self._resampler.process(zeros))

    async def _end_of_utterance(self, end: common_pb2.EndOfUtterance) -> None:
        if end.sample > self._next_sample:
            raise InvalidArgument(
                f"the utterance ends at sample {end.sample}, but audio has come up to "
                f"{self._next_sample} only; send its audio first",
                field="end_of_utterance.sample",
            )
        await self._hearing.end_utterance()

    async def _turn_update(self, update: pb.TurnUpdate) -> None:
        phrases = check_phrases(update.phrase_hints, "turn_update.phrase_hints")
        if update.discard_utterance:
            await self._hearing.discard()
        if phrases:
            await self._hearing.set_phrases((*self._settings_phrases, *phrases))
