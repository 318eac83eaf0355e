"""The child process of one speaker: two decoders that hear the same audio.

*Free speech* searches the general language model; *phrases* searches the grammar
of what is likely to be said. Whether the phrase fits is decided by
:mod:`likeness`; where it does not, free speech has the word.

The phrase decoder needs no final pass, and where its phrase fits none is run at
all: the utterance simply stays open, and going on after a pause costs nothing.
Otherwise free speech rescores its lattice (``bestpath``), which closes the
utterance; going on then means to decode it again from a bounded buffer.
The flat second search of PocketSphinx (``fwdflat``) stays off: it lowered the
word error rate of free speech from 10.5 to 9.5 % only, for 110 ms instead of
20 ms of final pass.
"""

from __future__ import annotations

import logging
import math
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path

from pocketsphinx import Decoder, get_model_path

from voicemesh_asr.engines.engine import HeardWord, Hypothesis
from voicemesh_asr.engines.pocketsphinx import phrase_grammar
from voicemesh_asr.engines.pocketsphinx.likeness import ScoredWord, worst_misfit
from voicemesh_asr.engines.pocketsphinx.phrase_grammar import PhraseGrammar
from voicemesh_asr.engines.pocketsphinx.spec import PocketSphinxSettings

RATE_HERTZ = 16_000
MODEL = "en-us"
FRAME_S = 0.01

DICTIONARY = Path(get_model_path(f"{MODEL}/cmudict-en-us.dict"))
_LOG_BASE = math.log(1.0001)
_SEARCH = "voicemesh"
# The model's cepstral mean before it has heard anybody: every stream starts here,
# so that results do not depend on who spoke before.
_FIRST_MEAN = "40,3,-1"
# Wide beams: the grammar is small, and with the default ones a phrase that begins
# badly ("how are you", heard as "hello") is lost before its end is seen.
_WIDE = {"beam": 1e-80, "wbeam": 1e-60, "pbeam": 1e-80}
# A phrase that misses the margin by this factor is taken where free speech has its own
# doubts about what it heard, which it has not where something else was said clearly.
_SECOND_CHANCE = 1.2
_DOUBTED = 0.5
_ONE_PASS = {"fwdflat": False, "bestpath": False}
# Fillers of the acoustic model and pronunciation variants: "[NOISE]", "are(2)".
_NO_TEXT = re.compile(r"\(\d+\)|\[[^]]*]|<[^>]*>|\+\+[^+]*\+\+")


def make(config: PocketSphinxSettings) -> Decoders:
    """The factory that the child process calls."""
    logging.basicConfig(level=logging.WARNING)
    return Decoders(config)


def _plain(text: str) -> str:
    return " ".join(_NO_TEXT.sub("", text).split())


def _scored(decoder: Decoder) -> list[ScoredWord]:
    """The running hypothesis with its acoustic scores."""
    return [
        ScoredWord(s.word, s.start_frame, s.end_frame, math.log(max(s.ascore, 1e-300)) / _LOG_BASE)
        for s in decoder.seg() or ()
        if s.end_frame > s.start_frame
    ]


class _Phrases:
    """The decoder that knows only the hinted phrases."""

    def __init__(self, grammar: PhraseGrammar) -> None:
        self._grammar = grammar
        with tempfile.NamedTemporaryFile("w", suffix=".dict", encoding="utf-8") as file:
            file.writelines(grammar.pronunciations)
            file.flush()
            self.decoder = Decoder(
                lm=None, dict=file.name, compallsen=True, loglevel="FATAL", **_WIDE, **_ONE_PASS
            )
        fsg = self.decoder.create_fsg(_SEARCH, grammar.start, grammar.final, list(grammar.arcs))
        self.decoder.add_fsg(_SEARCH, fsg)
        self.decoder.activate_search(_SEARCH)

    def whole_phrase(self) -> str:
        """The phrase that the audio says at best, if it says one to its end."""
        found = self.decoder.hyp()
        text = _plain(found.hypstr) if found else ""
        return text if text in self._grammar.phrases else ""


