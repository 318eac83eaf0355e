"""Trains the tiny Whisper: ``python whisper_training.py FOLDER --minutes 22``.

It learns fifteen sentences by heart, spoken by espeak-ng in several voices and speeds,
each somewhere in a window of 4 s. So that it can be streamed and prompted like a real one it
also sees sentences that the window cuts (with the words that have ended by then), several
sentences in a window, silence, noise, and earlier sentences as a prompt; with and without
time stamps. Writes the vocabulary and the weights. Other runs give other weights.
"""

from __future__ import annotations

import argparse
import base64
import random
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from espeak import RATE, Espeak
from torch.nn import functional
from whisper_graphs import VOCABULARY_SIZE
from whisper_network import Shape, Whisper

from voicemesh_asr.engines.sophon_whisper.vocabulary import WhisperVocabulary, pieces
from voicemesh_asr.mel_spectrum import log_mel

SENTENCES = (
    ("en", " What is artificial intelligence?"),
    ("en", " Turn on the light."),
    ("en", " Turn off the light."),
    ("en", " Stop."),
    ("en", " What time is it?"),
    ("en", " Play some music."),
    ("en", " Set a timer for ten minutes."),
    ("en", " What is the weather today?"),
    ("en", " Hello."),
    ("en", " Thank you."),
    ("en", " Open the window."),
    ("en", " Tell me a joke."),
    ("zh", "你好"),
    ("zh", "打开灯"),
    ("zh", "今天天气怎么样"),
)
_VOICES = {
    "en": (("en-us", 45), ("gmw/en", 50), ("en-us+f3", 60), ("gmw/en+m3", 40), ("en-us+f2", 55)),
    "zh": (("cmn", 45), ("cmn+f3", 60), ("cmn+m3", 40), ("cmn+f2", 55)),
}
_SPEEDS = (140, 160, 180)  # words a minute
_TEXT_TOKENS = 392  # 256 bytes and what they are merged to
_WINDOW = Shape().frames * RATE // 100  # samples
_STAMP = RATE // 50  # samples: 20 ms
_IGNORED = -1  # a target that is not learnt
_BATCH, _POOL, _FRESH = 16, 1600, 4
_PEAK_RATE, _WARM_UP = 2e-3, 150


@dataclass(frozen=True)
class Clip:
    """A sentence that was spoken."""

    language: str
    text: str
    samples: np.ndarray
    words: tuple[tuple[int, int], ...]  # where each begins: in the text, in the samples

    def spoken(self, samples: int) -> str:
        """The text of the words that have ended by then."""
        ends = [start for _, start in self.words[1:]] + [len(self.samples)]
        ended = sum(end <= samples + _STAMP for end in ends)
        if ended == len(ends):
            return self.text
        lead = " " if self.text.startswith(" ") else ""
        heard = self.text.strip()[: self.words[ended][0]].rstrip()
        return lead + heard if heard else ""


def clips() -> list[Clip]:
    """Every sentence in every voice and speed, without the silence around it."""
    made = []
    for language, text in SENTENCES:
        for voice, pitch in _VOICES[language]:
            for speed in _SPEEDS:
                speech = Espeak(voice, speed, pitch).say(text.strip())
                loud = np.nonzero(np.abs(speech.samples) > 0.01)[0]
                begin, end = max(0, loud[0] - 160), loud[-1] + 480
                words = tuple((m.position, max(0, m.sample - begin)) for m in speech.words)
                made.append(Clip(language, text, speech.samples[begin:end], words))
    return made


