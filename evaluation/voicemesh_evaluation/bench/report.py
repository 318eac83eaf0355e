"""What a benchmark tells: JSON for machines, a few lines for people."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from voicemesh_evaluation.bench.processes import together
from voicemesh_evaluation.bench.runs import RunOutcome
from voicemesh_evaluation.bench.tally import Percentiles, percentiles
from voicemesh_evaluation.bench.workload import INTERRUPT_MS, Workload


def _over(outcome: RunOutcome, workload: Workload) -> Percentiles:
    return percentiles([ms - workload.critical_path_ms for ms in outcome.tally.response_ms])


def _gain_ms(outcome: RunOutcome, workload: Workload) -> float | None:
    """How much sooner half of the answers come than one could that waits for the turn's end."""
    response = percentiles(outcome.tally.response_ms)
    if response is None or not workload.eager:
        return None
    return round(workload.waiting_path_ms - response["p50"], 1)


def _usage(outcome: RunOutcome, workload: Workload) -> dict[str, Any]:
    if not outcome.usages:
        return {}
    whole = together(outcome.usages)
    seconds = outcome.tally.conversation_s
    return whole.as_json(workload.conversations, seconds, workload.conversations)


def as_json(
    workload: Workload,
    engines: str,
    mesh: RunOutcome,
    floor: RunOutcome | None,
    beside_percent: int = 0,
) -> dict[str, Any]:
    """The report; overheads are None where no critical path is known or no floor was run.

    ``beside_percent``: what another process took of the servers' core.
    """
    scripted = engines == "simulated"
    tally = mesh.tally
    usage = _usage(mesh, workload)
    report: dict[str, Any] = {
        "conversations": workload.conversations,
        "turns": workload.turns,
        "pattern": workload.pattern,
        "engines": engines,
        "beside_percent": beside_percent,
        "eager": workload.eager if scripted else None,
        "critical_path_ms": workload.critical_path_ms if scripted else None,
        "waiting_path_ms": workload.waiting_path_ms if scripted else None,
        "response_ms": percentiles(tally.response_ms),
        "overhead_ms": _over(mesh, workload) if scripted else None,
        "floor_overhead_ms": _over(floor, workload) if floor else None,
        "eager_gain_ms": _gain_ms(mesh, workload) if scripted else None,
        "cpu_ms_per_conversation_second": usage.get("cpu_ms_per_conversation_second"),
        "rss_mb_per_conversation": usage.get("rss_mb_per_conversation"),
        "rss_slope_kb_per_turn": usage.get("rss_slope_kb_per_turn"),
        "late_chunks": tally.late_chunks,
        "chunks": tally.chunks,
        "turns_ended": tally.turns,
        "errors": tally.errors,
        "problems": dict(tally.problems),
        "interrupt_ms": percentiles(tally.interrupt_ms),
        "services": {
            name: used.as_json(workload.conversations, tally.conversation_s, workload.conversations)
            for name, used in mesh.usages.items()
        },
    }
    if floor is not None:
        report["floor"] = {
            "response_ms": percentiles(floor.tally.response_ms),
            "interrupt_ms": percentiles(floor.tally.interrupt_ms),
            "late_chunks": floor.tally.late_chunks,
            "chunks": floor.tally.chunks,
            "errors": floor.tally.errors,
            **_usage(floor, workload),
        }
    return report


def _spread(values: Percentiles) -> str:
    if values is None:
        return "not known"
    return " / ".join(f"{values[name]:.1f}" for name in ("p50", "p95", "p99")) + " ms"


def lines(report: dict[str, Any]) -> Iterator[str]:
    """The report for a terminal."""
    floor = report.get("floor")
    yield (
        f"{report['conversations']} conversations, {report['turns']} turns each, pattern "
        f"{report['pattern']}, engines {report['engines']}"
    )
    if report["beside_percent"]:
        yield f"  beside a process that takes {report['beside_percent']} % of the servers' core"
    yield f"  response (p50/p95/p99)   {_spread(report['response_ms'])}"
    if report["critical_path_ms"] is not None:
        when = "begun early" if report["eager"] else "begun at the end of the turn"
        yield f"  critical path            {report['critical_path_ms']} ms, answers {when}"
    yield f"  overhead                 {_spread(report['overhead_ms'])}"
    if floor:
        yield f"  overhead of the floor    {_spread(report['floor_overhead_ms'])}"
    if report["eager_gain_ms"] is not None:
        most = report["waiting_path_ms"] - report["critical_path_ms"]
        yield f"  gained by beginning early {report['eager_gain_ms']:.1f} of {most} ms (p50)"
    if report["interrupt_ms"]:
        interrupted = _spread(report["interrupt_ms"])
        yield f"  interruption             {interrupted}, {INTERRUPT_MS} at least"
    if floor and floor["interrupt_ms"]:
        yield f"  interruption, floor      {_spread(floor['interrupt_ms'])}"
    late = f"  late chunks              {report['late_chunks']} of {report['chunks']}"
    yield late + (f"; floor {floor['late_chunks']} of {floor['chunks']}" if floor else "")
    if report["cpu_ms_per_conversation_second"] is not None:
        cpu = f"  CPU                      {report['cpu_ms_per_conversation_second']:.1f} ms"
        cpu += " per conversation and second"
        yield cpu + (f"; floor {floor['cpu_ms_per_conversation_second']:.1f}" if floor else "")
        for name, used in report["services"].items():
            yield f"    {name:22} {used['cpu_ms_per_conversation_second']:.1f} ms"
        memory = report["rss_mb_per_conversation"]
        yield f"  memory                   {memory:.2f} MB per conversation"
    asked = report["conversations"] * report["turns"]
    ended, errors = report["turns_ended"], report["errors"]
    yield f"  turns                    {ended} of {asked} answered, {errors} errors"
    for problem, count in report["problems"].items():
        yield f"    {count} x {problem}"
