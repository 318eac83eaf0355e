"""English that sounds complete: answers, questions, commands, statements."""

from __future__ import annotations

from voicemesh.v1 import asr_pb2 as pb
from voicemesh_asr.turn_detection.completeness import english_words as en
from voicemesh_asr.turn_detection.completeness.judgement import LIKELY_WHOLE, Judgement

_IN_FRONT = en.PREPOSITIONS | en.SUBORDINATORS | en.CONJUNCTIONS | {"in", "on"}


class EnglishComplete:
    """Knows the forms of whole sentences. Comes after what is clearly unfinished."""

    def judge(self, text: str) -> Judgement | None:
        """See Strategy."""
        words = en.words_of(text)
        if en.is_complete_phrase(words):
            return Judgement(pb.END_MARK_SENTENCE, 0.9)
        words = en.without_openers(words)
        if not words:
            return None
        if self._question(words):
            return Judgement(pb.END_MARK_SENTENCE, 0.85)
        if words[0] == "don't" or words[:2] == ["do", "not"]:
            return Judgement(pb.END_MARK_SENTENCE, 0.7)
        if words[0] in en.IMPERATIVES:
            # One word may be the whole of it ("stop"), or the first of many ("play").
            mark = pb.END_MARK_SENTENCE if len(words) > 1 else pb.END_MARK_CLAUSE
            return Judgement(mark, 0.75)
        return self._statement(self._main_clause(words))

    def _question(self, words: list[str]) -> bool:
        first, second = words[0], words[1] if len(words) > 1 else ""
        if first in en.QUESTION_WORDS:
            return len(words) >= 3 or first.endswith("'s") and len(words) == 2
        return first in en.AUXILIARIES and second in en.SUBJECTS and len(words) >= 3

    def _main_clause(self, words: list[str]) -> list[str]:
        """Without what is put in front of it: "in the morning", "after lunch"."""
        if words[0] not in _IN_FRONT:
            return words
        begins = (n for n, word in enumerate(words) if n > 1 and word in en.PERSONS)
        return words[next(begins, 0) :]

    def _statement(self, words: list[str]) -> Judgement | None:
        """Subject, verb and something behind it; it may still go on."""
        if words[0] in en.CONTRACTED and len(words) >= 2:
            return Judgement(pb.END_MARK_SENTENCE, 0.65)
        if len(words) == 2 and words[0] in en.PRONOUNS and words[1] in en.AUXILIARIES:
            return Judgement(pb.END_MARK_SENTENCE, 0.7)  # "yes I am", "he can".
        if words[0] in en.SUBJECTS and len(words) >= 3:
            has_verb = any(word in en.AUXILIARIES | en.CONTRACTED for word in words[1:-1])
            if has_verb:
                return Judgement(pb.END_MARK_SENTENCE, 0.65)
            if words[0] in en.PRONOUNS or any(word in en.STATING_VERBS for word in words[1:]):
                return LIKELY_WHOLE
        if any(word in en.AUXILIARIES for word in words[1:-2]):
            return LIKELY_WHOLE  # "tomorrow is my first day"
        return None
