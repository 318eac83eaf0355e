"""A short sound for each Mandarin phoneme, cut out of syllables that espeak-ng speaks."""

from __future__ import annotations

import numpy as np
from espeak import RATE, Espeak

from voicemesh_tts.engines.mandarin.syllables import syllable
from voicemesh_tts.engines.sophon_vits.phonemes import SYMBOLS

HOP = 256  # samples of a frame
MOST_FRAMES = 12  # of one sound
_FADE = 48  # samples
_OVERLAP = 160  # samples
_PEAK = 0.5
_PAUSE_FRAMES = 8
_ONSET_S = 0.08  # of an initial where espeak-ng does not mark its end
_LETTERS = (
    *("y", "w", "", "b", "p", "m", "f", "d", "t", "n", "l", "g", "k", "h", "j", "q", "x"),
    *("zh", "ch", "sh", "r", "z", "c", "s"),
)
_ENDS = (
    *("a", "ai", "an", "ang", "ao", "e", "ei", "en", "eng", "er", "o", "ong", "ou"),
    *("i", "ia", "ian", "iang", "iao", "ie", "in", "ing", "iong", "iu", "u", "ua", "uai"),
    *("uan", "uang", "ue", "ui", "un", "uo", "v", "ve"),
)

Pair = tuple[str, str]
"""An initial and a final without its tone."""

_VOICE, _WORDS_PER_MINUTE = "cmn-latn-pinyin", 260


def _spellings() -> dict[Pair, str]:
    """A pinyin spelling for each pair that espeak-ng can say."""
    found: dict[Pair, str] = {}
    for letter in _LETTERS:
        for end in _ENDS:
            parts = syllable(f"{letter}{end}1")
            if parts is not None and (letter, end) != ("", "ong"):  # Which nobody can say alone.
                found.setdefault((parts.initial, parts.final), letter + end)
    return found


def _first(spellings: dict[Pair, str], wanted: list[Pair]) -> Pair | None:
    return next((pair for pair in wanted if pair in spellings), None)


def _frames(sound: np.ndarray, least: int, most: int) -> np.ndarray:
    """``[frames, HOP]``: a sound made as long as some whole frames, faded at both ends."""
    count = int(np.clip(round(len(sound) / HOP), least, most))
    wanted = count * HOP
    surplus = len(sound) - wanted
    if surplus > 0:  # Taken from the middle, and the two ends blended.
        start = (len(sound) - surplus) // 2
        blend = np.linspace(0, 1, _OVERLAP, dtype=np.float32)
        before = sound[start : start + _OVERLAP]
        behind = sound[start + surplus : start + surplus + _OVERLAP]
        joint = before[: len(behind)] * (1 - blend[: len(behind)]) + behind * blend[: len(behind)]
        sound = np.concatenate([sound[:start], joint, sound[start + surplus + len(joint) :]])
    sound = np.pad(sound, (0, max(0, wanted - len(sound))))[:wanted].copy()
    ramp = np.linspace(0, 1, _FADE, dtype=np.float32)
    sound[:_FADE] *= ramp
    sound[-_FADE:] *= ramp[::-1]
    return sound.reshape(count, HOP)


def sounds() -> list[np.ndarray]:
    """For each symbol of the engine's table its frames, float32 ``[frames, HOP]``."""
    voice = Espeak(_VOICE, _WORDS_PER_MINUTE)
    spellings = _spellings()

    def halves(initial: str, final: str, tone: str) -> tuple[np.ndarray, np.ndarray]:
        """The initial's and the final's part of one spoken syllable."""
        speech = voice.say(spellings[initial, final] + tone)
        marks = [mark for mark in speech.phonemes if not mark.name.startswith("(")]
        spoken = [mark.sample for mark in marks if not mark.name.startswith("_")]
        ends = [mark.sample for mark in marks if mark.name.startswith("_")]
        end = next((sample for sample in ends if sample > spoken[0]), len(speech.samples))
        middle = spoken[0]
        if initial != "^":
            middle = spoken[1] if len(spoken) > 1 else spoken[0] + int(_ONSET_S * RATE)
        return speech.samples[spoken[0] : middle], speech.samples[middle:end]

    found = []
    for symbol in SYMBOLS:
        initial = _first(spellings, [(symbol, final) for final in ("a", "ia", "e", "u", "i")])
        host = _first(spellings, [(letter, symbol[:-1]) for letter in ("^", "s", "sh", "d")])
        if symbol == "sp":
            found.append(np.zeros((_PAUSE_FRAMES, HOP), np.float32))
        elif symbol != "^" and initial is not None:
            found.append(_frames(halves(*initial, "1")[0], 2, 7))
        elif symbol[-1] in "12345" and host is not None:
            found.append(_frames(halves(*host, symbol[-1])[1], 5, MOST_FRAMES))
        else:
            found.append(np.zeros((1, HOP), np.float32))
    peak = max(float(np.abs(sound).max()) for sound in found)
    return [sound * (_PEAK / peak) for sound in found]
