"""A calculator for short expressions: exact fractions, bounded, without eval.

expression := term   (("+" | "-") term)*
term       := factor (("*" | "/") factor)*
factor     := ("-" | "sqrt") factor | power
power      := postfix ("^" factor)?
postfix    := primary "%"*
primary    := number | "(" expression ")"
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import isqrt

Token = Fraction | str
"""A number, or one of + - * / ^ % sqrt ( )."""

BINARY = frozenset("+-*/^")
LONGEST_EXPRESSION = 64
LARGEST = 10**30
LARGEST_EXPONENT = 64
_ROOT_PLACES = 10**12


class NotArithmetic(Exception):
    """The tokens make no expression."""


class NoResult(Exception):
    """The expression has no answer here; ``reason`` is division, root or size."""

    def __init__(self, reason: str) -> None:
        """``reason``: "division" by zero, "root" of a negative number, "size"."""
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class ArithmeticResult:
    """The value; ``exact`` is False where a root had to be rounded."""

    value: Fraction
    exact: bool


def evaluate(tokens: Sequence[Token]) -> ArithmeticResult:
    """Evaluate; NotArithmetic or NoResult where that cannot be."""
    if len(tokens) > LONGEST_EXPRESSION:
        raise NotArithmetic
    return _Parser(tokens).run()


class _Parser:
    def __init__(self, tokens: Sequence[Token]) -> None:
        self._tokens = tokens
        self._index = 0
        self._exact = True

    def run(self) -> ArithmeticResult:
        value = self._expression()
        if self._index != len(self._tokens):
            raise NotArithmetic
        return ArithmeticResult(value, self._exact)

    def _peek(self) -> Token | None:
        return self._tokens[self._index] if self._index < len(self._tokens) else None

    def _take(self, *operators: str) -> str | None:
        token = self._peek()
        if isinstance(token, str) and token in operators:
            self._index += 1
            return token
        return None

    def _expression(self) -> Fraction:
        value = self._term()
        while operator := self._take("+", "-"):
            right = self._term()
            value = _bounded(value + right if operator == "+" else value - right)
        return value

    def _term(self) -> Fraction:
        value = self._factor()
        while operator := self._take("*", "/"):
            right = self._factor()
            if operator == "/" and right == 0:
                raise NoResult("division")
            value = _bounded(value * right if operator == "*" else value / right)
        return value

    def _factor(self) -> Fraction:
        operator = self._take("-", "sqrt")
        if operator is None:
            return self._power()
        value = self._factor()
        return -value if operator == "-" else self._root(value)

    def _power(self) -> Fraction:
        base = self._postfix()
        if not self._take("^"):
            return base
        exponent = self._factor()
        if exponent.denominator != 1:
            raise NotArithmetic
        if abs(exponent) > LARGEST_EXPONENT:
            raise NoResult("size")
        if base == 0 and exponent < 0:
            raise NoResult("division")
        return _bounded(base ** int(exponent))

    def _postfix(self) -> Fraction:
        value = self._primary()
        while self._take("%"):
            value /= 100
        return value

    def _primary(self) -> Fraction:
        token = self._peek()
        if isinstance(token, Fraction):
            self._index += 1
            return _bounded(token)
        if self._take("("):
            value = self._expression()
            if self._take(")"):
                return value
        raise NotArithmetic

    def _root(self, value: Fraction) -> Fraction:
        if value < 0:
            raise NoResult("root")
        top, bottom = isqrt(value.numerator), isqrt(value.denominator)
        if top * top == value.numerator and bottom * bottom == value.denominator:
            return Fraction(top, bottom)
        self._exact = False
        scaled = value.numerator * _ROOT_PLACES**2 // value.denominator
        return Fraction(isqrt(scaled), _ROOT_PLACES)


def _bounded(value: Fraction) -> Fraction:
    if abs(value.numerator) > LARGEST or value.denominator > LARGEST:
        raise NoResult("size")
    return value
