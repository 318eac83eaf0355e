"""The utterances that turn-taking is measured on: what they are, and how they are made."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.resources import files
from itertools import cycle
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from voicemesh.audio import Samples
from voicemesh_evaluation.turns.speech import RATE_HERTZ, VOICES, speak

PAUSES_MS = (200, 300, 400, 500, 600, 700, 800, 900)
"""Pauses inside utterances, used in turn."""
NOISES_DB = (None, 30.0, None, 20.0, None, None, 15.0)
"""Signal-to-noise ratios, used in turn; None: no noise."""
# Silence before, and after: long enough for the longest wait.
_LEAD_S, _TAIL_S = 0.5, 2.5
# Pink noise is what rooms with fans sound like; its level is that of the speech less the ratio.
_SEED = 20_405


SEEN, HELD_OUT = "seen", "held out"
"""Groups of lines: the detector's rules were made with the former at hand."""


Words = tuple[tuple[str, int, int], ...]
"""Each with its first sample and the sample after its last."""


@dataclass(frozen=True)
class Utterance:
    """Somebody says something, perhaps with pauses, and then falls silent."""

    name: str
    text: str
    samples: Samples
    """Mono int16 at 16 kHz, with silence before and after."""
    begin_sample: int
    """The first sample of speech."""
    end_sample: int
    """The sample after the last of speech: here the speaker has finished."""
    pauses: tuple[tuple[int, int], ...] = ()
    """Silences inside: first sample, and the sample after the last."""
    noise_db: float | None = None
    group: str = ""
    """Which lines of the script it belongs to; empty: to none."""
    words: Words = ()
    """Where they and their times are known."""

    @classmethod
    def of_words(cls, name: str, text: str, words: Words, samples: Samples) -> Utterance:
        """From words with times; gaps between them are pauses."""
        pauses = tuple(
            (end, begin)
            for (_, _, end), (_, begin, _) in zip(words, words[1:], strict=False)
            if begin > end
        )
        return cls(name, text, samples, words[0][1], words[-1][2], pauses, words=words)

    @property
    def longest_pause_ms(self) -> int:
        """The longest silence inside, in milliseconds."""
        longest = max((end - begin for begin, end in self.pauses), default=0)
        return longest * 1000 // RATE_HERTZ


@dataclass(frozen=True)
class MaterialScript:
    """What ``script.toml`` says."""

    english: tuple[str, ...]
    english_held_out: tuple[str, ...]
    """Not looked at when the rules of the turn detector were made."""
    mandarin: tuple[str, ...]
    mandarin_held_out: tuple[str, ...]
    backchannels: tuple[str, ...]
    backchannels_held_out: tuple[str, ...]
    interruptions: tuple[str, ...]
    interruptions_held_out: tuple[str, ...]
    """Neither looked at when the rules of interruption were made."""
    questions: tuple[str, ...]
    long_questions: tuple[str, ...]


def load_script() -> MaterialScript:
    """The script that ships."""
    text = files(__package__).joinpath("script.toml").read_text(encoding="utf-8")
    return MaterialScript(**{name: tuple(lines) for name, lines in tomllib.loads(text).items()})


def parts_of(line: str) -> list[str]:
    """The parts of a line of the script, between which a speaker may pause."""
    return [part.strip() for part in line.split("|")]


async def make_material(lines: Sequence[str], group: str = "") -> list[Utterance]:
    """Every line twice: as a whole, and with a pause at each bar."""
    utterances: list[Utterance] = []
    pauses = cycle(PAUSES_MS)
    with TemporaryDirectory() as folder:
        for number, line in enumerate(lines):
            voice = VOICES[number % len(VOICES)]
            parts = parts_of(line)
            whole = await speak(" ".join(parts), voice, Path(folder))
            spoken = [await speak(part, voice, Path(folder)) for part in parts]
            chosen = [next(pauses) for _ in parts[1:]]
            noise = NOISES_DB[number % len(NOISES_DB)]
            name = f"{number:02d} {voice.label}"
            text = " ".join(parts)
            utterances += [
                _utterance(name, text, [whole], [], noise),
                _utterance(f"{name} {'+'.join(map(str, chosen))} ms", text, spoken, chosen, noise),
            ]
    return [replace(utterance, group=group) for utterance in utterances]


def _utterance(
    name: str,
    text: str,
    parts: Sequence[Samples],
    pauses_ms: Sequence[int],
    noise_db: float | None,
) -> Utterance:
    lead = int(_LEAD_S * RATE_HERTZ)
    position = lead
    pieces: list[Samples] = [_silence(lead)]
    pauses: list[tuple[int, int]] = []
    for part, pause_ms in zip(parts, [*pauses_ms, 0], strict=True):
        pieces.append(part)
        position += len(part)
        if pause_ms:
            length = pause_ms * RATE_HERTZ // 1000
            pieces.append(_silence(length))
            pauses.append((position, position + length))
            position += length
    pieces.append(_silence(int(_TAIL_S * RATE_HERTZ)))
    samples = np.concatenate(pieces)
    if noise_db is not None:
        samples = with_noise(samples, np.concatenate(parts), noise_db)
    return Utterance(name, text, samples, lead, position, tuple(pauses), noise_db)


def with_tail(utterance: Utterance) -> Utterance:
    """With enough silence behind it for the longest wait."""
    missing = utterance.end_sample + int(_TAIL_S * RATE_HERTZ) - len(utterance.samples)
    samples = np.concatenate([utterance.samples, _silence(max(0, missing))])
    return replace(utterance, samples=samples)


def _silence(length: int) -> Samples:
    return np.zeros(length, dtype=np.int16)


def with_noise(samples: Samples, speech: Samples, ratio_db: float) -> Samples:
    """``samples`` and pink noise ``ratio_db`` below the level of ``speech``."""
    spectrum = np.fft.rfft(np.random.default_rng(_SEED).standard_normal(len(samples)))
    spectrum[1:] /= np.sqrt(np.arange(1, len(spectrum)))
    spectrum[0] = 0
    noise = np.fft.irfft(spectrum, len(samples))
    level = np.sqrt((speech.astype(np.float64) ** 2).mean())
    noise *= level * 10 ** (-ratio_db / 20) / np.sqrt((noise**2).mean())
    return np.clip(samples + noise, -32768, 32767).astype(np.int16)
