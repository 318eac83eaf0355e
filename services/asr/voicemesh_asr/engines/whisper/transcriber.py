"""Audio of any length to text: language, temperatures, guards, script.

Blocking; may be called from several threads.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from voicemesh.work_counter import WorkCounter
from voicemesh_asr.engines.redecoding.jobs import stop_if_unwanted
from voicemesh_asr.engines.redecoding.languages import UNSPACED
from voicemesh_asr.engines.redecoding.pieces import HeardPiece, PieceTranscription, hear_pieces
from voicemesh_asr.engines.redecoding.spelled_alike import SpelledAlike
from voicemesh_asr.engines.redecoding.transcription import Request
from voicemesh_asr.engines.whisper.fallback import Fallback
from voicemesh_asr.engines.whisper.network import Decoded, Encoded, WhisperNetwork
from voicemesh_asr.engines.whisper.no_speech import NoSpeech
from voicemesh_asr.engines.whisper.settings import WhisperSettings
from voicemesh_asr.engines.whisper.simplified import Simplifier
from voicemesh_asr.mel_spectrum import RATE_HERTZ

LONGEST_PIECE = 15 * RATE_HERTZ
"""Samples that are decoded at once: half of what the network can read, which takes a third of
the time."""
_CHINESE, _ENGLISH = "zh", "en"


class WhisperTranscriber:
    """The network, and what keeps it from inventing."""

    def __init__(
        self,
        network: WhisperNetwork,
        config: WhisperSettings,
        simplifier: Simplifier | None,
        hints: SpelledAlike | None = None,
    ) -> None:
        """``simplifier``: None leaves the script of Chinese as it is heard.

        ``hints``: None takes no expected phrase.
        """
        self._network = network
        self._config = config
        self._simplifier = simplifier
        self._hints = hints
        self._no_speech = NoSpeech()
        self._fallback = Fallback(
            config.compression_ratio_threshold,
            config.log_probability_threshold,
            config.no_speech_threshold,
            config.sure_log_probability,
        )

    def transcribe(
        self, request: Request, is_final: bool, counter: WorkCounter
    ) -> PieceTranscription[HeardPiece]:
        """All of the audio; CancelledDecode before the next pass where nobody wants it."""
        languages = _told_apart(request)
        hear = partial(self._hear, request, languages, is_final, counter)
        pieces = hear_pieces(request, LONGEST_PIECE, RATE_HERTZ, hear)
        return PieceTranscription(pieces, languages[0])

    def _hear(
        self,
        request: Request,
        languages: list[str],
        is_final: bool,
        counter: WorkCounter,
        begin: int,
        end: int,
        _: HeardPiece | None,
    ) -> HeardPiece:
        """One piece. Of ``languages`` only the one that is heard is left: others follow it."""
        stop_if_unwanted(counter)
        encoded = self._network.encode(request.samples[begin:end])
        stop_if_unwanted(counter)
        languages[:] = [self._network.language(encoded, languages)]
        seconds = (end - begin) / RATE_HERTZ
        decoded = self._decode(encoded, languages[0], seconds, is_final, counter)
        text = self._written(decoded, languages[0])
        if self._no_speech.invented(text, decoded.average, request.samples[begin:end], is_final):
            text = ""
        if is_final and begin == request.begin == 0 and end == len(request.samples):
            text = self._hinted(text, languages[0], request)
        scores = np.full(decoded.tokens, decoded.average, dtype=np.float32)
        return HeardPiece(begin, end, text, scores)

    def _decode(
        self, encoded: Encoded, language: str, seconds: float, is_final: bool, counter: WorkCounter
    ) -> Decoded:
        config = self._config

        def at(temperature: float) -> Decoded:
            stop_if_unwanted(counter)
            decoded = self._network.decode(
                encoded,
                language,
                seconds,
                prompt=config.initial_prompt,
                beams=config.beams if is_final else 1,
                temperature=temperature,
            )
            counter.spend(decoded.tokens)
            return decoded

        return self._fallback.first_good(config.temperatures if is_final else (0.0,), at)

    def _written(self, decoded: Decoded, language: str) -> str:
        """The text as it is shown; nothing where nobody spoke, or the network went in circles."""
        text = decoded.text
        invented = self._fallback.is_silence(decoded) or self._fallback.repeats(decoded)
        if not text or invented or text == self._config.initial_prompt.strip():
            return ""
        if language == _CHINESE and self._simplifier is not None:
            text = self._simplifier.simplified(text)
        return text if language in UNSPACED else f" {text}"

    def _hinted(self, text: str, language: str, request: Request) -> str:
        """The expected phrase that was said, or the text of a whole utterance."""
        if self._hints is None or language != _ENGLISH:
            return text
        phrase = self._hints.phrase(text, request.samples, request.phrases)
        return text if phrase is None else f" {phrase[:1].upper()}{phrase[1:]}"


def _told_apart(request: Request) -> list[str]:
    """The languages that may be heard: one where a complete piece has been heard in it."""
    newest: PieceTranscription[HeardPiece] | None = request.newest
    if newest is not None and len(newest.pieces) > 1:
        return [newest.language]
    return list(request.languages)