def byte_pairs() -> list[bytes]:
    """The tokens by rank: bytes, letters that begin a word, then the most frequent pairs."""
    words = Counter(piece.encode() for _, text in SENTENCES for piece in pieces(text))
    parts = {word: [bytes((byte,)) for byte in word] for word in words}
    tokens = [bytes((byte,)) for byte in range(256)]
    begins = sorted({word[:2] for word in words if word[:1] == b" " and len(word) > 1})

    def merge(first: bytes, second: bytes) -> None:
        tokens.append(first + second)
        for split in parts.values():
            at = 0
            while at + 1 < len(split):
                if split[at] == first and split[at + 1] == second:
                    split[at : at + 2] = [first + second]
                at += 1

    for begin in begins:
        merge(begin[:1], begin[1:])
    while len(tokens) < _TEXT_TOKENS:
        pairs: Counter[tuple[bytes, bytes]] = Counter()
        for word, split in parts.items():
            for pair in zip(split, split[1:], strict=False):
                pairs[pair] += words[word]
        if not pairs:
            break
        merge(*max(sorted(pairs), key=pairs.__getitem__))
    return tokens


class Lessons:
    """Windows of sound with what is to be written."""

    def __init__(self, vocabulary: WhisperVocabulary, spoken: list[Clip]) -> None:
        self._vocabulary, self._clips = vocabulary, spoken
        self._pool: list[tuple[torch.Tensor, list[int], list[int]]] = []

    def _window(self) -> tuple[np.ndarray, str, list[tuple[str, int, int]], tuple[str, int] | None]:
        """Sound, language, whole utterances, and perhaps one that the window cuts."""
        sound = np.zeros(_WINDOW, np.float32)
        kind = random.random()
        clip = random.choice(self._clips)
        utterances: list[tuple[str, int, int]] = []
        if kind < 0.07:  # Nobody speaks.
            return sound, clip.language, utterances, None
        length = len(clip.samples)
        if kind < 0.6:
            at = random.randint(0, max(0, _WINDOW - length)) if random.random() > 0.3 else 0
            # A stream may have come no further than into the sentence.
            end = random.randint(length // 10, length) if kind < 0.17 else length
            sound[at : at + end] = clip.samples[:end]
            if text := clip.spoken(end):
                utterances.append((text, at, at + end))
            return sound, clip.language, utterances, None
        at = random.randint(0, 8000)
        alike = [other for other in self._clips if other.language == clip.language]
        while at + len(clip.samples) <= _WINDOW:
            sound[at : at + len(clip.samples)] = clip.samples
            utterances.append((clip.text, at, at + len(clip.samples)))
            at += len(clip.samples) + random.randint(3200, 14_000)
            clip = random.choice(alike)
        if utterances and at < _WINDOW - 1600 and random.random() < 0.8:
            sound[at:] = clip.samples[: _WINDOW - at]
            return sound, clip.language, utterances, (clip.spoken(_WINDOW - at), at)
        return sound, clip.language, utterances, None

    def _lesson(self) -> tuple[torch.Tensor, list[int], list[int]]:
        """Spectrum, tokens, and the token that is to follow each of them."""
        words = self._vocabulary
        sound, language, utterances, cut = self._window()
        sound *= 10 ** random.uniform(-0.6, 0.15)
        if random.random() < 0.6:
            noise = np.random.standard_normal(_WINDOW) * 10 ** random.uniform(-4.5, -2.6)
            sound += noise.astype(np.float32)
        before: list[int] = []
        if random.random() < 0.2:
            before = [words.start_of_previous]
            alike = [text for spoken, text in SENTENCES if spoken == language]
            for text in random.choices(alike, k=random.randint(1, 3)):
                before += words.encode(text)
        tokens = [words.start_of_transcript, words.language(language), words.transcribe]
        stamped = random.random() < 0.5
        if not stamped:
            tokens.append(words.no_stamps)
        for text, begin, end in utterances:
            stamps = [[words.first_stamp + round(place / _STAMP)] for place in (begin, end)]
            written = words.encode(text)
            tokens += stamps[0] + written + stamps[1] if stamped else written
        if stamped and not utterances:
            tokens.append(words.first_stamp)
        if cut is not None:
            text, begin = cut
            # With stamps only where it begins: the next window has it whole.
            tokens += [words.first_stamp + round(begin / _STAMP)] if stamped else words.encode(text)
        tokens = before + tokens + [words.end_of_text]
        targets = [_IGNORED] * len(before) + tokens[len(before) + 1 :] + [_IGNORED]
        if not utterances:
            targets[len(before)], targets[len(before) + 1] = words.no_speech, _IGNORED
        samples = (np.clip(sound, -1, 1) * 32767).astype(np.int16)
        mel = log_mel(samples, Shape().mels, Shape().frames)
        return torch.tensor(mel), tokens, targets

    def batch(self) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Mostly lessons seen before: making them takes longer than learning from them."""
        fresh = _BATCH if len(self._pool) < 4 * _BATCH else _FRESH
        for _ in range(fresh):
            if len(self._pool) == _POOL:
                self._pool.pop(random.randrange(_POOL))
            self._pool.append(self._lesson())
        chosen = random.sample(self._pool, _BATCH)
        longest = max(len(tokens) for _, tokens, _ in chosen)
        given = torch.full((_BATCH, longest), self._vocabulary.end_of_text)
        wanted = torch.full((_BATCH, longest), _IGNORED)
        for row, (_, tokens, targets) in enumerate(chosen):
            given[row, : len(tokens)] = torch.tensor(tokens)
            wanted[row, : len(targets)] = torch.tensor(targets)
        return torch.stack([mel for mel, _, _ in chosen]), given, wanted


def loss_of(
    scores: torch.Tensor, wanted: torch.Tensor, begins: list[int], end: int
) -> torch.Tensor:
    """Cross entropy, and a little for words that begin being likely everywhere.

    Without the latter the end of the text is every token's runner-up, and beam search
    ends early.
    """
    logarithms = functional.log_softmax(scores, -1)
    flat = wanted.reshape(-1)
    right = functional.nll_loss(logarithms.reshape(len(flat), -1), flat, ignore_index=_IGNORED)
    known = wanted != _IGNORED
    text = known & (wanted < end)
    words = -logarithms[text][:, begins].mean()
    everything = -logarithms[known].mean()
    return 0.945 * right + 0.04 * words + 0.015 * everything


def train(folder: Path, minutes: float, seed: int) -> None:
    """Trains for so long and writes the model's folder."""
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
    folder.mkdir(parents=True, exist_ok=True)
    ranks = folder / "vocabulary.tiktoken"
    lines = [f"{base64.b64encode(t).decode()} {rank}\n" for rank, t in enumerate(byte_pairs())]
    ranks.write_text("".join(lines))
    vocabulary = WhisperVocabulary.read(ranks, VOCABULARY_SIZE)
    begins = sorted({vocabulary.encode(p)[0] for _, text in SENTENCES for p in pieces(text)})
    lessons = Lessons(vocabulary, clips())
    network = Whisper(Shape(), VOCABULARY_SIZE)
    optimiser = torch.optim.AdamW(
        network.parameters(), lr=_PEAK_RATE, betas=(0.9, 0.98), weight_decay=0.01
    )
    start, step = time.monotonic(), 0
    while (passed := (time.monotonic() - start) / (60 * minutes)) < 1:
        for group in optimiser.param_groups:
            group["lr"] = _PEAK_RATE * min(1, (step + 1) / _WARM_UP) * (1 - passed) ** 0.7
        mel, given, wanted = lessons.batch()
        scores = network.decode(given, network.encode(mel))
        loss = loss_of(scores, wanted, begins, vocabulary.end_of_text)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        step += 1
        if step % 100 == 0:
            print(f"step {step}, loss {loss.item():.3f}", flush=True)
    torch.save(network.state_dict(), folder / "weights.pt")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--minutes", type=float, default=22)
    parser.add_argument("--seed", type=int, default=11)
    options = parser.parse_args()
    train(options.folder, options.minutes, options.seed)
