"""Where the client's speaker stands, from its reports and, between them, from the clock."""

from __future__ import annotations

import re
from dataclasses import dataclass

from voicemesh.writing import HAN

_WORD_BREAK = re.compile(r"\s")
# Chinese characters, and the marks and full-width forms that stand between them.
_HAN = re.compile(f"[{HAN}\u3000-\u303f\uff00-\uffef]")


class PlaybackEstimate:
    """The play-out of one reply, in samples at the reply's rate.

    Without reports audio is assumed to be played as it arrives, with no pause but
    those that the client was asked for. A report corrects the assumption.
    ``now_s`` is the monotonic clock.
    """

    def __init__(self, rate_hertz: int, reports: bool = False) -> None:
        """``reports``: the client has promised reports, so nothing is heard before the first."""
        self._rate = rate_hertz
        self.sent = 0
        self._anchor_played = 0
        self._anchor_s = 0.0
        self._paused = False
        self._reports = reports
        self._reported = 0
        self._reported_any = False
        self.underruns = 0

    def add(self, samples: int, now_s: float) -> None:
        """``samples`` have been sent to the client."""
        if self.played(now_s) >= self.sent:
            # The speaker was idle; it goes on with what arrives now.
            self.underruns += self.sent > 0
            self._anchor_played, self._anchor_s = self.sent, now_s
        self.sent += samples

    def report(self, played: int, paused: bool, now_s: float) -> None:
        """The client says where it stands."""
        self._anchor_played = max(0, min(played, self.sent))
        self._anchor_s = now_s
        self._paused = paused
        self._reported = self._anchor_played
        self._reports = self._reported_any = True

    def asked_to_pause(self, now_s: float) -> None:
        """The client was asked to pause. One that reports will say when it has."""
        if not self._reports and not self._paused:
            self._anchor_played, self._anchor_s = self.played(now_s), now_s
            self._paused = True

    def asked_to_resume(self, now_s: float) -> None:
        """The client was asked to go on. One that reports will say when it does."""
        if not self._reports and self._paused:
            self._anchor_s, self._paused = now_s, False

    def heard(self, now_s: float) -> int:
        """How many samples have certainly been heard; ``played`` may be an assumption."""
        return 0 if self._reports and not self._reported_any else self.played(now_s)

    @property
    def said_all(self) -> bool:
        """Whether the client has reported that all that was sent has left its speaker."""
        return self._reported_any and self._reported >= self.sent

    def played(self, now_s: float) -> int:
        """How many samples have left the speaker."""
        if self._paused:
            return self._anchor_played
        elapsed = max(0, int((now_s - self._anchor_s) * self._rate))
        return min(self.sent, self._anchor_played + elapsed)

    def seconds_until(self, played: int, now_s: float) -> float | None:
        """When ``played`` samples will have left the speaker, in seconds from now.

        None while playback is paused before them: only a report can tell.
        """
        missing = played - self.played(now_s)
        if missing > 0 and self._paused:
            return None
        return max(0, missing) / self._rate


@dataclass(frozen=True)
class _Spoken:
    end_sample: int
    end_char: int


class SpokenText:
    """Which sample of a reply says which part of its text."""

    def __init__(self) -> None:
        """Nothing has been spoken yet."""
        self._marks: list[_Spoken] = [_Spoken(0, 0)]
        self._broken_off = False

    def add(self, end_sample: int, end_char: int) -> None:
        """The audio up to ``end_sample`` says the text up to ``end_char``."""
        if not self._broken_off:
            self._marks.append(_Spoken(end_sample, max(end_char, self._marks[-1].end_char)))

    def break_off(self, end_sample: int) -> None:
        """What comes after ``end_sample`` says nothing of this text, whatever was planned."""
        self._marks = [mark for mark in self._marks if mark.end_sample <= end_sample]
        self._broken_off = True

    def heard(self, text: str, played: int) -> str:
        """The part of ``text`` that ``played`` samples have said, cut at a word or character."""
        before = self._marks[0]
        for mark in self._marks[1:]:
            if mark.end_sample > played:
                share = (played - before.end_sample) / (mark.end_sample - before.end_sample)
                reach = before.end_char + int(share * (mark.end_char - before.end_char))
                return _cut(text, reach)
            before = mark
        return text[: before.end_char].strip()


def _cut(text: str, reach: int) -> str:
    """``text`` up to ``reach``, less a word that was only begun."""
    if reach >= len(text):
        return text.strip()
    while reach > 0 and not (
        _WORD_BREAK.match(text[reach]) or _HAN.match(text[reach]) or _HAN.match(text[reach - 1])
    ):
        reach -= 1
    return text[:reach].strip()
