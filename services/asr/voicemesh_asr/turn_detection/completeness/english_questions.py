"""English questions whose verb has not come yet: "does the museum", "where did you"."""

from __future__ import annotations

from voicemesh.v1 import asr_pb2 as pb
from voicemesh_asr.turn_detection.completeness import english_words as en
from voicemesh_asr.turn_detection.completeness.judgement import Judgement

_QUESTIONED = en.PERSONS - {"it"} | en.ARTICLES
_REQUESTS = frozenset({"can", "could", "will", "would"})
# Requests for these, and nothing else, ask for something that is still to come.
_REQUESTED = en.TRANSITIVE_VERBS | {"open", "close", "play", "turn", "switch", "tell", "please"}
# "how are you", "where is the station" need no more; "why is the sky" does.
_NAMES_NO_THING = frozenset({"why"})


class EnglishHalfQuestions:
    """Knows questions by their form: auxiliary, subject, and then a verb is to come."""

    def judge(self, text: str) -> Judgement | None:
        """See Strategy."""
        words = en.without_openers(en.words_of(text))
        if words and self._half(words):
            return Judgement(pb.END_MARK_UNFINISHED, 0.8)
        return None

    def _half(self, words: list[str]) -> bool:
        first = words[0]
        if first in {"do", "have", "be"} and not (words[1:2] and words[1] in _QUESTIONED):
            return False  # "do it", "have fun", "be quiet"
        if first in en.AUXILIARIES:
            return self._lacks_verb(first, words[1:])
        if first not in en.QUESTION_WORDS or len(words) < 2:
            return False
        if first in {"which", "what", "who"} and words[-1] in en.MOTIONS:
            return len(words) == (2 if first == "who" else 3)  # "which bus goes", "who lives"
        if words[:2] in (["how", "many"], ["how", "much"]) and len(words) == 3:
            return words[2] not in en.AUXILIARIES  # "how many people"
        # The subject's noun, if any, stands in front of the auxiliary: "what time does the".
        places = [n for n, word in enumerate(words[1:4], 1) if word in en.AUXILIARIES]
        if not places:
            return False
        auxiliary, rest = words[places[0]], words[places[0] + 1 :]
        if auxiliary in en.BE:
            return first in _NAMES_NO_THING and self._lacks_verb(auxiliary, rest)
        subject_is_asked_for = first in {"who", "what", "which"} and rest[:1] not in (
            [word] for word in en.SUBJECTS
        )
        return not subject_is_asked_for and self._lacks_verb(auxiliary, rest)

    def _lacks_verb(self, auxiliary: str, rest: list[str]) -> bool:
        """Whether behind the auxiliary only a subject stands, or a verb without its object."""
        if not rest:
            return True
        if rest[0] in en.PRONOUNS:
            if len(rest) == 2 and auxiliary in _REQUESTS and rest[0] == "you":
                return rest[1] in _REQUESTED
            # "is this", "are those" may be said with a finger.
            return len(rest) == 1 and not (auxiliary in en.BE and rest[0] not in en.PERSONS)
        if rest[0] in en.ARTICLES:
            return len(rest) <= 2
        return len(rest) == 1 and auxiliary not in en.BE
