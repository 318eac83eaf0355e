"""The simulated model: its text, its bounds and its one place at a time."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from voicemesh_llm.engines.engine import Finish, Finished, Message, Prompt, Role, TextDelta
from voicemesh_llm.engines.simulated.engine import SimulatedModel
from voicemesh_llm.engines.simulated.settings import SimulatedSettings

INSTANT = {"first_token_ms": 0, "tokens_per_second": 1e5}


def prompt(questions: int = 1, **fields: Any) -> Prompt:
    asked = Message(Role.USER, ("What is it?",))
    answered = Message(Role.ASSISTANT, ("That.",))
    talk = [asked, answered] * questions
    return Prompt(messages=tuple(talk[:-1]), **fields)


async def answer(model: SimulatedModel, asked: Prompt) -> tuple[list[str], Finished]:
    events = [event async for event in model.generate(asked)]
    finished = events.pop()
    assert isinstance(finished, Finished)
    return [event.text for event in events if isinstance(event, TextDelta)], finished


@pytest.mark.parametrize(
    ("reply", "tokens"),
    [
        ("It is a chair. Sit!", ["It", " is", " a", " chair.", " Sit!"]),
        ("你好，世界", ["你", "好", "，", "世", "界"]),
        ("It is 红 色 .", ["It", " is", " 红", " 色", " ."]),
    ],
)
async def test_a_word_or_a_chinese_character_is_a_token(reply: str, tokens: list[str]) -> None:
    model = SimulatedModel(SimulatedSettings(replies=(reply,), **INSTANT))
    said, finished = await answer(model, prompt())
    assert said == tokens
    assert finished.reason is Finish.STOP
    assert finished.usage is not None
    assert finished.usage.completion_tokens == len(tokens)


async def test_the_questions_so_far_choose_the_reply() -> None:
    model = SimulatedModel(SimulatedSettings(replies=("One.", "Two."), **INSTANT))
    said = ["".join((await answer(model, prompt(n)))[0]) for n in (1, 2, 3)]
    assert said == ["One.", "Two.", "One."]


async def test_the_longest_reply_ends_it() -> None:
    model = SimulatedModel(SimulatedSettings(replies=("one two three",), **INSTANT))
    said, finished = await answer(model, prompt(max_output_tokens=2))
    assert said == ["one", " two"]
    assert finished.reason is Finish.LENGTH


async def test_a_device_for_one_reply_writes_the_second_after_the_first() -> None:
    settings = SimulatedSettings(replies=("a b c",), first_token_ms=0, jobs_at_once=1)
    model, order = SimulatedModel(settings), list[str]()

    async def ask(name: str) -> None:
        async for _ in model.generate(prompt()):
            order.append(name)

    await asyncio.gather(ask("first"), ask("second"))
    assert order == ["first"] * 4 + ["second"] * 4


async def test_a_long_prompt_is_read_at_its_pace() -> None:
    settings = SimulatedSettings(
        replies=("a",), first_token_ms=0, prefill_tokens_per_second=1000, jobs_at_once=0
    )
    model, order = SimulatedModel(settings), list[str]()

    async def ask(name: str, questions: int) -> None:
        await answer(model, prompt(questions))
        order.append(name)

    await asyncio.gather(ask("long", 30), ask("short", 1))
    assert order == ["short", "long"]
