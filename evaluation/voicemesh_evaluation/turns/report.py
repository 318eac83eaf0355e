"""The report on turn-taking, in Markdown."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from voicemesh_evaluation.report import machine, percentiles, table
from voicemesh_evaluation.turns.barge_in import BargeIn, TrialResult
from voicemesh_evaluation.turns.endpointing import MISSED_MS, Endpointing, UtteranceOutcome
from voicemesh_evaluation.turns.figures import Figures
from voicemesh_evaluation.turns.late_work import LateWork
from voicemesh_evaluation.turns.material import HELD_OUT
from voicemesh_evaluation.turns.trade_off import FIXED_MS, Point

_MET = {True: "met", False: "missed", None: "not measured"}


def report(figures: Figures) -> list[str]:
    """All of it."""
    lines = ["# Turn-taking", "", "What each figure means stands in docs/turn-taking.md.", ""]
    lines += table(
        ["figure", "measured", "bar", ""],
        [[name, _plain(value), bar, _MET[met]] for name, value, bar, met in figures.bars()],
    )
    if figures.missing:
        lines += ["", *(f"- {what}: not measured, {why}." for what, why in figures.missing.items())]
    if figures.adaptive and figures.fixed:
        lines += ["", "## End of turn", ""]
        lines += _endpointing(figures.adaptive, figures.fixed)
    if figures.mandarin:
        lines += ["", "## End of turn, Mandarin", "", "Scripted transcripts with word times.", ""]
        lines += _endpointing(*figures.mandarin)
    if figures.points:
        lines += ["", "## Wait against false cut-offs", "", *_trade_off(figures.points)]
    if figures.barge_in:
        lines += ["", "## Speaking into an answer", "", *_barge_in(figures.barge_in)]
    if figures.late_work:
        lines += ["", "## Replies that nobody wants", "", *_late_work(figures.late_work)]
    if figures.scenes:
        lines += ["", "## Response to complete questions", "", *_response(figures)]
    if figures.echo_replies:
        lines += ["", "## Speaking over an echo", "", *_echo(figures)]
    return [*lines, "", machine()]


def _plain(value: float | None) -> str:
    return "–" if value is None else f"{value:.4g}"


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.1f} %"


def _ms(value: float | None) -> str:
    return "–" if value is None or np.isnan(value) else f"{value:.0f} ms"


def _endpointing(adaptive: Endpointing, fixed: Endpointing) -> list[str]:
    both = (adaptive, fixed)
    lines = table(
        ["", "default detector", f"fixed {FIXED_MS} ms"],
        [
            ["utterances", *(len(e.outcomes) for e in both)],
            ["mean wait", *(_ms(e.mean_wait_ms) for e in both)],
            ["median wait, heard as one", *(_ms(e.median_complete_wait_ms) for e in both)],
            ["false cut-offs", *(_percent(e.false_cutoff_rate) for e in both)],
            [
                f"missed ends (later than {MISSED_MS} ms, or none)",
                *(_percent(e.missed_rate) for e in both),
            ],
            ["eager ends inside an utterance", *(f"{e.premature_eager_rate:.2f}" for e in both)],
        ],
    )
    if len({o.utterance.group for o in adaptive.outcomes}) > 1:
        lines += ["", *_groups("lines of the script", adaptive, fixed, _group)]
    lines += ["", *_groups("longest pause", adaptive, fixed, _pause)]
    if any(o.utterance.noise_db is not None for o in adaptive.outcomes):
        lines += ["", *_groups("noise", adaptive, fixed, _noise)]
    return lines


def _group(outcome: UtteranceOutcome) -> tuple[float, str]:
    group = outcome.utterance.group
    return (group == HELD_OUT, group)


def _pause(outcome: UtteranceOutcome) -> tuple[float, str]:
    ms = outcome.utterance.longest_pause_ms
    return (ms, f"{ms // 100 * 100} ms") if ms >= 100 else (0, "none")


def _noise(outcome: UtteranceOutcome) -> tuple[float, str]:
    ratio = outcome.utterance.noise_db
    return (-math.inf, "none") if ratio is None else (-ratio, f"SNR {ratio:g} dB")


def _groups(
    title: str,
    adaptive: Endpointing,
    fixed: Endpointing,
    key: Callable[[UtteranceOutcome], tuple[float, str]],
) -> list[str]:
    """Both detectors side by side, by a property of the utterances."""
    names = [name for _, name in sorted({key(o) for o in adaptive.outcomes})]

    def of(endpointing: Endpointing, name: str) -> Endpointing:
        return Endpointing(endpointing.name, [o for o in endpointing.outcomes if key(o)[1] == name])

    rows: list[list[object]] = []
    for name in dict.fromkeys(names):
        own, other = of(adaptive, name), of(fixed, name)
        rows.append(
            [
                name,
                len(own.outcomes),
                f"{_ms(own.mean_wait_ms)} / {_ms(other.mean_wait_ms)}",
                f"{_percent(own.false_cutoff_rate)} / {_percent(other.false_cutoff_rate)}",
                f"{_percent(_begun(own.outcomes))} / {_percent(_begun(other.outcomes))}",
            ]
        )
    return table(
        [
            title,
            "utterances",
            "mean wait, default / fixed",
            "cut off, default / fixed",
            "work begun in a pause, default / fixed",
        ],
        rows,
    )


def _begun(outcomes: Sequence[UtteranceOutcome]) -> float:
    return sum(o.premature_eager > 0 for o in outcomes) / len(outcomes)


def _trade_off(points: Iterable[Point]) -> list[str]:
    return table(
        ["detector", "setting", "mean wait", "median, heard as one", "false cut-offs", "missed"],
        [
            [
                p.detector,
                p.setting,
                _ms(p.endpointing.mean_wait_ms),
                _ms(p.endpointing.median_complete_wait_ms),
                _percent(p.endpointing.false_cutoff_rate),
                _percent(p.endpointing.missed_rate),
            ]
            for p in points
        ],
    )


def _barge_in(barge_in: BargeIn) -> list[str]:
    rows: list[list[object]] = []
    for kind in ("interruption", "backchannel", "noise"):
        groups = sorted({r.trial.group for r in barge_in.of(kind)}, reverse=True)
        for group in groups:
            results = barge_in.of(kind, group=group)
            stops = percentiles([ms for r in results if (ms := r.scene.stop_ms) is not None])
            stopped = sum(r.stopped for r in results)
            name = f"{kind}, {group}" if group else kind
            rows.append([name, len(results), stopped, f"{_ms(stops['p50'])} / {_ms(stops['p95'])}"])
    pauses = percentiles(barge_in.pauses_ms)
    lines = table(["said into the answer", "trials", "answer stopped", "silence p50 / p95"], rows)
    lines += [
        "",
        f"Answers that paused and were not stopped went on at the exact sample in "
        f"{_percent(barge_in.resumed_exactly)} of the trials; the pause took "
        f"{_ms(pauses['p50'])} (p95 {_ms(pauses['p95'])}).",
    ]
    if barge_in.invalid:
        lines.append(f"{barge_in.invalid} trials had no answer to speak into and do not count.")
    if barge_in.failures:
        lines += ["", "Lost conversations, which do not count:", ""]
        lines += [f"- {failure}" for failure in barge_in.failures]
    wrong = [
        f"{_who(r)}, understood as “{r.scene.understood}”"
        for r in barge_in.of("interruption", "backchannel", "noise")
        if r.stopped != (r.trial.kind == "interruption")
    ]
    if wrong:
        lines += ["", "Taken for the wrong thing:", "", *(f"- {name}" for name in wrong)]
    return lines


def _who(result: TrialResult) -> str:
    voice = result.trial.reaction.voice
    return f"{result.trial.name} ({voice})" if voice else result.trial.name


def _late_work(late: LateWork) -> list[str]:
    return [
        *table(
            ["", "replies cancelled", "most made of one after its cancel"],
            [
                ["tokens of the model", late.tokens.replies, _plain(late.tokens.most)],
                ["chunks of the voice", late.chunks.replies, _plain(late.chunks.most)],
            ],
        ),
        "",
        f"As the engines count. {late.discarded} of the answers were begun in a pause inside a "
        "turn, and discarded.",
    ]


def _response(figures: Figures) -> list[str]:
    rows: list[list[object]] = []
    for name, values in (
        ("voice to voice", figures.voice_to_voice_ms),
        ("response − silence", figures.after_silence_ms),
    ):
        found = percentiles(values)
        slowest = max(values) if values else None
        rows.append([name, _ms(found["p50"]), _ms(found["p95"]), _ms(slowest)])
    asked, heard = len(figures.scenes), len(figures.voice_to_voice_ms)
    return [
        *table(["", "p50", "p95", "slowest"], rows),
        "",
        f"{asked} questions were asked; {heard} were heard as one turn and answered.",
    ]


def _echo(figures: Figures) -> list[str]:
    rows: list[list[object]] = []
    for level, values in figures.echo_noticed_ms.items():
        found = percentiles(values)
        share = len(values) / figures.echo_replies
        rows.append([level, _percent(share), _ms(found["p50"]), _ms(found["p95"])])
    return [
        *table(["echo by the user's level, dB", "noticed", "after p50", "p95"], rows),
        "",
        f"{figures.echo_replies} simulated replies without an interruption, and as many with one "
        "at each level. Times count from the first sample of speech to the moment at which the "
        "robot pauses.",
    ]
