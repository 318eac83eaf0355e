"""A process that takes a share of a core, as a robot's other programs do.

Run by the benchmark beside the servers; it says "ready" and computes until it is stopped.
"""

from __future__ import annotations

import sys
import time

from voicemesh.workers.parent_death import die_with_parent

_PERIOD_S = 0.1
"""It computes at the beginning of each period and sleeps for the rest: no even load."""


def keep_busy(share: float, periods: int | None = None) -> None:
    """Use ``share`` of a core, from 0 to 1, for so many periods; None: without end.

    What the core did not give within a period is not asked for in the next one.
    """
    done = 0
    while periods is None or done < periods:
        ends_s = time.monotonic() + _PERIOD_S
        used_s = time.process_time() + share * _PERIOD_S
        while time.process_time() < used_s and time.monotonic() < ends_s:
            pass
        time.sleep(max(0.0, ends_s - time.monotonic()))
        done += 1


def main() -> None:
    """Arguments: the parent's process id, and the share in percent."""
    die_with_parent(int(sys.argv[1]))
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    keep_busy(float(sys.argv[2]) / 100)


if __name__ == "__main__":
    main()
