"""Token identifiers of the prosody network: one for each character."""

from __future__ import annotations

from pathlib import Path

from voicemesh.errors import EngineMissing, SettingsError

_FIELD = "tts.sophon_vits.vocabulary_file"


class BertVocabulary:
    """A BERT vocabulary file: a token a line, its identifier the line's number from 0."""

    def __init__(self, file: Path) -> None:
        """EngineMissing when there is no such file, SettingsError when it is none."""
        try:
            tokens = file.read_text(encoding="utf-8").splitlines()
        except OSError as error:
            raise EngineMissing(
                f"the vocabulary {file} cannot be read ({error.strerror}); set {_FIELD} to the "
                "vocab.txt that belongs to the BERT bmodel",
                field=_FIELD,
            ) from None
        except UnicodeDecodeError:
            raise SettingsError(
                f"{file} is no text file; set {_FIELD} to the vocab.txt of the BERT bmodel",
                field=_FIELD,
            ) from None
        self._ids = {token.strip(): index for index, token in enumerate(tokens)}
        missing = [token for token in ("[PAD]", "[UNK]", ",") if token not in self._ids]
        if missing:
            raise SettingsError(
                f"{file} has no line {' and no line '.join(missing)}; set {_FIELD} to the "
                "vocab.txt of the BERT bmodel",
                field=_FIELD,
            )
        self.padding = self._ids["[PAD]"]
        self.comma = self._ids[","]
        self.size = len(tokens)
        self._unknown = self._ids["[UNK]"]

    def token(self, character: str) -> int:
        """The identifier of a character, that of [UNK] where the file does not have it."""
        return self._ids.get(character, self._unknown)
