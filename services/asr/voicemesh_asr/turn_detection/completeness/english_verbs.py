"""Which English words are verbs, and whether there are enough of them for a sentence.

No list holds all verbs, but a language model knows how words behave: finite verbs
follow pronouns ("he walks"), infinitives follow "to", nouns follow articles. A
word is compared with itself: by how much do such neighbours raise its probability?

Each clause wants a verb. "The woman at the desk" has none, "the teacher who taught
us" has one for two clauses: both go on.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from voicemesh_asr.turn_detection.completeness import english_words as en
from voicemesh_asr.turn_detection.turn_language_model import TurnLanguageModel

_SUBJECT_PRONOUNS = ("he", "she", "it", "they", "i")
_DETERMINERS = ("the", "a", "my")
# In natural logarithms: how much likelier a word is behind such words than anywhere. With
# other neighbours than a pronoun or an auxiliary, a verb has to be more of one than a noun.
_FINITE_BEHIND_PRONOUN, _FINITE = 0.3, 0.5
_INFINITIVE_BEHIND_PRONOUN, _INFINITIVE = 0.5, 1.0
_REMEMBERED_WORDS = 4096

_NOUN_COMES = en.ARTICLES | en.phrases("this|these|those|other|more|most|two|three|four|one|which")
_ADVERBS = en.phrases(
    "not|never|always|already|still|ever|just|only|also|even|really|often|usually"
)
_NO_VERBS = (
    en.PREPOSITIONS
    | en.CONJUNCTIONS
    | en.QUESTION_WORDS
    | en.PERSONS
    | en.OBJECTS
    | en.FILLERS
    | en.NUMBERS
    | _NOUN_COMES
    | _ADVERBS
    | en.phrases(
        "in|on|up|down|off|out|back|here|there|then|now|please|too|very|well|again|once|today|that|"
        "last|home|right|late|long"
    )
)
# Auxiliaries that are verbs of their own as well.
_HAVE = en.phrases("have|has|had")
_ALSO_VERBS = _HAVE | {"does", "did"}
_BEFORE_VERBS = en.PERSONS | en.HELPING_VERBS | _ADVERBS | {"to"}
# Behind these a whole clause comes, with "that" or without.
_BEFORE_CLAUSES = en.THINKING_VERBS | en.phrases(
    "know|knows|knew|told|tell|sure|afraid|remember|forgot|true|promise|glad|sorry"
)
_RELATIVE = en.phrases("who|where|what|how|why|which|whose")
# These stand before nouns as well ("after lunch"); only a person makes a clause of them.
_ALSO_PREPOSITIONS = en.phrases("before|after|since|until")
# "The phone I bought": what begins like this and names a person has a clause inside.
_THINGS = (_NOUN_COMES - {"every", "each", "this", "one"}) | {"people"}
_BEFORE_OTHER_SUBJECTS = (
    _BEFORE_CLAUSES
    | en.CONJUNCTIONS
    | en.SUBORDINATORS
    | en.QUESTION_WORDS
    | en.AUXILIARIES
    | {"that", "then"}
)
_ALSO_OBJECTS = frozenset({"you", "it", "there"})


@dataclass(frozen=True)
class _Behaviour:
    """How a word likes its neighbours, in natural logarithms; 0: as much as any word does."""

    finite: float = 0.0
    infinitive: float = 0.0
    noun: float = 0.0


class EnglishVerbs:
    """Finds verbs and clauses. Words are in lower case, as ``words_of`` gives them."""

    def __init__(self, model: TurnLanguageModel) -> None:
        """``model``: an English one."""
        self._model = model
        self._behaviour = lru_cache(_REMEMBERED_WORDS)(self._measured)

    def lack(self, words: list[str]) -> bool:
        """Whether there are fewer verbs than clauses; False for no words."""
        return bool(words) and self._verbs(words) < self._clauses(words)

    def _verbs(self, words: list[str]) -> int:
        return sum(self._is_verb(words, place) for place in range(len(words)))

    def _measured(self, word: str) -> _Behaviour:
        alone = self._model.log_probability(word)
        if alone is None:
            return _Behaviour()

        def behind(*neighbours: str) -> float:
            found = (self._model.log_probability(word, neighbour) for neighbour in neighbours)
            return max((each for each in found if each is not None), default=alone) - alone

        return _Behaviour(behind(*_SUBJECT_PRONOUNS), behind("to"), behind(*_DETERMINERS))

    def _is_verb(self, words: list[str], place: int) -> bool:
        word, before = words[place], words[place - 1] if place else ""
        if word in en.BE or word in en.CONTRACTED or word in {"be", "been"}:
            return True
        if word in en.HELPING_VERBS:
            return bool(before) and self._stands_alone(before, word, words[place + 1 :])
        if word == "like":
            return before in en.PERSONS | en.HELPING_VERBS | {"to"}
        if word in _NO_VERBS or before in _NOUN_COMES or word.isdigit():
            return False
        found = self._behaviour(word)
        if before in _BEFORE_VERBS:
            return (
                found.finite > _FINITE_BEHIND_PRONOUN
                or found.infinitive > _INFINITIVE_BEHIND_PRONOUN
            )
        if before in en.PREPOSITIONS:
            return False
        infinitive = found.infinitive > max(_INFINITIVE, found.noun)
        if not before:
            return infinitive or word in en.IMPERATIVES
        return infinitive or found.finite > max(_FINITE, found.noun)

    def _stands_alone(self, before: str, word: str, behind: list[str]) -> bool:
        """Whether an auxiliary is the verb itself: "yes I can", "what she has for lunch"."""
        if not behind or word not in _ALSO_VERBS:
            return not behind
        return behind[0] in _NOUN_COMES or (word in _HAVE and before in _BEFORE_VERBS)

    def _clauses(self, words: list[str]) -> int:
        return 1 + sum(self._begins_clause(words, place) for place in range(len(words)))

    def _begins_clause(self, words: list[str], place: int) -> bool:
        """Whether the word there begins a clause beside the first one."""
        word, before = words[place], words[place - 1] if place else ""
        behind = words[place + 1] if place + 1 < len(words) else ""
        if word in en.SUBORDINATORS or word == "because":
            if word == "when" and not before:
                return behind not in en.AUXILIARIES  # Else it is a question.
            return word not in _ALSO_PREPOSITIONS or behind in en.PERSONS
        if not before:
            return False
        if word in _RELATIVE:
            return True
        if word == "that":
            return before in _BEFORE_CLAUSES
        if word in en.THINKING_VERBS and before in en.PERSONS:
            return behind in en.PERSONS or behind in en.ARTICLES  # "I think my sister"
        return (
            place > 1
            and words[0] in _THINGS
            and word in en.PERSONS - _ALSO_OBJECTS
            and before not in _BEFORE_OTHER_SUBJECTS
            and not self._is_verb(words, place - 1)
        )
