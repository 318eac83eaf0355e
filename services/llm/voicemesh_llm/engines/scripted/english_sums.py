"""Reads arithmetic out of English speech: "what is twelve plus seven"."""

from __future__ import annotations

import re
from fractions import Fraction

from voicemesh_llm.engines.scripted.arithmetic import Token
from voicemesh_llm.engines.scripted.english_numbers import is_number_word, read_number

_WORD = re.compile(r"\d[\d,]*(?:\.\d+)?|\.\d+|[a-z]+(?:'[a-z]+)?|[-+*/^()%=×÷−]")
_FRAME_WORDS = (
    "what what's whats is are how much many calculate compute tell me the result of answer to can "
    "could would you please does do make makes give gives get equals equal = solve work out so "
    "then now and okay ok um uh er hey robot i want know it that be will if"
)
_FRAME = frozenset(_FRAME_WORDS.split())
_OPERATORS: tuple[tuple[tuple[str, ...], tuple[Token, ...]], ...] = tuple(
    (tuple(phrase.split()), tokens)
    for phrase, tokens in (
        ("raised to the power of", ("^",)),
        ("to the power of", ("^",)),
        ("the square root of", ("sqrt",)),
        ("square root of", ("sqrt",)),
        ("root of", ("sqrt",)),
        ("multiplied by", ("*",)),
        ("multiplied with", ("*",)),
        ("divided by", ("/",)),
        ("divided buy", ("/",)),
        ("take away", ("-",)),
        ("per cent of", ("%", "*")),
        ("percent of", ("%", "*")),
        ("% of", ("%", "*")),
        ("per cent", ("%",)),
        ("percent", ("%",)),
        ("half of", (Fraction(1, 2), "*")),
        ("a half of", (Fraction(1, 2), "*")),
        ("a third of", (Fraction(1, 3), "*")),
        ("a quarter of", (Fraction(1, 4), "*")),
        ("twice", (Fraction(2), "*")),
        ("squared", ("^", Fraction(2))),
        ("cubed", ("^", Fraction(3))),
        ("plus", ("+",)),
        ("minus", ("-",)),
        ("negative", ("-",)),
        ("times", ("*",)),
        ("time", ("*",)),
        ("over", ("/",)),
        ("x", ("*",)),
        ("×", ("*",)),
        ("÷", ("/",)),
        ("−", ("-",)),
        ("and", ("+",)),
    )
)
_COMMANDS: dict[str, tuple[str, tuple[str, ...]]] = {
    "add": ("+", ("and", "to", "with", "plus")),
    "sum": ("+", ("and", "plus")),
    "subtract": ("-", ("from",)),
    "multiply": ("*", ("by", "with", "and", "times")),
    "product": ("*", ("and",)),
    "divide": ("/", ("by",)),
    "difference": ("-", ("and",)),
}
# What recognisers write where a number was said.
_HOMOPHONES = {
    "to": "two",
    "too": "two",
    "for": "four",
    "won": "one",
    "ate": "eight",
    "tree": "three",
}


def read_expressions(text: str) -> list[list[Token]]:
    """Ways to read ``text`` as arithmetic, the likeliest first; empty where it is none.

    A list that begins with an operator continues the previous result.
    """
    words = _WORD.findall(re.sub(r"(?<=[a-z])-(?=[a-z])", " ", text))
    if not any(is_number_word(word) or word in _HOMOPHONES for word in words):
        return []
    first, last = 0, len(words)
    while first < last and words[first] in _FRAME:
        first += 1
    while last > first and words[last - 1] in _FRAME:
        last -= 1
    core = words[first:last]
    homophones = [_HOMOPHONES.get(word, word) for word in words[first:]]
    readings = (_read(core), _read(homophones), _read(_trim_end(homophones)))
    return [tokens for tokens in readings if tokens]


def _trim_end(words: list[str]) -> list[str]:
    last = len(words)
    while last and words[last - 1] in _FRAME:
        last -= 1
    return words[:last]


def _read(words: list[str]) -> list[Token]:
    if not words:
        return []
    if words[0] in _COMMANDS:
        return _command(words)
    tokens: list[Token] = []
    index = 0
    while index < len(words):
        if words[index] in "+-*/^()%":
            tokens.append(words[index])
            index += 1
            continue
        if number := read_number(words, index):
            value, index = number
            tokens.append(value)
            continue
        for phrase, meaning in _OPERATORS:
            if tuple(words[index : index + len(phrase)]) == phrase:
                tokens.extend(meaning)
                index += len(phrase)
                break
        else:
            return []
    return tokens


def _command(words: list[str]) -> list[Token]:
    """As in "add three and five", "subtract two from ten", "the sum of two and two"."""
    operator, separators = _COMMANDS[words[0]]
    rest = [w for w in words[1:] if w not in ("of", "between", "the", "up")]
    for index, word in enumerate(rest):
        if word not in separators or index == 0:
            continue
        left, right = _read(rest[:index]), _read(rest[index + 1 :])
        if left and right:
            pair = (right, left) if word == "from" else (left, right)
            return ["(", *pair[0], ")", operator, "(", *pair[1], ")"]
    return []
