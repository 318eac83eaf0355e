"""Services that are stuck, broken or lost: what the orchestrator makes of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from functools import partial
from typing import Any

import grpc
import grpc.aio
import pytest

from voicemesh.aio import cancel_and_wait
from voicemesh.errors import Busy
from voicemesh.grpc_client import open_channel
from voicemesh.server import Outbox
from voicemesh.v1 import common_pb2, dialog_pb2, llm_pb2
from voicemesh.v1.llm_pb2_grpc import (
    LanguageModelServiceServicer,
    add_LanguageModelServiceServicer_to_server,
)
from voicemesh.v1.operations_pb2 import DescribeRequest
from voicemesh.v1.operations_pb2_grpc import OperationsServiceStub

from .conftest import RATE, Connect, Mesh, Request
from .offering import offering

TEXT_ONLY = dialog_pb2.ConverseConfig()
Context = grpc.aio.ServicerContext[Any, Any]


class Model(LanguageModelServiceServicer):
    """A model whose replies are what ``reply`` does with a function that sends a response."""

    def __init__(self, reply: Callable[[Callable[..., Awaitable[None]]], Awaitable[None]]) -> None:
        self._reply = reply

    async def Generate(  # type: ignore[override]  # The stubs know no coroutine that writes.
        self, request_iterator: AsyncIterator[llm_pb2.GenerateRequest], context: Context
    ) -> None:
        stamp = (await anext(request_iterator)).stamp

        async def send(**response: Any) -> None:
            await context.write(llm_pb2.GenerateResponse(stamp=stamp, **response))

        await send(started=llm_pb2.GenerationStarted())
        await self._reply(send)
        await context.abort(grpc.StatusCode.UNAVAILABLE, "the model is gone")


offering_model = partial(offering, add_LanguageModelServiceServicer_to_server)


async def test_a_stuck_model_misses_its_deadline_though_its_service_lives(
    mesh: Mesh, connect: Connect
) -> None:
    async def reply(send: Callable[..., Awaitable[None]]) -> None:
        while True:
            await send(heartbeat=common_pb2.Heartbeat(echo=True))
            await asyncio.sleep(0.01)

    async with (
        offering_model(Model(reply)) as model,
        mesh(
            **{"orchestrator.llm_target": model, "orchestrator.deadlines.first_token_s": 0.2}
        ) as target,
        connect(target, Request(config=TEXT_ONLY)) as client,
    ):
        await client.send(text=dialog_pb2.TypedText(text="hello"))
        turn = (await client.until("turn_ended")).turn_ended
        assert turn.outcome == dialog_pb2.TURN_OUTCOME_FAILED
        assert turn.error.code == common_pb2.ERROR_CODE_DEADLINE
        assert turn.error.stage == common_pb2.STAGE_LLM


async def test_one_question_too_many_is_answered_with_a_spoken_busy(
    mesh: Mesh, connect: Connect
) -> None:
    one_place = {
        "llm.engine": "simulated",
        "llm.max_concurrent_streams": 1,
        "llm.simulated.first_token_ms": 60_000,
        "orchestrator.deadlines.model_place_s": 0.2,
    }
    async with (
        mesh("llm", "tts", **one_place) as target,
        connect(target) as first,
        connect(target) as second,
    ):
        await first.send(text=dialog_pb2.TypedText(text="hello"))
        await second.send(text=dialog_pb2.TypedText(text="hello"))
        # Whose question comes to the model first has the place.
        ends = {asyncio.ensure_future(one.until("turn_ended")): one for one in (first, second)}
        done, waiting = await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        await cancel_and_wait(*waiting)
        (refused,) = (ends[end] for end in done)
        turn = refused.of("turn_ended")[0]
        assert turn.outcome == dialog_pb2.TURN_OUTCOME_FAILED
        assert turn.error.code == common_pb2.ERROR_CODE_BUSY
        assert "busy" in refused.of("reply_text")[0].text
        assert sum(len(part.chunk.audio) for part in refused.of("reply_audio")) > 2 * 2 * RATE


async def test_what_an_apology_replaced_does_not_count_as_heard(
    mesh: Mesh, connect: Connect
) -> None:
    text = "There is a lot to be said about this, and all of it is long. " * 6
    heard = asyncio.Event()

    async def reply(send: Callable[..., Awaitable[None]]) -> None:
        await send(delta=llm_pb2.TextDelta(text=text))
        await heard.wait()

    async with (
        offering_model(Model(reply)) as model,
        mesh("tts", **{"orchestrator.llm_target": model}) as target,
        connect(target) as client,
    ):
        await client.send(text=dialog_pb2.TypedText(text="hello"))
        await client.until("reply_audio")
        heard.set()
        end = await client.until("reply_ended")
        report = common_pb2.PlaybackReport(
            stamp=end.stamp, played_samples=end.reply_ended.sample_count, drained=True
        )
        await client.send(playback=report)
        turn = (await client.until("turn_ended")).turn_ended
        assert turn.outcome == dialog_pb2.TURN_OUTCOME_FAILED
        assert text.startswith(turn.heard_text)
        assert 0 < len(turn.heard_text) < len(text) / 2


async def test_a_client_that_never_reads_gives_back_what_it_held(
    mesh: Mesh, connect: Connect, serving: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "voicemesh_orchestrator.clients.converse_stream.Outbox", partial(Outbox, capacity=20)
    )

    async def reply(send: Callable[..., Awaitable[None]]) -> None:
        await send(delta=llm_pb2.TextDelta(text="```"))  # Code is shown and not spoken.
        while True:
            await send(delta=llm_pb2.TextDelta(text="x" * 60_000))

    async with (
        serving("tts") as tts,
        offering_model(Model(reply)) as model,
        mesh(**{"orchestrator.llm_target": model, "orchestrator.tts_target": tts}) as target,
        connect(target) as client,
        open_channel(tts) as channel,
        open_channel(target) as operations,
    ):
        await client.until("started")
        await client.send(text=dialog_pb2.TypedText(text="hello"))
        describe = OperationsServiceStub(operations).Describe
        async with asyncio.timeout(30):
            while (await describe(DescribeRequest())).slots.used:
                pass
        assert (await OperationsServiceStub(channel).Describe(DescribeRequest())).slots.used == 0
        with pytest.raises(Busy, match="does not read"):
            await client.until("turn_ended")


async def test_a_voice_that_dies_ends_the_turn_though_the_model_still_writes(
    mesh: Mesh, connect: Connect, serving: Any
) -> None:
    async def reply(send: Callable[..., Awaitable[None]]) -> None:
        await send(delta=llm_pb2.TextDelta(text="The moon is far away. And it is"))
        await asyncio.Event().wait()  # The next sentence never comes.

    async with AsyncExitStack() as voice, offering_model(Model(reply)) as model:
        tts = await voice.enter_async_context(serving("tts"))
        limits = {"orchestrator.deadlines.next_token_s": 60}
        async with (
            mesh(
                **{"orchestrator.llm_target": model, "orchestrator.tts_target": tts, **limits}
            ) as target,
            connect(target) as client,
        ):
            await client.until("started")
            await client.send(text=dialog_pb2.TypedText(text="hello"))
            await client.until("reply_audio")
            await voice.aclose()
            turn = (await client.until("turn_ended")).turn_ended
            assert turn.outcome == dialog_pb2.TURN_OUTCOME_FAILED
            assert turn.error.stage == common_pb2.STAGE_TTS
