"""A folder of recordings whose words and times are known, as material."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from voicemesh.errors import InvalidArgument
from voicemesh_evaluation.turns.material import Utterance, with_tail
from voicemesh_evaluation.turns.speech import RATE_HERTZ
from voicemesh_robot.files.audio_file import AudioFile

LONGEST_S = 30.0
"""The longest turn: a recogniser cuts it there."""
_FORM = '{"text": "...", "words": [{"word": "...", "begin_s": 0.1, "end_s": 0.4}]}'
# Times are often rounded; a word may seem to end this much after the recording.
_ROUNDING_S = 0.05


class _Word(BaseModel):
    model_config = ConfigDict(strict=True)

    word: str
    begin_s: float = Field(ge=0, allow_inf_nan=False)
    end_s: float = Field(ge=0, allow_inf_nan=False)


class _Transcript(BaseModel):
    model_config = ConfigDict(strict=True)

    text: str
    words: list[_Word] = Field(min_length=1)


def read_folder(folder: Path) -> list[Utterance]:
    """The WAV files of a folder, each with a JSON file of the same name beside it.

    The JSON holds ``{"text": ..., "words": [{"word", "begin_s", "end_s"}, ...]}``, in
    seconds from the recording's start; gaps between words count as pauses. Recordings
    may have any rate and channel count. InvalidArgument names the file, the field and
    the cure.
    """
    if not folder.is_dir():
        raise InvalidArgument(
            f"the folder {folder} does not exist; name one that holds WAV files with a JSON each",
            field="--material",
        )
    recordings = sorted(path for path in folder.iterdir() if path.suffix.lower() == ".wav")
    if not recordings:
        raise InvalidArgument(
            f"the folder {folder} holds no WAV files; put some there, with a JSON each",
            field="--material",
        )
    return [_read(path) for path in recordings]


def _read(path: Path) -> Utterance:
    beside = path.with_suffix(".json")
    transcript = _transcript(beside, path)
    with AudioFile(path) as file:
        seconds = file.seconds
        _check_times(transcript.words, seconds, beside)
        samples = np.concatenate(list(file.blocks(RATE_HERTZ)))
    words = tuple(
        (word.word, round(word.begin_s * RATE_HERTZ), round(word.end_s * RATE_HERTZ))
        for word in transcript.words
    )
    return with_tail(Utterance.of_words(path.stem, transcript.text, words, samples))


def _transcript(beside: Path, recording: Path) -> _Transcript:
    try:
        content: Any = json.loads(beside.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InvalidArgument(
            f"{recording} has no words; write {beside.name} beside it: {_FORM}"
        ) from None
    except (OSError, ValueError) as error:
        raise InvalidArgument(
            f"{beside} is no JSON that can be read ({error}); it holds {_FORM} in UTF-8"
        ) from None
    try:
        transcript = _Transcript.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        field = "".join(f"[{at}]" if isinstance(at, int) else f".{at}" for at in first["loc"])
        raise _wrong(beside, field.lstrip("."), first["msg"].lower()) from None
    _check_text(transcript, beside)
    return transcript


def _check_text(transcript: _Transcript, beside: Path) -> None:
    """Text and words say the same, whatever their case, marks and spaces."""
    words = " ".join(word.word for word in transcript.words)
    if _letters(words) != _letters(transcript.text):
        problem = f"{transcript.text!r} is not what the words say, {words!r}; correct one of them"
        raise _wrong(beside, "text", problem)


def _letters(text: str) -> str:
    return "".join(letter for letter in text.casefold() if letter.isalnum())


def _check_times(words: list[_Word], seconds: float, beside: Path) -> None:
    """Words follow each other within the recording and within the longest turn."""
    earliest = 0.0
    for number, word in enumerate(words):
        if word.begin_s < earliest:
            problem = f"{word.begin_s:g} s is before the end of the word before, {earliest:g} s"
            raise _wrong(beside, f"words[{number}].begin_s", problem)
        if word.end_s <= word.begin_s:
            problem = f"{word.end_s:g} s is not after its begin_s, {word.begin_s:g} s"
            raise _wrong(beside, f"words[{number}].end_s", problem)
        if word.end_s > seconds + _ROUNDING_S:
            problem = f"{word.end_s:g} s is after the end of the recording, {seconds:g} s"
            raise _wrong(beside, f"words[{number}].end_s", problem)
        earliest = word.end_s
    if words[-1].end_s - words[0].begin_s > LONGEST_S:
        raise _wrong(beside, "words", f"they take more than {LONGEST_S:g} s; cut it into turns")


def _wrong(beside: Path, field: str, problem: str) -> InvalidArgument:
    place = f"{field}: " if field else ""
    return InvalidArgument(f"{beside}: {place}{problem}; it holds {_FORM}", field=field)
