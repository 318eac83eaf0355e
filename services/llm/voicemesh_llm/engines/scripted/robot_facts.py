"""What the robot reported about itself, made speakable."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from voicemesh.writing import HAN
from voicemesh_llm.engines.scripted.normalisation import tokens
from voicemesh_llm.knowledge import LanguageName

MOST_FACTS_SAID = 8
_NUMBER_WITH_PERCENT = re.compile(r"(\d+(?:\.\d+)?)\s*(?:%|percent)?$", re.IGNORECASE)
_NUMBER_WITH_CELSIUS = re.compile(r"(-?\d+(?:\.\d+)?)\s*(?:°\s*C|C|celsius)?$", re.IGNORECASE)


def find_fact(facts: Mapping[str, str], names: Sequence[str]) -> str | None:
    """The value of the first of ``names`` that the robot reported."""
    reported = {_plain_name(name): value.strip() for name, value in facts.items()}
    return next((reported[name] for name in names if reported.get(name)), None)


def fact_that_is_asked_for(facts: Mapping[str, str], text: str) -> tuple[str, str] | None:
    """A fact all of whose name's words are in the question: name in words, and value."""
    words = set(tokens(text, "en"))
    for name, value in facts.items():
        parts = _plain_name(name).split("_")
        if value.strip() and all(part and part in words for part in parts):
            return " ".join(parts), value.strip()
    return None


def report(facts: Mapping[str, str], language: LanguageName) -> str | None:
    """All facts in one sentence; None where the robot reported nothing."""
    said = [
        f"{_plain_name(name).replace('_', ' ')} {value.strip()}"
        for name, value in facts.items()
        if value.strip()
    ][:MOST_FACTS_SAID]
    if not said:
        return None
    if language == "zh":
        return f"机器人报告：{'，'.join(said)}。"
    return f"The robot reports: {', '.join(said)}."


def spoken_value(value: str, form: str, language: LanguageName) -> str:
    """``value`` with its unit: form "percent", "celsius", or empty for as it is."""
    if form == "percent" and (found := _NUMBER_WITH_PERCENT.match(value)):
        return f"{found[1]} percent" if language == "en" else f"百分之{found[1]}"
    if form == "celsius" and (found := _NUMBER_WITH_CELSIUS.match(value)):
        return f"{found[1]} degrees Celsius" if language == "en" else f"{found[1]}摄氏度"
    return value


def _plain_name(name: str) -> str:
    return re.sub(rf"[^a-z0-9{HAN}]+", "_", name.lower()).strip("_")
