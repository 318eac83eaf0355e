"""Small reports in Markdown, and the mesh that they are made with."""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import sys
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from voicemesh import __version__
from voicemesh.errors import VoiceMeshError
from voicemesh.supervisor import Mesh


def table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> list[str]:
    """A Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return [f"| {' | '.join(str(cell) for cell in line)} |" for line in lines]


def percentiles(values: Sequence[float]) -> dict[str, float | None]:
    """The median and the 95th percentile, to a tenth; None where there is nothing."""
    if not values:
        return {"p50": None, "p95": None}
    p50, p95 = np.percentile(values, [50, 95])
    return {"p50": round(float(p50), 1), "p95": round(float(p95), 1)}


def machine() -> str:
    """What it was measured on, in a line."""
    cores = os.cpu_count()
    load = os.getloadavg()[0]
    return (
        f"voicemesh {__version__}, {platform.machine()}, {cores} cores, Python "
        f"{platform.python_version()}, load {load:.1f} at the end."
    )


def quiet_mesh() -> Mesh:
    """All services on free ports of this machine; only warnings are logged."""
    return Mesh(ephemeral=True, flags={"mesh.log_level": "warning"}, report=lambda line: None)


def run(
    parser: argparse.ArgumentParser,
    evaluate: Callable[[argparse.Namespace], Coroutine[Any, Any, list[str]]],
) -> int:
    """Evaluate, print the report and write it where ``--report`` says."""
    parser.add_argument("--report", type=Path, metavar="FILE", help="write the report here as well")
    options = parser.parse_args()
    try:
        text = "\n".join(asyncio.run(evaluate(options)))
    except VoiceMeshError as error:
        sys.stderr.write(f"{parser.prog}: {error}\n")
        return 1
    sys.stdout.write(f"{text}\n")
    if options.report is not None:
        options.report.parent.mkdir(parents=True, exist_ok=True)
        options.report.write_text(f"{text}\n", encoding="utf-8")
    return 0
