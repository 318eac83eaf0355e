"""What the owners of chips count, as Prometheus metrics of the services on them.

The owner itself has no metrics server: each service exports what concerns it, and the
condition of its chip. A restart of the owner starts its counts again from zero, as a
restart of any process does.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from prometheus_client import REGISTRY, Counter, Metric
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
)
from prometheus_client.registry import Collector

from voicemesh_sophon.watch import ChipWatch

LOSSES = Counter(
    "voicemesh_chip_losses_total", "Times that a service lost its chip", ["service", "cause"]
)

_CONDITION = {
    "utilisation": ("voicemesh_chip_utilisation_ratio", "Share of time that the chip worked"),
    "memory_total_bytes": ("voicemesh_chip_memory_total_bytes", "Memory of the chip"),
    "memory_used_bytes": ("voicemesh_chip_memory_used_bytes", "Memory of the chip in use"),
    "temperature_celsius": ("voicemesh_chip_temperature_celsius", "Temperature of the chip"),
}


class ChipMetrics(Collector):
    """The chips that this process's services work on."""

    def __init__(self) -> None:
        """Watches none."""
        self._watches: list[ChipWatch] = []

    def add(self, watch: ChipWatch) -> None:
        """Export what ``watch`` is told."""
        self._watches.append(watch)

    def remove(self, watch: ChipWatch) -> None:
        """Export it no more."""
        if watch in self._watches:
            self._watches.remove(watch)

    def describe(self) -> Iterable[Metric]:
        """Nothing ahead of time: names come with the news."""
        return ()

    def collect(self) -> Iterable[Metric]:
        """What was told last."""
        launches = HistogramMetricFamily(
            "voicemesh_chip_launch_seconds",
            "Launches by network; the layers of a model count as one",
            labels=["chip", "service", "graph"],
        )
        waits = HistogramMetricFamily(
            "voicemesh_chip_wait_seconds",
            "Waiting of launches for their turn on the chip",
            labels=["chip", "service"],
        )
        failures = CounterMetricFamily(
            "voicemesh_chip_launch_failures_total",
            "Failed launches of networks that had worked before",
            labels=["chip", "service"],
        )
        waiting = GaugeMetricFamily(
            "voicemesh_chip_waiting", "Steps that wait for the chip now", labels=["chip", "service"]
        )
        memory = GaugeMetricFamily(
            "voicemesh_chip_service_memory_bytes",
            "Memory of the chip that a service has asked for: tensors, and models as their "
            "files announce it",
            labels=["chip", "service"],
        )
        checks = CounterMetricFamily(
            "voicemesh_chip_model_checks_total",
            "Fixed questions that models on the chip answered as when they were loaded",
            labels=["chip"],
        )
        refusals = CounterMetricFamily(
            "voicemesh_chip_model_refusals_total",
            "Models that were refused, for they and another disturbed each other",
            labels=["chip"],
        )
        reordered = CounterMetricFamily(
            "voicemesh_chip_model_reorderings_total",
            "Models that were loaded again behind another that had disturbed them",
            labels=["chip"],
        )
        condition = {
            key: GaugeMetricFamily(*named, labels=["chip"]) for key, named in _CONDITION.items()
        }
        for watch in tuple(self._watches):  # Services come and go meanwhile.
            news, service = watch.news, watch.placement.service
            if not news:
                continue
            bounds = news["launch_bounds_s"]
            counted = news["services"].get(service)
            if counted is not None:
                for graph, spread in sorted(counted["launches"].items()):
                    _add(launches, [watch.name, service, graph], bounds, spread)
                _add(waits, [watch.name, service], bounds, counted["waits"])
                failures.add_metric([watch.name, service], counted["failures"])
            waiting.add_metric([watch.name, service], news["waiting"].get(service, 0))
            used = sum(c["memory_bytes"] for c in news["clients"] if c["service"] == service)
            memory.add_metric([watch.name, service], used)
            checks.add_metric([watch.name], news["checks"]["right"])
            refusals.add_metric([watch.name], news["checks"]["refused"])
            reordered.add_metric([watch.name], news["checks"]["reordered"])
            for key, family in condition.items():
                if key in news["condition"]:
                    family.add_metric([watch.name], news["condition"][key])
        counted_by_chip = [checks, refusals, reordered, *condition.values()]
        families: list[Metric] = [launches, waits, failures, waiting, memory, *counted_by_chip]
        return [family for family in families if family.samples]


def _add(
    family: HistogramMetricFamily,
    labels: Sequence[str],
    bounds: Sequence[float],
    spread: dict[str, Any],
) -> None:
    total = 0
    buckets = []
    for bound, count in zip([*map(str, bounds), "+Inf"], spread["counts"], strict=True):
        total += count
        buckets.append((bound, total))
    family.add_metric(list(labels), buckets, spread["seconds"])


CHIPS = ChipMetrics()
REGISTRY.register(CHIPS)
