"""``voicemesh serve NAME``: run one service in this process."""

from __future__ import annotations

import argparse

from voicemesh import server
from voicemesh.core_plan import wrong_cores
from voicemesh.errors import NotFound, SettingsError
from voicemesh.registry import installed_names, installed_one
from voicemesh.settings import Settings
from voicemesh.workers.parent_death import die_with_parent


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """See CommandModule."""
    names = ", ".join(installed_names("voicemesh.services")) or "none"
    parser.add_argument("service", help=f"which one; installed here are: {names}")
    parser.add_argument(
        "--instance", default="", metavar="NAME", help="how this process names itself to others"
    )
    parser.add_argument(
        "--parent", type=int, metavar="PID", help="die with this process, which started the service"
    )


def run(options: argparse.Namespace, settings: Settings) -> int:
    """See CommandModule."""
    if options.parent is not None:
        die_with_parent(options.parent)
    names = installed_names("voicemesh.services")
    if options.service not in names:
        known = ", ".join(names) or "none"
        raise NotFound(f"no service {options.service!r} is installed here; installed are: {known}")
    for setting, problem in wrong_cores(settings, {options.service}):
        raise SettingsError(f"{setting}: {problem}", field=setting)
    spec: server.ServiceSpec = installed_one("voicemesh.services", options.service)
    server.run(spec, settings, options.instance)
    return 0
