from __future__ import annotations

from contextlib import suppress
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voicemesh_llm import knowledge
from voicemesh_llm.engines.scripted import chinese_numbers, english_numbers
from voicemesh_llm.engines.scripted.arithmetic import NoResult, NotArithmetic, Token, evaluate
from voicemesh_llm.engines.scripted.calculator import calculate


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("what is twelve plus seven", "12 plus 7 is 19."),
        ("what's two point five times four", "2.5 times 4 is 10."),
        ("how much is 7 * 6", "7 times 6 is 42."),
        ("3.5+1.2=?", "3.5 plus 1.2 is 4.7."),
        ("what is one hundred and five minus six", "105 minus 6 is 99."),
        ("add three and five", "3 plus 5 is 8."),
        ("subtract two from ten", "10 minus 2 is 8."),
        ("divide ten by four", "10 divided by 4 is 2.5."),
        ("the sum of two and two", "2 plus 2 is 4."),
        ("what is two and two", "2 plus 2 is 4."),
        ("what is twenty divided by three", "20 divided by 3 is about 6.6667."),
        ("two plus three times four", "2 plus 3 times 4 is 14."),
        ("what is (2 + 3) * 4", "2 plus 3 times 4 is 20."),
        ("what is minus three plus five", "Minus 3 plus 5 is 2."),
        ("three minus five", "3 minus 5 is minus 2."),
        ("two to the power of ten", "2 to the power of 10 is 1024."),
        ("what is five squared", "5 to the power of 2 is 25."),
        ("what is the square root of sixteen", "The square root of 16 is 4."),
        ("square root of two", "The square root of 2 is about 1.4142."),
        ("what is ten percent of two hundred", "10 percent of 200 is 20."),
        ("what is half of nine", "0.5 times 9 is 4.5."),
        ("twelve divided by zero", "Nothing can be divided by zero."),
        ("one million times one million", "1000000 times 1000000 is 1000000000000."),
        ("nine to the power of sixty four", "That number is too large for me."),
        ("what is the square root of minus four", "A negative number has no real square root."),
        # As recognisers write it.
        ("what is two plus for", "2 plus 4 is 6."),
        ("what is too times ate", "2 times 8 is 16."),
        ("um what is nineteen plus twenty one please", "19 plus 21 is 40."),
    ],
)
def test_english_arithmetic(question: str, answer: str) -> None:
    assert calculate(question, "en", "en", ()) == answer


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("三加五等于几", "3加5等于8。"),
        ("十二乘以七", "12乘以7等于84。"),
        ("请问十二乘以七等于多少呢", "12乘以7等于84。"),
        ("三点五加一点二是多少", "3.5加1.2等于4.7。"),
        ("一百减三十五", "100减35等于65。"),
        ("两百五加一万零三", "250加10003等于10253。"),
        ("十除以三", "10除以3约等于3.3333。"),
        ("十除以零等于几", "不能除以零。"),
        ("三减五", "3减5等于负2。"),
        ("二的十次方", "2的10次方等于1024。"),
        ("九的平方根是多少", "根号9等于3。"),
        ("根号二", "根号2约等于1.4142。"),
        ("五十的百分之十", "50乘以0.1等于5。"),
        ("三分之一加六分之一", "3分之1加6分之1等于0.5。"),
        ("１２×７＝？", "12乘以7等于84。"),
        ("帮我算一下三万五加六", "35000加6等于35006。"),
    ],
)
def test_chinese_arithmetic(question: str, answer: str) -> None:
    assert calculate(question, "zh", "zh", ()) == answer


@pytest.mark.parametrize(
    "text",
    ["what is the moon", "seven", "what is five", "plus", "plus three", "add", "hello", "", "1 2 3"]
    + ["(" * 200 + "1", "what is two plus", "one plus plus", "2 ^ 0.5"],
)
def test_what_is_no_arithmetic_is_left_alone(text: str) -> None:
    assert calculate(text, "en", "en", ()) is None


@pytest.mark.parametrize("text", ["什么是月亮", "三", "再加三", "第三个", "加", "一二三加"])
def test_what_is_no_chinese_arithmetic_is_left_alone(text: str) -> None:
    assert calculate(text, "zh", "zh", ()) is None


