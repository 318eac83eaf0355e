"""Reads arithmetic out of Chinese speech: 三加五等于几, 百分之十."""

from __future__ import annotations

import re
from fractions import Fraction

from voicemesh_llm.engines.scripted.arithmetic import Token
from voicemesh_llm.engines.scripted.chinese_numbers import NUMBER, parse_number

_OPENING = re.compile(
    r"^(?:请问|请|麻烦|帮我|给我|算一下|算一算|算算|计算一下|计算|你知道|告诉我|那么|那|然后|再|一下"
    r"|我想知道|求|嗯|呃)+"
)
_CLOSING = re.compile(r"(?:等于|得|是|=|为)?(?:几|多少|什么)?(?:呢|啊|呀|吗|吧|来着)?$")
_OPERATORS: tuple[tuple[str, tuple[Token, ...]], ...] = (
    ("加上", ("+",)),
    ("加", ("+",)),
    ("减去", ("-",)),
    ("减", ("-",)),
    ("乘以", ("*",)),
    ("乘上", ("*",)),
    ("乘", ("*",)),
    ("除以", ("/",)),
    ("除", ("/",)),
    ("的平方根", ("root",)),
    ("的平方", ("^", Fraction(2))),
    ("的立方", ("^", Fraction(3))),
    ("平方根", ("sqrt",)),
    ("根号", ("sqrt",)),
    ("次方", ("power",)),
    ("的一半", ("*", Fraction(1, 2))),
    ("分之", ("share",)),
    ("负", ("-",)),
    ("的", ("*",)),
    ("×", ("*",)),
    ("x", ("*",)),
    ("÷", ("/",)),
    ("−", ("-",)),
    *((symbol, (symbol,)) for symbol in "+-*/^()%"),
)


def read_expressions(text: str) -> list[list[Token]]:
    """Ways to read ``text`` as arithmetic; at most one, empty where it is none.

    A list that begins with an operator continues the previous result.
    """
    text = re.sub(r"[\s，。？！,?!]+(?!\d)", "", text)
    text = _CLOSING.sub("", _OPENING.sub("", text))
    tokens: list[Token] = []
    index = 0
    while index < len(text):
        if found := NUMBER.match(text, index):
            value = parse_number(found.group())
            if value is None:
                return []
            tokens.append(value)
            index = found.end()
            continue
        for phrase, meaning in _OPERATORS:
            if text.startswith(phrase, index):
                tokens.extend(meaning)
                index += len(phrase)
                break
        else:
            return []
    tokens = _reorder(tokens)
    return [tokens] if tokens else []


def _reorder(tokens: list[Token]) -> list[Token]:
    """Bring what Chinese says the other way round into the calculator's order."""
    result: list[Token] = []
    for index, token in enumerate(tokens):
        before = result[-1] if result else None
        if token == "share":
            following = tokens[index + 1] if index + 1 < len(tokens) else None
            if not isinstance(before, Fraction) or before == 0:
                return []
            if not isinstance(following, Fraction):
                return []
            result[-1] = 1 / before
            result.append("share")
        elif isinstance(token, Fraction) and before == "share":
            result.pop()
            unit = result.pop()
            assert isinstance(unit, Fraction)
            result.append(unit * token)
        elif token == "root":
            if not isinstance(before, Fraction):
                return []
            result.insert(len(result) - 1, "sqrt")
        elif token == "power":
            # 二的三次方 arrives as 2 * 3 power.
            if len(result) < 2 or result[-2] != "*":
                return []
            result[-2] = "^"
        else:
            result.append(token)
    return result
