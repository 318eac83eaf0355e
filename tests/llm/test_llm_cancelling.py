"""What engines still do for a reply that nobody wants any more: by their own count of tokens."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from prometheus_client import REGISTRY

from voicemesh_llm.engines.engine import Finished, LanguageModel, Message, Prompt, Role
from voicemesh_llm.engines.scripted.engine import ScriptedModel
from voicemesh_llm.engines.scripted.settings import ScriptedSettings
from voicemesh_llm.engines.simulated.engine import SimulatedModel
from voicemesh_llm.engines.simulated.settings import SimulatedSettings

from .requests import HI, Serving, ask, cancel, openai, request, stub, text, until

LONG = {
    "llm.engine": "simulated",
    "llm.simulated.first_token_ms": 5,
    "llm.simulated.tokens_per_second": 200,
    "llm.simulated.replies": f'["{"one two three four " * 200}"]',
}
CANCELS = 5


def late_tokens(engine: str, at_most: str = "+Inf") -> float:
    """The cancelled replies of which no more tokens than that were made after the cancel."""
    labels = {"engine": engine, "le": at_most}
    bucket = "voicemesh_llm_tokens_after_cancel_bucket"
    return REGISTRY.get_sample_value(bucket, labels) or 0.0


async def until_counted(engine: str, replies: float) -> None:
    async with asyncio.timeout(10):
        while True:
            await asyncio.sleep(0)
            if late_tokens(engine) >= replies:
                return


@pytest.mark.parametrize("politely", [True, False])
async def test_a_cancelled_reply_costs_one_token_more_at_most(
    serving: Serving, politely: bool
) -> None:
    cancelled, within_one = late_tokens("simulated"), late_tokens("simulated", "1.0")
    async with serving("llm", **LONG) as target, stub(target) as service:
        for number in range(1, CANCELS + 1):
            call = service.Generate()
            await call.write(request(HI))
            await until(call, "delta")
            if politely:
                await call.write(cancel())
                await until(call, "finished")
            else:
                call.cancel()
            await until_counted("simulated", cancelled + number)
    assert late_tokens("simulated", "1.0") == within_one + CANCELS


async def test_a_model_server_writes_nothing_for_a_cancelled_reply(
    serving: Serving, model_server: Any, make_chunk: Callable[..., str]
) -> None:
    within_one = late_tokens("openai", "1.0")
    wanted = asyncio.Semaphore(2)
    written = 0

    async def on_demand(web_request: Any) -> Any:
        nonlocal written
        response = await model_server.lines()(web_request)
        while True:
            await wanted.acquire()
            await response.write(f"data: {make_chunk({'content': 'Well '})}\n\n".encode())
            written += 1

    model_server.answer = on_demand
    async with serving("llm", **openai(model_server)) as target, stub(target) as service:
        call = service.Generate()
        await call.write(request(HI))
        heard = ""
        while heard != "Well Well ":
            heard += (await until(call, "delta")).delta.text
        await call.write(cancel())
        await until(call, "finished")
        await model_server.closed_by_client.wait()
        for _ in range(20):
            wanted.release()
        model_server.answer = model_server.events(make_chunk({"content": "Next"}, "stop"))
        assert text(await ask(target, request(HI))) == "Next"
    assert written == 2
    assert late_tokens("openai", "1.0") == within_one + 1


@pytest.mark.parametrize(
    "model",
    [
        ScriptedModel(ScriptedSettings()),
        SimulatedModel(SimulatedSettings(first_token_ms=0, tokens_per_second=1e5)),
    ],
    ids=lambda model: model.name,
)
async def test_engines_count_the_tokens_that_they_make(model: LanguageModel) -> None:
    await model.load()
    prompt = Prompt((Message(Role.USER, ("what is artificial intelligence",)),))
    finished = [event async for event in model.generate(prompt)][-1]
    assert isinstance(finished, Finished)
    assert finished.usage is not None
    assert prompt.counter.made == finished.usage.completion_tokens > 10


async def test_what_is_made_before_a_cancel_is_not_late() -> None:
    model = SimulatedModel(SimulatedSettings(first_token_ms=0, tokens_per_second=1e5))
    prompt = Prompt((Message(Role.USER, ("hello",)),))
    events = model.generate(prompt)
    for _ in range(3):
        await anext(events)
    prompt.counter.cancel()
    await anext(events)
    assert (prompt.counter.made, prompt.counter.late) == (4, 1)
