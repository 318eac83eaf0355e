"""``voicemesh serve NAME``: run one service in this process."""

from __future__ import annotations

import argparse

from voicemesh.commands.frame import Command
from voicemesh.errors import NotFound
from voicemesh.registry import installed_names, installed_one
from voicemesh.server import ServiceSpec, run
from voicemesh.settings import Settings
from voicemesh.workers.parent_death import die_with_parent


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("service", help="asr, llm, tts or orchestrator, as installed here")
    parser.add_argument(
        "--parent", type=int, metavar="PID", help="die with this process, which started the service"
    )


def _run(options: argparse.Namespace, settings: Settings) -> int:
    if options.parent is not None:
        die_with_parent(options.parent)
    names = installed_names("voicemesh.services")
    if options.service not in names:
        known = ", ".join(names) or "none"
        raise NotFound(f"no service {options.service!r} is installed here; installed are: {known}")
    spec: ServiceSpec = installed_one("voicemesh.services", options.service)
    run(spec, settings)
    return 0


COMMAND = Command("serve", "run one service in this process", _add_arguments, _run)
