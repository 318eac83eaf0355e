"""Moonshine's network: samples to hidden states, hidden states to tokens, texts to likelihoods.

An encoder that reads an utterance as a whole, at no other length than its own, and a
decoder that writes it token by token with its past kept. Blocking; safe to call from
several threads, each call on one core.

Jeffries et al., "Moonshine: Speech Recognition for Live Transcription and Voice
Commands" (2024).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from voicemesh.audio import Samples
from voicemesh.audio_format import FULL_SCALE
from voicemesh.errors import EngineError, EngineMissing
from voicemesh.work_counter import WorkCounter
from voicemesh_asr.engines.moonshine.settings import DECODER, ENCODER, EXTRA, TOKENS
from voicemesh_asr.engines.moonshine.tokenizer import END, START, Tokenizer
from voicemesh_asr.engines.redecoding.jobs import CancelledDecode, stop_if_unwanted

if TYPE_CHECKING:
    from onnxruntime import InferenceSession, RunOptions

RATE_HERTZ = 16_000

_BEFORE, _BEHIND = RATE_HERTZ // 4, RATE_HERTZ // 5
"""Samples of silence around the speech. The network was trained on recordings that have some:
with what a stream has around an utterance it made 1.8 % of the words wrong in 16 recordings of
people and 13.6 % in 152 clips of flite, with these 1.1 and 11.6 %, for 5 ms."""
_SHORTEST = RATE_HERTZ // 4
"""Samples that are encoded at least: the encoder's filters need some."""
_FATAL = 4
_TOKENS_PER_S, _SPARE_TOKENS = 6.5, 4
"""The most tokens that are decoded, the silence counted: about the authors' bound. Speech has 4
a second."""

Floats = NDArray[np.float32]
Past = dict[str, Floats]
Feeds = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Encoded:
    """What the encoder made of some samples."""

    hidden: Floats
    """[1, about 42 a second, width]."""
    mask: NDArray[np.int64]
    """[1, samples], all ones."""


@dataclass(frozen=True)
class Decoded:
    """A text and how likely each of its tokens is."""

    tokens: tuple[int, ...]
    """Without the end token."""
    log_probabilities: Floats
    """[tokens + 1]: natural logarithm of each token's probability and of the end's; without
    the end's where the text was cut off."""
    finished: bool = True
    """False: it has more tokens than speech can have and was cut off."""
    encoded: Encoded | None = field(default=None, repr=False, compare=False)
    """What it was read from."""
    is_expected: bool = False
    """Whether it is one of the expected phrases."""

    @property
    def average(self) -> float:
        """The mean logarithm of a token's probability; 0 of no tokens."""
        return float(self.log_probabilities.mean()) if len(self.log_probabilities) else 0.0


