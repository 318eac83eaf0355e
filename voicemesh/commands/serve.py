"""``voicemesh serve NAME``: run one service in this process."""

from __future__ import annotations

import argparse

from voicemesh.commands.frame import Command
from voicemesh.errors import NotFound
from voicemesh.lifeline import die_with_parent
from voicemesh.registry import installed
from voicemesh.server import ServiceSpec, run
from voicemesh.settings import Settings


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("service", help="asr, llm, tts or orchestrator, as installed here")
    parser.add_argument(
        "--parent", type=int, metavar="PID", help="die with this process, which started the service"
    )


def _run(options: argparse.Namespace, settings: Settings) -> int:
    if options.parent is not None:
        die_with_parent(options.parent)
    services: dict[str, ServiceSpec] = installed("voicemesh.services")
    if options.service not in services:
        known = ", ".join(services) or "none"
        raise NotFound(f"no service {options.service!r} is installed here; installed are: {known}")
    run(services[options.service], settings)
    return 0


COMMAND = Command("serve", "run one service in this process", _add_arguments, _run)
