"""Phrases with which a person starts the conversation over."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from voicemesh_llm.language import speaks_chinese

_POLITE_ENGLISH = re.compile(
    r"^(?:(?:please|okay|ok|let's|lets|let us|can we|could you|can you|hey) )+"
    r"|(?: (?:please|now|again))+$"
)
_POLITE_CHINESE = re.compile("^(?:请|我们|咱们|好|那)+|[吧了啊呀吗]+$")


class ResetPhrases:
    """Recognises them as whole utterances, whatever their marks, case and courtesies."""

    def __init__(self, phrases: Iterable[str]) -> None:
        """``phrases`` as a person would say them."""
        self._phrases = {_plain(phrase) for phrase in phrases}

    def match(self, text: str) -> bool:
        """Whether ``text`` is a reset phrase and nothing else."""
        plain = _plain(text)
        return bool(plain) and (
            plain in self._phrases
            or _POLITE_ENGLISH.sub("", plain) in self._phrases
            or _POLITE_CHINESE.sub("", plain) in self._phrases
        )


def confirmation(text: str, language_code: str) -> str:
    """What is said when the history has been forgotten."""
    if speaks_chinese(text, language_code):
        return "好的，我们重新开始。"
    return "All right, let us start over."


def _plain(text: str) -> str:
    lowered = unicodedata.normalize("NFKC", text).lower().replace("’", "'")
    return " ".join(re.findall(r"[\w']+", lowered))
