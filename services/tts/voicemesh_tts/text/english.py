"""English: what is said for numbers, dates, times, money, units and signs."""

from __future__ import annotations

import re
from collections.abc import Iterable

from voicemesh.english_number_words import plural_word
from voicemesh_tts.text.english_numbers import cardinal, decimal, digits, ordinal, year
from voicemesh_tts.text.rules import GREEK_LETTER, Rule, rule

LANGUAGE = "en"

_YEAR = "January February March April May June July August September October November December"
_MONTHS = _YEAR.split()
_MONTH = "|".join([*_MONTHS, *(m[:3] + r"\.?" for m in _MONTHS), r"Sept\.?"])
_BY_ABBREVIATION = {m[:3].lower(): m for m in _MONTHS}

_NUMBER = r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?"
# A minus is a sign where nothing that could be subtracted from stands before it.
_SIGNED = rf"(?<![\w.])[-−]?(?:{_NUMBER})"

_CURRENCIES = {
    "$": ("dollar", "dollars", "cent", "cents"),
    "US$": ("dollar", "dollars", "cent", "cents"),
    "€": ("euro", "euros", "cent", "cents"),
    "£": ("pound", "pounds", "penny", "pence"),
    "¥": ("yuan", "yuan", "", ""),
    "₹": ("rupee", "rupees", "", ""),
    "₽": ("rouble", "roubles", "", ""),
    "₩": ("won", "won", "", ""),
}

_UNITS = {
    "km/h": ("kilometer per hour", "kilometers per hour"),
    "kph": ("kilometer per hour", "kilometers per hour"),
    "m/s": ("meter per second", "meters per second"),
    "mph": ("mile per hour", "miles per hour"),
    "km²": ("square kilometer", "square kilometers"),
    "m²": ("square meter", "square meters"),
    "m³": ("cubic meter", "cubic meters"),
    "km": ("kilometer", "kilometers"),
    "cm": ("centimeter", "centimeters"),
    "mm": ("millimeter", "millimeters"),
    "m": ("meter", "meters"),
    "ft": ("foot", "feet"),
    "kg": ("kilogram", "kilograms"),
    "mg": ("milligram", "milligrams"),
    "g": ("gram", "grams"),
    "lb": ("pound", "pounds"),
    "lbs": ("pound", "pounds"),
    "oz": ("ounce", "ounces"),
    "ml": ("milliliter", "milliliters"),
    "mL": ("milliliter", "milliliters"),
    "L": ("liter", "liters"),
    "l": ("liter", "liters"),
    "kHz": ("kilohertz", "kilohertz"),
    "MHz": ("megahertz", "megahertz"),
    "GHz": ("gigahertz", "gigahertz"),
    "Hz": ("hertz", "hertz"),
    "KB": ("kilobyte", "kilobytes"),
    "MB": ("megabyte", "megabytes"),
    "GB": ("gigabyte", "gigabytes"),
    "TB": ("terabyte", "terabytes"),
    "kWh": ("kilowatt hour", "kilowatt hours"),
    "kW": ("kilowatt", "kilowatts"),
    "W": ("watt", "watts"),
    "V": ("volt", "volts"),
    "mAh": ("milliamp hour", "milliamp hours"),
    "dB": ("decibel", "decibels"),
    "ms": ("millisecond", "milliseconds"),
    "s": ("second", "seconds"),
    "sec": ("second", "seconds"),
    "min": ("minute", "minutes"),
    "h": ("hour", "hours"),
    "hr": ("hour", "hours"),
    "hrs": ("hour", "hours"),
}

_VULGAR = {
    "½": "one half",
    "⅓": "one third",
    "⅔": "two thirds",
    "¼": "one quarter",
    "¾": "three quarters",
    "⅛": "one eighth",
}

_ABBREVIATIONS = {
    "Mr.": "Mister",
    "Mrs.": "Missus",
    "Ms.": "Miz",
    "Dr.": "Doctor",
    "Prof.": "Professor",
    "Jr.": "Junior",
    "Sr.": "Senior",
    "e.g.": "for example",
    "i.e.": "that is",
    "etc.": "et cetera",
    "vs.": "versus",
    "approx.": "approximately",
    "a.m.": "A M",
    "p.m.": "P M",
    "U.S.": "U S",
    "U.K.": "U K",
}

