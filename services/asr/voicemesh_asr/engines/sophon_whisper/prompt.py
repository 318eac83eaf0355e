"""What stands before the text: earlier text, language and task, laid out for the padded decoder.

A sequence is aligned to the right of the ``pad`` columns; what is left of it is
masked. Each step appends a column, so a sequence can grow to ``pad`` tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from voicemesh.errors import InvalidArgument
from voicemesh_asr.engines.sophon_whisper.vocabulary import WhisperVocabulary

MASKED = -10000.0
"""Added to attention scores that must not count; finite in float16."""


@dataclass(frozen=True)
class DecoderPrompt:
    """The tokens that a decode begins with."""

    tokens: tuple[int, ...]
    transcript_at: int
    """Where the start of transcript stands."""
    stamps: bool
    """Whether time stamps are wanted."""


def longest_previous(pad: int) -> int:
    """How many tokens of earlier text fit: half of the pad, as in Whisper's training."""
    return pad // 2 - 1


def make_prompt(
    vocabulary: WhisperVocabulary,
    pad: int,
    language: int,
    *,
    translate: bool = False,
    stamps: bool = True,
    previous: Sequence[int] = (),
) -> DecoderPrompt:
    """The initial tokens; the oldest of ``previous`` go where they do not fit."""
    tokens: list[int] = []
    kept = list(previous)[-longest_previous(pad) :] if previous else []
    if kept:
        tokens = [vocabulary.start_of_previous, *kept]
    at = len(tokens)
    task = vocabulary.translate if translate else vocabulary.transcribe
    tokens += [vocabulary.start_of_transcript, language, task]
    if not stamps:
        tokens.append(vocabulary.no_stamps)
    return DecoderPrompt(tuple(tokens), at, stamps)


def new_tokens(prompt: DecoderPrompt, pad: int, positions: int) -> int:
    """How many tokens may be decoded after the prompt.

    Bounded by the pad, by the rows of the position table, and by half of the table,
    as Whisper bounds a window's text. InvalidArgument where none fits.
    """
    room = min(pad, positions) - len(prompt.tokens)
    if room < 1:
        raise InvalidArgument(
            f"a prompt of {len(prompt.tokens)} tokens leaves no room in the model's {pad} "
            f"(position table: {positions}); shorten it or use a set with a larger pad",
            field="asr.sophon_whisper.initial_prompt",
        )
    return min(room, positions // 2)


def first_tokens(prompt: DecoderPrompt, rows: int, pad: int) -> NDArray[np.int32]:
    """[rows, pad]: every row the same, padded on the left with token 0."""
    tokens = np.zeros((rows, pad), dtype=np.int32)
    tokens[:, pad - len(prompt.tokens) :] = prompt.tokens
    return tokens


def first_positions(table: NDArray[np.float32], length: int, pad: int) -> NDArray[np.float32]:
    """[pad, state]: the table's first rows for the sequence, zeros for the padding."""
    positions = np.zeros((pad, table.shape[1]), dtype=np.float32)
    positions[pad - length :] = table[:length]
    return positions


def first_mask(length: int, rows: int, heads: int, pad: int) -> NDArray[np.float32]:
    """[rows, pad, heads, pad]: a sequence sees itself up to each token, never the padding.

    Padding may see everything: its rows mean nothing, but must stay finite.
    """
    mask = np.zeros((pad, pad), dtype=np.float32)
    begin = pad - length
    mask[begin:, :begin] = MASKED
    mask[begin:, begin:] = np.triu(np.full((length, length), MASKED, dtype=np.float32), 1)
    return np.broadcast_to(mask[None, :, None, :], (rows, pad, heads, pad))


def step_mask(length: int, rows: int, heads: int, pad: int) -> NDArray[np.float32]:
    """[rows, 1, heads, pad]: the last ``length`` columns count."""
    mask = np.full(pad, MASKED, dtype=np.float32)
    mask[pad - length :] = 0.0
    return np.broadcast_to(mask, (rows, 1, heads, pad))