class Decoders:
    """One speaker's decoders. Synchronous; lives in a process of its own."""

    def __init__(self, config: PocketSphinxSettings) -> None:
        """Loads the general model and the dictionary, about a second."""
        self._config = config
        self._free = Decoder(
            fwdflat=False,
            bestpath=True,
            maxhmmpf=config.max_active_states,
            loglevel="FATAL",
        )
        self._phrases: _Phrases | None = None
        self._built: tuple[tuple[str, float], ...] | None = None
        self._replay_bytes = int(config.replay_limit_s * RATE_HERTZ) * 2
        self._in_utterance = False
        self._free_open = False
        self._forget()
        phrase_grammar.load_dictionary(DICTIONARY)

    def _forget(self) -> None:
        self._buffer = bytearray()
        self._kept_text = ""
        self._kept_words: tuple[HeardWord, ...] = ()
        self._segment_begin_s = 0.0
        self._heard_s = 0.0
        self._phrase = ""
        self._misfit = math.inf

    def open(self, phrases: Sequence[tuple[str, float]]) -> None:
        """Begin with a new speaker, who may say ``phrases`` (text, boost)."""
        self.reset()
        self.set_phrases(phrases)
        self._free.set_cmn(_FIRST_MEAN)
        if self._phrases:
            self._phrases.decoder.set_cmn(_FIRST_MEAN)

    def set_phrases(self, phrases: Sequence[tuple[str, float]]) -> None:
        """Replace this speaker's phrases; the utterance under way is forgotten."""
        self.reset()
        wanted = tuple(phrases) if self._config.phrase_margin > 0 else ()
        if wanted == self._built:
            return
        grammar = phrase_grammar.build(wanted, DICTIONARY)
        self._phrases = _Phrases(grammar) if grammar else None
        if self._phrases:
            self._phrases.decoder.set_cmn(self._free.get_cmn())
        self._built = wanted

    def accept(self, pcm: bytes) -> Hypothesis | None:
        """Hear mono 16-bit samples at 16 kHz; the running text, None without words."""
        if not self._in_utterance:
            self._in_utterance = True
            self._start_free()
            if self._phrases:
                self._phrases.decoder.start_utt()
        self._heard_s += len(pcm) / 2 / RATE_HERTZ
        if len(self._buffer) <= self._replay_bytes:
            self._buffer += pcm
        self._free.process_raw(pcm)
        if self._phrases:
            self._phrases.decoder.process_raw(pcm)
        text = self._fitting_phrase() or self._joined(self._free_text())
        return Hypothesis(text) if text else None

    def _start_free(self) -> None:
        self._mean = self._free.get_cmn()
        self._free.start_utt()
        self._free_open = True

    def _free_text(self) -> str:
        found = self._free.hyp()
        return _plain(found.hypstr) if found else ""

    def _joined(self, text: str) -> str:
        return f"{self._kept_text} {text}".strip()

    def _fitting_phrase(self) -> str:
        """The hinted phrase, if it is what was said."""
        if not self._free_open:
            return ""
        self._phrase = ""
        if self._phrases is None or self._kept_text:
            return ""
        self._phrase = self._phrases.whole_phrase()
        if not self._phrase:
            return ""
        self._misfit = worst_misfit(_scored(self._phrases.decoder), _scored(self._free))
        return self._phrase if self._misfit <= self._config.phrase_margin else ""

    def finish(self) -> Hypothesis:
        """The best text for the utterance so far; the utterance may go on after it."""
        if not self._in_utterance:
            return Hypothesis("")
        if self._fitting_phrase():
            return self._as_phrase()
        if self._free_open:
            self._free.end_utt()
            self._free_open = False
        words = self._words(self._free)
        mean = sum(word.confidence for word in words) / len(words) if words else 0.0
        nearly = self._misfit <= _SECOND_CHANCE * self._config.phrase_margin
        if self._phrase and nearly and mean < _DOUBTED:
            return self._as_phrase()
        return Hypothesis(self._joined(self._free_text()), mean, (*self._kept_words, *words))

    def _as_phrase(self) -> Hypothesis:
        """The phrase; its confidence is from 1 for a perfect fit to 0.5 at the margin."""
        assert self._phrases is not None
        confidence = 1 - 0.5 * max(0.0, self._misfit) / self._config.phrase_margin
        return Hypothesis(self._phrase, confidence, self._words(self._phrases.decoder, confidence))

    def _words(self, decoder: Decoder, confidence: float | None = None) -> tuple[HeardWord, ...]:
        """The words of a hypothesis with their times in the whole utterance."""
        begin_s = self._segment_begin_s
        return tuple(
            HeardWord(
                _plain(segment.word),
                begin_s + segment.start_frame * FRAME_S,
                begin_s + (segment.end_frame + 1) * FRAME_S,
                min(1.0, float(segment.prob)) if confidence is None else confidence,
            )
            for segment in decoder.seg() or ()
            if _plain(segment.word) and segment.word != "(NULL)"
        )

    def resume(self) -> None:
        """The utterance goes on after ``finish``."""
        if not self._in_utterance or self._free_open:
            return
        if len(self._buffer) <= self._replay_bytes:
            self._free.set_cmn(self._mean)
            self._start_free()
            self._free.process_raw(bytes(self._buffer))
            return
        self._kept_words = (*self._kept_words, *self._words(self._free))
        self._kept_text = self._joined(self._free_text())
        self._segment_begin_s = self._heard_s
        self._buffer.clear()
        self._start_free()

    def reset(self) -> None:
        """Forget the utterance under way."""
        if self._in_utterance:
            if self._free_open:
                self._free.end_utt()
            if self._phrases:
                self._phrases.decoder.end_utt()
        self._in_utterance = self._free_open = False
        self._forget()
