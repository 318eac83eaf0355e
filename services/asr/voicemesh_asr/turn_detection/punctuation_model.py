"""The protocol of a punctuation model, a plug-in point.

For recognisers that write no marks. It is asked once at each pause, with the
text of the final pass, in a thread of its own. The rules keep the first word
where they are sure: what is expected, and what is clearly unfinished.
"""

from __future__ import annotations

from typing import Protocol

from voicemesh.v1 import asr_pb2 as pb
from voicemesh_asr.turn_detection.completeness.judgement import Judgement
from voicemesh_asr.turn_detection.shared_model import SharedModel

_SURE = 0.95


class PunctuationModel(Protocol):
    """Judges what a text ends with. Synchronous; one call at a time."""

    def judge(self, text: str) -> Judgement | None:
        """The mark that belongs behind ``text``, which is not empty; None: not known."""


async def better_judgement(
    shared: SharedModel[PunctuationModel] | None, text: str, rules: Judgement
) -> Judgement:
    """The model's judgement of ``text`` where there is one and the rules are not sure."""
    sure = rules.mark == pb.END_MARK_UNFINISHED or rules.confidence >= _SURE
    if shared is None or not text or sure:
        return rules
    return await shared.ask(lambda model: model.judge(text)) or rules
