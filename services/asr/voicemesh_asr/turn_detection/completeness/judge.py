"""The completeness judge: asks one strategy after the other.

A strategy looks at the running text and says what it ends with, or None where it
has no opinion. The first opinion counts. Strategies are plain objects; a better
one (a model, the rules of another language) is put in front of the others. Evidence
that no rule knows, such as a language model's, may weigh that opinion.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from voicemesh_asr.turn_detection.completeness.doubted_marks import (
    weighed_by_doubted_mark,
    without_doubted_mark,
)
from voicemesh_asr.turn_detection.completeness.judgement import (
    NO_MARK,
    Judgement,
    Strategy,
    TextEvidence,
)


class CompletenessJudge:
    """Several strategies as one."""

    def __init__(
        self, strategies: Sequence[Strategy], evidence: TextEvidence | None = None
    ) -> None:
        """``strategies`` in the order in which they are asked."""
        self._strategies = tuple(strategies)
        self._evidence = evidence

    def judge(self, text: str, stops_tell: bool = True) -> Judgement:
        """What ``text`` ends with; no mark where it is empty or nobody knows.

        ``stops_tell``: whether a full stop at its end counts. Where the recogniser puts one
        behind everything, the words have to tell.
        """
        if stops_tell:
            return self._judge(text.strip())
        words, mark = without_doubted_mark(text)
        return weighed_by_doubted_mark(self._judge(words), mark)

    def _judge(self, text: str) -> Judgement:
        if not text:
            return NO_MARK
        opinions = (strategy.judge(text) for strategy in self._strategies)
        judgement = next((found for found in opinions if found is not None), NO_MARK)
        return judgement if self._evidence is None else self._evidence.weighed(text, judgement)


def default_judge(
    phrases: Iterable[str] = (), evidence: TextEvidence | None = None
) -> CompletenessJudge:
    """The rules that ship with the room, for English and Chinese.

    One of ``phrases``, which are likely to be said, is complete. What is clearly
    unfinished comes before punctuation, for a recogniser that punctuates puts a
    full stop after "I would like to" as well.
    """
    from voicemesh_asr.turn_detection.completeness.chinese_beginnings import ChineseBeginnings
    from voicemesh_asr.turn_detection.completeness.chinese_complete import ChineseComplete
    from voicemesh_asr.turn_detection.completeness.chinese_pairs import ChineseHalfPairs
    from voicemesh_asr.turn_detection.completeness.chinese_unfinished import ChineseUnfinished
    from voicemesh_asr.turn_detection.completeness.english_beginnings import EnglishBeginnings
    from voicemesh_asr.turn_detection.completeness.english_clauses import EnglishHalfSentences
    from voicemesh_asr.turn_detection.completeness.english_complete import EnglishComplete
    from voicemesh_asr.turn_detection.completeness.english_questions import EnglishHalfQuestions
    from voicemesh_asr.turn_detection.completeness.english_unfinished import EnglishUnfinished
    from voicemesh_asr.turn_detection.completeness.known_phrases import KnownPhrases
    from voicemesh_asr.turn_detection.completeness.phrase_beginnings import PhraseBeginnings
    from voicemesh_asr.turn_detection.completeness.punctuation import Punctuation

    expected = tuple(phrases)
    return CompletenessJudge(
        [
            KnownPhrases(expected),
            PhraseBeginnings(expected),
            ChineseUnfinished(),
            EnglishUnfinished(),
            EnglishHalfQuestions(),
            Punctuation(),
            ChineseHalfPairs(),
            EnglishHalfSentences(),
            ChineseBeginnings(),
            EnglishBeginnings(),
            ChineseComplete(),
            EnglishComplete(),
        ],
        evidence,
    )
