"""English that is whole only for who knows more: "what is the capital", "we are going"."""

from __future__ import annotations

from voicemesh_asr.turn_detection.completeness import english_words as en
from voicemesh_asr.turn_detection.completeness.judgement import HARDLY_WHOLE, Judgement

_WANT_COMPLEMENT = frozenset({"put", "move", "make", "set", "keep"})
_COMPLEMENTS = en.PREPOSITIONS | {"in", "on", "up", "down", "off", "away", "back", "than"}
# A number behind these has no unit, such as an hour.
_BEFORE_WHOLE_NUMBERS = en.NUMBERS | {"at", "for", "until", "past", "to", "of"}


class EnglishBeginnings:
    """Knows what often goes on. Comes after punctuation, and before what sounds complete."""

    def judge(self, text: str) -> Judgement | None:
        """See Strategy."""
        said = en.words_of(text)
        words = en.without_openers(said)
        if words and self._goes_on(words, opened=len(words) < len(said)):
            return HARDLY_WHOLE
        return None

    def _goes_on(self, words: list[str], opened: bool) -> bool:
        last, before = words[-1], words[-2] if len(words) > 1 else ""
        if words[0] in _WANT_COMPLEMENT and before:
            # "put the book", "make the lights": where, or what?
            return words[1] in en.ARTICLES and not any(w in _COMPLEMENTS for w in words[2:])
        if last in en.QUESTION_WORDS:
            return len(words) > 2  # "I cannot remember where"
        if last in en.NUMBERS and before and before not in _BEFORE_WHOLE_NUMBERS:
            return not any(word in en.OPERATORS for word in words)  # "how much is fifty"
        if last in en.RELATIONAL_NOUNS:
            return len(words) > 2 and before == "the"  # "what is the capital"
        if last == "going":
            return words[0] not in en.QUESTION_WORDS  # "we are going"
        # "yes there is" is an answer, "there is" more likely a beginning.
        return len(words) == 2 and words[0] in en.PERSONS and last in en.BE and not opened
