"""The steps of a turn, drawn on a time axis of text."""

from __future__ import annotations

from collections.abc import Sequence

_WIDTH = 48
_LATE = 5
_TICKS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 30_000, 60_000)


def _tick_ms(span_ms: float) -> int:
    """The distance between two marks of the axis: at most eight of them."""
    return next((tick for tick in _TICKS if span_ms / tick <= 8), _TICKS[-1])


def timeline_chart(stages: Sequence[tuple[str, float]], width: int = _WIDTH) -> list[str]:
    """Lines that show when each stage was reached, in milliseconds from 0.

    ``stages`` are names with their times in milliseconds, in any order; times
    may be negative. The axis spans 0 and them all, but for the last ones that
    come so late that the others could not be told apart: those stand at its end.
    """
    if not stages:
        return []
    ordered = sorted(stages, key=lambda stage: stage[1])
    first = min(0.0, ordered[0][1])
    shown = len(ordered)
    while shown > 2 and ordered[shown - 1][1] > _LATE * max(1.0, ordered[shown - 2][1]):
        shown -= 1
    last = ordered[shown - 1][1]
    span = max(1.0, max(0.0, last) - first)
    tick = _tick_ms(span)

    def column(at_ms: float) -> int:
        return round((at_ms - first) / span * (width - 1))

    names = max(len(name) for name, _ in ordered)
    lines = []
    for name, at_ms in ordered:
        bar = [" "] * width
        bar[column(0.0)] = "·"
        if at_ms <= max(0.0, last):
            bar[column(at_ms)] = "●"
        else:
            bar[-1] = "▸"
        lines.append(f"{name:{names}} {at_ms:8.0f} ms │{''.join(bar).rstrip()}")
    ruler, labels = ["─"] * width, [" "] * (width + 8)
    number = -int(-first // tick)
    while number * tick <= first + span:
        place = column(number * tick)
        ruler[place] = "┴"
        text = f"{number * tick:g}"
        if all(mark == " " for mark in labels[max(0, place - 1) : place + len(text)]):
            labels[place : place + len(text)] = text
        number += 1
    margin = " " * (names + 13)
    return [*lines, f"{margin}└{''.join(ruler)}", f"{margin} {''.join(labels).rstrip()} ms"]
