"""Chinese words that come in pairs: 如果 ... 就, 先 ... 再. One alone waits for the other."""

from __future__ import annotations

import re

from voicemesh.v1 import asr_pb2 as pb
from voicemesh_asr.turn_detection.completeness import chinese_words as zh
from voicemesh_asr.turn_detection.completeness.judgement import Judgement

# The first of a pair, and what may answer it.
_PAIRS = tuple(
    (re.compile(first), re.compile(second))
    for first, second in (
        (
            r"^.{0,2}(如果|要是|假如|只要|一旦|万一)|^当(?!然|中)",
            r"就|那|会|请|帮|怎么|什么|可以|能不能|吗$|吧$",
        ),
        (r"^.{0,2}(虽然|尽管|即使|哪怕)", r"但|可是|不过|还是|也|却"),
        (r"^.{0,2}(不但|不仅)", r"而且|还|也"),
        (r"^.{0,2}(无论|不管)", r"都|也|总"),
        (r"^.{0,2}(只有|除非)", r"才|否则|不然"),
        (r"^.{0,2}除了", r"还|也|都|外"),
        (r"一边", r"一边.*一边"),
        (r"^.{0,2}(首先|先(?!生))", r"再|然后|接着|后|了$|吧$|吗$"),
    )
)
# "等我回来以后", "吃饭的时候": when something happens, and not yet what.
_WHEN = re.compile(r"^.{2,}(以后|之后|以前|之前|的时候|的时侯)$")
_WAITS = re.compile(r"^.{0,2}等(?!等|一下|一会)[你我他她它]?.+")
_WAITED_FOR = re.compile(r"(以后|之后|的时候|了|时|就|再).{2,}|[吧吗]$")


class ChineseHalfPairs:
    """Knows subordinate clauses without their main clause."""

    def judge(self, text: str) -> Judgement | None:
        """See Strategy."""
        plain = zh.characters_of(text)
        if not plain or plain in zh.COMPLETE_ANSWERS:
            return None
        if _WHEN.search(plain) or any(
            first.search(plain) and not second.search(plain) for first, second in _PAIRS
        ):
            return Judgement(pb.END_MARK_UNFINISHED, 0.75)
        if _WAITS.search(plain) and not _WAITED_FOR.search(plain):
            return Judgement(pb.END_MARK_UNFINISHED, 0.6)
        return None
