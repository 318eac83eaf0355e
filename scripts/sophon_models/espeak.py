"""espeak-ng through its library, with the places of words or phonemes in the speech."""

from __future__ import annotations

import ctypes
from typing import NamedTuple

import numpy as np
from scipy.signal import resample_poly

RATE = 16_000  # Hz, of everything that is returned
_SYNCHRONOUS, _UTF8, _PHONEME_NAMES = 2, 1, 0x1000
_OPTIONS = 1  # phoneme events
_WORD, _PHONEME, _END = 1, 7, 0  # kinds of events
_SPEED, _PITCH = 1, 3  # parameters


class _Identity(ctypes.Union):
    _fields_ = [("number", ctypes.c_int), ("name", ctypes.c_char_p), ("text", ctypes.c_char * 8)]


class _Event(ctypes.Structure):
    _fields_ = [
        ("kind", ctypes.c_int),
        ("unique", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("milliseconds", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("identity", _Identity),
    ]


_CALLBACK = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event)
)


class Mark(NamedTuple):
    """Where a word or phoneme begins."""

    sample: int
    """At 16 kHz."""
    name: str
    """The phoneme; empty for a word."""
    position: int
    """In the text, in characters from 0."""


class Speech(NamedTuple):
    """What was said."""

    samples: np.ndarray
    """float32 at 16 kHz."""
    words: list[Mark]
    phonemes: list[Mark]


class Espeak:
    """One voice: ``Espeak("cmn", words_per_minute=160)``. The library has one at a time."""

    def __init__(self, voice: str, words_per_minute: int, pitch: int = 50) -> None:
        self._library = ctypes.CDLL("libespeak-ng.so.1")
        self._rate = self._library.espeak_Initialize(_SYNCHRONOUS, 0, None, _OPTIONS)
        self._callback = _CALLBACK(self._take)
        self._library.espeak_SetSynthCallback(self._callback)
        if self._library.espeak_SetVoiceByName(voice.encode()):
            raise SystemExit(f"espeak-ng has no voice {voice}: install espeak-ng-data")
        self._library.espeak_SetParameter(_SPEED, words_per_minute, 0)
        self._library.espeak_SetParameter(_PITCH, pitch, 0)
        self._pieces: list[np.ndarray] = []
        self._events: list[tuple[int, Mark]] = []

    def _take(self, samples: object, count: int, events: object) -> int:
        if samples and count > 0:
            self._pieces.append(np.ctypeslib.as_array(samples, (count,)).copy())
        index = 0
        while events[index].kind != _END:
            event = events[index]
            name = event.identity.text.decode("utf-8", "replace") if event.kind == _PHONEME else ""
            place = event.milliseconds * RATE // 1000
            self._events.append((event.kind, Mark(place, name, event.text_position - 1)))
            index += 1
        return 0

    def say(self, text: str) -> Speech:
        """Speaks a text to its end."""
        self._pieces.clear()
        self._events.clear()
        data = text.encode() + b"\0"
        flags = _UTF8 | _PHONEME_NAMES
        self._library.espeak_Synth(data, ctypes.c_size_t(len(data)), 0, 1, 0, flags, None, None)
        self._library.espeak_Synchronize()
        whole = np.concatenate(self._pieces).astype(np.float32) / 32768
        samples = resample_poly(whole, RATE, self._rate).astype(np.float32)
        words = [mark for kind, mark in self._events if kind == _WORD]
        phonemes = [mark for kind, mark in self._events if kind == _PHONEME]
        return Speech(samples, words, phonemes)
