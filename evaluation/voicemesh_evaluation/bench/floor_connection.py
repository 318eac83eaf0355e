"""A connection to the floor under load: frames as binary messages, news as texts."""

from __future__ import annotations

import aiohttp

from voicemesh.aio import TaskSet
from voicemesh_evaluation.bench.connection import Caller
from voicemesh_evaluation.bench.floor_server import DROP, START


class FloorConnection:
    """A WebSocket of its own."""

    def __init__(self, session: aiohttp.ClientSession, port: int) -> None:
        """``session`` is shared by all connections."""
        self._session = session
        self._url = f"ws://127.0.0.1:{port}/"
        self._tasks = TaskSet()
        self._received = 0
        self._closing = False
        self._socket: aiohttp.ClientWebSocketResponse | None = None

    async def open(self, caller: Caller) -> None:
        """Connect and begin to listen."""
        self._socket = await self._session.ws_connect(self._url, compress=0)
        self._tasks.start(self._read(self._socket, caller), "read")

    async def _read(self, socket: aiohttp.ClientWebSocketResponse, caller: Caller) -> None:
        async for message in socket:
            if message.type is aiohttp.WSMsgType.BINARY:
                count = len(message.data) // 2
                caller.audio(self._received, count)
                self._received += count
            elif message.type is aiohttp.WSMsgType.TEXT:
                self._received = 0
                if message.data == START:
                    caller.reply_started()
                elif message.data == DROP:
                    caller.dropped()
                else:
                    caller.reply_ended(int(message.data))
        if not self._closing:
            caller.failed("the floor ended the conversation")

    async def send(self, index: int, frame: bytes) -> None:
        """One message a frame."""
        assert self._socket is not None
        await self._socket.send_bytes(frame)

    async def report(self, played_samples: int) -> None:
        """The floor goes by the clock."""

    async def close(self) -> None:
        """Close the socket."""
        self._closing = True
        if self._socket is not None:
            await self._socket.close()
        await self._tasks.close()
