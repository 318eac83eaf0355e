"""``voicemesh bench token``: the host's CPU for each token of a language model on a chip."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from voicemesh.commands.frame import check_writable, write_json
from voicemesh.errors import EngineMissing
from voicemesh.settings import Settings
from voicemesh_llm.engines.sophon_llm.spec import SPEC


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """See CommandModule."""
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures here")


def run(options: argparse.Namespace, settings: Settings) -> int:
    """See CommandModule."""
    found = SPEC.probe()
    if not found.usable:
        raise EngineMissing(f"{found.reason}, which the benchmark needs; {found.cure}")
    check_writable(options.json)
    # The engine's packages are an extra; the command itself does without.
    from voicemesh_llm.engines.sophon_llm.benchmark.idle_model import LAYERS
    from voicemesh_llm.engines.sophon_llm.benchmark.token_cost import measure

    cost = measure()
    sys.stdout.write(
        f"a token of {LAYERS} layers costs {cost.total_ms:.2f} ms of the host's CPU: "
        f"the chip's owner {cost.owner_ms:.2f}, the engine {cost.client_ms:.2f}, "
        f"calls of an idle sail {cost.sail_ms:.2f}\n"
    )
    if options.json is not None:
        write_json(options.json, cost.as_json())
    return 0
