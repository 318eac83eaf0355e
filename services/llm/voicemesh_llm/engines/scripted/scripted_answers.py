"""The scripted answers: calculator, knowledge file, robot's facts, or a plain no."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import datetime

from voicemesh.writing import has_han
from voicemesh_llm import knowledge
from voicemesh_llm.engines.engine import Prompt, Role
from voicemesh_llm.engines.scripted.calculator import calculate
from voicemesh_llm.engines.scripted.clock import clock_slots
from voicemesh_llm.engines.scripted.matching import Matcher
from voicemesh_llm.engines.scripted.robot_facts import (
    fact_that_is_asked_for,
    find_fact,
    report,
    spoken_value,
)
from voicemesh_llm.engines.scripted.settings import ScriptedSettings
from voicemesh_llm.knowledge import Entry, LanguageName, Phrasing
from voicemesh_llm.language import primary_tag

_SLOT = re.compile(r"\{([a-z_]+)(?::([a-z]+))?\}")

_UNKNOWN: dict[LanguageName, str] = {
    "en": "I do not know that. I am not a language model, I only give scripted answers: the time, "
    "arithmetic, the robot's status and a few explanations. To connect a real model, set the "
    "engine to openai in the settings.",
    "zh": "这个我不知道。我不是语言模型，只会按脚本回答：报时间、做算术、说机器人的状态"
    "和讲解一些知识。想接上真正的模型，请在设置里把引擎改为 openai。",
}


class ScriptedAnswers:
    """Answers a prompt with one text. Pure computation; the same prompt gets the same answer."""

    def __init__(self, settings: ScriptedSettings, now: Callable[[], datetime]) -> None:
        """Reads the knowledge files; SettingsError where one is wrong."""
        entries = knowledge.load(settings.knowledge_files, built_in=settings.built_in_knowledge)
        self._matchers: dict[LanguageName, Matcher] = {
            language: Matcher(entries, language) for language in knowledge.LANGUAGES
        }
        self._names: dict[LanguageName, str] = {
            "en": settings.assistant_name_en,
            "zh": settings.assistant_name_zh,
        }
        self._now = now

    def answer(self, prompt: Prompt) -> str:
        """What to say to the last message of ``prompt``."""
        asked = [m.text for m in prompt.messages if m.role is Role.USER]
        text, earlier = asked[-1], asked[:-1]
        language: LanguageName = "zh" if has_han(text) else "en"
        answer_language = _wanted_language(prompt.language_code) or language

        result = calculate(text, language, answer_language, earlier)
        if result is not None:
            return result
        found = self._entry(text)
        if found is not None:
            return self._answer_of(found, answer_language, prompt, earlier)
        fact = fact_that_is_asked_for(prompt.facts, text)
        if fact is not None:
            name, value = fact
            if answer_language == "zh":
                return f"机器人报告的{name}是{value}。"
            return f"The robot reports {name}: {value}."
        return _UNKNOWN[answer_language]

    def _entry(self, text: str) -> Entry | None:
        found = self._matchers["zh" if has_han(text) else "en"].match(text)
        return found.entry if found else None

    def _answer_of(
        self, entry: Entry, language: LanguageName, prompt: Prompt, earlier: Sequence[str]
    ) -> str:
        phrasing = entry.phrasing(language)
        if phrasing is None:
            language = "en" if language == "zh" else "zh"
            phrasing = entry.phrasing(language)
            assert phrasing is not None, "an entry that matched has a language"
        answer = phrasing.answers[0]
        if len(phrasing.answers) > 1:
            times = sum(self._entry(words) == entry for words in earlier)
            answer = phrasing.answers[times % len(phrasing.answers)]
        return self._fill(answer, phrasing, language, prompt, earlier)

    def _fill(
        self,
        answer: str,
        phrasing: Phrasing,
        language: LanguageName,
        prompt: Prompt,
        earlier: Sequence[str],
    ) -> str:
        """``answer`` with its slots filled; ``phrasing.without`` where a value is missing."""
        for slot, form in set(_SLOT.findall(answer)):
            value = self._slot(slot, phrasing, language, prompt, earlier)
            if value is None:
                return phrasing.without or _UNKNOWN[language]
            mark = f"{{{slot}:{form}}}" if form else f"{{{slot}}}"
            answer = answer.replace(mark, spoken_value(value, form, language))
        return answer

    def _slot(
        self,
        slot: str,
        phrasing: Phrasing,
        language: LanguageName,
        prompt: Prompt,
        earlier: Sequence[str],
    ) -> str | None:
        if phrasing.facts and slot == phrasing.facts[0]:
            return find_fact(prompt.facts, phrasing.facts)
        if slot == "name":
            return self._names[language]
        if slot == "report":
            return report(prompt.facts, language)
        if slot == "again":
            return _last_reply(prompt)
        if slot == "more":
            return self._more(language, earlier)
        return clock_slots(self._now(), language).get(slot)

    def _more(self, language: LanguageName, earlier: Sequence[str]) -> str | None:
        """What the entry of the question before has to add."""
        entry = self._entry(earlier[-1]) if earlier else None
        phrasing = entry.phrasing(language) if entry else None
        return (phrasing.more or None) if phrasing else None


def _wanted_language(code: str) -> LanguageName | None:
    """The language asked for, where it is one of ours."""
    primary = primary_tag(code)
    if primary == "zh":
        return "zh"
    return "en" if primary == "en" else None


def _last_reply(prompt: Prompt) -> str | None:
    replies = (m.text.strip() for m in reversed(prompt.messages) if m.role is Role.ASSISTANT)
    return next((reply for reply in replies if reply), None)
