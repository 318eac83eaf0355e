"""Launches, seconds and waits, counted for the watchers of the owner."""

from __future__ import annotations

import re
import threading
from bisect import bisect_left
from typing import Any

LAUNCH_BOUNDS_S = (
    *(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5),
    *(1.0, 2.0, 5.0, 10.0),
)
"""Seconds. From a decoder's step to a synthesiser that takes all of a chip."""

_LAYER = re.compile(r"_\d+$")


class _Histogram:
    """Durations in seconds, counted by bucket."""

    def __init__(self) -> None:
        self.counts = [0] * (len(LAUNCH_BOUNDS_S) + 1)
        self.seconds = 0.0

    def add(self, seconds: float) -> None:
        self.counts[bisect_left(LAUNCH_BOUNDS_S, seconds)] += 1
        self.seconds += seconds

    def as_json(self) -> dict[str, Any]:
        return {"counts": list(self.counts), "seconds": self.seconds}


class Counters:
    """Counts by service since the owner started. The layers of a model count as one net."""

    def __init__(self) -> None:
        """Begins at zero."""
        self._lock = threading.Lock()
        self._launches: dict[str, dict[str, _Histogram]] = {}
        self._waits: dict[str, _Histogram] = {}
        self._failures: dict[str, int] = {}
        self._failed_in_a_row = 0

    def waited(self, service: str, seconds: float) -> None:
        """A step of a service has waited for its turn."""
        with self._lock:
            self._waits.setdefault(service, _Histogram()).add(seconds)

    def launched(self, service: str, net: str, seconds: float) -> None:
        """A launch has ended well."""
        with self._lock:
            nets = self._launches.setdefault(service, {})
            nets.setdefault(_LAYER.sub("", net), _Histogram()).add(seconds)
            self._failed_in_a_row = 0

    def failed(self, service: str) -> int:
        """A launch has failed; returns how many have since the last that ended well."""
        with self._lock:
            self._failures[service] = self._failures.get(service, 0) + 1
            self._failed_in_a_row += 1
            return self._failed_in_a_row

    def as_json(self) -> dict[str, Any]:
        """The counts as watchers get them."""
        with self._lock:
            services: list[str] = sorted({*self._launches, *self._waits, *self._failures})
            return {
                service: {
                    "launches": {
                        net: histogram.as_json()
                        for net, histogram in self._launches.get(service, {}).items()
                    },
                    "waits": self._waits.get(service, _Histogram()).as_json(),
                    "failures": self._failures.get(service, 0),
                }
                for service in services
            }
