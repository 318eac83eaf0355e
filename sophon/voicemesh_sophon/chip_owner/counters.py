"""Launches, seconds and waits, counted for the watchers of the owner."""

from __future__ import annotations

import re
import threading
from bisect import bisect_left
from typing import Any, Sequence, Tuple

LAUNCH_BOUNDS_S = (
    *(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5),
    *(1.0, 2.0, 5.0, 10.0),
)
"""Seconds. From a decoder's step to a synthesiser that takes all of a chip."""

_LAYER = re.compile(r"_\d+$")


class Histogram:
    """Durations in seconds, counted by bucket."""

    def __init__(self) -> None:
        """Nothing has been counted."""
        self.counts = [0] * (len(LAUNCH_BOUNDS_S) + 1)
        self.seconds = 0.0

    def add(self, seconds: float) -> None:
        """Count one; whoever adds holds the counters' lock."""
        self.counts[bisect_left(LAUNCH_BOUNDS_S, seconds)] += 1
        self.seconds += seconds

    def as_json(self) -> dict[str, Any]:
        """As watchers get it."""
        return {"counts": list(self.counts), "seconds": self.seconds}


Launched = Tuple[Histogram, float, float]
"""A launch: where it is counted, how many seconds it took, and how many it waited for its turn."""


class Counters:
    """Counts by service since the owner started. The layers of a model count as one net."""

    def __init__(self) -> None:
        """Begins at zero."""
        self._lock = threading.Lock()
        self._launches: dict[str, dict[str, Histogram]] = {}
        self._waits: dict[str, Histogram] = {}
        self._failures: dict[str, int] = {}
        self._failed_in_a_row = 0

    def launches(self, service: str, net: str) -> Histogram:
        """Where the seconds of a network's launches are counted."""
        with self._lock:
            nets = self._launches.setdefault(service, {})
            return nets.setdefault(_LAYER.sub("", net), Histogram())

    def waits(self, service: str) -> Histogram:
        """Where the seconds are counted that a service's launches waited for their turn."""
        with self._lock:
            return self._waits.setdefault(service, Histogram())

    def launched(self, waits: Histogram, launches: Sequence[Launched]) -> None:
        """Launches of a service have ended well."""
        with self._lock:
            for counts, seconds, waited_s in launches:
                counts.add(seconds)
                if waited_s:
                    waits.add(waited_s)
                else:
                    waits.counts[0] += 1  # What it nearly always is.
            self._failed_in_a_row = 0

    def waited(self, waits: Histogram, seconds: float) -> None:
        """A launch that failed had waited for its turn."""
        with self._lock:
            waits.add(seconds)

    def failed(self, service: str) -> int:
        """A launch has failed; returns how many have since the last that ended well."""
        with self._lock:
            self._failures[service] = self._failures.get(service, 0) + 1
            self._failed_in_a_row += 1
            return self._failed_in_a_row

    def as_json(self) -> dict[str, Any]:
        """The counts as watchers get them."""
        with self._lock:
            # Who has launched something: others are only connected.
            services = sorted(who for who, waits in self._waits.items() if any(waits.counts))
            return {
                service: {
                    "launches": {
                        net: histogram.as_json()
                        for net, histogram in self._launches.get(service, {}).items()
                        if any(histogram.counts)  # It has been launched, not only prepared.
                    },
                    "waits": self._waits[service].as_json(),
                    "failures": self._failures.get(service, 0),
                }
                for service in services
            }
