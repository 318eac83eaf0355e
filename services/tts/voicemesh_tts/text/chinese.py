"""Chinese: what is said for numbers, dates, times, money, units and signs."""

from __future__ import annotations

import re

from voicemesh_tts.text.chinese_numbers import cardinal, counted, decimal, digits
from voicemesh_tts.text.rules import GREEK_LETTER, Rule, rule

LANGUAGE = "zh"

# Han characters are word characters to a regular expression, so that borders of
# numbers are spelled out.
_NOT_AFTER = r"(?<![A-Za-z0-9_.])"
_NOT_BEFORE = r"(?![A-Za-z0-9_])"
_NUMBER = r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?"
_SIGNED = rf"(?<![A-Za-z0-9.])[-−]?(?:{_NUMBER})"

_CURRENCIES = {
    "US$": "美元",
    "$": "美元",
    "€": "欧元",
    "£": "英镑",
    "¥": "元",
    "₹": "卢比",
    "₽": "卢布",
    "₩": "韩元",
}

_UNITS = {
    "km/h": "公里每小时",
    "m/s": "米每秒",
    "mph": "英里每小时",
    "km²": "平方公里",
    "m²": "平方米",
    "m³": "立方米",
    "km": "公里",
    "cm": "厘米",
    "mm": "毫米",
    "m": "米",
    "kg": "公斤",
    "mg": "毫克",
    "g": "克",
    "ml": "毫升",
    "mL": "毫升",
    "L": "升",
    "l": "升",
    "kHz": "千赫",
    "MHz": "兆赫",
    "GHz": "吉赫",
    "Hz": "赫兹",
    "kWh": "千瓦时",
    "kW": "千瓦",
    "W": "瓦",
    "V": "伏",
    "mAh": "毫安时",
    "dB": "分贝",
    "ms": "毫秒",
    "s": "秒",
    "min": "分钟",
    "h": "小时",
}

# Measure words before which two is 两. Longer ones first where they share a head.
_MEASURE_WORDS = (
    "个|只|本|张|位|条|件|次|天|年|小时|分钟|秒|点|元|块|公里|千米|米|厘米|公斤|千克|克|吨|斤|岁|杯|"
    "碗|瓶|台|辆|人|周|星期|种|名|家|倍|份|把|双|对|头|匹|棵|朵|座|栋|间|架|艘|首|部|项|段|句|页|遍|"
    "趟|顿|颗|片|盒|袋|箱|串|群|层|毫升|升|步|声|架|支|枝|根|口|面|副|套|道|场|回|下|盏|扇|排|行|瓣"
)

_VULGAR = {
    "½": "二分之一",
    "⅓": "三分之一",
    "⅔": "三分之二",
    "¼": "四分之一",
    "¾": "四分之三",
    "⅛": "八分之一",
}

SYMBOLS = {
    "&": "和",
    "+": "加",
    "=": "等于",
    "≠": "不等于",
    "≈": "约等于",
    "<": "小于",
    ">": "大于",
    "≤": "小于等于",
    "≥": "大于等于",
    "×": "乘以",
    "÷": "除以",
    "±": "正负",
    "√": "根号",
    "∞": "无穷大",
    "%": "百分号",
    "‰": "千分号",
    "°": "度",
    "℃": "摄氏度",
    "℉": "华氏度",
    "²": "的平方",
    "³": "的立方",
    "@": "艾特",
    "$": "美元",
    "€": "欧元",
    "£": "英镑",
    "¥": "元",
    "→": "到",
    "⇒": "到",
}

GREEK = {
    "α": "阿尔法",
    "β": "贝塔",
    "γ": "伽马",
    "δ": "德尔塔",
    "Δ": "德尔塔",
    "ε": "艾普西龙",
    "θ": "西塔",
    "λ": "拉姆达",
    "μ": "缪",
    "µ": "缪",
    "π": "派",
    "σ": "西格玛",
    "φ": "斐",
    "ω": "欧米伽",
    "Ω": "欧姆",
}


