"""What people say into a reply in a word or two: to be quiet, to go on, to give way.

Both languages at once, because who speaks Chinese says "okay" too. A recogniser is
told to expect them: it hears best what it expects, and of a sound of a third of a
second it makes anything otherwise.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import product

from voicemesh.language_tags import primary_language
from voicemesh.v1 import asr_pb2
from voicemesh.writing import has_han

HARD_STOPS = (
    *("stop", "be quiet", "shut up", "quiet", "silence", "enough", "stop talking", "hush"),
    *("stop it", "that's enough", "please stop", "stop please", "quiet please"),
    *("停", "停下", "停下来", "停一下", "停止", "别说了", "别讲了", "不要说了", "不要讲了"),
    *("安静", "闭嘴", "住口", "打住", "够了"),
)
"""Commands to be quiet. They win over everything, because a robot must be stoppable."""

_OPENERS = ("oh", "ah", "yeah", "okay", "well")
_ASSENTS = ("i see", "yeah", "yes", "okay", "right", "really", "sure", "of course", "i know")
_SAID_TWICE = ("uh huh", "yeah", "yes", "okay", "right", "sure", "good")
_PRAISE = ("good", "great", "nice", "cool", "interesting", "wonderful", "neat", "perfect", "fine")
_FACT = ("right", "true", "fair", "funny", "strange", "sad", "fantastic", "impressive", "lovely")

BACKCHANNELS = (
    *("uh huh", "uhhuh", "mm hmm", "mmhmm", "mhm", "mm", "mmm", "hm", "hmm", "uh", "um", "ah"),
    *("oh", "aha", "yep", "yup", "ok", "wow", "got it", "makes sense", "exactly", "huh", "indeed"),
    *("alright", "all right", "fair enough", "no way", "sounds good", "good to know", "go on"),
    *("absolutely", "definitely", "i understand", "understood", "i agree", "is that so", "oh wow"),
    *(
        "is that right",
        "that makes sense",
        "that sounds good",
        "i get it",
        "i can imagine",
        "i bet",
    ),
    *(
        "oh boy",
        "gosh",
        "oh gosh",
        "oh my",
        "my goodness",
        "oh my goodness",
        "oh my god",
        "oh dear",
    ),
    *("no kidding", "amazing", "not bad", "go ahead", "good for you", "you're right", "well"),
    *_ASSENTS,
    *_PRAISE,
    *_FACT,
    *(f"{assent} {assent}" for assent in _SAID_TWICE),
    *("um hum", "oh uh huh", "yeah uh huh", "sure yeah", "sure okay"),
    *(f"oh that's {what}" for what in ("good", "great", "nice", "right", "true")),
    *(f"{opener} {assent}" for opener, assent in product(_OPENERS, (*_ASSENTS, *_PRAISE))),
    *(f"{how} {what}" for how, what in product(("that's", "how", "very"), (*_PRAISE, *_FACT))),
    *("嗯", "恩", "唔", "哦", "噢", "喔", "啊", "呃", "额", "诶", "哎", "对", "对的", "是", "是的"),
    *("是啊", "好", "好的", "好啊", "行", "可以", "没错", "明白", "明白了", "知道了", "懂了"),
    *("这样", "这样啊", "原来如此", "真的", "真的吗", "有意思", "不错", "哈", "哈哈", "对啊"),
    *("是吗", "这样子", "太好了", "真好", "厉害", "哇", "当然", "确实", "有道理", "了解"),
    *("太棒了", "真棒", "真不错", "真厉害", "真有意思", "很好", "很有意思", "挺好", "挺好的"),
    *("好吧", "行吧", "是哦", "对哦", "天哪", "我懂", "我明白", "我知道了"),
)
"""What listeners say so that the other goes on."""

OBJECTIONS = (
    *("no", "wait", "what", "why", "hey", "hello", "hold on", "pardon", "sorry", "help"),
    *("next", "louder", "slower", "again", "repeat"),
    *("no no", "excuse me", "hang on", "one moment", "just a moment", "wait a moment"),
    *("wait a minute", "just a second", "one second", "what's that", "why not"),
    # What recognisers would take for its opposite otherwise.
    *("i don't understand", "i do not understand", "i don't get it", "that's not right"),
    *("that's not true", "i don't know", "not good"),
    *("不", "等", "喂", "啥", "等等", "等一下", "等一等", "不对", "不是", "什么", "为什么"),
    *("稍等", "再说一遍", "打断一下", "不好意思"),
)
"""Words that claim the floor though they stand alone. Believed when the user has fallen silent.

"How", "who" and "but" do not: they begin what more follows of, and breaths sound like them.
"""

# So short, or so seldom said alone, that a recogniser that expects them finds them in any sound.
_NOT_EXPECTED = frozenset(
    (
        *("uhhuh", "mmhmm", "mm hmm", "mm", "mmm", "hm", "hmm", "uh", "um", "ah", "huh", "ok"),
        *("well", "hush", "help", "hey", "hello", "again", "repeat", "next", "louder", "slower"),
    )
)
_LIKELY = 5.0
"""How much likelier than a whole question, as a hint: most of what is said into a reply."""


def expected(
    languages: Iterable[str], hard_stops: Sequence[str] = (), backchannels: Sequence[str] = ()
) -> list[asr_pb2.PhraseHint]:
    """The phrases as hints for a recogniser of ``languages`` (BCP-47; none: of any).

    ``hard_stops`` and ``backchannels`` come from the settings, beside those above.
    """
    spoken = set(map(primary_language, languages))
    likely = dict.fromkeys((*HARD_STOPS, *hard_stops, *BACKCHANNELS, *backchannels), _LIKELY)
    return [
        asr_pb2.PhraseHint(phrase=phrase, boost=boost, may_go_on=True)
        for phrase, boost in {**dict.fromkeys(OBJECTIONS, 0.0), **likely}.items()
        if phrase not in _NOT_EXPECTED and _language(phrase) in (spoken or {_language(phrase)})
    ]


def _language(phrase: str) -> str:
    return "zh" if has_han(phrase) else "en"
