"""English that clearly goes on: a conjunction, a filler, an article, half a number."""

from __future__ import annotations

from voicemesh.v1 import asr_pb2 as pb
from voicemesh_asr.turn_detection.completeness import english_words as en
from voicemesh_asr.turn_detection.completeness.judgement import Judgement

_DANGLING = en.CONJUNCTIONS | en.ARTICLES | en.FILLERS | en.INTENSIFIERS | en.CONTINUING_VERBS
_SUBJECTS_ONLY = frozenset({"i", "we", "he", "she", "they"})
_ASKING = en.QUESTION_WORDS | en.AUXILIARIES
_LEADING_AUXILIARIES = frozenset({"should", "would", "will", "could", "must", "might", "may"})
_UNFINISHED = Judgement(pb.END_MARK_UNFINISHED, 0.85)
# Their object stands in front: "what can I buy", "which one do you like".
_OBJECT_IN_FRONT = frozenset({"what", "what's", "which", "who", "whom", "that", "all"})
# "I would like to read."
_ALSO_INTRANSITIVE = frozenset({"read", "write", "give"})
_INCOMPLETE = en.phrases(
    "turn on|turn off|switch on|switch off|set a timer|what about|how about|what kind|"
    "i think|i mean|you know|let me"
)
_PARTS_OF_HOURS = {("half", "past"), ("quarter", "past"), ("quarter", "to")}
_LONGEST_NUMBER = 7
"""So many digits may be a whole telephone number."""


class EnglishUnfinished:
    """Knows the words that cannot end an utterance."""

    def judge(self, text: str) -> Judgement | None:
        """See Strategy."""
        words = en.words_of(text)
        if not words or not text.rstrip(" .!?,;:").isascii():
            return None
        if en.is_complete_phrase(words):
            return None
        if len(words) > 1 and words[-1] in _SUBJECTS_ONLY and words[0] not in _ASKING:
            return _UNFINISHED  # "and then I", but "who am I"
        words = en.without_openers(words)
        if (
            " ".join(words) in _INCOMPLETE
            or self._dangles(words)
            or self._lacks_object(words)
            or self._lacks_what_is_given(words)
            or self._half_number(words)
        ):
            return _UNFINISHED
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
            return self._auxiliary_dangles(words, last, before)
        if last in en.LEADING_ADVERBS:
            return bool(before) and before != "than"
        if last == "that":
            return before in en.THINKING_VERBS  # "I think that", but "I know that"
        if last in en.RANKING_ADJECTIVES:
            return before == "the"  # "who was the first"
        return last in en.CONTRACTED and last != "that's"

    def _auxiliary_dangles(self, words: list[str], last: str, before: str) -> bool:
        # "what can you do", "yes I am", "tell me where the station is", but not "where is".
        if last == "do" and any(word in {"does", "do", "did"} for word in words[:-1]):
            return False
        if any(word in en.QUESTION_WORDS for word in words[1:-2]) and last not in {"do", "have"}:
            return before in en.QUESTION_WORDS
        if words[0] in _OBJECT_IN_FRONT and last == "have":
            return False  # "what should I have"
        if before in en.PERSONS:
            return len(words) > 2 and last in _LEADING_AUXILIARIES  # "I think we should"
        return before not in {"not", "to"}

    def _lacks_object(self, words: list[str]) -> bool:
        """A preposition or verb at the end, unless a question put its object in front."""
        last, before = words[-1], words[-2] if len(words) > 1 else ""
        if last in en.TRANSITIVE_VERBS:
            return not (
                before in en.ARTICLES  # "the show" is none.
                or (before == "to" and last in _ALSO_INTRANSITIVE)
                or (len(words) > 2 and any(word in _OBJECT_IN_FRONT for word in words[:-1]))
            )
        if last in en.THINKING_VERBS:
            return before in en.PERSONS | {"was", "am"} and words[0] not in en.QUESTION_WORDS
        if last == "know":
            return before == "to" or words == ["do", "you", "know"]  # "wants to know"
        if last not in en.PREPOSITIONS:
            return False
        if words[0] not in en.QUESTION_WORDS or len(words) < 3:
            return not (last in {"to", "about"} and words[-2:-1] == ["want"])
        if words[1] in en.BE and words[2].endswith("ing"):
            return True  # "who is playing at"
        # "where are you from", "who are you talking to", "what is it made of".
        asked_for = before in en.PRONOUNS or before.endswith(("ing", "ed"))
        return not (asked_for or before in {"made", "come", "look", "think", "go", "weather"})

    def _lacks_what_is_given(self, words: list[str]) -> bool:
        """Such as "tell me", "could you bring us", "tell my wife"."""
        last, before = words[-1], words[-2] if len(words) > 1 else ""
        if words[0] in {"tell", "remind"} and len(words) == 3:
            return before in en.ARTICLES
        return last in en.OBJECTS and before in en.GIVING_VERBS

    def _half_number(self, words: list[str]) -> bool:
        """A group of digits that goes on, a decimal point without digits, a span without unit."""
        before = words[-2] if len(words) > 1 else ""
        if words[-1] == "point" and before:
            return before in en.NUMBERS
        if (before, words[-1]) in _PARTS_OF_HOURS:
            return True
        if words[-1] in en.NUMBERS and before == "for" and "alarm" not in words:
            return True  # "a timer for ten"
        if any(word in en.OPERATORS for word in words):
            return False
        tail = 0
        for word in reversed(words):
            if word not in en.DIGITS and not (word.isdigit() and len(word) <= 3):
                break
            tail += 1
        return 2 <= tail < _LONGEST_NUMBER
