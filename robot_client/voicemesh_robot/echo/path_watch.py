"""Notices at once that the echo's way has changed: what is left over is then no user."""

from __future__ import annotations

from voicemesh_robot.echo.adaptive_filter import AdaptiveFilter, Signal
from voicemesh_robot.echo.likeness import EchoLikeness

# Windows that are compared, in seconds: at least, at most.
_LEAST_S, _MOST_S = 0.032, 0.128
# Correlations of a window, from the shortest to the longest: from the first on the echo has
# moved, from the second on it may have. Simulated, users who speak 0 to 12 dB over an echo reach
# 0.6 in the shortest and 0.25 in the longest elsewhere than the echo is; an echo that has
# moved 0.85, or 0.35 where somebody speaks 12 dB over it.
_MOVED, _MAYBE = (0.75, 0.45), (0.5, 0.3)
# An echo that is predicted is not there where this is left of what was heard.
_MISSING = 2.0
# By less than this the filter follows by itself.
_NEAR_S = 0.0003
# Blocks are held back so long at most for the doubt whether they are the user's.
_DOUBT_S = 0.16
# Looked at are all blocks so early in what may be the user's, and then one so often.
_OFTEN_S, _SELDOM_S = 0.128, 0.256
# Another way altogether is tried after so much of what may be the user's.
_NEW_AFTER_S = 0.256
# The way is kept so often, and once more where what came right after may have been wrong.
_KEPT_EVERY_S, _CALM_S = 0.256, 0.128


class PathWatch:
    """Whatever stands out of the echo is compared with the echo at all other delays.

    The way itself is as it was before something stood out, since the filter learns from
    that as well: so it can be put in the place of the filter, at another delay.
    """

    def __init__(self, rate_hertz: int, block: int, latest: int, partitions: int) -> None:
        """``latest`` beginning of a way, in samples."""
        self._rate = rate_hertz
        self._block = block
        self._least, self._most = (int(s * rate_hertz / block) for s in (_LEAST_S, _MOST_S))
        taps = block * partitions
        self._likeness = EchoLikeness(latest, taps, self._most * block)
        self.forget()

    def forget(self) -> None:
        """No way is known."""
        self._kept: tuple[AdaptiveFilter, ...] = ()
        self._calm = self.suspicious = 0
        self._was_missing = False
        self.doubtful = False
        """Whether what stands out should be held back until it is known whose it is."""

    def keep(self, learner: AdaptiveFilter) -> None:
        """Another way."""
        self.forget()
        self._kept = (learner.copy(),)

    @property
    def way(self) -> AdaptiveFilter:
        """The filter as it was when all was well."""
        return self._kept[0]

    def note_energies(self, heard: float, left: float) -> bool:
        """Whether the predicted echo is missing in the block, as it is in a gap."""
        is_missing = left > _MISSING * heard
        if is_missing:
            # The filter unlearns the way meanwhile.
            self._was_missing = True
            self.suspicious = 0
            self._disturb()
        return is_missing

    def _disturb(self) -> None:
        """The filter is not to be kept soon."""
        self._calm = min(self._calm, int((_KEPT_EVERY_S - _CALM_S) * self._rate / self._block))

    def process(self, stands_out: bool, learner: AdaptiveFilter) -> int:
        """Another block; so many newest samples are to be looked at now (0: none)."""
        self.doubtful = False
        if not stands_out:
            self.suspicious = 0
            self._calm += 1
            if self._calm * self._block >= _KEPT_EVERY_S * self._rate:
                self._calm = 0
                self._was_missing = False
                self._kept = (*self._kept[-1:], learner.copy())
            return 0
        if not self.suspicious:
            self._likeness.learn(self.way.taps())
        self.suspicious += 1
        self._disturb()
        return self._window * self._block if self._is_due else 0

    @property
    def _window(self) -> int:
        return min(max(self.suspicious, self._least), self._most)

    @property
    def _is_due(self) -> bool:
        since = self.suspicious * self._block
        if since <= _OFTEN_S * self._rate:
            return True
        return self.suspicious % int(_SELDOM_S * self._rate / self._block) == 0

    @property
    def may_be_new(self) -> bool:
        """Whether to try another way: what stands out has done so for long."""
        return self.suspicious == int(_NEW_AFTER_S * self._rate / self._block)

    def played_count(self, window: int) -> int:
        """So much of what was played is needed to look."""
        return self._likeness.played_count(window)

    def look(self, heard: Signal, played: Signal, begin: float) -> float | None:
        """By how many samples the echo has moved, if it has. ``begin`` of the way until now."""
        found = self._likeness.find(heard, played)
        shift = found.begin - begin
        is_near = abs(shift) < _NEAR_S * self._rate
        if is_near and not self._was_missing:
            return None
        length = (self._window - self._least) / (self._most - self._least)
        moved, maybe = (early + (late - early) * length for early, late in (_MOVED, _MAYBE))
        if found.share >= moved:
            return shift
        since = self.suspicious * self._block
        self.doubtful = found.share >= maybe and since <= _DOUBT_S * self._rate
        return None
