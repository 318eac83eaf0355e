"""Tells whether a hinted phrase is what was said, or something else was.

Two decoders hear the same audio: one knows only the hinted phrases, one knows
free speech. The first always finds some phrase. What was said is that phrase
only if it explains the sound about as well as free speech does *everywhere*: a
wrong word makes a stretch of some hundred milliseconds fit badly, however well
the rest fits. So the measure is the worst quarter of a second:

    max over windows of 25 frames of  mean(free speech score - phrase score)

with acoustic scores per 10 ms frame, spread evenly within a word. Means over the
whole utterance do not separate "where is the kitchen" from "where is the
bathroom"; the worst window does. Measured on two synthetic voices, 70 phrases
hinted: 40 hinted questions 0 to 31; 90 other sentences, half of them one word
off a hinted one, 40 and more.

Scores of two decoders are only comparable when both subtract the best of *all*
senones in each frame. Free speech keeps nearly all of them active; the phrase
decoder has to be told (compallsen).

A phrase that is only found when the utterance is over has to be spoken as fast as
people speak, and may fit worse where free speech has reason to doubt itself: with
both, 541 of 552 short sounds were taken for what they were, with neither 538.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

WINDOW_FRAMES = 25
"""A quarter of a second: about a short word."""
_LONGEST_PHONE_FRAMES = 15
"""Speech has ten to fifteen phones a second, and seven where a word stands alone: "got it"
in 1.2 s was something longer."""
_DOUBT, _DOUBTED, _HALF_HEARD = 0.5, 1.2, 1.3


@dataclass(frozen=True)
class ScoredWord:
    """A word, or a silence, of a running hypothesis."""

    word: str
    begin_frame: int
    end_frame: int
    """The last frame, inclusive."""
    score: float
    """Acoustic score over its frames, in PocketSphinx's log units; 0 is best."""


def _per_frame(words: Iterable[ScoredWord], frames: int) -> NDArray[np.float64]:
    scores = np.zeros(frames)
    for word in words:
        begin, end = word.begin_frame, min(word.end_frame + 1, frames)
        if end > begin:
            scores[begin:end] = word.score / (word.end_frame + 1 - begin)
    return scores


def worst_misfit(phrase: list[ScoredWord], free: list[ScoredWord]) -> float:
    """How much worse the phrase sounds than free speech in its worst window.

    In score units per frame; infinite where there is nothing to compare.
    """
    frames = max((word.end_frame + 1 for word in phrase), default=0)
    if frames == 0 or not free:
        return float("inf")
    excess = np.concatenate(
        [[0.0], np.cumsum(_per_frame(free, frames) - _per_frame(phrase, frames))]
    )
    window = min(WINDOW_FRAMES, frames)
    return float(np.max(excess[window:] - excess[:-window])) / window


def is_speech(phrase: Iterable[ScoredWord], phones: Mapping[str, int]) -> bool:
    """Whether the phrase was spoken at the rate of speech; ``phones``: how many a word has."""
    spoken = [word for word in phrase if word.word in phones]
    frames = sum(word.end_frame - word.begin_frame + 1 for word in spoken)
    return frames <= _LONGEST_PHONE_FRAMES * sum(phones[word.word] for word in spoken)


def lenience(phrase: str, free: str, confidence: float) -> float:
    """By what factor the phrase may miss the margin, beside the text of free speech.

    More where free speech has heard half of the phrase's words ("that's trailer", for
    "that's true"), or doubts what it heard.
    """
    words, heard = phrase.split(), free.split()
    if len(words) > 1 and 2 * sum(word in heard for word in words) >= len(words):
        return _HALF_HEARD
    return _DOUBTED if confidence < _DOUBT else 1.0
