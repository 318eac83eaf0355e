"""Whisper's vocabulary: byte-level BPE ranks, then special tokens in a fixed order.

The rank file has one token a line, base64 and rank. Behind the ranks follow, each
with the next id: end of text, start of transcript, the languages, translate,
transcribe, start of LM, start of previous text, no speech, no time stamps, and
1501 stamps of 0.02 s. All ids are counted from the number of ranks, so that any
vocabulary of this form works.
"""

from __future__ import annotations

import base64
import binascii
import codecs
import re
import unicodedata
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path

from voicemesh.errors import SettingsError
from voicemesh_asr.engines.whisper.languages import LANGUAGES

STAMP_S = 0.02
"""Seconds from one time stamp to the next."""
_STAMPS = 1501
_CONTROLS = 8  # end of text, start of transcript, and the six behind the languages

# Letters, numbers, other signs, each with at most one space before it; white space.
_PIECE = re.compile(r" ?L+| ?N+| ?O+|[ W]+(?![^ W])|[ W]+")
_CONTRACTIONS = ("'s", "'t", "'re", "'ve", "'m", "'ll", "'d")

# What is written but never said: brackets, marks of subtitles, notes of songs.
_SIGNS = (
    *'"#()*+/:;<=>@[\\]^_`{|}~「」『』',
    *("<<", ">>", "<<<", ">>>", "--", "---", "-(", "-[", "('", '("', "((", "))"),
    *("(((", ")))", "[[", "]]", "{{", "}}", "♪♪", "♪♪♪"),
)
# Signs of several tokens whose first token already means nothing else.
_NOTES = tuple("♩♪♫♬♭♮♯")


def _kind(character: str) -> str:
    if character == " ":
        return " "
    if character.isspace():
        return "W"
    major = unicodedata.category(character)[0]
    return major if major in "LN" else "O"


def pieces(text: str) -> Iterable[str]:
    """The text in words, numbers and signs, which are never joined to tokens."""
    kinds = "".join(map(_kind, text))
    at = 0
    while at < len(text):
        end = at + next((len(c) for c in _CONTRACTIONS if text.startswith(c, at)), 0)
        if end == at:
            piece = _PIECE.match(kinds, at)
            assert piece is not None, "every kind of character is in the pattern"
            end = piece.end()
        yield text[at:end]
        at = end


class WhisperVocabulary:
    """Tokens and their ids."""

    def __init__(self, tokens: Sequence[bytes], size: int, source: str = "the vocabulary") -> None:
        """``tokens`` by rank; ``size`` is the number of logits of the model.

        SettingsError when the two cannot belong together.
        """
        self._tokens = tuple(tokens)
        self._ranks = {token: rank for rank, token in enumerate(self._tokens)}
        self.size = size
        languages = size - len(tokens) - _CONTROLS - _STAMPS
        if languages not in (len(LANGUAGES) - 1, len(LANGUAGES)):
            raise SettingsError(
                f"{source} has {len(tokens)} ranks, which does not fit a model of {size} tokens; "
                "give the rank file that the model was trained with (multilingual.tiktoken)",
                field="asr.sophon_whisper.vocabulary_file",
            )
        self.languages = LANGUAGES[:languages]
        self.end_of_text = len(tokens)
        self.start_of_transcript = self.end_of_text + 1
        behind = self.start_of_transcript + languages
        self.translate = behind + 1
        self.transcribe = behind + 2
        self.start_of_lm = behind + 3
        self.start_of_previous = behind + 4
        self.no_speech = behind + 5
        self.no_stamps = behind + 6
        self.first_stamp = behind + 7

    @classmethod
    def read(cls, path: Path, size: int) -> WhisperVocabulary:
        """Read a rank file; SettingsError names what is wrong with it."""
        return cls(read_ranks(path), size, str(path))

    def language(self, code: str) -> int:
        """The token of a language's ISO 639 code."""
        return self.start_of_transcript + 1 + self.languages.index(code)

    @property
    def language_tokens(self) -> range:
        """The tokens of all languages."""
        first = self.start_of_transcript + 1
        return range(first, first + len(self.languages))

    def is_stamp(self, token: int) -> bool:
        """Whether the token is a time stamp."""
        return token >= self.first_stamp

    def seconds(self, stamp: int) -> float:
        """The time that a stamp stands for, from the window's begin."""
        return (stamp - self.first_stamp) * STAMP_S

    def decode(self, tokens: Iterable[int]) -> str:
        """The text of the text tokens; an incomplete character at the end is held back."""
        text = b"".join(self._tokens[t] for t in tokens if t < self.end_of_text)
        return codecs.getincrementaldecoder("utf-8")("replace").decode(text)

    def encode(self, text: str) -> list[int]:
        """The tokens of a text, without special tokens."""
        return [token for piece in pieces(text) for token in self._encode_piece(piece)]

    def _encode_piece(self, piece: str) -> tuple[int, ...]:
        parts = [bytes((byte,)) for byte in piece.encode()]
        unknown = len(self._tokens)
        while len(parts) > 1:
            joined = [a + b for a, b in zip(parts, parts[1:], strict=False)]
            at = min(range(len(joined)), key=lambda i: self._ranks.get(joined[i], unknown))
            if joined[at] not in self._ranks:
                break
            parts[at : at + 2] = [joined[at]]
        return tuple(self._ranks[part] for part in parts)

    @cached_property
    def unsaid(self) -> list[int]:
        """Tokens that no transcript needs: signs that are not spoken, and control tokens."""
        tokens = {self.encode(" -")[0], self.encode(" '")[0]}
        for sign in (*_SIGNS, *_NOTES):
            for spelt in (self.encode(sign), self.encode(f" {sign}")):
                if len(spelt) == 1 or sign in _NOTES:
                    tokens.add(spelt[0])
        tokens |= {self.transcribe, self.translate, self.start_of_transcript}
        tokens |= {self.start_of_previous, self.start_of_lm, self.no_speech}
        return sorted(tokens)


def read_ranks(path: Path) -> list[bytes]:
    """The tokens of a rank file, by rank."""
    cure = "it must have one base64 token and its rank a line, as multilingual.tiktoken has"
    where = "asr.sophon_whisper.vocabulary_file"
    ranks: dict[int, bytes] = {}
    try:
        for line in path.read_text(encoding="ascii").splitlines():
            if line:
                token, rank = line.split()
                ranks[int(rank)] = base64.b64decode(token, validate=True)
    except (OSError, ValueError, binascii.Error) as error:
        raise SettingsError(f"{path} cannot be read ({error}); {cure}", field=where) from None
    if sorted(ranks) != list(range(len(ranks))) or len(set(ranks.values())) != len(ranks):
        raise SettingsError(f"{path} is damaged: ranks are missing or double; {cure}", field=where)
    missing = [byte for byte in range(256) if bytes((byte,)) not in set(ranks.values())]
    if missing:
        raise SettingsError(
            f"{path} lacks the token of byte {missing[0]}, so not every text can be spelt; {cure}",
            field=where,
        )
    return [ranks[rank] for rank in range(len(ranks))]
