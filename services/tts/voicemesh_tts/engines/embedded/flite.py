"""CMU Flite through its C library (libflite, Debian package libflite1).

Flite is English. Its statistical voices (rms, slt, awb) predict the parameters of
the whole text before the first sample leaves the vocoder, so that the time to
first audio grows with the length of the text; the vocoder then streams. kal16
joins recorded diphones: far cheaper, and rougher.
"""

from __future__ import annotations

import ctypes as c
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any

import numpy as np

from voicemesh.audio import Samples
from voicemesh.errors import EngineError, EngineMissing
from voicemesh_tts.audio.shaping import TimedWord
from voicemesh_tts.engines.engine import Voice

LIBRARY = "libflite.so.1"
VOICES = ("rms", "slt", "awb", "kal16")
RATE_HERTZ = 16_000
CURE = "apt-get install libflite1"

_CONTINUE, _STOP = 0, -1
# The vocoder calls back whenever more samples than this are ready: 20 ms.
_BLOCK_SAMPLES = 319


class _Wave(c.Structure):
    _fields_ = [
        ("type", c.c_char_p),
        ("sample_rate", c.c_int),
        ("num_samples", c.c_int),
        ("num_channels", c.c_int),
        ("samples", c.POINTER(c.c_int16)),
    ]


class _Streaming(c.Structure):
    """cst_audio_streaming_info of flite 2.2."""


_Callback = c.CFUNCTYPE(c.c_int, c.POINTER(_Wave), c.c_int, c.c_int, c.c_int, c.POINTER(_Streaming))
_Streaming._fields_ = [
    ("min_buffsize", c.c_int),
    ("asc", _Callback),
    ("utt", c.c_void_p),
    ("item", c.c_void_p),
    ("userdata", c.c_void_p),
]


@lru_cache(maxsize=1024)
def _ascii(char: str) -> str:
    """One ASCII character for one character: flite reads nothing else."""
    folded = unicodedata.normalize("NFKD", char).encode("ascii", "ignore").decode()
    return folded[:1] or " "


class Flite:
    """All voices of libflite1, loaded when first used."""

    def __init__(self) -> None:
        """Loads the library; EngineMissing when it is not installed."""
        try:
            self._lib = c.CDLL(LIBRARY, mode=c.RTLD_GLOBAL)
            for part in ("usenglish", "cmulex"):
                c.CDLL(f"libflite_{part}.so.1", mode=c.RTLD_GLOBAL)
        except OSError as error:
            raise EngineMissing(f"flite cannot be loaded ({error}); {CURE}") from None
        self._declare()
        self._lib.flite_init()
        self.voices: Mapping[str, Voice] = {
            name: Voice(name, ("en",), RATE_HERTZ, "LicenseRef-Flite") for name in VOICES
        }
        self._loaded: dict[str, int] = {}
        self._callback = _Callback(self._on_block)
        self._streaming = self._lib.new_audio_streaming_info()
        self._streaming.contents.min_buffsize = _BLOCK_SAMPLES
        self._streaming.contents.asc = self._callback
        self._text = ""
        self._on_word: Callable[[TimedWord], None] = lambda word: None
        self._on_samples: Callable[[Samples], bool] = lambda samples: False
        self._first_block = True
        self._failure: Exception | None = None

    def _declare(self) -> None:
        pointer, text, lib = c.c_void_p, c.c_char_p, self._lib
        signatures: tuple[tuple[str, Any, tuple[Any, ...]], ...] = (
            ("new_audio_streaming_info", c.POINTER(_Streaming), ()),
            ("audio_streaming_info_val", pointer, (pointer,)),
            ("flite_feat_set", None, (pointer, text, pointer)),
            ("flite_feat_set_float", None, (pointer, text, c.c_float)),
            ("flite_synth_text", pointer, (text, pointer)),
            ("delete_utterance", None, (pointer,)),
            ("utt_relation", pointer, (pointer, text)),
            ("relation_head", pointer, (pointer,)),
            ("item_next", pointer, (pointer,)),
            ("flite_ffeature_string", text, (pointer, text)),
            ("flite_ffeature_float", c.c_float, (pointer, text)),
        )
        for name, result, arguments in signatures:
            function = getattr(lib, name)
            function.restype, function.argtypes = result, arguments

    def _voice(self, name: str) -> int:
        if name not in self._loaded:
            try:
                register = getattr(
                    c.CDLL(f"libflite_cmu_us_{name}.so.1"), f"register_cmu_us_{name}"
                )
            except (OSError, AttributeError) as error:
                raise EngineMissing(f"flite's voice {name} is missing ({error}); {CURE}") from None
            register.restype, register.argtypes = c.c_void_p, (c.c_char_p,)
            voice: int = register(None)
            value = self._lib.audio_streaming_info_val(c.cast(self._streaming, c.c_void_p))
            self._lib.flite_feat_set(_features(voice), b"streaming_info", value)
            self._loaded[name] = voice
        return self._loaded[name]

    def render(
        self,
        voice: str,
        text: str,
        rate: float,
        on_word: Callable[[TimedWord], None],
        on_samples: Callable[[Samples], bool],
    ) -> None:
        """See :class:`voicemesh_tts.engines.embedded.native_library.NativeLibrary`."""
        self._text = "".join(map(_ascii, text))
        if not any(char.isalnum() for char in self._text):
            return  # flite has no utterance without a word
        handle = self._voice(voice)
        self._on_word, self._on_samples = on_word, on_samples
        self._first_block, self._failure = True, None
        self._lib.flite_feat_set_float(_features(handle), b"duration_stretch", 1.0 / rate)
        utterance = self._lib.flite_synth_text(self._text.encode(), handle)
        if utterance:
            self._lib.delete_utterance(utterance)
        if self._failure is not None:
            raise self._failure
        if not utterance:
            raise EngineError("flite could not say this text")

    def _on_block(self, wave: Any, start: int, size: int, last: int, info: Any) -> int:
        # An exception must not unwind through C.
        try:
            if self._first_block:
                self._first_block = False
                for word in self._words(info.contents.utt):
                    self._on_word(word)
            address = c.addressof(wave.contents.samples.contents) + 2 * start
            block = np.frombuffer(c.string_at(address, 2 * size), np.int16)
            return _CONTINUE if self._on_samples(block) else _STOP
        except Exception as error:
            self._failure = error
            return _STOP

    def _words(self, utterance: int) -> Iterator[TimedWord]:
        """Where the tokens of the utterance stand in the text and in the audio.

        The duration model has run by the time of the first block: a token begins
        where the segment before its first segment ends.
        """
        lib, position = self._lib, 0
        token = lib.relation_head(lib.utt_relation(utterance, b"Token"))
        while token:
            name = lib.flite_ffeature_string(token, b"name").decode("ascii", "ignore")
            begin = self._text.find(name, position)
            onset = lib.flite_ffeature_float(
                token, b"daughter1.R:SylStructure.daughter1.daughter1.R:Segment.p.end"
            )
            if name and begin >= 0:
                position = begin + len(name)
                yield TimedWord(begin, position, int(onset * RATE_HERTZ))
            token = lib.item_next(token)


def _features(voice: int) -> int:
    """The features of a cst_voice: its second pointer, after the name."""
    features: int | None = c.cast(voice, c.POINTER(c.c_void_p))[1]
    if features is None:
        raise EngineError("flite returned a voice without features; is libflite1 version 2.2?")
    return features
