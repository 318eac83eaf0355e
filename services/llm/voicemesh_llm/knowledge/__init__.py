"""The knowledge files: questions that people ask and what is answered.

``questions(language)`` and ``sums(language)`` give canonical questions as data, for
example as phrase hints of a speech recogniser. The format is explained in docs/engines.md.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from importlib import resources
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from voicemesh.errors import SettingsError

LanguageName = Literal["en", "zh"]
LANGUAGES: tuple[LanguageName, ...] = ("en", "zh")
BUILT_IN = ("small_talk.toml", "encyclopaedia.toml")
LONGEST_FILE_BYTES = 4_000_000


class Phrasing(BaseModel):
    """An entry in one language."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    question: str = Field(min_length=1, description="the question as a person would say it")
    also: tuple[str, ...] = Field((), description="other ways to ask it")
    topics: tuple[str, ...] = Field((), description="things asked for with the usual openings")
    needs: tuple[str, ...] = Field((), description="one of these words must be in the question")
    answers: tuple[str, ...] = Field(min_length=1, description="used in turn when asked again")
    more: str = Field("", description='what to add to "tell me more"')
    facts: tuple[str, ...] = Field(
        (), description="names of the robot's fact; the first names its {slot}"
    )
    without: str = Field("", description="the answer where a slot has no value")


class Entry(BaseModel):
    """A question and its answer in one or both languages."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(pattern=r"^[a-z0-9_]+$", description="unique; a later file replaces by it")
    action: Literal["answer", "repeat", "more"] = "answer"
    en: Phrasing | None = None
    zh: Phrasing | None = None

    def phrasing(self, language: LanguageName) -> Phrasing | None:
        """The entry in a language, where it has one."""
        return self.en if language == "en" else self.zh


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    entry: list[Entry] = []


def parse(text: str, source: str) -> list[Entry]:
    """The entries of a knowledge file; SettingsError names ``source`` and the mistake."""
    try:
        return _File.model_validate(tomllib.loads(text)).entry
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"knowledge file {source} is no TOML: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise SettingsError(f"knowledge file {source}: {where}: {first['msg']}") from error


def load(files: Iterable[Path] = (), *, built_in: bool = True) -> list[Entry]:
    """All entries in order; an entry of a later file replaces one of the same id."""
    entries: dict[str, Entry] = {}
    if built_in:
        folder = resources.files(__name__)
        for name in BUILT_IN:
            entries |= {e.id: e for e in parse((folder / name).read_text("utf-8"), name)}
    for path in files:
        try:
            if path.stat().st_size > LONGEST_FILE_BYTES:
                raise SettingsError(
                    f"knowledge file {path} is larger than {LONGEST_FILE_BYTES} bytes; split it"
                )
            text = path.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(f"knowledge file {path} cannot be read: {error}") from error
        entries |= {e.id: e for e in parse(text, str(path))}
    return list(entries.values())


def questions(language: LanguageName = "en") -> list[str]:
    """The canonical questions of the built-in files, in their order."""
    phrasings = (entry.phrasing(language) for entry in load())
    return [phrasing.question for phrasing in phrasings if phrasing is not None]


def sums(language: LanguageName = "en") -> list[str]:
    """Sums as people say them, which hold the number words and the operators."""
    text = (resources.files(__name__) / "sums.toml").read_text("utf-8")
    return [str(question) for question in tomllib.loads(text)[language]]
