"""All places at the model are taken: a question waits a little, and then is told so."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from voicemesh.errors import Busy
from voicemesh.v1 import common_pb2, llm_pb2
from voicemesh.v1 import dialog_pb2 as pb
from voicemesh_orchestrator.reply.apology import apology

from .network import Context
from .world import LLM, SETTINGS, Circumstances, World, live

ANSWER = "It is sunny."
PATIENCE_S = SETTINGS.deadlines.model_place_s
ON_THE_WAY_S = 0.1
"""Messages both ways are late by 40 ms at the most each."""


def _answers(_: str) -> str:
    return ANSWER


class Crowd:
    """Takes every place at the model for a while from the first question on."""

    def __init__(self, world: World, busy_s: float, late: bool = False) -> None:
        """``late``: it is refused only after the generation has started."""
        self._world = world
        self._busy_s = busy_s
        self._late = late
        self.refused_s: list[float] = []
        world.network.handlers[LLM] = self._generate

    async def _generate(self, requests: AsyncIterator[Any], context: Context) -> None:
        now_s = asyncio.get_running_loop().time()
        if now_s < (self.refused_s or [now_s])[0] + self._busy_s:
            self.refused_s.append(now_s)
            request = await anext(requests)
            if self._late:
                started = llm_pb2.GenerationStarted()
                await context.write(llm_pb2.GenerateResponse(stamp=request.stamp, started=started))
            raise Busy("all places are taken")
        await self._world.model.generate(requests, context)


def _only_end(world: World) -> pb.TurnEnded:
    (ended,) = world.wire.of("turn_ended")
    return ended.turn_ended


def _text(world: World) -> str:
    return "".join(said.reply_text.text for said in world.wire.of("reply_text"))


@pytest.mark.parametrize("late", [False, True])
def test_a_place_that_becomes_free_in_time_is_taken_without_a_word(late: bool) -> None:
    crowds = []

    async def ask(world: World) -> None:
        crowds.append(Crowd(world, busy_s=0.6 * PATIENCE_S, late=late))
        await world.type("what is the weather")

    world = live(Circumstances(), ask, _answers)
    assert _only_end(world).outcome == pb.TURN_OUTCOME_COMPLETED
    assert _text(world) == ANSWER
    assert not world.wire.of("error")
    assert 1 < len(crowds[0].refused_s) < 6


def test_who_finds_no_place_is_told_within_a_second_that_the_robot_is_busy() -> None:
    crowds = []

    async def ask(world: World) -> None:
        crowds.append(Crowd(world, busy_s=100.0))
        await world.type("what is the weather")

    world = live(Circumstances(), ask, _answers)
    ended = _only_end(world)
    assert ended.outcome == pb.TURN_OUTCOME_FAILED
    assert (ended.error.code, ended.error.stage) == (
        common_pb2.ERROR_CODE_BUSY,
        common_pb2.STAGE_LLM,
    )
    assert _text(world) == apology("busy", "en", 16_000).text
    told_s = next(
        s for s, said in world.wire.said_at if said.WhichOneof("converse_response") == "error"
    )
    first_s, last_s = crowds[0].refused_s[0], crowds[0].refused_s[-1]
    assert PATIENCE_S <= told_s - first_s + ON_THE_WAY_S <= PATIENCE_S + 2 * ON_THE_WAY_S
    assert last_s - first_s <= PATIENCE_S + ON_THE_WAY_S
    assert not world.left_over


def test_what_is_begun_early_takes_no_place_from_who_waits_for_one() -> None:
    """It is refused once, and asked again when the turn is over."""
    crowds = []

    async def ask(world: World) -> None:
        crowds.append(Crowd(world, busy_s=0.01))
        await world.say("what is the weather")

    world = live(Circumstances(), ask, _answers)
    assert _only_end(world).outcome == pb.TURN_OUTCOME_COMPLETED
    assert len(crowds[0].refused_s) == 1
    assert [asked.generation.speculative for asked in world.model.asked] == [False]


def test_who_interrupts_the_wait_is_not_apologised_to() -> None:
    async def ask(world: World) -> None:
        Crowd(world, busy_s=0.5 * PATIENCE_S)
        await world.type("what is the weather")
        await asyncio.sleep(0.3 * PATIENCE_S)  # Virtual seconds: the wait has begun.
        await world.type("what time is it")

    world = live(Circumstances(), ask, _answers)
    assert not world.wire.of("error")
    assert [asked.generation.messages[-1].parts[0].text for asked in world.model.asked] != []
    assert world.wire.of("turn_ended")[-1].turn_ended.outcome == pb.TURN_OUTCOME_COMPLETED


@pytest.mark.parametrize("reason", ["failed", "busy"])
@pytest.mark.parametrize(
    ("language", "sorry"), [("en-GB", "Sorry"), ("zh-CN", "抱歉"), ("fi", "Sorry")]
)
def test_each_apology_is_spoken_in_the_language(reason: str, language: str, sorry: str) -> None:
    clip = apology(reason, language, 16_000)
    assert clip.text.startswith(sorry)
    assert 1 < len(clip.audio) / 2 / 16_000 < 7
