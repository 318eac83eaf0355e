"""The report of the matrix: from the results that pytest has written, as Markdown."""

from __future__ import annotations

import argparse
import os
import platform
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from xml.etree import ElementTree

_COLUMNS = ("engine", "model", "chip", "cores", "compared", "result")
_HEAD = """# TPU engines on the simulator

The vendor's functional simulator executes the tiny bmodels of the tests bit by bit, as a chip
would; the services run as usual and are asked over gRPC. Seconds are of this machine ({machine}),
whose other work they share, and say nothing about a chip. No chip has been tried.
Made by `scripts/evaluate_sophon`; needed: exact texts, exact answers, correlation 0.999.
"""


def rows(results: Sequence[Path]) -> Iterator[list[str]]:
    """One for each test; its last two columns are the verdict and the seconds."""
    for path in results:
        for case in ElementTree.parse(path).getroot().iter("testcase"):
            told = {p.get("name"): p.get("value", "") for p in case.iter("property")}
            broken = case.find("failure") is not None or case.find("error") is not None
            verdict = "**failed**" if broken else "passed"
            seconds = f"{float(case.get('time', 0)):.0f}"
            yield [*(told.get(column, "?") for column in _COLUMNS), verdict, seconds]


def main() -> None:
    """Print the report, and write it where ``--report`` says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "results", type=Path, nargs="+", help="JUnit XML of tests/sophon/test_matrix.py"
    )
    parser.add_argument("--report", type=Path, help="write the report to this file, too")
    flags = parser.parse_args()
    table = [[*_COLUMNS, "", "seconds"], ["---"] * (len(_COLUMNS) + 2), *rows(flags.results)]
    lines = [f"| {' | '.join(row)} |" for row in table]
    machine = f"{platform.machine()}, {os.cpu_count()} cores"
    report = _HEAD.format(machine=machine) + "\n" + "\n".join(lines) + "\n"
    sys.stdout.write(report)
    if flags.report is not None:
        flags.report.parent.mkdir(parents=True, exist_ok=True)
        flags.report.write_text(report, encoding="utf-8")


if __name__ == "__main__":
    main()
