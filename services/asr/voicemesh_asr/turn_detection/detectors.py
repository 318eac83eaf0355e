"""The turn detectors that settings and streams may name: compositions of strategies."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from voicemesh_asr.turn_detection.strategies.adaptive import Adaptive
from voicemesh_asr.turn_detection.strategies.audio_model import AudioModel
from voicemesh_asr.turn_detection.strategies.endpoint import Endpoint
from voicemesh_asr.turn_detection.strategies.likely_whole import LikelyWhole
from voicemesh_asr.turn_detection.strategies.mark_aware import MarkAware
from voicemesh_asr.turn_detection.strategies.silence import FixedSilence
from voicemesh_asr.turn_detection.strategies.strategy import FirstOpinion, WaitStrategy
from voicemesh_asr.turn_detection.strategies.unfinished import Unfinished
from voicemesh_asr.turn_detection.waits import Waits

# Smart Turn calls a turn complete from 0.5 on; around it the text decides.
_COMPLETE_FROM, _UNFINISHED_BELOW = 0.6, 0.3


def silence(waits: Waits) -> FirstOpinion:
    """The same silence after everything: what most demos do."""
    return FirstOpinion([FixedSilence(waits.no_mark_ms)])


def marks(waits: Waits) -> FirstOpinion:
    """By what the text ends with, and by nothing else."""
    return FirstOpinion([_unfinished(waits), _mark_aware(waits), FixedSilence(waits.no_mark_ms)])


def adaptive(waits: Waits) -> FirstOpinion:
    """By models where there are any, else by the text; adapted to the speaker."""
    model = AudioModel(
        waits.sentence_end_ms, waits.unfinished_ms, _COMPLETE_FROM, _UNFINISHED_BELOW
    )
    by_text: list[WaitStrategy] = [
        _mark_aware(waits),
        LikelyWhole(waits.clause_end_ms, waits.no_mark_ms),
        FixedSilence(waits.no_mark_ms),
    ]
    return FirstOpinion([Endpoint(), model, _unfinished(waits), *map(Adaptive, by_text)])


def _unfinished(waits: Waits) -> Unfinished:
    # Half-way: longer than pauses within sentences usually are.
    unsure_ms = (waits.no_mark_ms + waits.unfinished_ms) // 2
    return Unfinished(waits.unfinished_ms, unsure_ms)


def _mark_aware(waits: Waits) -> MarkAware:
    return MarkAware(waits.sentence_end_ms, waits.clause_end_ms)


DETECTORS: Mapping[str, Callable[[Waits], FirstOpinion]] = {
    "adaptive": adaptive,
    "marks": marks,
    "silence": silence,
}
