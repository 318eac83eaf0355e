"""The report of the interleavings: from the results that pytest has written, as Markdown."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

_HEAD = """# Interleavings

Made-up conversations in virtual time: the real client and orchestrator between a scripted user,
recogniser, model and voice, over a network that is late and loses services. Of each conversation
the properties in `tests/orchestrator/simulation/properties.py` were asked. What happened in them
is below: a property that nothing could have broken says nothing.
Made by `scripts/evaluate_interleavings`.

{plans} plans, {passed} of {batches} batches passed (numbers {numbers}); {seconds:.0f} s
on {machine}.
"""


class Results:
    """The batches of a run."""

    def __init__(self, files: Sequence[Path]) -> None:
        """``files``: JUnit XML of test_interleavings.py."""
        self.happened: Counter[str] = Counter()
        self.numbers: list[int] = []
        self.passed = 0
        self.seconds = 0.0
        for file in files:
            for case in ElementTree.parse(file).getroot().iter("testcase"):
                self._add(case)

    def _add(self, case: ElementTree.Element) -> None:
        told = {p.get("name"): p.get("value", "") for p in case.iter("property")}
        if "batch" not in told:
            return  # A plan of its own.
        self.numbers.append(int(told["batch"]))
        self.seconds += float(case.get("time", 0))
        self.passed += case.find("failure") is None and case.find("error") is None
        self.happened.update(json.loads(told.get("happened", "{}")))

    def markdown(self) -> str:
        """The report."""
        numbers = sorted(self.numbers)
        head = _HEAD.format(
            plans=self.happened["plans"],
            passed=self.passed,
            batches=len(numbers),
            numbers=", ".join(map(str, numbers)),
            seconds=self.seconds,
            machine=f"{platform.machine()}, {os.cpu_count()} cores",
        )
        rows = [["what happened", "times"], ["---", "---"]]
        rows += [[name, str(self.happened[name])] for name in sorted(self.happened)]
        return "\n".join([head, *(f"| {' | '.join(row)} |" for row in rows), ""])


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the report, and write it where ``--report`` says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=Path, nargs="+", help="JUnit XML of test_interleavings.py")
    parser.add_argument("--report", type=Path, help="write the report to this file, too")
    flags = parser.parse_args(arguments)
    report = Results(flags.results).markdown()
    sys.stdout.write(report)
    if flags.report is not None:
        flags.report.parent.mkdir(parents=True, exist_ok=True)
        flags.report.write_text(report, encoding="utf-8")


if __name__ == "__main__":
    main()
