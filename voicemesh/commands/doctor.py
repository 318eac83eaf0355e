"""``voicemesh doctor``: what works here, what does not, and the cure."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from voicemesh.check import Check
from voicemesh.commands.doctor_checks import refusals, sections
from voicemesh.commands.frame import write_json
from voicemesh.devices import device_kinds
from voicemesh.errors import InvalidArgument, SettingsError
from voicemesh.registry import installed
from voicemesh.settings import Settings

_MARKS = {"ok": "ok  ", "warn": "warn", "fail": "FAIL"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """See CommandModule."""
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument(
        "--tpu",
        action="store_true",
        help="try the TPUs out instead: open each, let it work, load the chosen engines",
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
    if settings.elsewhere:
        cure = "a slip, or meant for another machine that shares this file"
        return Check("valid", "warn", f"{origin}; {settings.unread()}", cure)
    return Check("valid", "ok", origin)


def _print(found: dict[str, list[Check]]) -> None:
    for heading, checks in found.items():
        print(f"{heading}")
        for check in checks:
            print(f"  {_MARKS[check.verdict]}  {check.name}: {check.detail}")
            if check.cure and check.verdict != "ok":
                print(f"        → {check.cure}")


def _tpus(
    options: argparse.Namespace, settings: Settings, checked: list[Check]
) -> dict[str, list[Check]]:
    """What the TPUs, and the services placed on them, are like."""
    kinds = device_kinds()
    if not kinds:
        cure = "install the distribution of your device, such as voicemesh-sophon"
        return {"devices": [Check("tpu", "fail", "nothing installed here knows one", cure)]}
    trials = {name: kind.try_out(settings, checked) for name, kind in kinds.items()}
    if options.report is not None:
        reports = {name: trial.report for name, trial in trials.items()}
        # A machine has devices of one kind, as a rule: its report stands by itself.
        write_json(options.report, next(iter(reports.values())) if len(reports) == 1 else reports)
    found: dict[str, list[Check]] = {}
    for trial in trials.values():
        for heading, checks in trial.checks.items():
            found.setdefault(heading, []).extend(checks)
    return found


def _audio(settings: Settings) -> dict[str, list[Check]]:
    """What can be heard of the robot in its own microphone."""
    looks = installed("voicemesh.audio_checks")
    if not looks:
        missing = Check("sound", "fail", "nothing here has a sound", "install voicemesh-robot")
        return {"sound": [missing]}
    return {heading: look(settings) for heading, look in looks.items()}


def run(options: argparse.Namespace, settings: Settings) -> int:
    """See CommandModule."""
    found = {"settings": [_settings_check(options.settings_error, settings)]}
    if options.report is not None and not options.tpu:
        raise InvalidArgument("--report is about the TPUs; add --tpu", field="--report")
    if options.tpu:
        found |= _tpus(options, settings, found["settings"])
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
