"""Whisper's network in CTranslate2: a spectrum to hidden states, those to a text.

Blocking; safe to call from several threads, at most ``decodes_at_once`` at a time.
A pass cannot be broken off; who wants no result is asked for between two of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from voicemesh.audio import Samples
from voicemesh.errors import EngineError, EngineMissing
from voicemesh_asr.engines.whisper.fallback import compression_ratio
from voicemesh_asr.engines.whisper.settings import EXTRA
from voicemesh_asr.mel_spectrum import HOP, RATE_HERTZ, log_mel

if TYPE_CHECKING:
    from ctranslate2 import StorageView
    from ctranslate2.models import Whisper
    from tokenizers import Tokenizer

WINDOW_S = 30
"""What the network can read at once."""
_FRAMES_PER_S = RATE_HERTZ // HOP
_SPARE_S = 1.0
"""Silence behind the speech, at least: with none the network makes up an end."""
_TOKENS_PER_S, _SPARE_TOKENS = 16, 16
"""The most tokens of a text: quick Chinese has about 12 a second, a loop has no end."""
_MOST_PROMPT_TOKENS = 200
"""Of 448 places that the network has for tokens; a text of 15 s may take 240."""
_SEED = 1
"""The same audio gives the same text, at all temperatures."""

Encoded = Any
"""The encoder's hidden states, in CTranslate2's memory."""


@dataclass(frozen=True)
class Decoded:
    """What some audio says."""

    text: str
    average: float
    """The mean logarithm of a token's probability."""
    tokens: int
    """How many tokens that is the mean of, the end included."""
    no_speech: float
    """The probability that nobody speaks."""

    @property
    def compression_ratio(self) -> float:
        """How much zlib shortens the text."""
        return compression_ratio(self.text)


class WhisperNetwork:
    """The model and its tokens."""

    def __init__(self, model: Whisper, tokenizer: Tokenizer, shortest_window_s: float) -> None:
        """See ``load``."""
        self._model = model
        self._tokenizer = tokenizer
        self._shortest_s = shortest_window_s

    @classmethod
    def load(
        cls, folder: Path, threads: int, decodes_at_once: int, shortest_window_s: float
    ) -> WhisperNetwork:
        """From a model's folder.

        EngineMissing without its libraries, EngineError where a file is missing or another.
        """
        try:
            import ctranslate2
            import tokenizers
        except ImportError as error:
            raise EngineMissing(f"{error}; pip install '{EXTRA}'") from error
        try:
            model = ctranslate2.models.Whisper(
                str(folder),
                device="cpu",
                compute_type="int8",
                intra_threads=threads,
                inter_threads=decodes_at_once,
            )
            tokenizer = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
        except Exception as error:  # Both raise kinds that are not theirs.
            raise EngineError(
                f"asr: the model in {folder} cannot be loaded ({error}); pull it again"
            ) from error
        ctranslate2.set_random_seed(_SEED)
        return cls(model, tokenizer, shortest_window_s)

    def knows(self, language: str) -> bool:
        """Whether the model hears a language, by its code."""
        if not self._model.is_multilingual:
            return language == "en"
        return self._tokenizer.token_to_id(f"<|{language}|>") is not None

    def encode(self, samples: Samples) -> Encoded:
        """Hidden states of samples at 16 kHz, at most WINDOW_S of them."""
        from ctranslate2 import StorageView

        seconds = min(max(len(samples) / RATE_HERTZ + _SPARE_S, self._shortest_s), WINDOW_S)
        frames = int(seconds * _FRAMES_PER_S) // 2 * 2  # The encoder takes every other one.
        spectrum = log_mel(samples[: frames * HOP], self._model.n_mels, frames)
        return self._model.encode(StorageView.from_array(np.ascontiguousarray(spectrum[None])))

    def language(self, encoded: StorageView, languages: Sequence[str]) -> str:
        """The likeliest of some languages for what was heard."""
        if len(languages) == 1 or not self._model.is_multilingual:
            return languages[0]
        (found,) = self._model.detect_language(encoded)
        likely = dict(found)
        return max(languages, key=lambda code: likely.get(f"<|{code}|>", 0.0))

    def decode(
        self,
        encoded: StorageView,
        language: str,
        seconds: float,
        *,
        prompt: str = "",
        beams: int = 1,
        temperature: float = 0.0,
    ) -> Decoded:
        """The text of ``seconds`` of speech, by beams or, above temperature 0, by sampling."""
        start = self._start(language, prompt)
        limit = min(int(seconds * _TOKENS_PER_S) + _SPARE_TOKENS, WINDOW_S * _TOKENS_PER_S // 2)
        sampling = (
            {"beam_size": beams}
            if temperature == 0.0
            else {"beam_size": 1, "sampling_topk": 0, "sampling_temperature": temperature}
        )
        (result,) = self._model.generate(
            encoded,
            [start],
            max_length=len(start) + limit,
            return_scores=True,
            return_no_speech_prob=True,
            **sampling,
        )
        tokens = result.sequences_ids[0]
        count = len(tokens) + 1
        # The score is the sum of all, the end included, over the tokens without the end.
        average = result.scores[0] * max(len(tokens), 1) / count
        text = self._tokenizer.decode(tokens).strip()
        return Decoded(text, average, count, result.no_speech_prob)

    def _start(self, language: str, prompt: str) -> list[str]:
        start = ["<|startoftranscript|>"]
        if self._model.is_multilingual:
            start += [f"<|{language}|>", "<|transcribe|>"]
        start.append("<|notimestamps|>")
        if not prompt:
            return start
        before = self._tokenizer.encode(f" {prompt.strip()}", add_special_tokens=False).tokens
        return ["<|startofprev|>", *before[-_MOST_PROMPT_TOKENS:], *start]
