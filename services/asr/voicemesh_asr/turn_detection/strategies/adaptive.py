"""Waits adapted to the speaker: slow ones are given more time, brisk ones answered sooner.

The wait of another strategy is moved towards what the speaker's own pauses
suggest: somewhat more than the usual pause inside a turn, for a silence that is
shorter than that is more likely a pause than the end. How far it may move is
bounded, so that one long hesitation does not make the robot slow.
"""

from __future__ import annotations

from dataclasses import replace

from voicemesh_asr.turn_detection.pauses import Pauses
from voicemesh_asr.turn_detection.strategies.strategy import SilentTurn, WaitStrategy, WaitVerdict

# Fewer pauses tell nothing of a speaker.
_ENOUGH_PAUSES = 3
# A pause a little longer than usual is still a pause.
_REACH = 1.25
_MARGIN_MS = 100
# Bounds of a wait, as shares of what it is for a stranger.
_SHORTEST, _LONGEST = 0.75, 1.5
# The final pass and its eager end need this much of a silence, in milliseconds.
_LEAST_MS = 200


class Adaptive:
    """Another strategy, adapted to the speaker."""

    def __init__(self, strategy: WaitStrategy) -> None:
        """``strategy``: whose waits are adapted."""
        self._strategy = strategy

    def verdict(self, turn: SilentTurn) -> WaitVerdict | None:
        """See WaitStrategy."""
        found = self._strategy.verdict(turn)
        if found is None or found.wait_ms == 0:
            return found
        return replace(found, wait_ms=adapted(found.wait_ms, turn.pauses))


def adapted(wait_ms: int, pauses: Pauses) -> int:
    """``wait_ms`` for the speaker of ``pauses``, in milliseconds."""
    if pauses.count < _ENOUGH_PAUSES:
        return wait_ms
    wanted = _REACH * pauses.mean_ms + _MARGIN_MS
    lowest = min(wait_ms, max(_LEAST_MS, _SHORTEST * wait_ms))
    return int(min(max(wanted, lowest), _LONGEST * wait_ms))
