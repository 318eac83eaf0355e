"""One stream to TTS for the replies of a conversation; reopened for the next where lost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from voicemesh.errors import VoiceMeshError, from_detail
from voicemesh.v1 import common_pb2, tts_pb2
from voicemesh_orchestrator.settings import Deadlines
from voicemesh_orchestrator.text.cutting import Piece
from voicemesh_orchestrator.upstream.stream import Upstream

if TYPE_CHECKING:  # The stubs' asynchronous types exist for type checkers only.
    from voicemesh.v1.tts_pb2_grpc import SpeechSynthesizerServiceAsyncStub

Request = tts_pb2.StreamingSynthesizeRequest
Response = tts_pb2.StreamingSynthesizeResponse


class SynthesisEvents(Protocol):
    """Whoever wants the audio of one reply."""

    def on_audio(self, audio: tts_pb2.SynthesizedAudio) -> None:
        """Some audio of the reply."""

    def on_piece_finished(self, finished: tts_pb2.PieceFinished) -> None:
        """A piece is complete."""

    def on_synthesis_failed(self, error: VoiceMeshError) -> None:
        """No more audio will come."""


class Synthesis:
    """Sends pieces to TTS and hands the audio to the current reply."""

    def __init__(
        self,
        stub: SpeechSynthesizerServiceAsyncStub,
        target: str,
        config: tts_pb2.StreamingSynthesisConfig,
        deadlines: Deadlines,
    ) -> None:
        """Nothing is opened before ``ensure_open``."""
        self._stub = stub
        self._target = target
        self._config = config
        self._deadlines = deadlines
        self._stamp = common_pb2.Stamp()
        self._events: SynthesisEvents | None = None
        self._upstream: Upstream[Request, Response] | None = None
        self.capabilities = tts_pb2.SynthesizerCapabilities()

    async def ensure_open(self) -> None:
        """Open the stream unless it is open; raises why that cannot be."""
        if self._upstream is not None:
            if self._upstream.open:
                return
            await self._upstream.close()
        upstream: Upstream[Request, Response] = Upstream(
            common_pb2.STAGE_TTS,
            self._target,
            self._receive,
            self._fail,
            lambda beat: Request(stamp=self._stamp, heartbeat=beat),
            self._deadlines.stall_s,
        )
        request = Request(stamp=self._stamp, streaming_config=self._config)
        response = await upstream.start(
            self._stub.StreamingSynthesize, request, self._deadlines.connect_s
        )
        self._upstream = upstream
        self.capabilities = response.started.capabilities

    def begin(self, stamp: common_pb2.Stamp, events: SynthesisEvents) -> None:
        """From now on audio of ``stamp`` goes to ``events``; older audio to nobody."""
        self._stamp = stamp
        self._events = events

    def synthesise(self, piece: Piece, number: int, last: bool) -> None:
        """Synthesise a piece of the current reply; numbers count from 1.

        Where no stream could be opened ``ensure_open`` has raised why: nothing is sent.
        """
        if self._upstream is None:
            return
        text = tts_pb2.SynthesisInput(
            piece=number, text=piece.text, first_char=piece.first_char, last=last
        )
        self._upstream.send(Request(stamp=self._stamp, input=text))

    def stop(self, stamp: common_pb2.Stamp, reason: str) -> None:
        """Give up the reply of ``stamp``; what it still says is dropped."""
        if stamp != self._stamp or self._events is None:
            return
        self._events = None
        if self._upstream is not None and self._upstream.open:
            cancel = tts_pb2.CancelSynthesis(reason=reason)
            # One revision on: the cancel names everything older than itself.
            newer = common_pb2.Stamp()
            newer.CopyFrom(stamp)
            newer.revision += 1
            self._upstream.send(Request(stamp=newer, cancel=cancel))

    def _receive(self, response: Response) -> None:
        if self._events is None or response.stamp != self._stamp:
            return
        kind = response.WhichOneof("streaming_response")
        if kind == "audio":
            self._events.on_audio(response.audio)
        elif kind == "piece_finished":
            self._events.on_piece_finished(response.piece_finished)
        elif kind == "error":
            self._fail(from_detail(response.error))

    def _fail(self, error: VoiceMeshError) -> None:
        if self._events is not None:
            events, self._events = self._events, None
            events.on_synthesis_failed(error)

    async def close(self) -> None:
        """End the stream."""
        self._events = None
        if self._upstream is not None:
            await self._upstream.close()
