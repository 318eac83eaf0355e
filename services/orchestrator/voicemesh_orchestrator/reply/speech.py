"""The spoken side of one reply: its pieces on their way through synthesis to the sender."""

from __future__ import annotations

import asyncio

from voicemesh import tracing
from voicemesh.aio import Channel, ChannelClosed
from voicemesh.errors import DeadlineExceeded, InternalError, VoiceMeshError
from voicemesh.v1 import common_pb2, tts_pb2
from voicemesh_orchestrator import metrics
from voicemesh_orchestrator.reply.paced_sender import PacedSender
from voicemesh_orchestrator.reply.timeline import Timeline
from voicemesh_orchestrator.text.cutting import Piece
from voicemesh_orchestrator.upstream.synthesis import Synthesis

_MAX_PIECES = 4096


class ReplySpeech:
    """Gives the pieces of a reply to TTS, one ahead of the audio that waits to be sent."""

    def __init__(
        self,
        stamp: common_pb2.Stamp,
        conversation_id: str,
        synthesis: Synthesis,
        sender: PacedSender,
        audio_s: float,
    ) -> None:
        """``audio_s``: how many seconds may pass without audio before TTS counts as stuck."""
        self.sender = sender
        self.timeline = Timeline()
        """Of the reply, see Reply; its first audio is noted there."""
        self._stamp = stamp
        self._conversation_id = conversation_id
        self._synthesis = synthesis
        self._audio_s = audio_s
        self._pieces: Channel[Piece] = Channel(_MAX_PIECES)
        self._piece_ends: Channel[int] = Channel(_MAX_PIECES)
        self._failure: VoiceMeshError | None = None

    def add(self, piece: Piece) -> None:
        """One more piece to speak; dropped where TTS has failed, which ``run`` tells."""
        if self._failure is None:
            self._pieces.send(piece)

    def finish(self) -> None:
        """There are no more pieces."""
        self._pieces.close()

    async def run(self) -> None:
        """Have the pieces synthesised, up to the last; raises why TTS could not."""
        number = 0
        await self._synthesis.ensure_open()
        self._synthesis.begin(self._stamp, self)
        with tracing.span("tts", self._conversation_id, self._stamp):
            async for piece in self._pieces:
                number += 1
                self._synthesis.synthesise(piece, number, last=False)
                await self._piece_finished()
                metrics.SYNTHESIS_QUEUE.set(len(self._pieces))
                await self.sender.room()
        if self._failure is not None:
            raise self._failure
        self.sender.complete()

    async def _piece_finished(self) -> None:
        """Wait for the end of the piece under way, as long as its audio keeps coming."""
        while True:
            received = self.sender.received_samples
            try:
                async with asyncio.timeout(self._audio_s):
                    await self._piece_ends.receive()
                return
            except ChannelClosed:
                raise self._failure or InternalError("tts: the reply lost its voice") from None
            except TimeoutError:
                if self.sender.received_samples == received:
                    raise DeadlineExceeded(
                        f"tts: no audio within {self._audio_s:g} s", stage=common_pb2.STAGE_TTS
                    ) from None

    # What synthesis reports (see SynthesisEvents).

    def on_audio(self, audio: tts_pb2.SynthesizedAudio) -> None:
        """Audio from TTS."""
        self.timeline.reach("tts_first_audio")
        self.sender.add(audio.chunk.audio, audio.span)

    def on_piece_finished(self, finished: tts_pb2.PieceFinished) -> None:
        """TTS has spoken a piece to its end."""
        self._piece_ends.send(finished.piece)

    def on_synthesis_failed(self, error: VoiceMeshError) -> None:
        """TTS cannot go on."""
        self._failure = error
        self._piece_ends.close()
        self._pieces.close()  # Nobody waits for a model that still writes the next one.
