"""``voicemesh doctor``: what works here, what does not, and the cure."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from voicemesh.check import Check
from voicemesh.commands.doctor_checks import refusals, sections
from voicemesh.commands.frame import Command, write_json
from voicemesh.errors import InvalidArgument, SettingsError
from voicemesh.registry import installed
from voicemesh.settings import Settings
from voicemesh_sophon.checks import finding_checks
from voicemesh_sophon.chip_report import report
from voicemesh_sophon.plan import device_plan
from voicemesh_sophon.probing import best_inventory
from voicemesh_sophon.self_test import try_chips

_MARKS = {"ok": "ok  ", "warn": "warn", "fail": "FAIL"}


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument(
        "--tpu",
        action="store_true",
        help="try the Sophgo chips out instead: open each, launch a net, load the chosen engines",
    )
    parser.add_argument(
        "--audio",
        action="store_true",
        help="try the microphone and the speaker out instead: play a chirp, measure its level, "
        "delay and echo return loss",
    )
    parser.add_argument(
        "--report",
        type=Path,
        metavar="FILE",
        help="with --tpu: write a report to send; no texts, no audio, no names of machine or user",
    )


def _settings_check(error: SettingsError | None, settings: Settings) -> Check:
    if error is not None:
        cure = "`voicemesh config --toml` explains all settings; what follows is of the defaults"
        return Check("valid", "fail", str(error), cure)
    sources = {value.source for value in settings.values()} - {"default"}
    origin = f"from {', '.join(sorted(sources))}" if sources else "all are defaults"
    return Check("valid", "ok", origin)


def _print(found: dict[str, list[Check]]) -> None:
    for heading, checks in found.items():
        print(f"{heading}")
        for check in checks:
            print(f"  {_MARKS[check.verdict]}  {check.name}: {check.detail}")
            if check.cure and check.verdict != "ok":
                print(f"        → {check.cure}")


def _chips(
    options: argparse.Namespace, settings: Settings, valid: list[Check]
) -> dict[str, list[Check]]:
    """What the chips, and the services placed on them, are like."""
    plan = device_plan(settings, best_inventory(settings))
    placement = finding_checks(plan.findings)
    if not plan.inventory.chips:
        cure = "look at bm-smi and dmesg; VOICEMESH_SOPHON=cmodel simulates a chip"
        placement.append(Check("chips", "fail", f"none: {plan.inventory.source}", cure))
    tests = list(try_chips(settings, plan))
    if options.report is not None:
        write_json(options.report, report(plan, tests, valid))
    chips = {test.entry.name: list(test.checks) for test in tests}
    return {"placement": placement, **chips} if placement else chips


def _audio(settings: Settings) -> dict[str, list[Check]]:
    """What can be heard of the robot in its own microphone."""
    looks = installed("voicemesh.audio_checks")
    if not looks:
        missing = Check("sound", "fail", "nothing here has a sound", "install voicemesh-robot")
        return {"sound": [missing]}
    return {heading: look(settings) for heading, look in looks.items()}


def _run(options: argparse.Namespace, settings: Settings) -> int:
    found = {"settings": [_settings_check(options.settings_error, settings)]}
    if options.report is not None and not options.tpu:
        raise InvalidArgument("--report is about the chips; add --tpu", field="--report")
    if options.tpu:
        found |= _chips(options, settings, found["settings"])
    elif options.audio:
        found |= _audio(settings)
    else:
        found["settings"] += refusals(settings)
        found |= {heading: checks for heading, checks in sections(settings) if checks}
    if options.json:
        entries = {
            heading: [asdict(check) for check in checks] for heading, checks in found.items()
        }
        print(json.dumps(entries, ensure_ascii=False, indent=2))
    else:
        _print(found)
    failed = any(check.verdict == "fail" for checks in found.values() for check in checks)
    return 1 if failed else 0


COMMAND = Command(
    "doctor",
    "look at what is installed and usable here, and name the cure for what is not",
    _add_arguments,
    _run,
    tolerant=True,
)
