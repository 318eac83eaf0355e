"""``[tts.auto]``: the settings of the engine."""

from __future__ import annotations

from pydantic import Field

from voicemesh.settings import Section


class AutoSettings(Section):
    """``[tts.auto]``: which engines speak which languages, where they are here."""

    preferred: dict[str, str] = Field(
        {"en": "hibari", "zh": "kokoro"},
        description="The engine by primary language; each is set in its own section. Languages "
        "that are not named, and those whose engine is not here, are spoken by the embedded "
        "engine. Mandarin's is only loaded where mesh.languages or tts.language has it.",
    )
