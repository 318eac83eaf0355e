"""Words that are read in a way of their own: foreign ones, and names of places."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from voicemesh.errors import SettingsError
from voicemesh_tts.engines.mandarin.syllables import Syllable, syllable
from voicemesh_tts.text.scripts import script_of

BUILT_IN = Path(__file__).with_name("lexicon.txt")


@dataclass(frozen=True)
class Lexicon:
    """What the lines of one or more files say; later files win.

    A line holds a word and its reading: a Latin word in Han characters
    (``iPhone 爱疯``), or a Chinese word in Pinyin with tone numbers
    (``重庆 chong2 qing4``). ``#`` begins a comment.
    """

    latin: dict[str, str]
    """Latin words as :func:`key` has them, and the characters that are read."""
    readings: dict[str, tuple[Syllable, ...]]
    """Chinese words and their syllables, with the tones as they are spoken."""

    @classmethod
    def load(cls, *files: Path, field: str = "") -> Lexicon:
        """Read files; SettingsError names the file and the line that is wrong, and ``field``."""
        lexicon = cls({}, {})
        for file in files:
            for number, line in _lines(file, field):
                word, _, reading = line.partition(" ")
                if script_of(word[0]) == "latin":
                    lexicon.latin[key(word)] = _characters(
                        reading, f"{file}:{number}: {word}", field
                    )
                    continue
                syllables = tuple(s for p in reading.split() if (s := syllable(p)) is not None)
                if len(syllables) != len(word) or len(reading.split()) != len(word):
                    raise SettingsError(
                        f"{file}:{number}: {word} has {len(word)} characters, but {reading!r} are "
                        "not as many syllables; write one Pinyin syllable with its tone number "
                        "for each, such as 重庆 chong2 qing4",
                        field=field,
                    )
                lexicon.readings[word] = syllables
        return lexicon


def _characters(reading: str, where: str, field: str) -> str:
    """The characters that a Latin word is read by; SettingsError where there are others."""
    characters = reading.replace(" ", "")
    if not characters or any(script_of(c) != "han" for c in characters):
        raise SettingsError(
            f"{where} has no reading in Chinese characters but {reading!r}; write one, such as "
            "iPhone 爱疯",
            field=field,
        )
    return characters


def key(word: str) -> str:
    """How a Latin word is looked up: Wi-Fi is wifi."""
    return "".join(c for c in word.lower() if c.isalpha())


def _lines(file: Path, field: str) -> Iterator[tuple[int, str]]:
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"the dictionary {file} cannot be read ({error}); it must be a UTF-8 text file",
            field=field,
        ) from None
    for number, line in enumerate(text.splitlines(), 1):
        content = " ".join(line.partition("#")[0].split())
        if content:
            yield number, content
