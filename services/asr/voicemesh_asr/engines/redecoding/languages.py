"""Which languages' texts are compared by characters."""

from __future__ import annotations

UNSPACED = frozenset({"zh", "ja", "th", "yue", "lo", "my", "km", "bo"})
"""Languages that are written without spaces between words."""