class MoonshineNetwork:
    """The encoder, the decoder and their tokens."""

    def __init__(
        self, encoder: InferenceSession, decoder: InferenceSession, tokenizer: Tokenizer
    ) -> None:
        """See ``load``."""
        self._encoder = encoder
        self._decoder = decoder
        self.tokenizer = tokenizer
        self._pasts = [entry for entry in decoder.get_inputs() if entry.name.startswith("past")]
        self._past_names = [entry.name for entry in self._pasts]

    @classmethod
    def load(cls, folder: Path, threads: int = 1) -> MoonshineNetwork:
        """From a model's folder.

        EngineMissing without onnxruntime, EngineError where a file is missing or another.
        """
        try:
            import onnxruntime
        except ImportError as error:
            raise EngineMissing(f"onnxruntime is not installed; pip install '{EXTRA}'") from error
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        providers = ["CPUExecutionProvider"]
        try:
            encoder, decoder = (
                onnxruntime.InferenceSession(str(folder / name), options, providers=providers)
                for name in (ENCODER, DECODER)
            )
        except Exception as error:  # onnxruntime's own kinds are private.
            raise EngineError(
                f"asr: the model in {folder} cannot be loaded ({error}); pull it again"
            ) from error
        return cls(encoder, decoder, Tokenizer.read(folder / TOKENS))

    def encode(
        self, samples: Samples, counter: WorkCounter | None = None, *, in_silence: bool = True
    ) -> Encoded:
        """Hidden states of samples at 16 kHz; CancelledDecode where ``counter`` is cancelled.

        ``in_silence``: with silence around them, in which the network hears best.
        """
        before = _BEFORE if in_silence else 0
        length = before + len(samples) + (_BEHIND if in_silence else 0)
        sound = np.zeros((1, max(length, _SHORTEST)), dtype=np.float32)
        sound[0, before : before + len(samples)] = samples
        sound /= FULL_SCALE
        mask = np.ones(sound.shape, dtype=np.int64)
        feeds: Feeds = {"input_values": sound, "attention_mask": mask}
        (hidden,) = self._run(self._encoder, feeds, counter)
        return Encoded(hidden, mask)

    def decode(
        self, encoded: Encoded, draft: Sequence[int] = (), counter: WorkCounter | None = None
    ) -> Decoded:
        """The likeliest next token, again and again.

        ``draft``: tokens that are likely, such as those of a shorter part of the utterance.
        All of them are read at once, and what the network agrees with is taken, which is
        several times quicker than writing it. ``counter`` counts tokens; CancelledDecode
        before the next one where it is cancelled.
        """
        limit = int(encoded.mask.shape[1] / RATE_HERTZ * _TOKENS_PER_S) + _SPARE_TOKENS
        draft = tuple(draft[:limit])
        rows, past = self._first(encoded, draft, counter)
        tokens: list[int] = []
        scores: list[float] = []
        while True:
            for at, row in enumerate(rows):
                token, score = _best(row)
                scores.append(score)
                if token == END or len(tokens) == limit:
                    finished = token == END
                    kept = scores if finished else scores[:-1]
                    return Decoded(tuple(tokens), np.array(kept, np.float32), finished, encoded)
                tokens.append(token)
                if at < len(draft) and token != draft[at]:
                    break
            if counter is not None:
                stop_if_unwanted(counter)
            if draft:
                past, draft = _shortened(past, len(tokens)), ()
            rows = self._step(encoded, tokens[-1], past, counter)

    def score(
        self,
        encoded: Encoded,
        texts: Sequence[Sequence[int]],
        counter: WorkCounter | None = None,
    ) -> list[Decoded]:
        """How likely each text is, in tokens without the end, all of them in one pass.

        CancelledDecode where ``counter`` is cancelled.
        """
        if not texts:
            return []
        length = max(map(len, texts)) + 1
        read = np.full((len(texts), length), END, dtype=np.int64)
        read[:, 0] = START
        for row, tokens in enumerate(texts):
            read[row, 1 : len(tokens) + 1] = tokens
        rows, _ = self._read(encoded, read, counter)
        results = []
        for row, tokens in enumerate(texts):
            wanted = np.array([*tokens, END])
            logits = rows[row, : len(wanted)]
            scores = logits[np.arange(len(wanted)), wanted] - _log_sum(logits)
            results.append(Decoded(tuple(tokens), scores.astype(np.float32)))
        return results

    def behind_start(
        self, encoded: Encoded, counter: WorkCounter | None = None
    ) -> tuple[Floats, Past]:
        """Logarithms [1, tokens] of the first token's probabilities, and the past: one row."""
        logits, past = self._read(encoded, np.array([[START]], dtype=np.int64), counter)
        return _log_probabilities(logits[:, -1]), past

    def branch(
        self,
        encoded: Encoded,
        past: Past,
        rows: Sequence[int],
        tokens: Sequence[int],
        counter: WorkCounter | None = None,
    ) -> tuple[Floats, Past]:
        """Texts that go on from others, which may be several from one.

        ``rows``: of the ``past``, the one that each text goes on from; ``tokens``: with what.
        Returns logarithms [texts, tokens] of the next token's probabilities, and their past.
        """
        count = len(rows)
        chosen = {name: values[np.asarray(rows)] for name, values in past.items()}
        logits, *present = self._run(
            self._decoder,
            {
                "input_ids": np.array(tokens, dtype=np.int64)[:, None],
                "encoder_hidden_states": np.repeat(encoded.hidden, count, axis=0),
                "encoder_attention_mask": np.repeat(encoded.mask, count, axis=0),
                "use_cache_branch": np.array([True]),
                **chosen,
            },
            counter,
        )
        _note_present(chosen, self._past_names, present)
        return _log_probabilities(logits[:, -1]), chosen

    def text(self, decoded: Decoded) -> str:
        """What was said, without space before it."""
        return self.tokenizer.decode(decoded.tokens).strip()

    def _first(
        self, encoded: Encoded, draft: tuple[int, ...], counter: WorkCounter | None
    ) -> tuple[Floats, Past]:
        read = np.array([[START, *draft]], dtype=np.int64)
        logits, past = self._read(encoded, read, counter)
        if counter is not None:
            counter.spend()
        return logits[0], past

    def _read(
        self, encoded: Encoded, tokens: NDArray[np.int64], counter: WorkCounter | None
    ) -> tuple[Floats, Past]:
        """Logits behind each token of [texts, tokens], and the past behind the last."""
        count = len(tokens)
        empty = {
            entry.name: np.zeros((count, entry.shape[1], 0, entry.shape[3]), dtype=np.float32)
            for entry in self._pasts
        }
        logits, *present = self._run(
            self._decoder,
            {
                "input_ids": tokens,
                "encoder_hidden_states": np.repeat(encoded.hidden, count, axis=0),
                "encoder_attention_mask": np.repeat(encoded.mask, count, axis=0),
                "use_cache_branch": np.array([False]),
                **empty,
            },
            counter,
        )
        return logits, dict(zip(self._past_names, present, strict=True))

    def _step(
        self, encoded: Encoded, token: int, past: Past, counter: WorkCounter | None
    ) -> Floats:
        """Logits [1, tokens] behind one more token; ``past`` grows by it."""
        logits, *present = self._run(
            self._decoder,
            {
                "input_ids": np.array([[token]], dtype=np.int64),
                "encoder_hidden_states": encoded.hidden,
                "encoder_attention_mask": encoded.mask,
                "use_cache_branch": np.array([True]),
                **past,
            },
            counter,
        )
        if counter is not None:
            counter.spend()
        _note_present(past, self._past_names, present)
        rows: Floats = logits[0]
        return rows

    @staticmethod
    def _run(
        session: InferenceSession,
        feeds: Feeds,
        counter: WorkCounter | None,
    ) -> list[Floats]:
        """One pass, which ends at once where ``counter`` is cancelled meanwhile."""
        if counter is None:
            return list(session.run(None, feeds))
        import onnxruntime

        options = onnxruntime.RunOptions()
        options.log_severity_level = _FATAL  # That a pass was ended is no error.
        counter.on_cancel = lambda: _terminate(options)
        try:
            stop_if_unwanted(counter)
            return list(session.run(None, feeds, options))
        except Exception:
            if counter.cancelled:
                raise CancelledDecode from None
            raise
        finally:
            counter.on_cancel = None


def _terminate(options: RunOptions) -> None:
    options.terminate = True


def _note_present(past: Past, names: Sequence[str], present: Sequence[Floats]) -> None:
    """``past`` grows by a token; what it knows of the encoder's states does not change."""
    for name, values in zip(names, present, strict=True):
        if ".decoder." in name:
            past[name] = values


def _log_probabilities(logits: Floats) -> Floats:
    """Of rows of logits."""
    rows: Floats = logits - _log_sum(logits)[:, None]
    return rows


def _log_sum(logits: Floats) -> Floats:
    """The logarithm of the sum of exponentials of each row."""
    highest = logits.max(axis=-1)
    sums: Floats = highest + np.log(np.exp(logits - highest[..., None]).sum(axis=-1))
    return sums


def _best(logits: Floats) -> tuple[int, float]:
    """The likeliest token and the logarithm of its probability."""
    token = int(logits.argmax())
    return token, float(logits[token] - _log_sum(logits))


def _shortened(past: Past, tokens: int) -> Past:
    """The past behind START and all of ``tokens`` but the last."""
    return {
        name: np.ascontiguousarray(values[:, :, :tokens]) if ".decoder." in name else values
        for name, values in past.items()
    }
