"""Chinese number words."""

_DIGITS = "零一二三四五六七八九"
_GROUPS = ("", "万", "亿", "万亿")
LONGEST = 4 * len(_GROUPS)
"""Whole numbers with more digits than this are read digit by digit."""


def digits(text: str, one: str = "一") -> str:
    """Digit by digit; other characters are skipped. Telephone numbers say 幺 for 1."""
    return "".join(_DIGITS[int(c)] for c in text if c in "0123456789").replace("一", one)


def cardinal(number: str) -> str:
    """A whole number: "123" is 一百二十三, "20000" is 两万, "12" is 十二."""
    plain = number.replace(",", "")
    if len(plain) > LONGEST or (len(plain) > 1 and plain.startswith("0")):
        return digits(plain)
    value = int(plain)
    if value == 0:
        return _DIGITS[0]
    words = ""
    gap = False  # whether a zero must be said before the next group
    for index in range(len(_GROUPS) - 1, -1, -1):
        group = value // 10000**index % 10000
        if group == 0:
            gap = gap or bool(words)
            continue
        if words and (gap or group < 1000):
            words += "零"
        said = "两" if group == 2 and index > 0 else _group(group)
        words += said + _GROUPS[index]
        gap = False
    if words.startswith("一十"):
        words = words[1:]
    return words


def _group(value: int) -> str:
    words, gap = "", False
    for unit, name in ((1000, "千"), (100, "百"), (10, "十"), (1, "")):
        digit = value // unit % 10
        if digit == 0:
            gap = gap or bool(words)
            continue
        if gap:
            words += "零"
            gap = False
        words += ("两" if digit == 2 and unit == 1000 else _DIGITS[digit]) + name
    return words


def counted(number: str) -> str:
    """A number before a measure word, where two is 两."""
    return "两" if number == "2" else decimal(number)


def decimal(number: str) -> str:
    """A number with an optional sign and fraction: "-3.05" is 负三点零五."""
    sign = "负" if number[0] in "-−" else ""
    whole, point, fraction = number.lstrip("-−+").partition(".")
    words = cardinal(whole or "0")
    return f"{sign}{words}点{digits(fraction)}" if point and fraction else sign + words
