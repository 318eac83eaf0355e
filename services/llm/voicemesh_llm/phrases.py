"""What users are likely to say to this service: hints for a recogniser nearby.

Announced under the entry-point group ``voicemesh.phrases``, so that the ASR room
finds them without knowing this one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import get_args

from voicemesh.settings import Settings
from voicemesh_llm.engines.scripted.settings import ScriptedSettings
from voicemesh_llm.knowledge import LanguageName, load, sums
from voicemesh_llm.settings import LanguageModelSettings


def expected_phrases(settings: Settings, language: str) -> Iterator[str]:
    """The questions of the knowledge files, sums and reset phrases in a language.

    ``language`` is a primary BCP-47 tag. Any engine is likely to be asked these,
    so they are given whichever engine is chosen.
    """
    if language not in get_args(LanguageName):
        return
    name: LanguageName = "zh" if language == "zh" else "en"
    section = settings.section("llm", LanguageModelSettings)
    scripted = getattr(section, "scripted", ScriptedSettings())
    for entry in load(scripted.knowledge_files, built_in=scripted.built_in_knowledge):
        phrasing = entry.phrasing(name)
        if phrasing is not None:
            yield phrasing.question
    yield from sums(name)
    yield from (phrase for phrase in section.reset_phrases if phrase.isascii() == (name == "en"))
