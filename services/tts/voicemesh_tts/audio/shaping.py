"""From the raw samples of a voice to the chunks of a unit."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from voicemesh.audio import Samples
from voicemesh.audio_format import FULL_SCALE
from voicemesh_tts.audio.levelling import amplify

_FRAME_S = 0.005
# Quieter frames are silence. Breath and the soft onset of "h" lie above it, the
# noise of a vocoder's pauses below.
_SILENCE_DBFS = -52.0
# Kept before the first and after the last sound, so that no onset is clipped.
_MARGIN_S = 0.010
# The same where all of a unit is there: no time is lost, and soft onsets are heard better.
_WHOLE_MARGIN_S = 0.030
_FIRST_CHUNK_S = 0.02
_LONGEST_CHUNK_S = 0.16


@dataclass(frozen=True)
class TimedWord:
    """Where a word stands in the text and when it begins to sound."""

    begin: int
    """The first code point."""
    end: int
    """The code point after the last."""
    start: int
    """The first sample of the raw audio."""


class WordClock:
    """Tells which text sounds in a range of raw samples.

    A word owns the text up to the next word, so that the spans leave nothing out.
    """

    def __init__(self, length: int) -> None:
        """``length`` of the text, in code points."""
        self._length = length
        self._words: list[TimedWord] = []

    def add(self, word: TimedWord) -> None:
        """Words come in the order of the text, at the latest with their audio."""
        last = self._words[-1] if self._words else TimedWord(0, 0, 0)
        if word.begin >= last.begin and word.start >= last.start and word.begin < self._length:
            self._words.append(word)

    def span(self, first: int, stop: int, complete: bool) -> tuple[int, int]:
        """The text of samples [first, stop); ``complete``: nothing follows them."""
        begin, end = 0, self._length
        for index, word in enumerate(self._words):
            if word.start >= stop:
                end = word.begin
                break
            if word.start <= first and index:
                begin = word.begin
            end = word.end
        return begin, self._length if complete else end


class Shaper:
    """Trims silence, sets the level and gathers samples into chunks.

    A voice begins and ends a text with silence of its own, which would be latency
    before the first word and a wrong pause after the last. Silence is held back
    until a sound follows it; what is still held at the end is dropped. The first
    chunk leaves at once, later ones grow, because messages are what costs time.
    """

    def __init__(
        self, rate_hertz: int, gain: float, emit: Callable[[Samples, int, int, bool], bool]
    ) -> None:
        """``emit(samples, first, stop, last)`` gets the chunks; False means stop.

        ``first`` and ``stop`` count raw samples from the beginning.
        """
        self._emit = emit
        self._gain = gain
        self._frame = max(1, round(rate_hertz * _FRAME_S))
        self._margin = round(rate_hertz * _MARGIN_S)
        self._target = round(rate_hertz * _FIRST_CHUNK_S)
        self._longest = round(rate_hertz * _LONGEST_CHUNK_S)
        self._threshold = _silence_energy(self._frame, gain)
        self._held = np.zeros(0, dtype=np.int16)
        self._first = 0  # the raw position of the first held sample
        self._scanned = 0  # held samples known to be sound or silence
        self._sounding = 0  # held samples up to the end of the last sound
        self._begun = False
        self._wanted = True

    def feed(self, samples: Samples) -> bool:
        """More raw samples; False when nobody wants more."""
        self._held = np.concatenate([self._held, samples])
        self._scan()
        if not self._begun:
            # Keep only what may yet turn out to be the margin before a sound.
            self._drop(self._scanned - self._margin)
            return True
        if self._sounding < self._target:
            return True
        self._target = min(2 * self._target, self._longest)
        return self._send(self._sounding, last=False)

    def finish(self) -> None:
        """The voice has said everything."""
        if self._begun and self._wanted:
            self._send(min(self._sounding + self._margin, len(self._held)), last=True)

    def _scan(self) -> None:
        count = (len(self._held) - self._scanned) // self._frame
        if count == 0:
            return
        stop = self._scanned + count * self._frame
        loud = _sounding(self._held[self._scanned : stop], self._frame, self._threshold)
        if len(loud):
            onset = self._scanned + int(loud[0]) * self._frame
            self._sounding = self._scanned + (int(loud[-1]) + 1) * self._frame
        self._scanned = stop
        if len(loud) and not self._begun:
            self._begun = True
            self._drop(onset - self._margin)

    def _drop(self, count: int) -> None:
        if count > 0:
            self._held = self._held[count:]
            self._first += count
            self._scanned -= count
            self._sounding = max(0, self._sounding - count)

    def _send(self, count: int, last: bool) -> bool:
        chunk, first = self._held[:count], self._first
        self._drop(count)
        self._wanted = self._emit(amplify(chunk, self._gain), first, first + count, last)
        return self._wanted


def shaped(
    parts: Iterable[Samples], rate_hertz: int, gain: float
) -> Iterator[tuple[Samples, int, int, bool]]:
    """What a :class:`Shaper` would emit of a unit whose raw samples are soon there.

    Yields (samples, first, stop, last); nothing for silence. What may be silence at the end
    waits for the next part.
    """
    frame = max(1, round(rate_hertz * _FRAME_S))
    margin = round(rate_hertz * _WHOLE_MARGIN_S)
    threshold = _silence_energy(frame, gain)
    size, longest = round(rate_hertz * _FIRST_CHUNK_S), round(rate_hertz * _LONGEST_CHUNK_S)
    held, first, onset = np.zeros(0, np.int16), 0, -1
    for part, is_last in _with_last(parts):
        held = np.concatenate([held, part])
        loud = _sounding(held, frame, threshold)
        if len(loud) and onset < 0:
            onset = max(0, int(loud[0]) * frame - margin)
            held, first = held[onset:], onset
            loud = _sounding(held, frame, threshold)
        if onset < 0:
            continue
        sounds = (int(loud[-1]) + 1) * frame if len(loud) else 0
        end = min(len(held), sounds + margin) if is_last else sounds - frame
        level = amplify(held[: max(0, end)], gain)
        level = _faded_in(level, first - onset, margin)
        if is_last:
            level = _faded_in(level[::-1], 0, margin)[::-1]
        begin = 0
        while begin < len(level):
            stop = min(begin + size, len(level))
            is_end = is_last and stop == len(level)
            yield level[begin:stop], first + begin, first + stop, is_end
            begin, size = stop, min(2 * size, longest)
        held, first = held[len(level) :], first + len(level)


def _with_last(parts: Iterable[Samples]) -> Iterator[tuple[Samples, bool]]:
    """Each part, and at the end an empty one that is marked: none is made before its time."""
    for part in parts:
        yield part, False
    yield np.zeros(0, np.int16), True


def _faded_in(samples: Samples, at: int, margin: int) -> Samples:
    """Samples from ``at`` on of what begins in silence: ``margin`` of it fade."""
    if at >= margin:
        return samples
    curve = np.sin(np.linspace(0, np.pi / 2, margin, dtype=np.float32)[at:]) ** 2
    out = samples.astype(np.float32)
    out[: len(curve)] *= curve[: len(out)]
    faded: Samples = np.rint(out).astype(np.int16)
    return faded


def _silence_energy(frame: int, gain: float) -> float:
    """The energy of a frame of raw samples below which it is silence."""
    threshold = 10 ** (_SILENCE_DBFS / 20) * FULL_SCALE / max(gain, 1e-6)
    return threshold * threshold * frame


def _sounding(samples: Samples, frame: int, threshold: float) -> NDArray[np.intp]:
    """The indices of the whole frames that are louder than silence."""
    count = len(samples) // frame
    frames = samples[: count * frame].astype(np.float64).reshape(count, frame)
    return np.flatnonzero(np.einsum("ij,ij->i", frames, frames) > threshold)
