"""``voicemesh plan``: cores and devices, and which engine sits where."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from voicemesh.commands.frame import write_json
from voicemesh.core_plan import CoreClaim, core_claims, shared_cores, wrong_cores
from voicemesh.cores import spelled, usable_cores
from voicemesh.devices import DeviceOutline, device_kinds
from voicemesh.settings import Settings

_MARKS = {"fail": "FAIL", "warn": "warn", "note": "note"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """See CommandModule."""
    parser.add_argument(
        "--inventory",
        type=Path,
        metavar="FILE",
        help="plan for the devices that this file describes; default: for those that are here",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the plan as JSON")


def run(options: argparse.Namespace, settings: Settings) -> int:
    """See CommandModule."""
    claims = core_claims(settings)
    findings = list(_findings(settings))
    outlines = [kind.outline(settings, options.inventory) for kind in device_kinds().values()]
    for outline in outlines:
        findings += outline.report.get("findings", ())
    print("\n".join(_lines(claims, outlines, findings)))
    fits = all(finding["severity"] != "fail" for finding in findings)
    if options.json is not None:
        write_json(options.json, _as_json(claims, outlines, findings, fits))
    return 0 if fits else 1


def _findings(settings: Settings) -> Iterator[dict[str, str]]:
    """What does not work, or works badly, of the cores."""
    for setting, text in wrong_cores(settings):
        yield {"severity": "fail", "field": setting, "text": text}
    for setting, text in shared_cores(settings):
        yield {"severity": "warn", "field": setting, "text": text}


def _lines(
    claims: Sequence[CoreClaim],
    outlines: Sequence[DeviceOutline],
    findings: Sequence[dict[str, str]],
) -> Iterator[str]:
    yield f"Processor: {spelled(usable_cores())}"
    for claim in claims:
        threads = "1 thread" if claim.threads == 1 else f"{claim.threads} threads"
        yield f"    {claim.service:5} {claim.engine}: {spelled(claim.cores)}, {threads}"
    if not claims:
        yield "No service has chosen an engine that is pinned to cores."
    for outline in outlines:
        yield from outline.lines
    for finding in findings:
        yield f"{_MARKS[finding['severity']]}  {finding['field']}: {finding['text']}"


def _as_json(
    claims: Sequence[CoreClaim],
    outlines: Sequence[DeviceOutline],
    findings: Sequence[dict[str, str]],
    fits: bool,
) -> dict[str, Any]:
    """A machine has devices of one kind, as a rule: their report stands beside the processor's."""
    plan: dict[str, Any] = {"fits": fits}
    for outline in outlines:
        plan |= outline.report
    plan["processor"] = {
        "cores": list(usable_cores()),
        "engines": [
            {
                "service": claim.service,
                "engine": claim.engine,
                "setting": claim.setting,
                "cores": list(claim.cores),
                "threads": claim.threads,
            }
            for claim in claims
        ],
    }
    return plan | {"findings": list(findings)}
