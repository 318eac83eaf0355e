"""Which of some texts sounds most like an utterance: PocketSphinx as a second pair of ears.

A network that writes texts knows a language well, and short sounds badly: "stop" becomes
"Stuck". This acoustic model knows no language at all here; it only tells whose phones
fit the sound better, and makes other mistakes than the network. Only the texts in
question are searched, so it takes about 12 ms for a second of sound.
"""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock

from pocketsphinx import Decoder

from voicemesh.audio import Samples
from voicemesh_asr.engines.pocketsphinx.phrase_grammar import Arc, spoken_words
from voicemesh_asr.engines.pocketsphinx.utterance_decoder import UtteranceDecoder

_SEARCH = "contest"
_START, _FINAL = 0, 1
_WIDE = {"beam": 1e-80, "wbeam": 1e-60, "pbeam": 1e-80}
_FIRST_WEIGHT = 0.01
"""The weight of the first text beside all others: where they fit alike, another is meant, for
others are only put up against a text that is in doubt."""


class TextContest:
    """Compares texts with sounds. Blocking, with Python's lock held; safe in any thread."""

    def __init__(self) -> None:
        """Loads the acoustic model and a dictionary, 0.3 s and 28 MB."""
        self._decoder = Decoder(lm=None, fwdflat=False, bestpath=False, loglevel="FATAL", **_WIDE)
        self._utterance = UtteranceDecoder(self._decoder)
        self._lock = Lock()

    def winner(self, samples: Samples, texts: Sequence[str]) -> str | None:
        """The text, of two or more, that mono samples at 16 kHz sound most like.

        None where the first one has words that nobody can pronounce, or nothing sounds
        at all. Of the others, such texts take no part.
        """
        with self._lock:
            words = {text: spoken_words(text) for text in dict.fromkeys(texts)}
            entered = [text for text, said in words.items() if self._knows(said)]
            if texts[0] not in entered or not len(samples):
                return None
            heard = self._heard(samples, [words[text] for text in entered])
        return next((text for text in entered if words[text] == heard), None)

    def can_say(self, text: str) -> bool:
        """Whether all words of a text can be pronounced."""
        with self._lock:
            return self._knows(spoken_words(text))

    def _knows(self, words: Sequence[str]) -> bool:
        return bool(words) and all(self._decoder.lookup_word(word) is not None for word in words)

    def _heard(self, samples: Samples, texts: Sequence[Sequence[str]]) -> list[str]:
        arcs = _arcs(texts)
        self._decoder.add_fsg(_SEARCH, self._decoder.create_fsg(_SEARCH, _START, _FINAL, arcs))
        self._decoder.activate_search(_SEARCH)
        self._utterance.forget_speaker()
        self._utterance.begin()
        # All of it at once: its mean is then that of the whole utterance.
        self._decoder.process_raw(samples.tobytes(), False, True)
        self._utterance.end()
        return self._utterance.text().split()


def _arcs(texts: Sequence[Sequence[str]]) -> list[Arc]:
    """A path for each text, from the first state to the last."""
    arcs: list[Arc] = []
    states = 2
    others = (1 - _FIRST_WEIGHT) / max(1, len(texts) - 1)
    for number, words in enumerate(texts):
        state, weight = _START, others if number else _FIRST_WEIGHT
        for word in words[:-1]:
            arcs.append((state, states, weight, word))
            state, weight, states = states, 1.0, states + 1
        arcs.append((state, _FINAL, weight, words[-1]))
    return arcs
