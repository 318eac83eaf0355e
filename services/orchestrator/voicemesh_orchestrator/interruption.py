"""What somebody means who speaks while the robot does: to interrupt, or only to be polite.

Pure: texts in, verdicts out. The lists are of both languages at once, because
who speaks Chinese says "okay" too.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum

from voicemesh_orchestrator.self_speech import is_self_speech
from voicemesh_orchestrator.wording import is_chinese, words

HARD_STOPS = (
    *("stop", "be quiet", "shut up", "quiet", "silence", "enough", "stop talking", "hush"),
    *("停", "停下", "停下来", "停一下", "停止", "别说了", "别讲了", "不要说了", "不要讲了"),
    *("安静", "闭嘴", "住口", "打住", "够了"),
)
"""Commands to be quiet. They win over everything, because a robot must be stoppable."""

BACKCHANNELS = (
    *("uh huh", "uhhuh", "mm hmm", "mmhmm", "mhm", "mm", "mmm", "hm", "hmm", "uh", "um", "ah"),
    *("oh", "aha", "yeah", "yep", "yes", "yup", "right", "ok", "okay", "sure", "cool", "nice"),
    *("great", "good", "wow", "i see", "got it", "of course", "thats right", "makes sense"),
    *("i know", "really", "interesting", "alright", "all right", "exactly", "true", "huh"),
    *("嗯", "恩", "唔", "哦", "噢", "喔", "啊", "呃", "额", "诶", "哎", "对", "对的", "是", "是的"),
    *("是啊", "好", "好的", "好啊", "行", "可以", "没错", "明白", "明白了", "知道了", "懂了"),
    *("这样", "这样啊", "原来如此", "真的", "真的吗", "有意思", "不错", "哈", "哈哈", "对啊"),
)
"""What listeners say so that the other goes on."""

OBJECTIONS = (
    *("no", "wait", "what", "why", "who", "when", "where", "how", "hey", "hello", "hold on"),
    *("pardon", "sorry", "but", "help", "next", "louder", "slower", "again", "repeat"),
    *("不", "等", "喂", "啥"),
)
"""Words that claim the floor though they stand alone. Believed when the user has fallen silent."""

# Texts that `voicemesh eval turns` had of backchannels were below, of interruptions above.
_BELIEVED = 0.3

_FILLERS = frozenset(
    (word,) for word in words("please now robot just ok okay oh hey 请 你 了 吧 啊 快 先 好 的")
)


class Verdict(Enum):
    """What was meant."""

    SILENT = "silent"
    """Nothing has been understood: a noise, or words that are still to come."""
    UNCLEAR = "unclear"
    """Too little to tell."""
    BACKCHANNEL = "backchannel"
    """The listener wants the robot to go on."""
    ECHO = "echo"
    """The robot hears itself."""
    INTERRUPTION = "interruption"
    """The user wants the floor."""
    HARD_STOP = "hard_stop"
    """The user wants silence."""


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


class InterruptionJudge:
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

    def judge(
        self, text: str, situation: Situation, final: bool, confidence: float = 0.0
    ) -> Verdict:
        """What ``text`` means; ``final``: the user has fallen silent after it.

        ``confidence``: the recogniser's, 0 to 1; 0: not known.
        """
        heard = words(text)
        if not heard:
            return Verdict.SILENT
        if self._says_stop(heard):
            return Verdict.HARD_STOP
        if is_self_speech(text, situation.reply, self._stop_phrases):
            return Verdict.ECHO
        if situation.asked:
            return Verdict.INTERRUPTION
        rest = _after_phrases(heard, self._backchannels)
        if not rest:
            return Verdict.BACKCHANNEL
        if not situation.audible:
            return Verdict.INTERRUPTION
        if self._enough(rest):
            doubtful = not final or 0 < confidence < _BELIEVED
            return Verdict.UNCLEAR if doubtful and self._barely(heard) else Verdict.INTERRUPTION
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
            if len(phrase) == 1 and is_chinese(phrase[0]):
                continue
            if tuple(heard[: len(phrase)]) == phrase or tuple(heard[-len(phrase) :]) == phrase:
                return True
        return False

    def _enough(self, rest: Sequence[str]) -> bool:
        characters = sum(is_chinese(word) for word in rest)
        share = characters / self._min_characters + (len(rest) - characters) / self._min_words
        return share >= 1

    def _barely(self, heard: Sequence[str]) -> bool:
        """Whether no more than the fewest Latin words were heard.

        They count only when the user has fallen silent after them and the recogniser
        believes them: what it makes of "uh huh" in mid-sound is two words as well.
        """
        return len(heard) <= self._min_words and not any(map(is_chinese, heard))


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
