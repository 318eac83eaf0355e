"""What somebody means who speaks while the robot does: to interrupt, or only to be polite.

Pure: texts in, verdicts out. What is decided in the middle of a sound is decided on
what recognisers make of its beginning, which is seldom what was said: of "uh-huh"
they make "the flow". So nothing is decided on a short sound before it is over; the
reply is held meanwhile, and who listens notices nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from voicemesh.writing import is_han
from voicemesh_orchestrator.barge_in.phrases import BACKCHANNELS, HARD_STOPS, OBJECTIONS
from voicemesh_orchestrator.barge_in.self_echo import is_self_echo
from voicemesh_orchestrator.text.words import words
from voicemesh_orchestrator.turn.verdict import Verdict

SHORT_MS = 1500
"""Sounds of listening are hardly ever longer, from where the detector was sure of them."""

_FILLERS = frozenset(
    (word,) for word in words("please now robot just ok okay oh hey 请 你 了 吧 啊 快 先 好 的")
)


@dataclass(frozen=True)
class Situation:
    """What the user speaks over."""

    reply: str = ""
    """What of the reply has been said lately."""
    audible: bool = True
    """Whether any of the reply has been heard: before, nothing can be answered by a nod."""

    @property
    def asked(self) -> bool:
        """Whether the robot has just asked something: "yes" is an answer then."""
        return self.reply.rstrip("\"'”’)） \n").endswith(("?", "？", "吗", "呢"))


class InterruptionClassifier:
    """Tells interruptions from everything else that is heard during a reply."""

    def __init__(
        self,
        min_words: int = 2,
        min_characters: int = 2,
        hard_stops: Iterable[str] = (),
        backchannels: Iterable[str] = (),
    ) -> None:
        """So many words, or Chinese characters, claim the floor.

        ``hard_stops`` and ``backchannels`` are phrases beside the lists above.
        """
        self._min_words = min_words
        self._min_characters = min_characters
        self._stop_phrases = (*HARD_STOPS, *hard_stops)
        self._stops = _phrases(self._stop_phrases)
        self._backchannels = _phrases((*BACKCHANNELS, *backchannels))
        self._objections = _phrases(OBJECTIONS)

    def classify(
        self,
        text: str,
        situation: Situation,
        final: bool,
        voiced_ms: float = math.inf,
        unfinished: bool = False,
    ) -> Verdict:
        """What ``text`` means; ``final``: the user has fallen silent after it.

        ``voiced_ms``: how long the sound has lasted since the detector was sure of it.
        ``unfinished``: the text breaks off in the middle of a phrase.
        """
        heard = words(text)
        if not heard:
            return Verdict.SILENT
        if situation.audible and not final and voiced_ms < SHORT_MS:
            return Verdict.UNCLEAR
        rest = _after_phrases(heard, self._backchannels)
        if rest and self._says_stop(heard):  # "Fair enough" is no command.
            return Verdict.HARD_STOP
        if is_self_echo(text, situation.reply, self._stop_phrases):
            return Verdict.ECHO
        if situation.asked:
            return Verdict.INTERRUPTION
        if not rest:
            return Verdict.BACKCHANNEL
        if not situation.audible:
            return Verdict.INTERRUPTION
        if self._enough(rest):
            # Who is silent after "on the" has not said that: nobody stops there.
            broken_off = unfinished and self._barely(rest)
            begun = not final and self._barely(heard)
            return Verdict.UNCLEAR if broken_off or begun else Verdict.INTERRUPTION
        if final and rest in self._objections:
            return Verdict.INTERRUPTION
        return Verdict.UNCLEAR

    def only_stop(self, text: str) -> bool:
        """Whether ``text`` is a command to be quiet and nothing else."""
        whole = words(text)
        if not _after_phrases(whole, _FILLERS):
            return False
        return not _after_phrases(whole, self._stops | _FILLERS)

    def _says_stop(self, heard: Sequence[str]) -> bool:
        """A command at either end, or nothing else; a single character only alone."""
        if self.only_stop(" ".join(heard)):
            return True
        for phrase in self._stops:
            if len(phrase) == 1 and is_han(phrase[0]):
                continue
            if tuple(heard[: len(phrase)]) == phrase or tuple(heard[-len(phrase) :]) == phrase:
                return True
        return False

    def _enough(self, rest: Sequence[str]) -> bool:
        return self._share(rest) >= 1

    def _barely(self, heard: Sequence[str]) -> bool:
        """Whether no more was heard than is just enough: more may follow, or other words."""
        return self._share(heard) <= 1

    def _share(self, heard: Sequence[str]) -> float:
        """How much was said, as a share of what claims the floor."""
        characters = sum(is_han(word) for word in heard)
        latin = len(heard) - characters
        return characters / self._min_characters + latin / self._min_words


def _phrases(texts: Iterable[str]) -> frozenset[tuple[str, ...]]:
    return frozenset(words(text) for text in texts)


def _after_phrases(heard: tuple[str, ...], phrases: frozenset[tuple[str, ...]]) -> tuple[str, ...]:
    """``heard`` without the phrases, as many as there are, that it begins with."""
    longest = max(map(len, phrases), default=0)
    while heard:
        for length in range(min(longest, len(heard)), 0, -1):
            if heard[:length] in phrases:
                heard = heard[length:]
                break
        else:
            return heard
    return heard
