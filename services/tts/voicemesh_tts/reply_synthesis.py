"""The synthesis of one reply: the pieces of one stamp, in order."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import aclosing, suppress
from dataclasses import dataclass

from voicemesh import logs, tracing
from voicemesh.aio import Channel, ChannelFull
from voicemesh.audio import Samples
from voicemesh.errors import (
    Busy,
    InternalError,
    InvalidArgument,
    ProtocolViolation,
    VoiceMeshError,
)
from voicemesh.v1 import common_pb2, tts_pb2
from voicemesh.work_counter import WorkCounter
from voicemesh_tts import metrics
from voicemesh_tts.message_growth import GrowingMessages
from voicemesh_tts.piece_synthesizer import PieceSynthesizer, SpeakingOptions, Speech
from voicemesh_tts.text.speech import SpeechText

log = logging.getLogger(__name__)

Send = Callable[[tts_pb2.StreamingSynthesizeResponse], None]

MAX_PIECE_CHARS = 2000
LAST_CHAR = 1 << 24
"""No reply is as long; beyond 2³¹ spans would leave their fields."""
_LONGEST_MESSAGE_S = 1  # AudioChunk's limit


@dataclass(frozen=True)
class _Piece:
    input: tts_pb2.SynthesisInput
    arrived: float


class ReplySynthesis:
    """Synthesises pieces as they come. Its samples count from 0 without a gap.

    It ends with its last piece, with an error, or when its task is cancelled
    because a newer stamp has come. An error is sent once; pieces that follow it
    are dropped.
    """

    def __init__(
        self,
        conversation_id: str,
        stamp: common_pb2.Stamp,
        synthesizer: PieceSynthesizer,
        options: SpeakingOptions,
        max_waiting: int,
        send: Send,
    ) -> None:
        """``send`` sends a response and never waits; Busy when nobody reads."""
        self.stamp = stamp
        self.started = time.monotonic()
        self._conversation_id = conversation_id
        self._synthesizer = synthesizer
        self._options = options
        self._send = send
        self._text = SpeechText(options.reading)
        self._pieces: Channel[_Piece] = Channel(max_waiting)
        self._next_piece = 1
        self._position = 0
        self._counter = WorkCounter()
        self.failed = False
        self._working = False

    @property
    def working(self) -> bool:
        """Whether it has a piece to speak; between pieces the next one is waited for."""
        return self._working or len(self._pieces) > 0

    def offer(self, piece: tts_pb2.SynthesisInput) -> None:
        """Queue a piece; an unacceptable one fails the reply."""
        if self.failed:
            return
        try:
            self._check(piece)
            self._pieces.send(_Piece(piece, time.perf_counter()))
        except ChannelFull:
            self._fail(
                Busy(
                    f"{len(self._pieces)} pieces of this reply wait already; "
                    "send more when some are finished",
                    field="input.piece",
                )
            )
            return
        except VoiceMeshError as error:
            self._fail(error)
            return
        metrics.WAITING.inc()
        self._next_piece += 1
        if piece.last:
            self._pieces.close()

    def _check(self, piece: tts_pb2.SynthesisInput) -> None:
        if self._pieces.closed:
            raise ProtocolViolation(
                "the last piece of this reply has come; use a newer stamp", field="input.last"
            )
        if piece.piece != self._next_piece:
            raise ProtocolViolation(
                f"piece {piece.piece} came, but {self._next_piece} is next; pieces count from 1",
                field="input.piece",
            )
        if len(piece.text) > MAX_PIECE_CHARS:
            raise InvalidArgument(
                f"the piece has {len(piece.text)} code points, at most {MAX_PIECE_CHARS} are "
                "accepted; cut it at a sentence",
                field="input.text",
            )
        if not 0 <= piece.first_char <= LAST_CHAR:
            raise InvalidArgument(
                f"a piece begins at 0 to {LAST_CHAR} in its reply, not at {piece.first_char}; "
                "count code points",
                field="input.first_char",
            )

    def end_of_input(self) -> None:
        """No more pieces come, though the last one was not marked."""
        self._pieces.close()

    def cancel(self) -> int:
        """Nobody wants more of it; returns how many pieces waited."""
        self._counter.cancel()
        return self._abandon()

    def _abandon(self) -> int:
        waiting = len(self._pieces)
        metrics.WAITING.dec(waiting)
        self._pieces.clear()
        self._pieces.close()
        return waiting

    def _fail(self, error: VoiceMeshError) -> None:
        self.failed = True
        metrics.PIECES.labels("failed").inc(1 + self._abandon())
        log.info("reply failed: %s", error)
        with suppress(Busy):  # a client that does not read cannot be told
            self._send(
                tts_pb2.StreamingSynthesizeResponse(
                    stamp=self.stamp, error=error.detail(common_pb2.STAGE_TTS)
                )
            )

    async def run(self) -> None:
        """Synthesise until the reply ends."""
        try:
            with logs.bind(self._conversation_id, self.stamp):
                await self._synthesize_all()
        finally:
            if self._counter.cancelled:
                metrics.LATE_CHUNKS.observe(self._counter.late)

    async def _synthesize_all(self) -> None:
        async for piece in self._pieces:
            metrics.WAITING.dec()
            self._working = True
            try:
                await self._synthesize(piece)
            except VoiceMeshError as error:
                if not self.failed:
                    self._fail(error)
                return
            except Exception:  # Whoever waits for the reply is told in any case.
                log.exception("reply failed")
                self._fail(InternalError("the synthesis failed; the service's log has the details"))
                return
            finally:
                self._working = False
            if self.failed:
                return

    async def _synthesize(self, piece: _Piece) -> None:
        number, first_char = piece.input.piece, piece.input.first_char
        began, first_audio, before = time.perf_counter(), 0.0, self._position
        speech = self._synthesizer.synthesize(
            piece.input.text, self._text, self._options, piece.input.last, self._counter
        )

        def send_part(part: Speech) -> None:
            span = common_pb2.TextSpan(
                begin_char=first_char + part.begin, end_char=first_char + part.end
            )
            self._send_audio(number, part.samples, span)

        messages = GrowingMessages(self._options.sample_rate_hertz, send_part)
        with tracing.span("tts.piece", self._conversation_id, self.stamp, piece=number):
            async with aclosing(speech):
                async for part in speech:
                    if self.failed:
                        return
                    first_audio = first_audio or time.perf_counter()
                    messages.add(part)
            messages.flush()
        ended = time.perf_counter()
        count = self._position - before
        self._send(
            tts_pb2.StreamingSynthesizeResponse(
                stamp=self.stamp,
                piece_finished=tts_pb2.PieceFinished(
                    piece=number,
                    sample_count=count,
                    first_audio_us=int(((first_audio or ended) - piece.arrived) * 1e6),
                    total_us=int((ended - piece.arrived) * 1e6),
                    last=piece.input.last,
                ),
            )
        )
        metrics.PIECES.labels("spoken").inc()
        if count:
            seconds = count / self._options.sample_rate_hertz
            metrics.FIRST_AUDIO.observe(first_audio - began)
            metrics.REALTIME_FACTOR.observe((ended - began) / seconds)
            metrics.AUDIO.inc(seconds)

    def _send_audio(self, piece: int, samples: Samples, span: common_pb2.TextSpan) -> None:
        limit = self._options.sample_rate_hertz * _LONGEST_MESSAGE_S
        for offset in range(0, len(samples), limit):
            part = samples[offset : offset + limit]
            audio = tts_pb2.SynthesizedAudio(
                piece=piece,
                chunk=common_pb2.AudioChunk(
                    audio=part.astype("<i2").tobytes(), first_sample=self._position
                ),
                span=span,
            )
            self._position += len(part)
            self._send(tts_pb2.StreamingSynthesizeResponse(stamp=self.stamp, audio=audio))
