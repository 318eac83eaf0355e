"""English subordinate clauses that wait for their main clause: "if it rains"."""

from __future__ import annotations

from voicemesh.v1 import asr_pb2 as pb
from voicemesh_asr.turn_detection.completeness import english_words as en
from voicemesh_asr.turn_detection.completeness.judgement import Judgement

# A subordinate clause has a subject and a verb at least; what follows may be the main clause.
_SHORTEST_CLAUSE = 3
_MAIN_CLAUSES = en.PERSONS | en.IMPERATIVES | en.QUESTION_WORDS | en.HELPING_VERBS | en.CONTRACTED


class EnglishHalfSentences:
    """Knows texts that begin with a subordinate clause and hold nothing else."""

    def judge(self, text: str) -> Judgement | None:
        """See Strategy."""
        words = en.without_openers(en.words_of(text))
        if len(words) < 2 or words[0] not in en.SUBORDINATORS:
            return None
        if words[0] == "when" and words[1] in en.AUXILIARIES:
            return None  # A question.
        if any(word in _MAIN_CLAUSES for word in words[_SHORTEST_CLAUSE:]):
            return None
        return Judgement(pb.END_MARK_UNFINISHED, 0.75)