_ROMAN = dict(
    zip(["II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X"], range(2, 11), strict=True)
)
# After these a Roman numeral counts; after another name it is that of a ruler.
_COUNTED = "War|Chapter|Part|Volume|Act|Scene|Section|Phase|Type|Class|Book|Level|Mark|Figure"

# Letters that spell a name but would pass for a word.
_INITIALS = "AI API APIS AM AR ATM CEO EU EV FAQ GPU ID IO IOS IP LED OS UI UK URL USA USB UTC VIP"
_SPELLED = frozenset(_INITIALS.split())

SYMBOLS = {
    "&": "and",
    "+": "plus",
    "=": "equals",
    "≠": "is not equal to",
    "≈": "is about",
    "<": "is less than",
    ">": "is greater than",
    "≤": "is at most",
    "≥": "is at least",
    "×": "times",
    "÷": "divided by",
    "±": "plus or minus",
    "√": "the square root of",
    "∞": "infinity",
    "%": "percent",
    "‰": "per mille",
    "°": "degrees",
    "℃": "degrees Celsius",
    "℉": "degrees Fahrenheit",
    "²": "squared",
    "³": "cubed",
    "@": "at",
    "$": "dollars",
    "€": "euros",
    "£": "pounds",
    "¥": "yuan",
    "→": "to",
    "⇒": "to",
}

GREEK = {
    "α": "alpha",
    "β": "beta",
    "γ": "gamma",
    "δ": "delta",
    "Δ": "delta",
    "ε": "epsilon",
    "θ": "theta",
    "λ": "lambda",
    "μ": "mu",
    "µ": "mu",
    "π": "pi",
    "σ": "sigma",
    "Σ": "sum",
    "φ": "phi",
    "ω": "omega",
    "Ω": "ohm",
}


def _date(y: str, month: str, day: str) -> str | None:
    if not (1 <= int(month) <= 12 and 1 <= int(day) <= 31):
        return None
    return f"{_MONTHS[int(month) - 1]} {ordinal(str(int(day)))}, {year(y)}"


def _month(text: str) -> str:
    return _BY_ABBREVIATION[text[:3].lower()]


def _time(match: re.Match[str]) -> str | None:
    hour, minute, second, half = match["h"], match["m"], match["s"], match["half"]
    if int(hour) > 24 or int(minute) > 59 or int(second or 0) > 59:
        return None
    words = [cardinal(str(int(hour)))]
    if int(minute) == 0:
        if not half and not second:
            words.append("o'clock" if 1 <= int(hour) <= 12 else "hundred hours")
    elif int(minute) < 10:
        words += ["oh", cardinal(str(int(minute)))]
    else:
        words.append(cardinal(minute))
    if second and int(second):
        words += ["and", cardinal(str(int(second))), "second" if int(second) == 1 else "seconds"]
    if half:
        words.append(f"{half[0].upper()} M")
    return " ".join(words) + _full_stop(match)


def _full_stop(match: re.Match[str]) -> str:
    """The dot of an abbreviation that is also the end of the sentence."""
    last = match.end() == len(match.string.rstrip())
    return "." if match[0].endswith(".") and last else ""


def _money(match: re.Match[str]) -> str:
    one, many, cent, cents = _CURRENCIES[match["sign"]]
    number, scale = match["n"], match["scale"]
    sign = "minus " if match["minus"] else ""
    whole, _, fraction = number.partition(".")
    if scale:
        return f"{sign}{decimal(number)} {scale} {many}"
    unit = one if whole == "1" else many
    if not fraction or not int(fraction):
        return f"{sign}{cardinal(whole)} {unit}"
    if not cent or len(fraction) > 2:
        return f"{sign}{decimal(number)} {many}"
    small = int(fraction.ljust(2, "0"))
    coins = f"{cardinal(str(small))} {cent if small == 1 else cents}"
    return (
        f"{sign}{coins}"
        if int(whole.replace(",", "")) == 0
        else (f"{sign}{cardinal(whole)} {unit} and {coins}")
    )


def _measure(match: re.Match[str]) -> str:
    one, many = _UNITS[match["unit"]]
    return f"{decimal(match['n'])} {one if match['n'] == '1' else many}"


