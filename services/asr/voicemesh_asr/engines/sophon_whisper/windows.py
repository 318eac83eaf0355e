"""Where one window's text is cut into segments, and where the next window begins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from voicemesh_asr.engines.redecoding.transcription import Segment
from voicemesh_asr.engines.sophon_whisper.vocabulary import WhisperVocabulary
from voicemesh_asr.mel_spectrum import RATE_HERTZ

_LEAST_ADVANCE = RATE_HERTZ // 10
"""A window that closes nothing beyond this sample is taken as a whole."""


@dataclass(frozen=True)
class Cut:
    """A window's segments and how many of its samples they use up."""

    segments: tuple[Segment, ...]
    advance: int
    closed: bool
    """Whether the text itself told where to cut."""


def cut(
    tokens: Sequence[int],
    vocabulary: WhisperVocabulary,
    begin: int,
    length: int,
    finished: bool = True,
) -> Cut:
    """Cut a window of ``length`` samples that starts at sample ``begin`` of the audio.

    Two stamps beside each other end one segment and begin the next; what follows the
    last such pair is left to the next window, unless it ends in a stamp. A text that
    is not ``finished`` says nothing of what is behind its last stamp.
    """
    stamps = [vocabulary.is_stamp(token) for token in tokens]
    cuts = [at + 1 for at, (a, b) in enumerate(pairwise(stamps)) if a and b]
    ends_closed = stamps[-2:] == [False, True]
    if not cuts:
        segment = _segment(tokens, vocabulary, begin, length)
        heard = length if finished else segment.end - begin
        return Cut((segment,) if segment.text.strip() else (), heard, ends_closed)
    if ends_closed:
        cuts.append(len(tokens))
    slices = [tokens[a:b] for a, b in pairwise([0, *cuts])]
    segments = (_segment(part, vocabulary, begin, length) for part in slices)
    kept = tuple(segment for segment in segments if segment.text.strip())
    last = _sample(tokens[cuts[-1] - 1], vocabulary, length)
    advance = length if ends_closed and finished else last
    return Cut(kept, advance if advance >= _LEAST_ADVANCE else length, True)


def _sample(stamp: int, vocabulary: WhisperVocabulary, length: int) -> int:
    return min(length, round(vocabulary.seconds(stamp) * RATE_HERTZ))


def _segment(
    tokens: Sequence[int], vocabulary: WhisperVocabulary, begin: int, length: int
) -> Segment:
    stamps = [token for token in tokens if vocabulary.is_stamp(token)]
    first = _sample(stamps[0], vocabulary, length) if stamps else 0
    last = _sample(stamps[-1], vocabulary, length) if len(stamps) > 1 else length
    text = tuple(token for token in tokens if token < vocabulary.end_of_text)
    return Segment(vocabulary.decode(text), begin + first, begin + last, text)
