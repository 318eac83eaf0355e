"""English number words."""

_UNDER_TWENTY = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
    "fifteen sixteen seventeen eighteen nineteen"
)
_ONES = _UNDER_TWENTY.split()
_MULTIPLES_OF_TEN = "_ _ twenty thirty forty fifty sixty seventy eighty ninety"
_TENS = _MULTIPLES_OF_TEN.split()
_SCALES = ("", "thousand", "million", "billion", "trillion", "quadrillion")
_ORDINALS = {
    "one": "first",
    "two": "second",
    "three": "third",
    "five": "fifth",
    "eight": "eighth",
    "nine": "ninth",
    "twelve": "twelfth",
}
LONGEST = 3 * len(_SCALES)
"""Whole numbers with more digits than this are read digit by digit."""


def digits(text: str) -> str:
    """Digit by digit; other characters are skipped."""
    return " ".join(_ONES[int(c)] for c in text if c in "0123456789")


def cardinal(number: str) -> str:
    """A whole number as words: "1,204" is one thousand two hundred and four."""
    plain = number.replace(",", "")
    if len(plain) > LONGEST or (len(plain) > 1 and plain.startswith("0")):
        return digits(plain)
    value = int(plain)
    if value == 0:
        return _ONES[0]
    groups = []
    for scale in _SCALES:
        value, group = divmod(value, 1000)
        if group:
            groups.append(f"{_hundreds(group)} {scale}".strip())
    words = " ".join(reversed(groups))
    tail = int(plain) % 1000
    if 0 < tail < 100 and int(plain) > 1000:
        head, last = words[: -len(_hundreds(tail))].rstrip(), _hundreds(tail)
        return f"{head} and {last}"
    return words


def _hundreds(value: int) -> str:
    hundreds, rest = divmod(value, 100)
    words = [f"{_ONES[hundreds]} hundred"] if hundreds else []
    if rest:
        words.append(_tens(rest))
    return " and ".join(words)


def _tens(value: int) -> str:
    if value < 20:
        return _ONES[value]
    tens, ones = divmod(value, 10)
    return _TENS[tens] if ones == 0 else f"{_TENS[tens]} {_ONES[ones]}"


def decimal(number: str) -> str:
    """A number with an optional sign and fraction: "-3.05" is minus three point zero five."""
    sign = "minus " if number[0] in "-−" else ""
    whole, point, fraction = number.lstrip("-−+").partition(".")
    words = cardinal(whole or "0")
    return f"{sign}{words} point {digits(fraction)}" if point and fraction else sign + words


def ordinal(number: str) -> str:
    """The number of a place: "21" is twenty first."""
    words = cardinal(number).split(" ")
    last = words[-1]
    if last in _ORDINALS:
        words[-1] = _ORDINALS[last]
    elif last.endswith("y"):
        words[-1] = f"{last[:-1]}ieth"
    else:
        words[-1] = f"{last}th"
    return " ".join(words)


def year(number: str) -> str:
    """A year: "1984" is nineteen eighty four, "2005" is two thousand and five."""
    century, rest = divmod(int(number), 100)
    if len(number) != 4 or century % 10 == 0 and rest < 10:
        return cardinal(number)
    if rest == 0:
        return f"{_tens(century)} hundred"
    if rest < 10:
        return f"{_tens(century)} oh {_ONES[rest]}"
    return f"{_tens(century)} {_tens(rest)}"


def plural(words: str) -> str:
    """The plural of a number word: twenty is twenties, eight is eights."""
    return f"{words[:-1]}ies" if words.endswith("y") else f"{words}s"
