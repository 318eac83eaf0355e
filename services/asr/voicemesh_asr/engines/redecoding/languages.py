"""What a language's tag says of how its text is compared."""

from __future__ import annotations

UNSPACED = frozenset({"zh", "ja", "th", "yue", "lo", "my", "km", "bo"})
"""Languages that are written without spaces between words."""


def language_of(tag: str) -> str:
    """The code of a BCP-47 tag: ``zh-CN`` is ``zh``."""
    return tag.partition("-")[0].lower()
