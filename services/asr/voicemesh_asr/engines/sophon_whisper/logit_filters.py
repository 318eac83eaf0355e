"""What may be said next: Whisper's rules on logits, before each choice."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from voicemesh_asr.engines.sophon_whisper.vocabulary import STAMP_S, WhisperVocabulary

_LATEST_BEGIN_S = 1.0
"""The first stamp lies within this many seconds of the window."""

Floats = NDArray[np.float32]
_NEVER = np.float32(-np.inf)


class LogitFilters:
    """The rules for one decode. ``apply`` writes into the logits."""

    def __init__(self, vocabulary: WhisperVocabulary, stamps: bool) -> None:
        """``stamps``: whether the text is to carry time stamps."""
        self._vocabulary = vocabulary
        self._stamps = stamps
        self._never = np.array(vocabulary.unsaid, dtype=np.intp)
        self._not_first = np.array(
            [vocabulary.encode(" ")[0], vocabulary.end_of_text], dtype=np.intp
        )

    def apply(self, logits: Floats, sequences: Sequence[Sequence[int]]) -> None:
        """Forbid what may not follow ``sequences``, the tokens chosen so far in each row.

        ``logits`` [rows, vocabulary]; sequences have all the same length.
        """
        logits[:, self._never] = _NEVER
        is_first = not sequences[0]
        if is_first:
            logits[:, self._not_first] = _NEVER
        if not self._stamps:
            return
        logits[:, self._vocabulary.no_stamps] = _NEVER
        for row, sequence in zip(logits, sequences, strict=True):
            self._pair_stamps(row, sequence)
            if is_first:
                self._begin_with_stamp(row)
            self._prefer_stamp(row)

    def _pair_stamps(self, row: Floats, sequence: Sequence[int]) -> None:
        """Stamps come in pairs, end and begin, and never go back."""
        v = self._vocabulary
        ends_in_stamp = bool(sequence) and v.is_stamp(sequence[-1])
        closed = len(sequence) < 2 or v.is_stamp(sequence[-2])
        if ends_in_stamp and closed:
            row[v.first_stamp :] = _NEVER
        elif ends_in_stamp:
            row[: v.end_of_text] = _NEVER
        newest = next((token for token in reversed(sequence) if v.is_stamp(token)), None)
        if newest is not None:
            # Only the stamp that closes a pair may equal the one before.
            earliest = newest if ends_in_stamp and not closed else newest + 1
            row[v.first_stamp : earliest] = _NEVER

    def _begin_with_stamp(self, row: Floats) -> None:
        first = self._vocabulary.first_stamp
        row[:first] = _NEVER
        row[first + round(_LATEST_BEGIN_S / STAMP_S) + 1 :] = _NEVER

    def _prefer_stamp(self, row: Floats) -> None:
        """A stamp comes when all stamps together are likelier than any other token."""
        first = self._vocabulary.first_stamp
        stamps = row[first:]
        highest = stamps.max()
        if np.isfinite(highest):
            together = highest + np.log(np.exp(stamps - highest).sum())
            if together > row[:first].max():
                row[:first] = _NEVER


def log_softmax(logits: Floats) -> Floats:
    """Row by row; forbidden tokens stay at minus infinity."""
    shifted = logits - logits.max(axis=-1, keepdims=True)
    normed: Floats = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return normed
