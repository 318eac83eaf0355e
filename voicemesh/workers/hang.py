"""When a call of an engine counts as hung."""

from __future__ import annotations

HANG_S = 60.0
"""No call of an engine takes so many seconds, loading apart: a pass over the longest utterance,
or the longest prompt that is read at once, takes some on the slowest machine. An engine that
takes longer is stuck in its library or its device, and only a new process helps."""
