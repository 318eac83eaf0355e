"""The figures of a recogniser on people, in Markdown."""

from __future__ import annotations

from collections.abc import Mapping

from voicemesh_evaluation.recognition.figures import Figures, Group
from voicemesh_evaluation.report import machine, percentiles, table


def report(figures: Figures) -> list[str]:
    """The lines; clips are named, what was said in them is not told."""
    pace = "in real time" if figures.real_time else "as fast as they are taken"
    at_once = f", {figures.speakers} at once" if figures.speakers > 1 else ""
    share = figures.cpu_share
    cost = "" if share is None else f" Who speaks takes {share:.3f} of a core."
    lines = [
        "# Recognition of recordings",
        "",
        f"Clips were streamed {pace}{at_once} to {figures.engine or 'no recogniser'}; counted are "
        "the final texts of their turns.",
        f"{figures.refused} were refused.{cost}",
        "Case, marks, fillers, numbers in digits or words, and spellings are made alike on both",
        "sides; contractions and their long forms are different words.",
        "",
        *_groups(figures.groups),
        *(f"\n{language}: {problem}" for language, problem in figures.not_heard.items()),
        *_sounds(figures),
        "",
        "## Clips",
        "",
        "Those with errors say how many.",
    ]
    for name, group in figures.groups.items():
        if group.clips:
            lines += ["", f"{name}: {_names(group.clips)}."]
    return [*lines, "", machine()]


def _groups(groups: Mapping[str, Group]) -> list[str]:
    header = [
        "group",
        "language",
        "clips",
        "without text",
        "words or characters",
        "wrong",
        "share",
        "clips right",
        "final pass p50, p95 ms",
    ]
    return table(header, [_row(name, group) for name, group in groups.items()])


def _row(name: str, group: Group) -> list[object]:
    rate = "–" if group.rate is None else f"{100 * group.rate:.1f} %"
    counts = [len(group.clips), group.without_text, group.words, group.errors]
    took = percentiles(group.final_pass_ms)
    times = ", ".join("–" if took[p] is None else f"{took[p]:.0f}" for p in ("p50", "p95"))
    return [name, group.language, *counts, rate, group.exact, times]


def _sounds(figures: Figures) -> list[str]:
    if not figures.no_turn:
        return []
    rows = [[kind, len(each.clips), each.turns] for kind, each in figures.no_turn.items()]
    taken = [
        f"{kind}: {', '.join(name for name, turn in each.clips.items() if turn)}."
        for kind, each in figures.no_turn.items()
        if each.turns
    ]
    lines = ["", "## Sounds", "", *table(["kind", "clips", "taken for turns"], rows)]
    return [*lines, *(["", "Taken for turns:", "", *taken] if taken else [])]


def _names(clips: Mapping[str, int]) -> str:
    return ", ".join(f"{name} ({errors})" if errors else name for name, errors in clips.items())
