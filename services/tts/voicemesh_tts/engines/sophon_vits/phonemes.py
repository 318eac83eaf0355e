"""The symbols that the voice knows, and which of them a Mandarin syllable is."""

from __future__ import annotations

from voicemesh_tts.engines.mandarin.syllables import FINALS, INITIALS, NO_INITIAL, Syllable

# The identifier of a symbol is its place in this order, which is the one that
# models of the vits_chinese family are trained with: pauses, initials, finals in
# the five tones; initials and finals by the alphabet.
_PAUSES = ("sil", "eos", "sp", "#0", "#1", "#2", "#3")
SYMBOLS: tuple[str, ...] = (
    *_PAUSES,
    NO_INITIAL,
    *INITIALS,
    *(final + tone for final in FINALS for tone in "12345"),
)
"""All 219 symbols."""

IDS = {symbol: index for index, symbol in enumerate(SYMBOLS)}
SILENCE = IDS["sil"]
"""Stands at both ends of an utterance, and fills what is left of the window."""
SHORT_PAUSE = IDS["sp"]
"""Ends a clause."""


def symbol_ids(syllable: Syllable) -> tuple[int, int]:
    """The identifiers of its initial, and of its final with the tone."""
    return IDS[syllable.initial], IDS[syllable.final + syllable.tone]
