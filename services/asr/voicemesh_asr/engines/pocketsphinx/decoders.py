"""The child process of one speaker: two decoders that hear the same audio.

*Free speech* searches the general language model; *phrases* searches the grammar
of what is likely to be said. Whether the phrase fits is decided by
:mod:`likeness`; where it does not, free speech has the word.

Where the phrase that sounds best so far fits, no final pass is run at all: the
utterance simply stays open, and going on after a pause costs nothing. Otherwise
both are ended, and going on means to decode the utterance again from a bounded
buffer. Ended, the phrase decoder tells the best phrase that is said *to its end*:
before, half of a longer one ("excuse") often sounds better than the short one
that was said ("makes sense"). That holds only for phrases that end no turn: the
half of a question, at a pause, would be heard as the whole of it. Free speech
rescores its lattice (``bestpath``).

The flat second search of PocketSphinx (``fwdflat``) stays off: it lowered the
word error rate of free speech from 10.5 to 9.5 % only, for 110 ms instead of
20 ms of final pass.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Sequence
from pathlib import Path

from pocketsphinx import Decoder, get_model_path

from voicemesh_asr.engines.engine import HeardWord, Hypothesis, Phrase
from voicemesh_asr.engines.pocketsphinx import phrase_grammar
from voicemesh_asr.engines.pocketsphinx.likeness import (
    ScoredWord,
    is_speech,
    lenience,
    worst_misfit,
)
from voicemesh_asr.engines.pocketsphinx.phrase_grammar import PhraseGrammar
from voicemesh_asr.engines.pocketsphinx.settings import PocketSphinxSettings
from voicemesh_asr.engines.pocketsphinx.utterance_decoder import UtteranceDecoder

RATE_HERTZ = 16_000
MODEL = "en-us"

DICTIONARY = Path(get_model_path(f"{MODEL}/cmudict-en-us.dict"))
_SEARCH = "voicemesh"
# Wide beams: the grammar is small, and with the default ones a phrase that begins
# badly ("how are you", heard as "hello") is lost before its end is seen.
_WIDE = {"beam": 1e-80, "wbeam": 1e-60, "pbeam": 1e-80}
_ONE_PASS = {"fwdflat": False, "bestpath": False}


def make(config: PocketSphinxSettings) -> Decoders:
    """The factory that the child process calls."""
    logging.basicConfig(level=logging.WARNING)
    return Decoders(config)


def _phrase_decoder(grammar: PhraseGrammar) -> Decoder:
    with tempfile.NamedTemporaryFile("w", suffix=".dict", encoding="utf-8") as file:
        file.writelines(grammar.pronunciations)
        file.flush()
        decoder = Decoder(
            lm=None, dict=file.name, compallsen=True, loglevel="FATAL", **_WIDE, **_ONE_PASS
        )
    fsg = decoder.create_fsg(_SEARCH, grammar.start, grammar.final, list(grammar.arcs))
    decoder.add_fsg(_SEARCH, fsg)
    decoder.activate_search(_SEARCH)
    return decoder


class _PhraseDecoder(UtteranceDecoder):
    """The decoder that knows only the hinted phrases."""

    def __init__(self, grammar: PhraseGrammar) -> None:
        super().__init__(_phrase_decoder(grammar))
        self._grammar = grammar

    def misfit(self, free: list[ScoredWord]) -> float:
        """How much worse than ``free`` the phrase sounds; infinite: there is none to take."""
        return worst_misfit(self.scored(), free) if self._may_be_taken() else float("inf")

    def _may_be_taken(self) -> bool:
        text = self.text()
        if self.open:
            return text in self._grammar.phrases
        spoken = is_speech(self.scored(), self._grammar.phones)
        return spoken and text in self._grammar.going_on


class Decoders:
    """One speaker's decoders. Synchronous; lives in a process of its own."""

    def __init__(self, config: PocketSphinxSettings) -> None:
        """Loads the general model and the dictionary, about a second."""
        self._config = config
        self._free = UtteranceDecoder(
            Decoder(
                fwdflat=False,
                bestpath=True,
                maxhmmpf=config.max_active_states,
                loglevel="FATAL",
            )
        )
        self._phrases: _PhraseDecoder | None = None
        self._built: tuple[Phrase, ...] | None = None
        self._replay_bytes = int(config.replay_limit_s * RATE_HERTZ) * 2
        self._in_utterance = False
        self._forget()
        phrase_grammar.load_dictionary(DICTIONARY)

    def _forget(self) -> None:
        self._buffer = bytearray()
        self._kept_text = ""
        self._kept_words: tuple[HeardWord, ...] = ()
        self._segment_begin_s = 0.0
        self._heard_s = 0.0
        self._misfit = float("inf")

    def _decoders(self) -> list[UtteranceDecoder]:
        return [self._free, self._phrases] if self._phrases else [self._free]

    def open(self, phrases: Sequence[Phrase]) -> None:
        """Begin with a new speaker, who may say ``phrases``."""
        self.reset()
        self.set_phrases(phrases)
        for decoder in self._decoders():
            decoder.forget_speaker()

    def set_phrases(self, phrases: Sequence[Phrase]) -> None:
        """Replace this speaker's phrases; the utterance under way is forgotten."""
        self.reset()
        wanted = tuple(phrases) if self._config.phrase_margin > 0 else ()
        if wanted == self._built:
            return
        grammar = phrase_grammar.build(wanted, DICTIONARY)
        self._phrases = _PhraseDecoder(grammar) if grammar else None
        if self._phrases:
            self._phrases.decoder.set_cmn(self._free.decoder.get_cmn())
        self._built = wanted

    def accept(self, pcm: bytes) -> Hypothesis | None:
        """Hear mono 16-bit samples at 16 kHz; the running text, None without words."""
        if not self._in_utterance:
            self._in_utterance = True
            for decoder in self._decoders():
                decoder.begin()
        self._heard_s += len(pcm) / 2 / RATE_HERTZ
        if len(self._buffer) <= self._replay_bytes:
            self._buffer += pcm
        for decoder in self._decoders():
            decoder.feed(pcm)
        text = self._phrase() or self._joined(self._free.text())
        return Hypothesis(text) if text else None

    def _joined(self, text: str) -> str:
        return f"{self._kept_text} {text}".strip()

    def _phrase(self) -> str:
        """The hinted phrase, if it is what has been said so far."""
        if self._phrases is None or not self._free.open:
            return ""
        self._compare(self._free.scored())
        return self._phrases.text() if self._misfit <= self._config.phrase_margin else ""

    def _compare(self, free: list[ScoredWord]) -> None:
        # What free speech hears behind a kept text is the end of something longer.
        whole = self._segment_begin_s == 0
        self._misfit = self._phrases.misfit(free) if self._phrases and whole else float("inf")

    def finish(self) -> Hypothesis:
        """The best text for the utterance so far; the utterance may go on after it."""
        if not self._in_utterance:
            return Hypothesis("")
        if self._free.open:
            if phrase := self._phrase():
                return self._as_phrase(phrase)
            running = self._free.scored()  # Rescored, they cannot be compared.
            for decoder in self._decoders():
                decoder.end()
            self._compare(running)
        words = self._free.words(self._segment_begin_s)
        mean = sum(word.confidence for word in words) / len(words) if words else 0.0
        if self._phrases:
            allowed = lenience(self._phrases.text(), self._free.text(), mean)
            if self._misfit <= allowed * self._config.phrase_margin:
                return self._as_phrase(self._phrases.text())
        return Hypothesis(self._joined(self._free.text()), mean, (*self._kept_words, *words))

    def _as_phrase(self, phrase: str) -> Hypothesis:
        """``phrase``; its confidence falls from 1 for a perfect fit to 0.5 at the usual margin."""
        assert self._phrases is not None
        confidence = 1 - 0.5 * max(0.0, self._misfit) / self._config.phrase_margin
        words = self._phrases.words(self._segment_begin_s, confidence)
        return Hypothesis(phrase, confidence, words)

    def resume(self) -> None:
        """The utterance goes on after ``finish``."""
        if not self._in_utterance or self._free.open:
            return
        if len(self._buffer) <= self._replay_bytes:
            for decoder in self._decoders():
                decoder.resume(bytes(self._buffer))
            return
        heard = self.finish()
        self._kept_words, self._kept_text = heard.words, heard.text
        self._segment_begin_s = self._heard_s
        self._buffer.clear()
        self._free.begin()

    def reset(self) -> None:
        """Forget the utterance under way."""
        for decoder in self._decoders():
            decoder.end()
        self._in_utterance = False
        self._forget()
