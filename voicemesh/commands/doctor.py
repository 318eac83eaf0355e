"""``voicemesh doctor``: what works here, what does not, and the cure."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict

from voicemesh.checks import Check, sections
from voicemesh.commands.frame import Command
from voicemesh.errors import SettingsError
from voicemesh.settings import Settings

_MARKS = {"ok": "ok  ", "warn": "warn", "fail": "FAIL"}


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print JSON")


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


def _run(options: argparse.Namespace, settings: Settings) -> int:
    found = {"settings": [_settings_check(options.settings_error, settings)]}
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
