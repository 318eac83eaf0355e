"""How likely an English text is a whole sentence: the rules' word, weighed with evidence.

Rules know the sentences that somebody thought of. Evidence that needs no list speaks
for all others, and against the rules where a recogniser has misheard:

- how often a sentence ends behind the last two words,
- whether there is a verb for each clause,
- how long the text is: few sentences to a robot end within three words, few go on
  beyond eight.

They are added up as the logarithm of the odds that the speaker has finished, where as
many have as have not. The weights began as those of a logistic regression on 80
sentences of 2 to 12 words, at a pause in their middles and at their ends: all as they
are written, 60 as PocketSphinx heard six voices of flite and espeak-ng. They were then
set for few false cut-offs at the same mean wait. The length of short texts was given a
quarter of its weight: most of those sentences were longer than what robots are told.
On 60 others of 6 to 12 words half as many turns were cut off, after shorter waits; on
20 of 2 to 5 words as many, after longer ones where they were misheard
(docs/turn-taking.md).
"""

from __future__ import annotations

import math
from dataclasses import replace

from voicemesh.v1 import asr_pb2 as pb
from voicemesh_asr.turn_detection.completeness import english_words as en
from voicemesh_asr.turn_detection.completeness.english_verbs import EnglishVerbs
from voicemesh_asr.turn_detection.completeness.judgement import (
    HARDLY_WHOLE,
    LIKELY_WHOLE,
    Judgement,
)
from voicemesh_asr.turn_detection.turn_language_model import SENTENCE_END, TurnLanguageModel

# Weights, as logarithms of odds.
_ANY_TEXT = 0.8
_UNFINISHED_BY_RULE = -1.2
_HARDLY_WHOLE_BY_RULE = -0.7
_LACKS_VERB = -2.4
# For each unit by which ln P(end | last two words) is below the usual; less than the rarest
# tells nothing more.
_RARE_END = 1.0
_USUAL_END, _RAREST_END = -2.2, -4.2
# For each unit of ln(words / usual number of words), where they are fewer and where they are
# more: many words are seldom a beginning, however badly they were heard.
_SHORTER, _LONGER = 1.5, 4.0
_USUAL_WORDS, _MOST_WORDS = 5, 8

# What is expected, or stands alone, needs no evidence.
_SURE = 0.9
# So short a text without a verb may be an answer ("the kitchen") as well as a beginning.
_SHORT_ANSWER_WORDS = 2


class EnglishEvidence:
    """Weighs judgements of English texts without punctuation; knows nothing of others."""

    def __init__(self, model: TurnLanguageModel) -> None:
        """``model``: an English one."""
        self._model = model
        self._verbs = EnglishVerbs(model)

    def weighed(self, text: str, judgement: Judgement) -> Judgement:
        """See TextEvidence."""
        words = en.words_of(text)
        if len(words) < 2 or not text[-1].isalnum() or not self._speaks(words):
            return judgement
        if self._is_settled(words, judgement):
            return judgement
        odds = self._log_odds(words, judgement)
        likely = 1 / (1 + math.exp(-odds))
        if judgement.mark == pb.END_MARK_UNFINISHED:
            return LIKELY_WHOLE if likely >= 0.5 else replace(judgement, confidence=1 - likely)
        if likely >= 0.5:
            return Judgement(pb.END_MARK_SENTENCE, likely)
        if len(words) <= _SHORT_ANSWER_WORDS:
            return HARDLY_WHOLE
        return Judgement(pb.END_MARK_NONE, likely)

    def _speaks(self, words: list[str]) -> bool:
        """Whether the words are the model's language."""
        known = sum(self._model.log_probability(word) is not None for word in words)
        return 2 * known > len(words)

    def _is_settled(self, words: list[str], judgement: Judgement) -> bool:
        """Whether the rules know better."""
        if len(words) == 3 and words[-1] in en.PRONOUNS and words[-2] in en.BE:
            return words[0] in en.QUESTION_WORDS  # "who are you", "what is that"
        if judgement.mark == pb.END_MARK_UNFINISHED:
            return words[-1] in en.NUMBERS  # Groups of digits are the rules' alone.
        return judgement.mark == pb.END_MARK_SENTENCE and judgement.confidence >= _SURE

    def _log_odds(self, words: list[str], judgement: Judgement) -> float:
        odds = _ANY_TEXT
        if judgement.mark == pb.END_MARK_UNFINISHED:
            odds += _UNFINISHED_BY_RULE
        elif judgement == HARDLY_WHOLE:
            odds += _HARDLY_WHOLE_BY_RULE
        if self._verbs.lack(en.without_openers(words)):
            odds += _LACKS_VERB
        length = math.log(min(len(words), _MOST_WORDS) / _USUAL_WORDS)
        odds += length * (_SHORTER if length < 0 else _LONGER)
        return odds + _RARE_END * (self._end(words) - _USUAL_END)

    def _end(self, words: list[str]) -> float:
        """The logarithm of P(end | last two words), between the rarest and the usual."""
        if words[-1] in en.NUMBERS:
            return _USUAL_END  # Written texts seldom end with them.
        found = self._model.log_probability(SENTENCE_END, *words[-2:])
        return _USUAL_END if found is None else min(max(found, _RAREST_END), _USUAL_END)
