"""Plans of conversations: what the user does and what goes wrong, as values that can be kept."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Literal

from hypothesis import strategies as st

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


def _acts() -> st.SearchStrategy[Act]:
    return st.builds(
        Act,
        deed=st.sampled_from(
            ("ask", "ask", "hesitate", "nod", "nod", "cough", "stop", "button", "type", "wait")
        ),
        after_ms=st.integers(0, 2500),
        into_reply=st.booleans(),
        number=st.integers(0, 7),
    )


def plans() -> st.SearchStrategy[Plan]:
    """All of them."""
    deaths = st.builds(
        Death,
        service=st.sampled_from(("asr", "llm", "tts")),
        at_ms=st.integers(0, 6000),
        outage_ms=st.integers(0, 3000),
    )
    return st.builds(
        Plan,
        acts=st.lists(_acts(), min_size=1, max_size=3).map(lambda more: (Act("ask", 100), *more)),
        seed=st.integers(0, 2**16),
        language=st.sampled_from(("en", "zh")),
        policy=st.sampled_from(
            ("PAUSE_THEN_DECIDE", "PAUSE_THEN_DECIDE", "STOP", "DUCK", "IGNORE")
        ),
        longest_delay_ms=st.integers(0, 120),
        reports=st.booleans(),
        pauses=st.booleans(),
        deaths=st.lists(deaths, max_size=1).map(tuple),
        # Some leave in the middle, without a word.
        leaving=st.sampled_from(("at rest", "at rest", "at rest", "early", "gone")),
    )
