"""Plans of conversations: what the user does and what goes wrong, as values that can be kept."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal

from .robot import Manner
from .world import ASR, LLM, TTS, Circumstances, Leaving, World, live

Deed = Literal["ask", "hesitate", "nod", "cough", "stop", "button", "type", "wait"]
Language = Literal["en", "zh"]

QUESTIONS = {
    "en": ("what is the weather", "who are you", "where is the red ball", "no i mean tomorrow"),
    "zh": ("明天天气怎么样", "你是谁", "红色的球在哪里", "不是我说后天"),
}
NODS = {"en": "uh huh", "zh": "嗯"}
STOPS = {"en": "stop", "zh": "别说了"}
_ANSWERS = {
    "en": "Well, the answer is easy. It is as you said, and nothing has changed since.",
    "zh": "好的，这个问题很简单。就像你说的那样，后来没有变。",
}
_SERVICES = {"asr": ASR, "llm": LLM, "tts": TTS}

_LEAST_OF_A_PLAN: dict[str, Any] = {
    "leaving": "at rest",
    "deaths": (),
    "longest_delay_ms": 0,
    "seed": 0,
    "language": "en",
}
_LEAST_OF_AN_ACT: dict[str, Any] = {"after_ms": 0, "into_reply": False, "number": 0}


@dataclass(frozen=True)
class Act:
    """Something that the user does after a while."""

    deed: Deed
    after_ms: int = 0
    into_reply: bool = False
    """Whether the while begins when a reply is heard; else with the end of the act before."""
    number: int = 0
    """Which of the questions, and so on."""


@dataclass(frozen=True)
class Death:
    """A service loses its replica, and comes back."""

    service: Literal["asr", "llm", "tts"]
    at_ms: int
    outage_ms: int


@dataclass(frozen=True)
class Plan:
    """A conversation. The same plan is the same conversation, to the last message."""

    acts: tuple[Act, ...]
    seed: int = 0
    language: Language = "en"
    policy: Literal["STOP", "PAUSE_THEN_DECIDE", "DUCK", "IGNORE"] = "PAUSE_THEN_DECIDE"
    longest_delay_ms: int = 0
    reports: bool = True
    pauses: bool = True
    deaths: tuple[Death, ...] = ()
    leaving: Leaving = "at rest"

    def run(self) -> World:
        """The conversation."""
        circumstances = Circumstances(
            seed=self.seed,
            longest_delay_ms=self.longest_delay_ms,
            policy=f"INTERRUPTION_POLICY_{self.policy}",
            # Who does not report playback must do as the orchestrator assumes.
            manner=Manner(self.reports, self.pauses and self.reports),
        )
        return live(circumstances, self._script, lambda _: _ANSWERS[self.language], self.leaving)

    async def _script(self, world: World) -> None:
        for death in self.deaths:
            world.kill(_SERVICES[death.service], death.at_ms / 1000, death.outage_ms / 1000)
        for act in self.acts:
            if act.into_reply:
                await world.heard_of_reply(act.after_ms / 1000)
            else:
                await asyncio.sleep(act.after_ms / 1000)
            await self._do(world, act)

    async def _do(self, world: World, act: Act) -> None:
        questions = QUESTIONS[self.language]
        question = questions[act.number % len(questions)]
        match act.deed:
            case "ask":
                await world.say(question, late=act.number % 2 == 1)
            case "hesitate":
                await world.say(question, pause_s=0.2 + 0.1 * act.number)
            case "nod":
                await world.say(NODS[self.language])
            case "stop":
                await world.say(STOPS[self.language])
            case "cough":
                await world.make_noise(0.03 * (1 + act.number))
            case "button":
                await world.press_button()
            case "type":
                await world.type(question)
            case "wait":
                return


def plan_of(number: int) -> Plan:
    """The plan with that number; all of them are equally likely, and each by itself."""
    chance = random.Random(number)
    reports = _often(chance, 0.6)
    acts = [_act(chance) for _ in range(chance.randint(1, 4))]
    return Plan(
        acts=(Act("ask", 100), *acts),
        seed=chance.randrange(2**16),
        language=chance.choice(("en", "zh")),
        policy=chance.choice(("PAUSE_THEN_DECIDE", "PAUSE_THEN_DECIDE", "STOP", "DUCK", "IGNORE")),
        longest_delay_ms=chance.randint(0, 120),
        reports=reports,
        pauses=reports and _often(chance, 0.6),
        deaths=(_death(chance),) if _often(chance, 0.3) else (),
        # Some leave in the middle, without a word.
        leaving=chance.choice(("at rest", "at rest", "at rest", "at rest", "early", "gone")),
    )


def _often(chance: random.Random, share: float) -> bool:
    return chance.random() < share


def _act(chance: random.Random) -> Act:
    return Act(
        deed=chance.choice(
            ("ask", "ask", "ask", "hesitate", "nod", "nod", "cough", "stop", "button", "type")
        ),
        # What follows soon meets what is under way; what follows late, what comes of it.
        after_ms=chance.choice((0, chance.randint(0, 400), chance.randint(0, 2500))),
        into_reply=_often(chance, 0.6),
        number=chance.randrange(8),
    )


def _death(chance: random.Random) -> Death:
    return Death(
        service=chance.choice(("asr", "llm", "tts")),
        at_ms=chance.randint(0, 8000),
        outage_ms=chance.randint(0, 3000),
    )


def smallest(plan: Plan, fails: Callable[[Plan], bool]) -> Plan:
    """The plan that is left of one that fails when all has gone that it fails without."""
    while simpler := next(filter(fails, _simpler(plan)), None):
        plan = simpler
    return plan


def _simpler(plan: Plan) -> Iterator[Plan]:
    """Plans with one thing less."""
    for name, least in _LEAST_OF_A_PLAN.items():
        if getattr(plan, name) != least:
            yield replace(plan, **{name: least})
    for place, act in enumerate(plan.acts):
        before, after = plan.acts[:place], plan.acts[place + 1 :]
        if before or after:
            yield replace(plan, acts=(*before, *after))
        for part, least in _LEAST_OF_AN_ACT.items():
            if getattr(act, part) != least:
                yield replace(plan, acts=(*before, replace(act, **{part: least}), *after))
