"""Laughter that a network wrote down: "Ha ha ha.", "Ah, ah, ah.", "Hahaha!", "哈哈哈"."""

from __future__ import annotations

import re

_LAUGHTER = re.compile(r"\W*a*(?:\W*(?:h+[aeo]+h*|a+h+|[哈呵嘿啊])){3,}\W*", re.IGNORECASE)
"""Open syllables behind a breath, and nothing else. Not "uh-uh", which says no, nor "oh"; who says
"ha" or "ah ah" in earnest does not say it three times."""


def is_laughter(text: str) -> bool:
    """Whether a text is nothing but laughter."""
    return _LAUGHTER.fullmatch(text) is not None