def _date(year: str, month: str, day: str) -> str | None:
    if not (1 <= int(month) <= 12 and 1 <= int(day) <= 31):
        return None
    return f"{digits(year)}年{cardinal(str(int(month)))}月{cardinal(str(int(day)))}日"


def _time(match: re.Match[str]) -> str | None:
    hour, minute, second = int(match[1]), int(match[2]), int(match[3] or 0)
    if hour > 24 or minute > 59 or second > 59:
        return None
    words = f"{counted(str(hour))}点"
    if minute or second:
        words += f"{'零' if 0 < minute < 10 else ''}{cardinal(str(minute))}分"
    if second:
        words += f"{'零' if second < 10 else ''}{cardinal(str(second))}秒"
    return words


def _temperature(match: re.Match[str]) -> str:
    number = match[1]
    scale = "华氏" if match[2].endswith(("F", "℉")) else "摄氏"
    below = "零下" if number[0] in "-−" else ""
    return f"{below}{decimal(number.lstrip('-−'))}{scale}度"


def _percent(match: re.Match[str]) -> str:
    number = match[1]
    sign = "负" if number[0] in "-−" else ""
    return f"{sign}百分之{decimal(number.lstrip('-−'))}"


def _money(match: re.Match[str]) -> str:
    sign = "负" if match["minus"] else ""
    return f"{sign}{counted(match['n'])}{match['scale'] or ''}{_CURRENCIES[match['sign']]}"


def _fraction(match: re.Match[str]) -> str | None:
    if int(match[2]) == 0:
        return None
    return f"{cardinal(match[2])}分之{cardinal(match[1])}"


def _version(match: re.Match[str]) -> str:
    named = match.string[: match.start()].rstrip().endswith(("版本", "版"))
    return ("版本" if match[1] and not named else "") + "点".join(
        cardinal(part) for part in match[2].split(".")
    )


def _phone(match: re.Match[str]) -> str:
    groups = re.findall(r"\d+", match[0])
    return ("加" if match[0].startswith("+") else "") + ", ".join(digits(g, "幺") for g in groups)


def _greek(letter: str) -> str | None:
    return GREEK.get(letter)


def _longest_first(words: dict[str, str]) -> str:
    return "|".join(re.escape(w) for w in sorted(words, key=len, reverse=True))


