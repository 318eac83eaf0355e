"""What all rooms share of Prometheus: buckets, build info, errors, streams.

Each room defines its own metrics in its ``metrics.py``. Names begin with
``voicemesh_`` and carry their unit; docs/operations.md lists them all.
"""

from prometheus_client import Counter, Gauge, Info, disable_created_metrics

# A second series for each counter and label, which nobody here reads.
disable_created_metrics()  # type: ignore[no-untyped-call]  # the library leaves it unannotated

STAGE_BUCKETS = (
    *(0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.7),
    *(1.0, 1.5, 2.0, 3.0, 5.0, 8.0, 12.0, 20.0),
)
"""Seconds. Fine where a listener notices the difference (100 to 700 ms)."""

LATE_WORK_BUCKETS = (0, 1, 2, 3, 5, 8, 13, 21)
"""Tokens or chunks made after a cancel. One: that which was under way."""

BUILD = Info("voicemesh_build", "Version, service and engine of this process")
ERRORS = Counter("voicemesh_errors_total", "Errors sent to callers", ["service", "code"])
STREAMS = Gauge("voicemesh_streams", "Slots that are taken now", ["kind"])
SLOTS = Gauge("voicemesh_slots", "Slots in all", ["kind"])
REFUSED = Counter("voicemesh_refused_total", "Callers refused at admission", ["kind", "reason"])
LOOP_STALL = Gauge("voicemesh_event_loop_stall_seconds", "The longest stall of the last 10 s")
LOOP_STALLS = Counter("voicemesh_event_loop_stalls_total", "Stalls of more than 100 ms")
LOOP_TASKS = Gauge("voicemesh_event_loop_tasks", "Tasks of the event loop, counted every second")
EVENTS_LOST = Counter(
    "voicemesh_slow_readers_total", "Streams ended because the client did not read", ["service"]
)
