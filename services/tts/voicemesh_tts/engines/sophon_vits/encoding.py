"""What the networks are given for a window."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from voicemesh_tts.engines.sophon_vits.phonemes import SHORT_PAUSE, SILENCE, symbol_ids
from voicemesh_tts.engines.sophon_vits.vocabulary import BertVocabulary
from voicemesh_tts.engines.sophon_vits.windows import LaunchWindow


@dataclass(frozen=True)
class Encoded:
    """A window as identifiers, without padding."""

    phonemes: NDArray[np.int32]
    """Shape (p,): silence, two for each syllable, a pause after each clause, silence."""
    tokens: NDArray[np.int32]
    """Shape (t,): padding, one for each character, a comma after each clause, padding."""
    repeats: NDArray[np.int32]
    """Shape (t,): how many phonemes belong to each token; their sum is p."""


def encode(window: LaunchWindow, vocabulary: BertVocabulary) -> Encoded:
    """The identifiers of a window, as models of the vits_chinese family are trained."""
    phonemes, tokens, repeats = [SILENCE], [vocabulary.padding], [1]
    for clause in window.clauses:
        for spoken in clause.characters:
            phonemes += symbol_ids(spoken.syllable)
            tokens.append(vocabulary.token(spoken.character))
            repeats.append(2)
        phonemes.append(SHORT_PAUSE)
        tokens.append(vocabulary.comma)
        repeats.append(1)
    phonemes.append(SILENCE)
    tokens.append(vocabulary.padding)
    repeats.append(1)
    # One character out of step would give its prosody to all that follow.
    assert len(tokens) == len(repeats)
    assert sum(repeats) == len(phonemes)
    return Encoded(
        np.array(phonemes, np.int32), np.array(tokens, np.int32), np.array(repeats, np.int32)
    )


def spread(vectors: NDArray[np.float32], encoded: Encoded, phonemes: int) -> NDArray[np.float32]:
    """The prosody of each phoneme, shape (phonemes, width), zeros after the last.

    ``vectors``: that of each token, shape (at least t, width).
    """
    used = np.repeat(vectors[: len(encoded.tokens)], encoded.repeats, axis=0)
    out = np.zeros((phonemes, vectors.shape[1]), np.float32)
    out[: len(used)] = used
    return out
