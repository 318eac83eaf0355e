"""Settings of the scripted engine."""

from pathlib import Path

from pydantic import Field

from voicemesh.settings import Section


class ScriptedSettings(Section):
    """``[llm.scripted]``: answers from a knowledge file."""

    knowledge_files: tuple[Path, ...] = Field(
        (),
        description="Knowledge files of your own. Read after the built-in ones; an entry replaces "
        "an earlier one of the same id.",
    )
    built_in_knowledge: bool = Field(
        True, description="Whether the built-in entries are used too. Off: only your own files."
    )
    assistant_name_en: str = Field(
        "Mesh", description="What the assistant calls itself in English. Short and easy to say."
    )
    assistant_name_zh: str = Field(
        "小美", description="What the assistant calls itself in Chinese. Sounds like the English."
    )
