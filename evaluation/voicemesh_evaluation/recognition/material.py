"""Recordings of people with what they say, read from a folder.

A folder has one of two forms. Either ``turns.json`` lists turns, each with its FLAC file, group,
language, text and times, and ``barge_in.json`` sounds with their kinds; or WAV and FLAC files
each have a .txt beside them with what is said, or a .json with ``{"text", "group", "language"}``
or, where nobody speaks to the robot, with ``{"kind"}``.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from voicemesh.errors import InvalidArgument
from voicemesh.language_tags import primary_language

TURNS, SOUNDS = "turns.json", "barge_in.json"
_SUFFIXES = (".wav", ".flac")
_FIELD = "--material"
_UNNAMED_GROUP = "recordings"

T = TypeVar("T")


@dataclass(frozen=True)
class Recording:
    """A person's turn, and what was said in it."""

    path: Path
    name: str
    """Within the folder."""
    group: str
    language: str
    """BCP-47."""
    text: str | None
    """None: nobody has written it down."""
    origin: str = ""
    """The file that it was cut from, where that is known."""
    speech_s: tuple[float, float] | None = None
    """Where the speaker begins and ends, in seconds, where that is known."""


@dataclass(frozen=True)
class Sound:
    """Something that is perhaps no turn: laughter, a clatter, a listener's "yeah"."""

    path: Path
    name: str
    kind: str


@dataclass(frozen=True)
class Material:
    """What a folder holds."""

    recordings: Sequence[Recording]
    sounds: Sequence[Sound]


@dataclass(frozen=True)
class Apart:
    """Recordings that are a group of their own."""

    pattern: str
    """A shell pattern for the recording's name, or for the file that it was cut from."""
    group: str

    def fits(self, recording: Recording) -> bool:
        """Whether a recording, by its name, belongs to this group."""
        names = (recording.name, recording.origin)
        return any(fnmatch(name, self.pattern) for name in names)


class _Listed(BaseModel):
    model_config = ConfigDict(strict=True)

    file: str
    path: str = ""


class _Turn(_Listed):
    group: str = _UNNAMED_GROUP
    language: str = "en"
    text: str | None = None
    begin_s: float | None = Field(None, ge=0, allow_inf_nan=False)
    end_s: float | None = Field(None, ge=0, allow_inf_nan=False)

    def recording(self, folder: Path) -> Recording:
        known = self.begin_s is not None and self.end_s is not None and self.begin_s < self.end_s
        return Recording(
            path=folder / self.file,
            name=self.file,
            group=self.group,
            language=self.language,
            text=self.text,
            origin=self.path,
            speech_s=(self.begin_s or 0.0, self.end_s or 0.0) if known else None,
        )


class _Sound(_Listed):
    kind: str


class _Beside(BaseModel):
    """The JSON beside a file; fields that other measurements read are nothing to us."""

    model_config = ConfigDict(strict=True)

    text: str | None = None
    group: str = _UNNAMED_GROUP
    language: str = "en"
    kind: str | None = None


def read_material(folder: Path, apart: Sequence[Apart] = ()) -> Material:
    """What a folder holds, in the order of names; the first of ``apart`` that fits wins.

    InvalidArgument names the file, the field and the cure.
    """
    if not folder.is_dir():
        raise InvalidArgument(
            f"the folder {folder} does not exist; name one that holds {TURNS}, or WAV or FLAC "
            "files with a .txt or .json each",
            field=_FIELD,
        )
    listed = any((folder / name).exists() for name in (TURNS, SOUNDS))
    material = _listed(folder) if listed else _beside(folder)
    for each in apart:
        if not any(each.fits(recording) for recording in material.recordings):
            raise InvalidArgument(
                f"no recording in {folder} is named like {each.pattern!r}; correct the pattern",
                field="--apart",
            )
    recordings = [_grouped(recording, apart) for recording in material.recordings]
    return Material(_by_language(recordings), material.sounds)


def _grouped(recording: Recording, apart: Sequence[Apart]) -> Recording:
    group = next((a.group for a in apart if a.fits(recording)), recording.group)
    return replace(recording, group=group)


def _by_language(recordings: Sequence[Recording]) -> list[Recording]:
    """A group of several languages is one of each: words and characters do not add up."""
    languages: dict[str, set[str]] = {}
    for recording in recordings:
        languages.setdefault(recording.group, set()).add(primary_language(recording.language))
    return [
        replace(recording, group=f"{recording.group}, {primary_language(recording.language)}")
        if len(languages[recording.group]) > 1
        else recording
        for recording in recordings
    ]


def _listed(folder: Path) -> Material:
    turns = _entries(folder / TURNS, TypeAdapter(list[_Turn]))
    sounds = _entries(folder / SOUNDS, TypeAdapter(list[_Sound]))
    for entry in (*turns, *sounds):
        if not (folder / entry.file).is_file():
            raise InvalidArgument(
                f"{folder / entry.file}, which is listed in {folder}, does not exist; put it "
                "there, or take it from the list",
                field=_FIELD,
            )
    return Material(
        [turn.recording(folder) for turn in turns],
        [Sound(folder / sound.file, sound.file, sound.kind) for sound in sounds],
    )


def _entries(path: Path, form: TypeAdapter[list[T]]) -> list[T]:
    return _checked(path, form) if path.exists() else []


def _beside(folder: Path) -> Material:
    paths = sorted(p for p in folder.rglob("*") if p.suffix.lower() in _SUFFIXES)
    if not paths:
        raise InvalidArgument(
            f"the folder {folder} holds neither {TURNS} nor WAV or FLAC files; put recordings "
            "there, with a .txt or .json each",
            field=_FIELD,
        )
    recordings: list[Recording] = []
    sounds: list[Sound] = []
    for path in paths:
        name, told = str(path.relative_to(folder)), _told(path)
        if told.kind is not None:
            sounds.append(Sound(path, name, told.kind))
        else:
            recordings.append(Recording(path, name, told.group, told.language, told.text))
    return Material(recordings, sounds)


def _told(path: Path) -> _Beside:
    """What stands beside a recording; nothing: it has no text."""
    as_json, as_text = path.with_suffix(".json"), path.with_suffix(".txt")
    if as_json.exists():
        return _checked(as_json, TypeAdapter(_Beside))
    if as_text.exists():
        return _Beside(text=_read(as_text).strip())
    return _Beside()


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise InvalidArgument(
            f"{path} cannot be read ({error}); it holds text in UTF-8", field=_FIELD
        ) from None


def _checked(path: Path, form: TypeAdapter[T]) -> T:
    try:
        content: Any = json.loads(_read(path))
    except ValueError as error:
        raise InvalidArgument(f"{path} is no JSON ({error}); correct it", field=_FIELD) from None
    try:
        return form.validate_python(content)
    except ValidationError as error:
        first = error.errors()[0]
        place = "".join(f"[{at}]" if isinstance(at, int) else f".{at}" for at in first["loc"])
        raise InvalidArgument(
            f"{path}: {place.lstrip('.')}: {first['msg'].lower()}; correct it", field=_FIELD
        ) from None
