"""What engines still make of replies that nobody wants any more, by their own count."""

from __future__ import annotations

import asyncio
import json
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from prometheus_client.samples import Sample

from voicemesh.supervisor import Mesh
from voicemesh_evaluation.service_metrics import read_metrics
from voicemesh_evaluation.turns.scene import SpokenLine, act
from voicemesh_evaluation.turns.speech import RATE_HERTZ, SynthesisVoice, speak

_TOKENS = "voicemesh_llm_tokens_after_cancel"
_CHUNKS = "voicemesh_tts_chunks_after_cancel"
_EARLY = "voicemesh_eager_replies_total"

_ASKER = SynthesisVoice("flite", "rms")
# An answer is begun in this pause, and the turn is not over: it waits for longer.
_PAUSE = np.zeros(RATE_HERTZ * 6 // 10, np.int16)
_WAIT_MS = "1500"
# Long enough that model and voice are both at work when nobody wants more of it.
_STORY = " ".join(f"Part {part} of a story that takes its time." for part in range(300))
_FLAGS = {
    "mesh.log_level": "warning",
    "llm.engine": "simulated",
    "llm.simulated.replies": json.dumps([_STORY]),
    "llm.simulated.first_token_ms": "10",
    "llm.simulated.tokens_per_second": "300",
    "asr.sentence_end_wait_ms": _WAIT_MS,
    "asr.clause_end_wait_ms": _WAIT_MS,
    "asr.no_mark_wait_ms": _WAIT_MS,
    "asr.unfinished_wait_ms": _WAIT_MS,
}


@dataclass(frozen=True)
class CancelledWork:
    """The cancelled replies of one kind of engine."""

    replies: int = 0
    most: float = 0.0
    """Tokens, or chunks, that were made of one of them after its cancel; infinite: more than
    the engine's counter tells apart."""

    @classmethod
    def of(cls, samples: Sequence[Sample], histogram: str) -> CancelledWork:
        """From the buckets of ``histogram``, whatever their other labels."""
        at_most: Counter[float] = Counter()
        for sample in samples:
            if sample.name == f"{histogram}_bucket":
                at_most[float(sample.labels["le"])] += int(sample.value)
        replies = at_most[math.inf]
        bounds = (most for most, held in at_most.items() if held == replies)
        return cls(replies, min(bounds, default=0.0))

    def __add__(self, other: CancelledWork) -> CancelledWork:
        """Those of both."""
        return CancelledWork(self.replies + other.replies, max(self.most, other.most))


@dataclass(frozen=True)
class LateWork:
    """Of all replies that were cancelled."""

    tokens: CancelledWork = CancelledWork()
    chunks: CancelledWork = CancelledWork()
    discarded: int = 0
    """Answers that were begun before the turn was over, and thrown away."""

    def __add__(self, other: LateWork) -> LateWork:
        """That of both."""
        return LateWork(
            self.tokens + other.tokens,
            self.chunks + other.chunks,
            self.discarded + other.discarded,
        )


async def read_late_work(mesh: Mesh) -> LateWork:
    """Of a running mesh, since it was started."""
    llm, tts, orchestrator = [
        await asyncio.to_thread(read_metrics, mesh.services[name].planned.metrics)
        for name in ("llm", "tts", "orchestrator")
    ]
    discarded = (
        int(sample.value)
        for sample in orchestrator
        if sample.name == _EARLY and sample.labels["outcome"] != "used"
    )
    return LateWork(CancelledWork.of(llm, _TOKENS), CancelledWork.of(tts, _CHUNKS), sum(discarded))


async def discard_early_answers(questions: Sequence[str], at_once: int) -> LateWork:
    """Ask questions that go on after a pause, in which a long answer is begun and discarded.

    The answer to all of it is stopped at its first words. The voice is that of the
    mesh, the model one that takes its time: the scripted one has finished by then.
    """
    places = asyncio.Semaphore(at_once)
    with TemporaryDirectory() as name:
        said = [await speak(text, _ASKER, Path(name)) for text in questions]

    async def ask(number: int) -> None:
        first, second = said[number], said[number - 1]
        question = SpokenLine("two questions", np.concatenate([first, _PAUSE, second]))
        async with places:
            await act(f"early answer {number:02d}", mesh.target, question)

    async with Mesh(ephemeral=True, flags=_FLAGS, report=lambda line: None) as mesh:
        await asyncio.gather(*(ask(number) for number in range(len(said))))
        return await read_late_work(mesh)