def _fraction(match: re.Match[str]) -> str | None:
    top, bottom = int(match[1]), int(match[2])
    if (top, bottom) == (24, 7):
        return "twenty four seven"
    if not (0 < top < bottom <= 100):
        return f"{cardinal(match[1])} over {cardinal(match[2])}"
    name = {2: "half", 4: "quarter"}.get(bottom) or ordinal(str(bottom))
    if top > 1:
        name = "halves" if bottom == 2 else f"{name}s"
    return f"{cardinal(str(top))} {name}"


def _version(match: re.Match[str]) -> str:
    numbers = " point ".join(cardinal(part) for part in match[2].split("."))
    named = match.string[: match.start()].rstrip().lower().endswith("version")
    return f"version {numbers}" if match[1] and not named else numbers


def _phone(match: re.Match[str]) -> str:
    groups = re.findall(r"\d+", match[0])
    spoken = ", ".join(digits(group) for group in groups)
    return f"plus {spoken}" if match[0].startswith("+") else spoken


def _decade(match: re.Match[str]) -> str:
    return plural_word(year(match[1]))


def _spell(match: re.Match[str]) -> str | None:
    letters, ending = match[1], match[2]
    if letters not in _SPELLED and any(c in "AEIOU" for c in letters):
        return None
    return " ".join(letters) + ("s" if ending else "")


def _roman(match: re.Match[str]) -> str | None:
    number = str(_ROMAN[match[2]])
    if re.fullmatch(_COUNTED, match[1]):
        return f"{match[1]} {cardinal(number)}"
    # "Vitamin V" and "Apollo X" are no rulers.
    return f"{match[1]} the {ordinal(number)}" if len(match[2]) > 1 else None


def _greek(letter: str) -> str | None:
    return f" {GREEK[letter]} " if letter in GREEK else None


def _alternatives(words: Iterable[str]) -> str:
    return "|".join(re.escape(w) for w in sorted(words, key=len, reverse=True))