RULES: tuple[Rule, ...] = (
    # Dates and times.
    rule(
        rf"{_NOT_AFTER}(\d{{4}})([-/.])(\d{{1,2}})\2(\d{{1,2}})(?![A-Za-z0-9-])",
        lambda m: _date(m[1], m[3], m[4]),
    ),
    rule(r"(?<!\d)(\d{4}|\d{2})(?=\s?年(?!前|后|内|来|以))", lambda m: digits(m[1])),
    rule(r"(?<!\d)(\d{1,2})(?=\s?(?:月|日|号|楼|路))", lambda m: cardinal(str(int(m[1])))),
    rule(rf"{_NOT_AFTER}(\d{{1,2}}):(\d{{2}})(?::(\d{{2}}))?(?![\d:])", _time),
    rule(r"第\s?(\d+)", lambda m: [(m.start(), m.start() + 1), cardinal(m[1])]),
    # Telephone numbers.
    rule(r"\+\d[\d -]{5,18}\d(?!\d)", _phone),
    rule(rf"{_NOT_AFTER}1[3-9]\d[ -]?\d{{4}}[ -]?\d{{4}}{_NOT_BEFORE}", _phone),
    rule(rf"{_NOT_AFTER}0\d{{2,3}}-?\d{{7,8}}{_NOT_BEFORE}", _phone),
    rule(rf"{_NOT_AFTER}[48]00-?\d{{3}}-?\d{{4}}{_NOT_BEFORE}", _phone),
    # Other numbers that only name something.
    rule(
        r"((?:拨打|电话|热线|号码|单号|编号|账号|学号|尾号|验证码|密码|房间)(?:是|为|:)?\s?)"
        rf"(\d{{3,}}){_NOT_BEFORE}(?!\.\d)",
        lambda m: [1, digits(m[2], "幺")],
    ),
    rule(r"(?<![A-Za-z0-9.])(\d{3,4})(?=\s?(?:室|房间|号楼))", lambda m: digits(m[1], "幺")),
    rule(rf"{_NOT_AFTER}1(?:10|19|20|22)(?=报警|火警|急救|救护)", lambda m: digits(m[0], "幺")),
    # Versions, ratios, ranges.
    rule(r"(?<=[点分秒])\s?[-–—~]+\s?(?=[零一二两三四五六七八九十]+点)", lambda m: "到"),
    rule(rf"(?<![A-Za-z0-9.])([vV])\.?(\d+(?:\.\d+)+){_NOT_BEFORE}", _version),
    rule(rf"{_NOT_AFTER}()(\d+(?:\.\d+){{2,}}){_NOT_BEFORE}", _version),
    rule(rf"{_NOT_AFTER}(\d+):(\d+)(?![\d:])", lambda m: f"{cardinal(m[1])}比{cardinal(m[2])}"),
    rule(r"(?<=\d)\s?[-−]\s?(?=\d[\d.]*\s?=)", lambda m: "减"),
    rule(
        rf"(?<![A-Za-z0-9.-])({_NUMBER})((?:%|℃|℉|°\s?[CF])?)\s?[-–—~至]+\s?(?=\d)(?!\d+-)",
        lambda m: [1, 2, "到"],
    ),
    rule(rf"({_SIGNED})((?:%|℃|℉|°\s?[CF])?)\s?[~至]\s?(?=[-−]?\d)", lambda m: [1, 2, "到"]),
    rule(r"[~≈]\s?(?=[$€£¥]?\d)", lambda m: "大约"),
    # Money, measures, shares.
    rule(
        rf"(?P<minus>(?<![A-Za-z0-9])[-−])?(?P<sign>US\$|[$€£¥₹₽₩])\s?(?P<n>{_NUMBER})"
        r"(?P<scale>万亿|百万|千万|亿|万)?(?:元|块钱?|美元|欧元|英镑)?",
        _money,
    ),
    rule(rf"({_SIGNED})\s?(°\s?[CF]{_NOT_BEFORE}|[℃℉])", _temperature),
    rule(
        rf"({_SIGNED})\s?({_longest_first(_UNITS)})(?![A-Za-z0-9/²³])",
        lambda m: counted(m[1]) + _UNITS[m[2]],
    ),
    rule(rf"({_SIGNED})\s?%", _percent),
    rule(rf"({_SIGNED})\s?‰", lambda m: f"千分之{decimal(m[1])}"),
    rule("[" + "".join(_VULGAR) + "]", lambda m: _VULGAR[m[0]]),
    rule(r"(?<![A-Za-z0-9/.])(\d{1,4})/(\d{1,4})(?![A-Za-z0-9/])", _fraction),
    # What is left between numbers.
    rule(r"(?<=\d)\s*\*\s*(?=\d)", lambda m: "乘以"),
    rule(rf"(?<![\dA-Za-z.=])2(?=\s?(?:{_MEASURE_WORDS}|万|亿|千|百))", lambda m: "两"),
    rule(rf"{_SIGNED}", lambda m: decimal(m[0])),
    rule(r"\d+(?:\.\d+)?", lambda m: decimal(m[0])),
    rule("[" + re.escape("".join(SYMBOLS)) + "]", lambda m: SYMBOLS[m[0]]),
    rule(rf"(?<!{GREEK_LETTER}){GREEK_LETTER}(?!{GREEK_LETTER})", lambda m: _greek(m[0])),
)
"""In the order in which they apply; each leaves what it does not understand."""
