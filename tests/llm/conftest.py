"""A real HTTP server that speaks the OpenAI chat API as a test tells it to."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


def chunk(delta: dict[str, Any] | None = None, finish: str | None = None, **more: Any) -> str:
    """The data of one chat.completion.chunk."""
    choice = {"index": 0, "delta": delta or {}, "finish_reason": finish}
    return json.dumps(
        {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "test"}
        | {"choices": [choice]}
        | more,
        ensure_ascii=False,
    )


def usage_chunk(prompt: int, cached: int, completion: int) -> str:
    usage = {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "prompt_tokens_details": {"cached_tokens": cached},
    }
    return json.dumps({"object": "chat.completion.chunk", "choices": [], "usage": usage})


class ModelServer:
    """Answers /v1/chat/completions with what ``answer`` makes of it."""

    def __init__(self) -> None:
        self.base_url = ""
        self.models = [{"id": "test-model", "object": "model", "max_model_len": 2048}]
        self.bodies: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.released = asyncio.Event()
        self.asked = asyncio.Event()
        self.closed_by_client = asyncio.Event()
        self.answer: Answer = self.lines("data: [DONE]\n\n")

    def events(self, *data: str) -> Answer:
        """Answer with these chunks and [DONE]."""
        return self.lines(*(f"data: {item}\n\n" for item in (*data, "[DONE]")))

    def lines(self, *pieces: str, hold: bool = False, drop: bool = False) -> Answer:
        """Answer with these bytes; then hold the stream open, or drop the connection."""

        async def answer(request: web.Request) -> web.StreamResponse:
            response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
            await response.prepare(request)
            for piece in pieces:
                await response.write(piece.encode())
            if hold:
                await self.released.wait()
            if drop and request.transport is not None:
                request.transport.close()
            return response

        return answer

    def failure(self, status: int, body: Any, headers: dict[str, str] | None = None) -> Answer:
        async def answer(request: web.Request) -> web.StreamResponse:
            text = body if isinstance(body, str) else json.dumps(body)
            return web.Response(status=status, text=text, headers=headers)

        return answer

    async def handle_chat(self, request: web.Request) -> web.StreamResponse:
        self.bodies.append(await request.json())
        self.headers.append(dict(request.headers))
        self.asked.set()
        try:
            return await self.answer(request)
        except asyncio.CancelledError:
            self.closed_by_client.set()
            raise

    async def handle_models(self, request: web.Request) -> web.Response:
        self.headers.append(dict(request.headers))
        return web.json_response({"object": "list", "data": self.models})


@pytest.fixture
async def model_server() -> AsyncIterator[ModelServer]:
    server = ModelServer()
    app = web.Application()
    app.router.add_post("/v1/chat/completions", server.handle_chat)
    app.router.add_get("/v1/models", server.handle_models)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    server.base_url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    try:
        yield server
    finally:
        server.released.set()
        await runner.cleanup()


@pytest.fixture
def make_chunk() -> Callable[..., str]:
    return chunk


@pytest.fixture
def make_usage_chunk() -> Callable[..., str]:
    return usage_chunk