RULES: tuple[Rule, ...] = (
    rule(
        rf"(?<!\w)(?:{_alternatives(_ABBREVIATIONS)})(?!\w)",
        lambda m: _ABBREVIATIONS[m[0]] + _full_stop(m),
    ),
    rule(r"\bSt\.\s+(?=[A-Z])", lambda m: "Saint "),
    rule(r"\bMt\.\s+(?=[A-Z])", lambda m: "Mount "),
    rule(r"(?<=[a-z] )St\.", lambda m: "Street" + _full_stop(m)),
    rule(rf"\b([A-Z][a-z]+) ({_alternatives(_ROMAN)})\b(?!\.[A-Za-z])", _roman),
    rule(r"\bNo\.\s*(?=\d)", lambda m: "number "),
    rule(r"#(?=\d)", lambda m: "number "),
    # Dates.
    rule(
        r"(?<![\w.-])(\d{4})([-/])(\d{1,2})\2(\d{1,2})(?![\w-])", lambda m: _date(m[1], m[3], m[4])
    ),
    rule(r"(?<![\w./])(\d{1,2})/(\d{1,2})/(\d{4})(?![\w/])", lambda m: _date(m[3], m[1], m[2])),
    rule(
        rf"\b({_MONTH})\s+(\d{{1,2}})(?:st|nd|rd|th)?(?:,?\s+(\d{{4}}))?(?![\w:])",
        lambda m: f"{_month(m[1])} {ordinal(m[2])}" + (f", {year(m[3])}" if m[3] else ""),
    ),
    rule(
        rf"\b(\d{{1,2}})(?:st|nd|rd|th)?\s+(?:of\s+)?({_MONTH})(?:,?\s+(\d{{4}}))?(?!\w)",
        lambda m: f"{_month(m[2])} {ordinal(m[1])}" + (f", {year(m[3])}" if m[3] else ""),
    ),
    # Times.
    rule(
        r"(?<![\w.:])(?P<h>\d{1,2}):(?P<m>\d{2})(?::(?P<s>\d{2}))?"
        r"(?:\s*(?P<half>[aApP](?:\.[mM]\.|[mM]))(?!\w))?(?![\d:])",
        _time,
    ),
    rule(
        r"(?<![\w.])(\d{1,2})\s*([aApP])\.?[mM]\b", lambda m: f"{cardinal(m[1])} {m[2].upper()} M"
    ),
    # Phone numbers: a plus, a leading zero, or groups joined by dashes.
    rule(r"\+\d[\d -]{5,18}\d(?!\d)", _phone),
    rule(r"(?<![\w.-])(?:\(\d{3}\)\s*|\d{3}-)\d{3}-\d{4}(?![\w-])", _phone),
    rule(r"(?<![\w.-])\d{3}-\d{4}(?![\w-])", _phone),
    rule(r"(?<![\w.,])0\d{6,14}(?![\w.])", _phone),
    # Versions and addresses.
    rule(r"(?<![\w.])([vV])\.?(\d+(?:\.\d+)+)(?!\w)", _version),
    rule(r"(?<![\w.])()(\d+(?:\.\d+){2,})(?!\w)", _version),
    # Ranges; the numbers are read by the rules that follow.
    rule(rf"(?<![\w.-])({_NUMBER})\s?[-–~]\s?(?=\d)(?![\d.,]+[-–])", lambda m: [1, " to "]),
    rule(r"(?<=\d%)\s?[-–~]\s?(?=\d)", lambda m: " to "),
    rule(r"[~≈]\s?(?=[$€£¥]?\d)", lambda m: "about "),
    # Money, measures, shares.
    rule(r"\b(\d{3}0)'?s\b", _decade),
    rule(
        rf"(?P<minus>(?<!\w)[-−])?(?P<sign>US\$|[$€£¥₹₽₩])\s?(?P<n>{_NUMBER})"
        r"(?:\s(?P<scale>thousand|million|billion|trillion)\b)?",
        _money,
    ),
    rule(
        rf"({_SIGNED})\s?(?:°\s?C\b|℃)",
        lambda m: f"{decimal(m[1])} degree{'' if m[1] in ('1', '-1') else 's'} Celsius",
    ),
    rule(rf"({_SIGNED})\s?(?:°\s?F\b|℉)", lambda m: f"{decimal(m[1])} degrees Fahrenheit"),
    rule(rf"(?P<n>{_SIGNED})\s?(?P<unit>{_alternatives(_UNITS)})(?![\w/²³])", _measure),
    rule(rf"({_SIGNED})\s?%", lambda m: f"{decimal(m[1])} percent"),
    rule("[" + "".join(_VULGAR) + "]", lambda m: f" {_VULGAR[m[0]]} "),
    rule(r"(?<![\w/.])(\d{1,4})/(\d{1,4})(?![\w/])", _fraction),
    # What is left between numbers.
    rule(r"(?<=\d)\s*\*\s*(?=\d)", lambda m: " times "),
    rule(r"(?<=\d)\s+[-−]\s+(?=\d)", lambda m: " minus "),
    rule(r"\b(\d{1,3}(?:,\d{3})*|\d+)(?:st|nd|rd|th)\b", lambda m: ordinal(m[1].replace(",", ""))),
    rule(r"(?<![\w.,])((?:19|20)\d\d)(?![\w%]|[.,]\d)", lambda m: year(m[1])),
    rule(rf"{_SIGNED}", lambda m: f" {decimal(m[0])} "),
    rule(r"\d+(?:\.\d+)?", lambda m: f" {decimal(m[0])} "),
    # Letters and signs.
    rule(r"(?<![A-Za-z'])([A-Z]{2,5})(s?)(?![A-Za-z'])", _spell),
    rule(r"(?<=[A-Za-z])\.(?=[A-Za-z]{2,})", lambda m: " dot "),
    rule(r"\band/or\b", lambda m: "and or"),
    rule(r"(?<=[A-Za-z]{2})/(?=[A-Za-z]{2})", lambda m: " or "),
    rule("[" + re.escape("".join(SYMBOLS)) + "]", lambda m: f" {SYMBOLS[m[0]]} "),
    rule(rf"(?<!{GREEK_LETTER}){GREEK_LETTER}(?!{GREEK_LETTER})", lambda m: _greek(m[0])),
)
"""In the order in which they apply; each leaves what it does not understand."""