@pytest.mark.parametrize("language", knowledge.LANGUAGES)
def test_every_sum_among_the_phrase_hints_has_a_result(language: knowledge.LanguageName) -> None:
    for question in knowledge.sums(language):
        said = calculate(question, language, language, ())
        assert said is not None, question
        assert (" is " if language == "en" else "等于") in said


def test_an_operator_alone_goes_on_from_the_result_before() -> None:
    earlier = ("hello", "what is twelve plus seven", "times two")
    assert calculate("and minus three", "en", "en", earlier) == "38 minus 3 is 35."
    assert calculate("再加三", "zh", "zh", ("十二加七",)) == "19加3等于22。"


expressions = st.recursive(
    st.integers(0, 1_000).map(lambda n: [Fraction(n)]),
    lambda inner: st.tuples(inner, st.sampled_from("+-*/"), inner).map(
        lambda parts: ["(", *parts[0], parts[1], *parts[2], ")"]
    ),
    max_leaves=6,
)


def python_value(tokens: list[Token]) -> Fraction | None:
    """The value by Python's own arithmetic, by reducing brackets; None where it divides by zero."""
    if len(tokens) == 1:
        assert isinstance(tokens[0], Fraction)
        return tokens[0]
    depth = 0
    for index, token in enumerate(tokens[1:-1], start=1):
        depth += (token == "(") - (token == ")")
        if depth == 0 and token in ("+", "-", "*", "/"):
            left, right = python_value(tokens[1:index]), python_value(tokens[index + 1 : -1])
            if left is None or right is None or token == "/" and right == 0:
                return None
            return {"+": left + right, "-": left - right, "*": left * right}.get(
                str(token), left / right if right else Fraction(0)
            )
    raise AssertionError(tokens)


@given(expressions)
def test_the_calculator_agrees_with_python(tokens: list[Token]) -> None:
    expected = python_value(tokens)
    if expected is None:
        with pytest.raises(NoResult, match="division"):
            evaluate(tokens)
    else:
        assert evaluate(tokens).value == expected


@given(st.lists(st.sampled_from(["+", "-", "*", "/", "^", "%", "sqrt", "(", ")", Fraction(3)])))
def test_no_sequence_of_tokens_breaks_the_calculator(tokens: list[Token]) -> None:
    with suppress(NoResult, NotArithmetic):
        evaluate(tokens)


@given(st.integers(0, 9999))
def test_english_numbers_are_read_as_they_are_spelled(number: int) -> None:
    words = english_numbers.spell(number).split()
    assert english_numbers.read_number(words, 0) == (Fraction(number), len(words))


@given(st.integers(0, 99))
def test_chinese_numbers_are_read_as_they_are_spelled(number: int) -> None:
    assert chinese_numbers.parse_number(chinese_numbers.spell(number)) == number


@pytest.mark.parametrize(
    ("text", "value"),
    [("一千零五", 1005), ("一千五", 1500), ("两万", 20000), ("二零二六", 2026), ("三亿", 3 * 10**8)]
    + [("十", 10), ("一百一十", 110), ("一万二千三百四十五", 12345), ("3万", 30000)],
)
def test_chinese_numerals(text: str, value: int) -> None:
    assert chinese_numbers.parse_number(text) == value


@given(st.text(max_size=60))
def test_no_text_breaks_the_calculator(text: str) -> None:
    calculate(text, "en", "en", (text,))
    calculate(text, "zh", "zh", (text,))


@given(st.text("零一二三十百千万亿点加减乘除以的分之根号平方次负0123.", max_size=20))
def test_no_chinese_sum_breaks_the_calculator(text: str) -> None:
    calculate(text, "zh", "zh", (text,))


SUM_WORDS = "two plus minus times hundred and point thousand add from to half of percent the a"


@given(st.lists(st.sampled_from(SUM_WORDS.split()), max_size=12))
def test_no_english_sum_breaks_the_calculator(words: list[str]) -> None:
    calculate(" ".join(words), "en", "en", (" ".join(words),))
