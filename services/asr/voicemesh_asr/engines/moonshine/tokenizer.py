"""Moonshine's tokens: pieces of text by byte pair encoding, single bytes for all else.

The pieces are those of Llama 2 and stand in the file in the order of their merges, each
with its length before it: one byte below 128, or two, of which the first holds the rest
above 128 and the second the multiples of 128.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from voicemesh.errors import EngineError

START, END = 1, 2
"""The tokens before and behind a text."""
_FIRST_BYTE, _BYTES = 3, 256
_SPACE = "\u2581"
_MARKERS = b"<<ST_"
"""How the names of control tokens begin, which are no text."""


class Tokenizer:
    """Texts to tokens and back."""

    def __init__(self, pieces: Sequence[bytes]) -> None:
        """``pieces``: the text of each token."""
        self._pieces = tuple(pieces)
        self._ids: dict[str, int] = {}
        for token, piece in enumerate(self._pieces):
            if token >= _FIRST_BYTE + _BYTES and not piece.startswith(_MARKERS):
                self._ids.setdefault(piece.decode("utf-8", "replace"), token)

    @classmethod
    def read(cls, path: Path) -> Tokenizer:
        """From a ``tokenizer.bin``; EngineError where it ends within a piece."""
        data = path.read_bytes()
        pieces: list[bytes] = []
        at = 0
        while at < len(data):
            size, at = data[at], at + 1
            if size >= 128 and at < len(data):
                size, at = data[at] * 128 + size - 128, at + 1
            pieces.append(data[at : at + size])
            at += size
        if at != len(data) or len(pieces) <= _FIRST_BYTE + _BYTES:
            raise EngineError(
                f"asr: {path} is no tokenizer of Moonshine, or cut off; pull it again"
            )
        return cls(pieces)

    def __len__(self) -> int:
        """The number of tokens."""
        return len(self._pieces)

    def decode(self, tokens: Sequence[int]) -> str:
        """The text, with a space before its first word as anywhere else."""
        data = b"".join(
            self._pieces[token] for token in tokens if token > END and not self._is_marker(token)
        )
        return data.decode("utf-8", "replace").replace(_SPACE, " ")

    def _is_marker(self, token: int) -> bool:
        return self._pieces[token].startswith(_MARKERS)

    def encode(self, text: str) -> tuple[int, ...]:
        """The tokens of a text that begins a transcript or follows a space.

        The neighbours whose merge was learnt first are joined until none can be.
        """
        pieces = list(f" {text.strip()}".replace(" ", _SPACE))
        while True:
            merges = [
                (token, place)
                for place, (left, right) in enumerate(pairwise(pieces))
                if (token := self._ids.get(left + right)) is not None
            ]
            if not merges:
                break
            _, place = min(merges)
            pieces[place : place + 2] = [pieces[place] + pieces[place + 1]]
        tokens: list[int] = []
        for piece in pieces:
            token = self._ids.get(piece)
            tokens += [_FIRST_BYTE + b for b in piece.encode()] if token is None else [token]
        return tuple(tokens)
