"""What the services of a mesh count, read from their metrics."""

from __future__ import annotations

import urllib.request

from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

_WITHIN_S = 5.0


def read_metrics(url: str) -> list[Sample]:
    """All samples of a service's metrics page; blocks for a moment, OSError when it is gone."""
    with urllib.request.urlopen(url, timeout=_WITHIN_S) as answer:
        families: list[Metric] = [*text_string_to_metric_families(answer.read().decode())]
    return [sample for family in families for sample in family.samples]
