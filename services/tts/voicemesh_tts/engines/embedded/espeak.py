"""espeak-ng through its C library.

espeak-ng is GPL-3.0-or-later. This module is ours and holds none of it; the
library is loaded by :class:`Espeak`, and that is made only in a child process of
its own, which says what it is told over a pipe.
"""

from __future__ import annotations

import ctypes as c
import importlib.util
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from voicemesh.audio import Samples
from voicemesh.errors import EngineError, EngineMissing
from voicemesh_tts.audio.shaping import TimedWord
from voicemesh_tts.engines.engine import Voice

LIBRARY = "libespeak-ng.so.1"
CURE = "apt-get install libespeak-ng1, or pip install 'voicemesh-tts[espeak]'"
PREFIX = "espeak-"

# From speak_lib.h.
_SYNCHRONOUS = 2
_CHARS_UTF8 = 1
_CHARACTER = 1
_RATE = 1
_EVENT_WORD = 1
_SLOWEST_WPM, _FASTEST_WPM = 80, 450
# What it calls words a minute; with pauses as fast as the other voices, which
# docs/engines.md has the measurements of.
_USUAL_WPM = 155
_WPM = {"cmn": 270, "yue": 270}
_BLOCK_MS = 20

# The variety that speaks for a language which has several.
_PREFERRED = {"en": "en-us", "zh": "cmn", "fr": "fr-fr", "vi": "vi", "pt": "pt", "es": "es"}
_PRIMARY = {"cmn": "zh", "nb": "no", "hak": "hak"}


class _Event(c.Structure):
    _fields_ = [
        ("type", c.c_int),
        ("unique_identifier", c.c_uint),
        ("text_position", c.c_int),
        ("length", c.c_int),
        ("audio_position", c.c_int),
        ("sample", c.c_int),
        ("user_data", c.c_void_p),
        ("id", c.c_char * 8),
    ]


class _Listed(c.Structure):
    _fields_ = [
        ("name", c.c_char_p),
        ("languages", c.c_void_p),
        ("identifier", c.c_char_p),
        ("gender", c.c_ubyte),
        ("age", c.c_ubyte),
        ("variant", c.c_ubyte),
    ]


_Callback = c.CFUNCTYPE(c.c_int, c.POINTER(c.c_int16), c.c_int, c.POINTER(_Event))


def find_library() -> tuple[str, str | None]:
    """The library to load and its data folder; the wheel's before the system's.

    The wheel is the newer release, and a machine that has it chose it.
    """
    if importlib.util.find_spec("espeakng_loader") is not None:
        import espeakng_loader

        return espeakng_loader.get_library_path(), espeakng_loader.get_data_path()
    return LIBRARY, None


class Espeak:
    """All languages of the installed espeak-ng data."""

    def __init__(self) -> None:
        """Loads the library and its data; EngineMissing when either is absent."""
        path, data = find_library()
        try:
            self._lib = c.CDLL(path)
        except OSError as error:
            raise EngineMissing(f"espeak-ng cannot be loaded ({error}); {CURE}") from None
        self._lib.espeak_ListVoices.restype = c.POINTER(c.POINTER(_Listed))
        self._lib.espeak_Synth.argtypes = (
            *(c.c_char_p, c.c_size_t, c.c_uint, c.c_int, c.c_uint, c.c_uint),
            *(c.c_void_p, c.c_void_p),
        )
        rate = self._lib.espeak_Initialize(
            _SYNCHRONOUS, _BLOCK_MS, data.encode() if data else None, 0
        )
        if rate <= 0:
            raise EngineMissing(f"espeak-ng finds no data; {CURE}")
        self._rate_hertz = int(rate)
        self._callback = _Callback(self._on_block)
        self._lib.espeak_SetSynthCallback(self._callback)
        self.voices: Mapping[str, Voice] = {v.name: v for v in self._list()}
        self._on_word: Callable[[TimedWord], None] = lambda word: None
        self._on_samples: Callable[[Samples], bool] = lambda samples: False
        self._failure: Exception | None = None

    def _list(self) -> Iterator[Voice]:
        tags = []
        listed, index = self._lib.espeak_ListVoices(None), 0
        while listed[index]:
            # A priority byte, then the language tag.
            tags.append(c.string_at(listed[index].contents.languages + 1).decode().lower())
            index += 1
        tags.sort(key=lambda tag: (_PREFERRED.get(_language(tag), "") != tag, tag))
        for tag in tags:
            yield Voice(f"{PREFIX}{tag}", (_language(tag),), self._rate_hertz, "GPL-3.0-or-later")

    def render(
        self,
        voice: str,
        text: str,
        rate: float,
        on_word: Callable[[TimedWord], None],
        on_samples: Callable[[Samples], bool],
    ) -> None:
        """See :class:`voicemesh_tts.engines.embedded.native_library.NativeLibrary`."""
        tag = voice.removeprefix(PREFIX)
        if self._lib.espeak_SetVoiceByName(tag.encode()) != 0:
            raise EngineError(f"espeak-ng has no voice {tag}")
        words_a_minute = round(_WPM.get(tag, _USUAL_WPM) * rate)
        clipped = min(max(words_a_minute, _SLOWEST_WPM), _FASTEST_WPM)
        self._lib.espeak_SetParameter(_RATE, clipped, 0)
        self._on_word, self._on_samples, self._failure = on_word, on_samples, None
        data = text.encode()
        status = self._lib.espeak_Synth(
            data, len(data) + 1, 0, _CHARACTER, 0, _CHARS_UTF8, None, None
        )
        if self._failure is not None:
            raise self._failure
        if status != 0:
            raise EngineError(f"espeak-ng could not say this text (status {status})")

    def _on_block(self, samples: Any, count: int, events: Any) -> int:
        # An exception must not unwind through C. 1 stops the synthesis.
        try:
            index = 0
            while events[index].type:
                event = events[index]
                if event.type == _EVENT_WORD and event.length > 0:
                    begin = event.text_position - 1
                    self._on_word(TimedWord(begin, begin + event.length, event.sample))
                index += 1
            if not samples or count <= 0:
                return 0
            address = c.addressof(samples.contents)
            block = np.frombuffer(c.string_at(address, 2 * count), np.int16)
            return 0 if self._on_samples(block) else 1
        except Exception as error:
            self._failure = error
            return 1


def _language(tag: str) -> str:
    primary = tag.split("-")[0]
    return _PRIMARY.get(primary, primary)
