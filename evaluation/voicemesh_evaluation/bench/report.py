"""What a benchmark tells: JSON for machines, a few lines for people."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from voicemesh_evaluation.bench.processes import together
from voicemesh_evaluation.bench.runs import RunOutcome
from voicemesh_evaluation.bench.tally import percentiles
from voicemesh_evaluation.bench.workload import Workload


def _over(outcome: RunOutcome, workload: Workload) -> dict[str, float] | None:
    return percentiles([ms - workload.ideal_ms for ms in outcome.tally.response_ms])


def _usage(outcome: RunOutcome, workload: Workload) -> dict[str, Any]:
    if not outcome.usages:
        return {}
    whole = together(outcome.usages)
    seconds = outcome.tally.conversation_s
    return whole.as_json(workload.conversations, seconds, workload.conversations)


def as_json(
    workload: Workload, engines: str, mesh: RunOutcome, floor: RunOutcome | None
) -> dict[str, Any]:
    """The report; overheads are None where no ideal is known or no floor was run."""
    scripted = engines == "simulated"
    tally = mesh.tally
    usage = _usage(mesh, workload)
    report: dict[str, Any] = {
        "conversations": workload.conversations,
        "turns": workload.turns,
        "pattern": workload.pattern,
        "engines": engines,
        "ideal_ms": workload.ideal_ms if scripted else None,
        "response_ms": percentiles(tally.response_ms),
        "overhead_ms": _over(mesh, workload) if scripted else None,
        "floor_overhead_ms": _over(floor, workload) if floor else None,
        "cpu_ms_per_conversation_second": usage.get("cpu_ms_per_conversation_second"),
        "rss_mb_per_conversation": usage.get("rss_mb_per_conversation"),
        "rss_slope_kb_per_turn": usage.get("rss_slope_kb_per_turn"),
        "late_chunks": tally.late_chunks,
        "chunks": tally.chunks,
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


def _spread(values: dict[str, float] | None) -> str:
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
    yield f"  response (p50/p95/p99)   {_spread(report['response_ms'])}"
    yield f"  overhead                 {_spread(report['overhead_ms'])}"
    if floor:
        yield f"  overhead of the floor    {_spread(report['floor_overhead_ms'])}"
    if report["interrupt_ms"]:
        yield f"  interruption             {_spread(report['interrupt_ms'])}"
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
    yield f"  errors                   {report['errors']}"
    for problem, count in report["problems"].items():
        yield f"    {count} x {problem}"
