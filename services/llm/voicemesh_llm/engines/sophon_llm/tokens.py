"""Text to token ids and back, by the model's own tokenizer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from voicemesh.errors import EngineMissing, SettingsError

EXTRA = "voicemesh-llm[sophon]"
END_MARKS = (
    "<|im_end|>",
    "<|endoftext|>",
    "<|eot_id|>",
    "<|eom_id|>",
    "<|end_of_text|>",
    "<|end|>",
    "<end_of_turn>",
    "</s>",
)
"""Special tokens that end a turn in the templates of today's models. Publishers
forget one or the other in their configuration (Llama 3's <|eot_id|>)."""
_SPOKEN_MARKS = frozenset({"<think>", "</think>", "<thinking>", "</thinking>"})
"""Special tokens that stay in the text: without them thoughts would be spoken."""


class Tokens(Protocol):
    """A tokenizer."""

    @property
    def size(self) -> int:
        """Ids run from 0 to size - 1; a net's vocabulary may be padded beyond."""

    @property
    def special(self) -> frozenset[str]:
        """Texts that are always a token of their own."""

    def encode(self, text: str) -> list[int]:
        """The ids of ``text``, in which special tokens stand as text; none is added."""

    def decode(self, ids: Sequence[int]) -> str:
        """The text of ``ids`` without special tokens; half characters become U+FFFD."""

    def id_of(self, text: str) -> int | None:
        """The id of one token; None where there is no such token."""


def read_tokens(path: Path) -> Tokens:
    """The tokenizer in ``tokenizer.json`` or ``tokenizer.model``."""
    try:
        return PieceTokens(path) if path.suffix == ".model" else JsonTokens(path)
    except ImportError as error:
        raise EngineMissing(
            f"{error.name} is not installed, which {path.name} needs; pip install '{EXTRA}'"
        ) from error
    except Exception as error:  # Both libraries raise plain Exception or OSError, RuntimeError.
        raise SettingsError(
            f"{path} is no tokenizer ({error}); copy it again from the model's publisher",
            field="llm.sophon_llm.tokenizer",
        ) from error


class JsonTokens:
    """``tokenizer.json``, read by the tokenizers library."""

    def __init__(self, path: Path) -> None:
        """ImportError where the library is missing."""
        from tokenizers import Tokenizer

        self._tokenizer = Tokenizer.from_file(str(path))
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        added = self._tokenizer.get_added_tokens_decoder()
        self.size = int(self._tokenizer.get_vocab_size(with_added_tokens=True))
        self.size = max(self.size, 1 + max(added, default=0))
        self.special = frozenset(token.content for token in added.values())
        self._silent = frozenset(
            id
            for id, token in added.items()
            if token.special and token.content not in _SPOKEN_MARKS
        )

    def encode(self, text: str) -> list[int]:
        """See Tokens."""
        return list(self._tokenizer.encode(text, add_special_tokens=False).ids)

    def decode(self, ids: Sequence[int]) -> str:
        """See Tokens."""
        heard = [id for id in ids if id not in self._silent]
        return str(self._tokenizer.decode(heard, skip_special_tokens=False))

    def id_of(self, text: str) -> int | None:
        """See Tokens."""
        found = self._tokenizer.token_to_id(text)
        return None if found is None else int(found)


class PieceTokens:
    """``tokenizer.model``, read by SentencePiece."""

    def __init__(self, path: Path) -> None:
        """ImportError where the library is missing."""
        from sentencepiece import SentencePieceProcessor

        self._pieces = SentencePieceProcessor(model_file=str(path))
        self.size = int(self._pieces.get_piece_size())
        self._controls = {
            self._pieces.id_to_piece(id): id
            for id in range(self.size)
            if self._pieces.is_control(id)
        }
        self.special = frozenset(self._controls)
        self._silent = frozenset(self._controls.values())

    def encode(self, text: str) -> list[int]:
        """See Tokens. SentencePiece itself never reads a control token from text."""
        ids: list[int] = []
        for part in _split(text, self.special):
            control = self._controls.get(part)
            ids.extend([control] if control is not None else self._pieces.encode(part))
        return ids

    def decode(self, ids: Sequence[int]) -> str:
        """See Tokens."""
        return str(self._pieces.decode([id for id in ids if id not in self._silent]))

    def id_of(self, text: str) -> int | None:
        """See Tokens."""
        found = int(self._pieces.piece_to_id(text))
        return None if self._pieces.is_unknown(found) else found


def _split(text: str, marks: frozenset[str]) -> list[str]:
    """``text`` cut around each mark; the marks are parts of their own."""
    parts = [text]
    for mark in sorted(marks, key=len, reverse=True):
        cut: list[str] = []
        for part in parts:
            if part in marks:
                cut.append(part)
                continue
            pieces = part.split(mark)
            cut.extend(x for piece in pieces[:-1] for x in (piece, mark))
            cut.append(pieces[-1])
        parts = cut
    return [part for part in parts if part]


def end_ids(tokens: Tokens, configured: frozenset[int], eos_token: str | None) -> frozenset[int]:
    """Every id that ends a reply: configured ones, the end of text, known end marks."""
    marks = [mark for mark in END_MARKS if mark in tokens.special]
    texts = [*marks, *([eos_token] if eos_token else [])]
    named = (tokens.id_of(text) for text in texts)
    return configured | {id for id in named if id is not None}
