"""The words that English numbers are made of."""

from __future__ import annotations

UNDER_TWENTY = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"),
    *("eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen"),
    "nineteen",
)
TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")

_ORDINALS = {
    "one": "first",
    "two": "second",
    "three": "third",
    "five": "fifth",
    "eight": "eighth",
    "nine": "ninth",
    "twelve": "twelfth",
}


def ordinal_word(word: str) -> str:
    """The ordinal of a number's last word: "two" is "second", "twenty" is "twentieth"."""
    if word in _ORDINALS:
        return _ORDINALS[word]
    return f"{word[:-1]}ieth" if word.endswith("y") else f"{word}th"


def plural_word(word: str) -> str:
    """The plural of a number's last word: twenty is twenties, eight is eights."""
    return f"{word[:-1]}ies" if word.endswith("y") else f"{word}s"
