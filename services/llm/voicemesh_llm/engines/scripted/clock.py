"""Time and date as they are spoken, in English and Chinese."""

from __future__ import annotations

from datetime import datetime, timedelta

from voicemesh_llm.engines.scripted import chinese_numbers, english_numbers
from voicemesh_llm.knowledge import LanguageName

_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = (
    *("January", "February", "March", "April", "May", "June", "July"),
    *("August", "September", "October", "November", "December"),
)


def clock_slots(now: datetime, language: LanguageName) -> dict[str, str]:
    """The slots {time}, {date}, {weekday}, {year}, {date_tomorrow}, {weekday_tomorrow}."""
    tomorrow = now + timedelta(days=1)
    time, date, weekday = (
        (english_time, english_date, english_weekday)
        if language == "en"
        else (chinese_time, chinese_date, chinese_weekday)
    )
    year = (
        english_numbers.spell_year(now.year)
        if language == "en"
        else chinese_numbers.spell_digits(now.year)
    )
    return {
        "time": time(now),
        "date": date(now),
        "weekday": weekday(now),
        "year": year,
        "date_tomorrow": date(tomorrow),
        "weekday_tomorrow": weekday(tomorrow),
    }


def _english_part_of_day(hour: int) -> str:
    if hour < 12:
        return "in the morning"
    if hour < 18:
        return "in the afternoon"
    return "in the evening"


def english_time(now: datetime) -> str:
    """15:05 is "three oh five in the afternoon"."""
    if now.minute == 0 and now.hour in (0, 12):
        return "noon" if now.hour == 12 else "midnight"
    hour = english_numbers.spell((now.hour - 1) % 12 + 1)
    if now.minute == 0:
        minute = "o'clock"
    elif now.minute < 10:
        minute = f"oh {english_numbers.spell(now.minute)}"
    else:
        minute = english_numbers.spell(now.minute)
    return f"{hour} {minute} {_english_part_of_day(now.hour)}"


def english_date(day: datetime) -> str:
    """As in "November twentieth, twenty twenty six"."""
    month = _MONTHS[day.month - 1]
    ordinal = english_numbers.spell_ordinal(day.day)
    return f"{month} {ordinal}, {english_numbers.spell_year(day.year)}"


def english_weekday(day: datetime) -> str:
    """As in "Friday"."""
    return _WEEKDAYS[day.weekday()]


def chinese_time(now: datetime) -> str:
    """15:05 is 下午三点零五分."""
    parts = ((5, "凌晨"), (8, "早上"), (12, "上午"), (13, "中午"), (18, "下午"), (24, "晚上"))
    part = next(name for end, name in parts if now.hour < end)
    hour = now.hour - 12 if now.hour > 12 else now.hour
    spoken = "两" if hour == 2 else chinese_numbers.spell(hour)
    if now.minute == 0:
        return f"{part}{spoken}点整"
    zero = "零" if now.minute < 10 else ""
    return f"{part}{spoken}点{zero}{chinese_numbers.spell(now.minute)}分"


def chinese_date(day: datetime) -> str:
    """二零二六年十一月二十日."""
    year = chinese_numbers.spell_digits(day.year)
    return f"{year}年{chinese_numbers.spell(day.month)}月{chinese_numbers.spell(day.day)}日"


def chinese_weekday(day: datetime) -> str:
    """星期五."""
    return "星期" + "一二三四五六日"[day.weekday()]
