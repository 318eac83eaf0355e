"""English that clearly goes on: a conjunction, a filler, an article, half a number."""

from __future__ import annotations

from voicemesh.v1 import asr_pb2 as pb
from voicemesh_asr.turn_detection.completeness import english_words as en
from voicemesh_asr.turn_detection.completeness.judge import Judgement

_DANGLING = en.CONJUNCTIONS | en.ARTICLES | en.FILLERS | en.INTENSIFIERS | en.CONTINUING_VERBS
_SUBJECTS_ONLY = frozenset({"i", "we", "he", "she", "they"})
_INCOMPLETE = en.phrases(
    "tell me|give me|show me|bring me|can you|could you|would you|will you|do you|are you|turn on|"
    "turn off|switch on|switch off|set a timer|remind me|what about|how about|how many|what kind|"
    "i think|i mean|you know|let me"
)


class EnglishUnfinished:
    """Knows the words that cannot end an utterance."""

    def judge(self, text: str) -> Judgement | None:
        """See Strategy."""
        words = en.words_of(text)
        if not words or not text.rstrip(" .!?,;:").isascii():
            return None
        whole = " ".join(words)
        if whole in en.COMPLETE_PHRASES:
            return None
        if (
            whole in _INCOMPLETE
            or self._dangles(words)
            or self._lacks_object(words)
            or self._half_number(words)
            or self._half_question(words)
        ):
            return Judgement(pb.END_MARK_UNFINISHED, 0.85)
        return None

    def _dangles(self, words: list[str]) -> bool:
        """A word at the end that needs another behind it."""
        last, before = words[-1], words[-2] if len(words) > 1 else ""
        if last in en.OPERATORS:
            return before in en.NUMBERS or before.isdigit() or before == "divided"
        if last in {"called", "named"} and words[0] in en.QUESTION_WORDS:
            return False
        if last in _DANGLING:
            # "I think so", "how so", "I hope so"; "what is it like" is a preposition's case.
            if last == "so":
                return before not in en.PRONOUNS | {"think", "hope", "say", "how", "believe", "do"}
            return not (last == "like" and words[0] in en.QUESTION_WORDS)
        if last in en.AUXILIARIES:
            # "what can you do", "yes I am", "what does the heart do", but not "where is".
            asked = last == "do" and any(word in {"does", "do", "did"} for word in words[:-1])
            return not asked and before not in en.PRONOUNS | {"not", "to"}
        if last in _SUBJECTS_ONLY and len(words) > 1:
            return words[0] not in en.QUESTION_WORDS | en.AUXILIARIES  # "who am I"
        return last in en.CONTRACTED and last != "that's"

    def _lacks_object(self, words: list[str]) -> bool:
        """A preposition at the end, unless a question put its object in front."""
        last = words[-1]
        if last not in en.PREPOSITIONS:
            return False
        if words[0] not in en.QUESTION_WORDS:
            return not (last in {"to", "about"} and words[-2:-1] == ["want"])
        before = words[-2] if len(words) > 1 else ""
        # "where are you from", "who are you talking to", "what is it made of".
        asked_for = before in en.PRONOUNS or before.endswith(("ing", "ed"))
        return not (asked_for or before in {"made", "come", "look", "think", "go", "weather"})

    def _half_question(self, words: list[str]) -> bool:
        """A question whose verb, or what it asks of somebody, has not come yet."""
        first, last = words[0], words[-1]
        if first in en.AUXILIARIES and words[1:2] and words[1] in en.PRONOUNS:
            return last == "please" and len(words) == 3  # "could you please"
        if first == "why" and len(words) == 3:
            return words[1] in en.AUXILIARIES and last in en.PRONOUNS  # "why is it", "why do you"
        if first in {"which", "what", "who"} and last in en.MOTIONS:
            return len(words) == (2 if first == "who" else 3)  # "which bus goes", "who lives"
        # "how many people", "how much money", "which bus", "whose idea"
        return len(words) == 3 and words[:2] in (["how", "many"], ["how", "much"])

    def _half_number(self, words: list[str]) -> bool:
        """A group of digits that goes on, or a decimal point without its digits."""
        if words[-1] == "point" and len(words) > 1:
            return words[-2] in en.NUMBERS
        if any(word in en.OPERATORS for word in words):
            return False
        tail = 0
        for word in reversed(words):
            if word not in en.DIGITS and not (word.isdigit() and len(word) <= 3):
                break
            tail += 1
        return 2 <= tail < 7
