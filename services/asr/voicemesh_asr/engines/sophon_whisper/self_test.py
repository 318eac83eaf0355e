"""The self-test at load: every graph is tried before the first speaker comes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from voicemesh.errors import EngineError
from voicemesh_asr.engines.sophon_whisper.decoder import Decoder
from voicemesh_asr.engines.sophon_whisper.prompt import make_prompt
from voicemesh_asr.engines.sophon_whisper.vocabulary import WhisperVocabulary
from voicemesh_asr.mel_spectrum import log_mel

Caches = list[NDArray[np.float16]]


def run_all_graphs(decoder: Decoder, vocabulary: WhisperVocabulary) -> None:
    """One short decode of silence; EngineError where a graph gives no numbers."""
    d = decoder.dimensions
    decoder.encode(log_mel(np.zeros(0, dtype=np.int16), d.mels, d.frames), "self-test")
    decoder.language_logits(vocabulary.start_of_transcript)
    prompt = make_prompt(vocabulary, d.pad, vocabulary.language_tokens[0])
    decoder.begin(prompt)
    first = np.full(d.rows, vocabulary.first_stamp, dtype=np.int32)
    decoder.step(first, np.arange(d.rows, dtype=np.int32))


def row_caches(decoder: Decoder) -> Caches:
    """Caches in which every row, column and layer differs, as a step's input."""
    count, rows, pad, state = decoder.cache_shape
    base = np.random.default_rng(1).standard_normal((rows, pad, state)).astype(np.float16)
    return [np.roll(base, layer, axis=2) for layer in range(count)]


def mixed_rows(rows: int) -> NDArray[np.int32]:
    """Sources with repetitions and in no order: 4, 4, 0, 2, 1 for five rows."""
    backwards = [rows - 1, rows - 1, 0, *range(rows - 3, 0, -1)]
    return np.array(backwards[:rows], dtype=np.int32)


def check_reordering(decoder: Decoder) -> Caches:
    """Whether rows go on from the row that they are told to; what the step gave."""
    caches, sources = row_caches(decoder), mixed_rows(decoder.dimensions.rows)
    results = decoder.step_caches(caches, sources, in_place=False)
    for old, new in zip(caches, results[1:], strict=True):
        if not np.array_equal(new[:, :-1], old[sources][:, 1:]):
            raise EngineError(
                "the decoder's loop graph does not take the beams' pasts as it is told "
                "(index or cache update); use a set compiled by the published export scripts",
                field="asr.sophon_whisper.model_files",
            )
    return results


def updates_in_place(decoder: Decoder) -> bool:
    """Whether a step may write its caches over those that it reads.

    That holds when the compiled graph has read all of a row before it writes it,
    which only a try can tell. EngineError where reordering itself is wrong.
    """
    caches, sources = row_caches(decoder), mixed_rows(decoder.dimensions.rows)
    apart = check_reordering(decoder)
    over = decoder.step_caches(caches, sources, in_place=True)
    return all(np.array_equal(a, b) for a, b in zip(apart, over, strict=True))
