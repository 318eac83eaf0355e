"""The question that shows whether Whisper's graphs are still what they were at load."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from voicemesh_asr.engines.sophon_whisper.decoder import Decoder
from voicemesh_asr.engines.sophon_whisper.graphs import WhisperGraphs
from voicemesh_asr.engines.sophon_whisper.prompt import make_prompt
from voicemesh_asr.engines.sophon_whisper.self_test import mixed_rows
from voicemesh_asr.engines.sophon_whisper.vocabulary import WhisperVocabulary
from voicemesh_asr.mel_spectrum import RATE_HERTZ, log_mel
from voicemesh_sophon.client import Chip, FixedQuestion, Step

_LOUDEST = 3_000
"""Of the noise that is heard, in 16-bit samples: about as loud as speech."""


def fixed_question(
    chip: Chip,
    graphs: WhisperGraphs,
    positions: NDArray[np.float32],
    vocabulary: WhisperVocabulary,
    in_place: bool,
) -> list[Step]:
    """Every graph once: a second of noise, its language, and one token of its text.

    ``positions``: see Decoder. ``in_place``: caches are written over by a step. The decoder
    of the question has tensors of its own, so that it may be asked while people are heard.
    """
    question = FixedQuestion(chip)
    decoder = Decoder(question, graphs, positions)
    decoder.settle(in_place)
    d = decoder.dimensions
    random = np.random.default_rng(1)
    noise = random.integers(-_LOUDEST, _LOUDEST, RATE_HERTZ).astype(np.int16)
    decoder.encode(log_mel(noise, d.mels, d.frames), "fixed question")
    decoder.language_logits(vocabulary.start_of_transcript)
    decoder.begin(make_prompt(vocabulary, d.pad, vocabulary.language_tokens[0]))
    decoder.step(np.full(d.rows, vocabulary.first_stamp, np.int32), mixed_rows(d.rows))
    return question.steps
