"""A language model on the simulated chip, and what it is expected to say."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy.typing as npt

from voicemesh_llm.engines.engine import (
    Event,
    Finish,
    Finished,
    Message,
    Prompt,
    Role,
    TextDelta,
    Usage,
)
from voicemesh_llm.engines.sophon_llm.decoding_loop import DecodingLoop, Equipment
from voicemesh_llm.engines.sophon_llm.equipment import equip
from voicemesh_llm.engines.sophon_llm.settings import SophonLLMSettings
from voicemesh_sophon.client import Chip, Launch, Start, Step
from voicemesh_sophon.owner_process import OwnerProcess

ASSETS = Path(__file__).parents[1] / "sophon/assets/llm"
EXPECTED = json.loads((ASSETS / "expected.json").read_text())
SYSTEM = EXPECTED["system"]
TALKS: dict[str, list[list[str]]] = {t["name"]: t["turns"] for t in EXPECTED["conversations"]}


def settings(name: str, **fields: Any) -> SophonLLMSettings:
    model = ASSETS / f"{name}.bmodel"
    return SophonLLMSettings.model_validate(
        {"model": model, "tokenizer": str(ASSETS / "config"), "self_test": False} | fields
    )


def prompt(*turns: str, **fields: Any) -> Prompt:
    """A system prompt and ``turns``, which begin with the person."""
    sides = (Role.USER, Role.ASSISTANT)
    told = [Message(sides[i % 2], (text,)) for i, text in enumerate(turns)]
    messages = (Message(Role.SYSTEM, (SYSTEM,)), *told)
    return Prompt(messages=messages, **({"conversation_id": "talk"} | fields))


def spoken(events: Sequence[Event]) -> str:
    return "".join(event.text for event in events if isinstance(event, TextDelta))


class CountingChip(Chip):
    """Counts the launches that it is asked for."""

    launches = 0

    def run(self, steps: Sequence[Step | Start]) -> list[npt.NDArray[Any]]:
        for step in steps:
            self.launches += len(step.program.launches) if isinstance(step, Start) else 0
            self.launches += isinstance(step, Launch)
        return super().run(steps)


class Talker:
    """A model that answers; its chip counts the launches."""

    def __init__(self, chip: CountingChip, chosen: SophonLLMSettings, equipment: Equipment) -> None:
        self.chip = chip
        self.equipment = equipment
        self._settings = chosen
        self.forget()

    def forget(self) -> None:
        """Empty slots and no pace measured."""
        self.writer = DecodingLoop(self._settings, self.equipment)

    def ask(self, *turns: str, **fields: Any) -> tuple[str, Finished, Usage]:
        """The reply to the last of ``turns``."""
        *told, finished = self.writer.generate(prompt(*turns, **fields), lambda: False)
        assert isinstance(finished, Finished)
        assert finished.usage is not None
        return spoken(told), finished, finished.usage

    def hold(self, name: str) -> list[Usage]:
        """Hold a whole conversation of the assets; each reply must be the expected one."""
        turns: list[str] = []
        spent = []
        for question, answer in TALKS[name]:
            turns.append(question)
            text, finished, usage = self.ask(*turns, conversation_id=name)
            assert text == answer
            assert finished.reason is Finish.STOP
            spent.append(usage)
            turns.append(answer)
        return spent


@contextmanager
def talking(
    owner: OwnerProcess, name: str, old_sail: bool = False, **fields: Any
) -> Iterator[Talker]:
    """``old_sail``: as if its version had neither views nor EngineLLM."""
    placement = owner.placement("llm")
    chip = CountingChip.open(placement)
    try:
        if old_sail:
            chip.abilities = frozenset()
        chosen = settings(name, **fields)
        yield Talker(chip, chosen, equip(chip, chosen, placement))
    finally:
        chip.close()
