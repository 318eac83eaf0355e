"""The air between a scripted user and the robot's microphone: what is said, and when."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass

FRAME_S = 0.02
_WORD_S = 0.25
_SHORT_GAP_FRAMES = 1
_USUAL_LAG_FRAMES = 4

SENTENCE_WAIT_FRAMES = 15
PATIENT_WAIT_FRAMES = 35


@dataclass(frozen=True)
class Heard:
    """A word that a recogniser knows of from some frame on."""

    text: str
    chinese: bool


class Air:
    """All that is said near the robot, in frames of 20 ms since it listens."""

    def __init__(self) -> None:
        self._voiced: set[int] = set()
        self._words: dict[int, list[Heard]] = {}
        self._waits: dict[int, int] = {}
        self._last = 0
        self.changed = asyncio.Event()
        """Something more will be heard."""

    def say(self, begin: int, text: str, *, pause: int = 0, late: bool = False) -> int:
        """Say ``text`` from a frame on; returns the frame after it.

        ``pause``: frames of silence before its second half. ``late``: the last word is
        understood only after the first sign of an end. Who pauses is waited for longer.
        """
        words = re.findall(r"[\u3400-\u9fff]|[^\s\u3400-\u9fff]+", text)
        half = (len(words) + 1) // 2
        frame = max(begin, self._last + 2)
        for number, word in enumerate(words):
            if number == half:
                frame += pause
            end = frame + round(_WORD_S / FRAME_S)
            self._voiced.update(range(frame, end))
            last = number == len(words) - 1
            lag = SENTENCE_WAIT_FRAMES - 2 if late and last else _USUAL_LAG_FRAMES
            chinese = bool(re.match(r"[\u3400-\u9fff]", word))
            self._words.setdefault(end + lag, []).append(Heard(word, chinese))
            self._waits[end] = PATIENT_WAIT_FRAMES if pause else SENTENCE_WAIT_FRAMES
            frame = end + _SHORT_GAP_FRAMES
        self._last = frame
        self.changed.set()
        return frame

    def noise(self, begin: int, frames: int) -> int:
        """Something that sounds like a voice and says nothing."""
        begin = max(begin, self._last + 2)
        self._voiced.update(range(begin, begin + frames))
        self._last = begin + frames
        self.changed.set()
        return self._last

    def voiced(self, frame: int) -> bool:
        """Whether somebody is heard in a frame."""
        return frame in self._voiced

    def quiet_after(self, frame: int) -> bool:
        """Whether nothing is to be heard from a frame on, as far as is known."""
        return frame > self._last

    def words_at(self, frame: int) -> list[Heard]:
        """The words that a recogniser has understood with this frame."""
        return self._words.get(frame, [])

    def wait_after(self, last_voiced: int) -> int:
        """How many frames of silence end the turn after what was said up to there."""
        return self._waits.get(last_voiced + 1, SENTENCE_WAIT_FRAMES)
