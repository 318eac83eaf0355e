"""What is likely to be said to this robot, whoever speaks: phrase hints of every stream."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from voicemesh.errors import SettingsError
from voicemesh.registry import installed
from voicemesh.settings import Settings
from voicemesh_asr.engines.engine import Phrase
from voicemesh_asr.entry_point_groups import PHRASES
from voicemesh_asr.settings import MAX_PHRASES, AsrSettings


def phrases_of(
    settings: AsrSettings, mesh: Settings, languages: Sequence[str]
) -> tuple[Phrase, ...]:
    """What is likely to be said in ``languages``; SettingsError if a file is unreadable.

    From the settings, their file, and the rooms installed here, which announce
    phrases under the entry-point group ``voicemesh.phrases``.
    """
    lines = [*settings.phrases, *_lines_of(settings.phrase_file)]
    if settings.expect_installed_phrases:
        for expected in installed(PHRASES).values():
            for language in languages:
                lines += expected(mesh, language)
    phrases = tuple(Phrase(line) for line in dict.fromkeys(lines) if line)
    if len(phrases) > MAX_PHRASES:
        raise SettingsError(
            f"{len(phrases)} phrases are more than {MAX_PHRASES}; keep the likeliest",
            field="asr.phrases",
        )
    return phrases


def _lines_of(file: Path | None) -> list[str]:
    if file is None:
        return []
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"the phrase file cannot be read: {error}; one phrase a line in UTF-8",
            field="asr.phrase_file",
        ) from None
    return [line.partition("#")[0].strip() for line in text.splitlines()]
