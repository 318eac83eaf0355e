"""Audio of any length to text: windows, language, earlier text, temperatures.

Blocking; one call at a time, from the thread that owns the decoder.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Hashable
from dataclasses import dataclass

import numpy as np

from voicemesh.audio import Samples
from voicemesh.work_counter import WorkCounter
from voicemesh_asr.engines.redecoding.jobs import stop_if_unwanted
from voicemesh_asr.engines.redecoding.transcription import Segment
from voicemesh_asr.engines.sophon_whisper.decoder import Decoder
from voicemesh_asr.engines.sophon_whisper.decoding import (
    Decoded,
    SearchOptions,
    decode,
)
from voicemesh_asr.engines.sophon_whisper.prompt import DecoderPrompt, make_prompt
from voicemesh_asr.engines.sophon_whisper.vocabulary import WhisperVocabulary
from voicemesh_asr.engines.sophon_whisper.windows import cut
from voicemesh_asr.engines.whisper.fallback import Fallback
from voicemesh_asr.mel_spectrum import HOP, RATE_HERTZ, log_mel

log = logging.getLogger(__name__)

# Shorter than any word: what is left of a window behind its last segment.
_SHORTEST = RATE_HERTZ // 5
# Below this length a text that does not fit is taken as it is.
_SHORTEST_SPLIT = 2 * RATE_HERTZ
# From this temperature on a text is too uncertain to lead the next window.
_RESET_TEMPERATURE = 0.5


@dataclass(frozen=True)
class Request:
    """What is to be transcribed, and how."""

    samples: Samples
    """16 kHz mono."""
    name: Hashable
    """Equal for audio with the same beginning: its encoding may be used again."""
    languages: tuple[str, ...]
    """Codes; one is taken as given, several are told apart."""
    temperatures: tuple[float, ...]
    stamps: bool
    previous: tuple[int, ...] = ()
    """Tokens of the text before."""


@dataclass(frozen=True)
class TranscribedWindow:
    """How the work on one window went."""

    decoded: Decoded
    encode_s: float
    """Seconds of front end and encoder; 0 where its result was still there."""


@dataclass(frozen=True)
class Transcription:
    """The text of some audio."""

    segments: tuple[Segment, ...]
    language: str
    windows: tuple[TranscribedWindow, ...]

    @property
    def text(self) -> str:
        """All segments in a row."""
        return "".join(segment.text for segment in self.segments).strip()

    @property
    def confidence(self) -> float:
        """The geometric mean of the tokens' probabilities, 0 to 1; 0 without text."""
        if not self.segments:
            return 0.0
        weights = [len(window.decoded.tokens) + 1 for window in self.windows]
        averages = [window.decoded.average for window in self.windows]
        return float(np.exp(np.average(averages, weights=weights)))


class Transcriber:
    """One set of graphs with its vocabulary and rules."""

    def __init__(
        self,
        decoder: Decoder,
        vocabulary: WhisperVocabulary,
        options: SearchOptions,
        fallback: Fallback,
        *,
        translate: bool = False,
        initial_prompt: tuple[int, ...] = (),
        previous_tokens: int = 0,
    ) -> None:
        """``previous_tokens``: how much earlier text leads a window."""
        self._decoder = decoder
        self.vocabulary = vocabulary
        self._options = options
        self._fallback = fallback
        self._translate = translate
        self._initial_prompt = initial_prompt
        self._previous_tokens = previous_tokens
        d = decoder.dimensions
        self._mels, self._frames = d.mels, d.frames

    @property
    def window(self) -> int:
        """Samples of a window."""
        return self._frames * HOP

    def transcribe(self, request: Request, counter: WorkCounter) -> Transcription:
        """All of the audio; CancelledDecode before the next launch where nobody wants it."""
        segments: list[Segment] = []
        windows: list[TranscribedWindow] = []
        previous = request.previous
        languages = request.languages
        at, size = 0, self.window
        while len(request.samples) - at >= (_SHORTEST if at else 1):
            stop_if_unwanted(counter)
            samples = request.samples[at : at + size]
            encode_s = self._encode(samples, (request.name, at))
            stop_if_unwanted(counter)
            if len(languages) > 1:
                languages = (self._language(languages),)
            decoded = self._decode(request, languages[0], previous, counter)
            windows.append(TranscribedWindow(decoded, encode_s))
            if self._fallback.is_silence(decoded):
                at, size = at + len(samples), self.window
                continue
            found = cut(decoded.tokens, self.vocabulary, at, len(samples), decoded.finished)
            if not decoded.finished and not found.closed and len(samples) > _SHORTEST_SPLIT:
                log.warning(
                    "%.1f s of speech do not fit into the model's %d tokens and are decoded in "
                    "halves; a set with a larger pad avoids that",
                    len(samples) / RATE_HERTZ,
                    self._options.pad,
                )
                windows.pop()
                size = len(samples) // 2
                continue
            segments += found.segments
            for segment in found.segments:
                previous += segment.tokens
            if decoded.temperature > _RESET_TEMPERATURE:
                previous = ()
            at, size = at + found.advance, self.window
        return Transcription(tuple(segments), languages[0], tuple(windows))

    def _encode(self, samples: Samples, name: Hashable) -> float:
        """Encode unless that was the last thing encoded; seconds that it took."""
        window = (name, len(samples))
        if self._decoder.has_heard(window):
            return 0.0
        began = time.perf_counter()
        self._decoder.encode(log_mel(samples, self._mels, self._frames), window)
        return time.perf_counter() - began

    def _language(self, codes: tuple[str, ...]) -> str:
        """The likeliest of some languages for what was heard."""
        start = self.vocabulary.start_of_transcript
        logits = self._decoder.language_logits(start)
        if logits is None:
            # Without a graph for it, a decode that begins at the start token tells the same.
            logits = self._decoder.begin(DecoderPrompt((start,), 0, stamps=False))[0][0]
        tokens = [self.vocabulary.language(code) for code in codes]
        return codes[int(np.argmax(logits[tokens]))]

    def _decode(
        self,
        request: Request,
        language: str,
        previous: tuple[int, ...],
        counter: WorkCounter,
    ) -> Decoded:
        lead = previous[-self._previous_tokens :] if self._previous_tokens else ()
        prompt = make_prompt(
            self.vocabulary,
            self._options.pad,
            self.vocabulary.language(language),
            translate=self._translate,
            stamps=request.stamps,
            previous=lead or self._initial_prompt,
        )

        def at(temperature: float) -> Decoded:
            return decode(
                self._decoder, self.vocabulary, prompt, self._options, temperature, counter
            )

        return self._fallback.first_good(request.temperatures, at)
