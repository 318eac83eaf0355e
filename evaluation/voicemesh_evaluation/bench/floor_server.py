"""The floor: the same detector and the same waits behind a bare WebSocket.

No framework, no streams between services, no history, no errors to tell: what a
server of this work costs at least in Python. It begins answers as early as the mesh does
and sends messages as long as the mesh's. Run by the benchmark as a process
of its own; it prints its port.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time

import numpy as np
import uvloop
import webrtcvad
from aiohttp import WSMsgType, web

from voicemesh.aio import cancel_and_wait
from voicemesh.workers.parent_death import die_with_parent
from voicemesh_evaluation.bench.workload import (
    EAGER_WAIT_MS,
    END_SILENCE_MS,
    FRAME_MS,
    LEAD_MS,
    MIN_SPEECH_MS,
    RATE_HERTZ,
    VAD_MODE,
    Workload,
    message_samples,
)

START, DROP = "start", "drop"
_TONE_HERTZ = 400
_TONE = (np.sin(np.arange(RATE_HERTZ) * 2 * np.pi * _TONE_HERTZ / RATE_HERTZ) * 3276).astype("<i2")


class FloorConversation:
    """One WebSocket: frames in, reply audio and texts out."""

    def __init__(self, socket: web.WebSocketResponse, workload: Workload) -> None:
        """``socket`` is prepared."""
        self._socket = socket
        self._workload = workload
        self._vad = webrtcvad.Vad(VAD_MODE)
        self._reply: asyncio.Task[None] | None = None
        self._wait_ms = EAGER_WAIT_MS if workload.eager else END_SILENCE_MS
        self._released = asyncio.Event()  # The turn is over: the reply may be heard.
        self._voiced_ms = self._unvoiced_ms = 0
        self._in_turn = False

    async def run(self) -> None:
        """Serve until the client goes."""
        try:
            async for message in self._socket:
                if message.type is WSMsgType.BINARY:
                    await self._hear(self._vad.is_speech(message.data, RATE_HERTZ))
        finally:
            await cancel_and_wait(self._reply)

    async def _hear(self, voiced: bool) -> None:
        if voiced:
            self._voiced_ms += FRAME_MS
            self._unvoiced_ms = 0
            if not self._in_turn and self._voiced_ms >= MIN_SPEECH_MS:
                self._in_turn = True
                await self._interrupt()
            return
        self._voiced_ms = 0
        self._unvoiced_ms += FRAME_MS
        if self._in_turn and self._unvoiced_ms == self._wait_ms:
            await cancel_and_wait(self._reply)  # It was begun at a pause within the question.
            self._released.clear()
            self._reply = asyncio.create_task(self._speak(time.monotonic()), name="reply")
        if self._in_turn and self._unvoiced_ms >= END_SILENCE_MS:
            self._in_turn = False
            self._released.set()

    async def _interrupt(self) -> None:
        if self._reply is not None and not self._reply.done():
            await cancel_and_wait(self._reply)
            await self._socket.send_str(DROP)

    async def _speak(self, began_s: float) -> None:
        """Send each message when it is made, at most the lead ahead of play-out."""
        workload = self._workload
        tone = _TONE.tobytes()
        sent = 0
        first_sent_s = 0.0
        made_s = began_s
        for ready_ms, samples in zip(workload.piece_ready_ms, workload.piece_samples, strict=True):
            first_s = max(made_s, began_s + ready_ms / 1000) + workload.first_chunk_ms / 1000
            position = 0
            for count in message_samples(samples):
                made_s = first_s + position / RATE_HERTZ / workload.realtime_factor
                due_s = max(made_s, first_sent_s + sent / RATE_HERTZ - LEAD_MS / 1000)
                delay = due_s - time.monotonic()
                if delay > 0:
                    await asyncio.sleep(delay)
                if not sent:
                    await self._released.wait()
                    await self._socket.send_str(START)
                    first_sent_s = time.monotonic()
                await self._socket.send_bytes(tone[: count * 2])
                position += count
                sent += count
        await self._socket.send_str(str(sent))


async def _serve(workload: Workload) -> None:
    async def converse(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(compress=False)
        await socket.prepare(request)
        await FloorConversation(socket, workload).run()
        return socket

    app = web.Application()
    app.router.add_get("/", converse)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    sys.stdout.write(f"{runner.addresses[0][1]}\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


def main() -> None:
    """Arguments: the parent's process id, and the workload as JSON."""
    die_with_parent(int(sys.argv[1]))
    uvloop.run(_serve(Workload(**json.loads(sys.argv[2]))))


if __name__ == "__main__":
    main()
