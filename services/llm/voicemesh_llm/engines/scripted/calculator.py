"""The calculator skill: finds arithmetic in a question and says the result."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from fractions import Fraction

from voicemesh_llm.engines.scripted import chinese_sums, english_sums
from voicemesh_llm.engines.scripted.arithmetic import (
    BINARY,
    ArithmeticResult,
    NoResult,
    NotArithmetic,
    Token,
    evaluate,
)
from voicemesh_llm.knowledge import LanguageName

LONGEST_TEXT = 200
DECIMAL_PLACES = 4

_WORDS: dict[LanguageName, dict[str, str]] = {
    "en": {
        "+": " plus ",
        "-": " minus ",
        "*": " times ",
        "/": " divided by ",
        "^": " to the power of ",
        "%": " percent",
        "sqrt": " the square root of ",
    },
    "zh": {"+": "加", "-": "减", "*": "乘以", "/": "除以", "^": "的", "%": "%", "sqrt": "根号"},
}
_NO_RESULT: dict[LanguageName, dict[str, str]] = {
    "en": {
        "division": "Nothing can be divided by zero.",
        "root": "A negative number has no real square root.",
        "size": "That number is too large for me.",
    },
    "zh": {
        "division": "不能除以零。",
        "root": "负数没有实数平方根。",
        "size": "这个数对我来说太大了。",
    },
}


def calculate(
    text: str, language: LanguageName, answer_language: LanguageName, earlier: Sequence[str]
) -> str | None:
    """The spoken answer to the arithmetic in ``text``; None where there is none.

    ``earlier`` are the person's former words, oldest first: "plus three" goes on
    from the result before it.
    """
    previous: Fraction | None = None
    if any(_continues(tokens) for tokens in _readings(text, language)):
        for words in earlier:
            found = _solve(words, "zh" if language == "zh" else "en", previous)
            previous = found[1].value if found and isinstance(found[1], ArithmeticResult) else None
    solved = _solve(text, language, previous)
    if solved is None:
        return None
    tokens, outcome = solved
    if isinstance(outcome, str):
        return _NO_RESULT[answer_language][outcome]
    return _sentence(tokens, outcome, answer_language)


def _readings(text: str, language: LanguageName) -> list[list[Token]]:
    normal = unicodedata.normalize("NFKC", text).lower().replace("’", "'").strip()
    if len(normal) > LONGEST_TEXT:
        return []
    if language == "zh":
        return chinese_sums.read_expressions(normal)
    return english_sums.read_expressions(normal)


def _continues(tokens: Sequence[Token]) -> bool:
    return len(tokens) > 1 and isinstance(tokens[0], str) and tokens[0] in BINARY


def _solve(
    text: str, language: LanguageName, previous: Fraction | None
) -> tuple[list[Token], ArithmeticResult | str] | None:
    """The expression read and its result, or the reason why it has none."""
    for tokens in _readings(text, language):
        if _continues(tokens) and previous is not None:
            tokens = [previous, *tokens]
        if not _has_operator(tokens):
            continue
        try:
            return tokens, evaluate(tokens)
        except NoResult as none:
            return tokens, none.reason
        except NotArithmetic:
            continue
    return None


def _has_operator(tokens: Sequence[Token]) -> bool:
    """Whether there is something to calculate: a number alone is none, nor is -3."""
    return tokens[0] == "sqrt" or any(
        isinstance(token, str) and token not in "()" for token in tokens[1:]
    )


def _sentence(tokens: Sequence[Token], result: ArithmeticResult, language: LanguageName) -> str:
    value, rounded = _number(result.value, language)
    about = rounded or not result.exact
    question = _expression(tokens, language)
    if language == "zh":
        return f"{question}{'约' if about else ''}等于{value}。"
    sentence = f"{question} is {'about ' if about else ''}{value}."
    return sentence[0].upper() + sentence[1:]


def _expression(tokens: Sequence[Token], language: LanguageName) -> str:
    said = ""
    for index, token in enumerate(tokens):
        before = tokens[index - 1] if index else None
        if isinstance(token, Fraction):
            said += _operand(token, language)
            if language == "zh" and before == "^":
                said += "次方"
        elif token == "-" and not (isinstance(before, Fraction) or before in (")", "%")):
            said += "负" if language == "zh" else " minus "
        elif token == "*" and before == "%":
            said += "的" if language == "zh" else " of "
        else:
            said += _WORDS[language].get(token, "")
    return " ".join(said.split()) if language == "en" else said


def _operand(value: Fraction, language: LanguageName) -> str:
    digits, rounded = _number(value, language)
    if not rounded:
        return digits
    top, bottom = value.numerator, value.denominator
    return f"{top} over {bottom}" if language == "en" else f"{bottom}分之{top}"


def _number(value: Fraction, language: LanguageName) -> tuple[str, bool]:
    """The number as digits, and whether it had to be rounded."""
    magnitude = abs(value)
    rounded = round(magnitude, DECIMAL_PLACES)
    if magnitude and not rounded:
        # Smaller than the places that are spoken: say it as a fraction.
        digits = f"{magnitude.numerator}/{magnitude.denominator}"
    else:
        scaled = rounded.numerator * 10**DECIMAL_PLACES // rounded.denominator
        whole, decimals = divmod(scaled, 10**DECIMAL_PLACES)
        digits = f"{whole}.{decimals:0{DECIMAL_PLACES}d}".rstrip("0").rstrip(".")
    sign = ("负" if language == "zh" else "minus ") if value < 0 else ""
    return sign + digits, bool(rounded) and rounded != magnitude
