"""English number words."""

from voicemesh.english_number_words import TENS, UNDER_TWENTY, ordinal_word

_SCALES = ("", "thousand", "million", "billion", "trillion", "quadrillion")
LONGEST = 3 * len(_SCALES)
"""Whole numbers with more digits than this are read digit by digit."""


def digits(text: str) -> str:
    """Digit by digit; other characters are skipped."""
    return " ".join(UNDER_TWENTY[int(c)] for c in text if c in "0123456789")


def cardinal(number: str) -> str:
    """A whole number as words: "1,204" is one thousand two hundred and four."""
    plain = number.replace(",", "")
    if len(plain) > LONGEST or (len(plain) > 1 and plain.startswith("0")):
        return digits(plain)
    value = int(plain)
    if value == 0:
        return UNDER_TWENTY[0]
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
    words = [f"{UNDER_TWENTY[hundreds]} hundred"] if hundreds else []
    if rest:
        words.append(_tens(rest))
    return " and ".join(words)


def _tens(value: int) -> str:
    if value < 20:
        return UNDER_TWENTY[value]
    tens, ones = divmod(value, 10)
    return TENS[tens - 2] if ones == 0 else f"{TENS[tens - 2]} {UNDER_TWENTY[ones]}"


def decimal(number: str) -> str:
    """A number with an optional sign and fraction: "-3.05" is minus three point zero five."""
    sign = "minus " if number[0] in "-−" else ""
    whole, point, fraction = number.lstrip("-−+").partition(".")
    words = cardinal(whole or "0")
    return f"{sign}{words} point {digits(fraction)}" if point and fraction else sign + words


def ordinal(number: str) -> str:
    """The number of a place: "21" is twenty first."""
    *words, last = cardinal(number).split(" ")
    return " ".join([*words, ordinal_word(last)])


def year(number: str) -> str:
    """A year: "1984" is nineteen eighty four, "2005" is two thousand and five."""
    century, rest = divmod(int(number), 100)
    if len(number) != 4 or century % 10 == 0 and rest < 10:
        return cardinal(number)
    if rest == 0:
        return f"{_tens(century)} hundred"
    if rest < 10:
        return f"{_tens(century)} oh {UNDER_TWENTY[rest]}"
    return f"{_tens(century)} {_tens(rest)}"
