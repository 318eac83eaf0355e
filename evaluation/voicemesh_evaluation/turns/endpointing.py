"""Plays utterances to a recogniser and notes when it takes each turn for over.

Decisions stand on samples, so utterances are played as fast as the recogniser
hears them and the figures are those of real time.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import grpc.aio
import numpy as np

from voicemesh.audio_format import linear16
from voicemesh.errors import from_rpc
from voicemesh.grpc_client import open_channel
from voicemesh.v1 import asr_pb2 as pb
from voicemesh.v1 import common_pb2
from voicemesh.v1.asr_pb2_grpc import SpeechRecognizerServiceStub
from voicemesh_evaluation.turns.material import Utterance
from voicemesh_evaluation.turns.speech import RATE_HERTZ

if TYPE_CHECKING:  # The stubs' asynchronous types exist for type checkers only.
    from voicemesh.v1.asr_pb2_grpc import SpeechRecognizerServiceAsyncStub

_CHUNK = RATE_HERTZ // 10
_TIMEOUT_S = 120.0
# Whoever has to wait longer than this thinks that nobody has listened.
MISSED_MS = 2000


@dataclass(frozen=True)
class Decision:
    """An end of turn."""

    sample: int
    reason: pb.TurnReason.ValueType
    text: str


@dataclass(frozen=True)
class UtteranceOutcome:
    """What a detector made of an utterance."""

    utterance: Utterance
    decisions: Sequence[Decision]
    eager_samples: Sequence[int]
    """Where the turn was reported as perhaps over."""

    @property
    def cut_off(self) -> bool:
        """Whether the turn was taken before the speaker had finished."""
        return any(d.sample < self.utterance.end_sample for d in self.decisions)

    @property
    def wait_ms(self) -> float | None:
        """From the speaker's last sound to the end of the turn; None: no end came."""
        after = [d.sample for d in self.decisions if d.sample >= self.utterance.end_sample]
        return (min(after) - self.utterance.end_sample) * 1000 / RATE_HERTZ if after else None

    @property
    def missed(self) -> bool:
        """Whether the end came too late or never."""
        wait_ms = self.wait_ms
        return wait_ms is None or wait_ms > MISSED_MS

    @property
    def premature_eager(self) -> int:
        """How often work was begun before the speaker had finished."""
        return sum(sample < self.utterance.end_sample for sample in self.eager_samples)


async def recognise_utterances(
    target: str,
    utterances: Sequence[Utterance],
    options: pb.TurnDetectorOptions,
    at_once: int = 1,
) -> list[UtteranceOutcome]:
    """What the recogniser at ``target`` makes of each utterance, with this turn detector.

    ``at_once`` utterances are heard at the same time.
    """
    places = asyncio.Semaphore(at_once)
    async with open_channel(target) as channel:
        stub: SpeechRecognizerServiceAsyncStub = SpeechRecognizerServiceStub(channel)

        async def one(utterance: Utterance) -> UtteranceOutcome:
            async with places:
                return await _recognise(stub, utterance, options)

        return list(await asyncio.gather(*map(one, utterances)))


async def _recognise(
    stub: SpeechRecognizerServiceAsyncStub, utterance: Utterance, options: pb.TurnDetectorOptions
) -> UtteranceOutcome:
    decisions: list[Decision] = []
    eager: list[int] = []
    responses = stub.StreamingRecognize(
        _requests(utterance, options), timeout=_TIMEOUT_S, wait_for_ready=True
    )
    try:
        async for response in responses:
            event = response.turn_event
            match event.type:
                case pb.TURN_EVENT_TYPE_EAGER_END_OF_TURN:
                    eager.append(event.sample)
                case pb.TURN_EVENT_TYPE_END_OF_TURN if event.transcript.text:
                    text = event.transcript.text
                    decisions.append(Decision(event.sample, event.reason, text))
    except grpc.aio.AioRpcError as error:
        raise from_rpc(error, common_pb2.STAGE_ASR) from None
    return UtteranceOutcome(utterance, decisions, eager)


async def _requests(
    utterance: Utterance, options: pb.TurnDetectorOptions
) -> AsyncIterator[pb.StreamingRecognizeRequest]:
    config = pb.StreamingRecognitionConfig(
        audio_format=linear16(RATE_HERTZ), interim_results=True, turn_detector=options
    )
    yield pb.StreamingRecognizeRequest(streaming_config=config)
    for first in range(0, len(utterance.samples), _CHUNK):
        audio = utterance.samples[first : first + _CHUNK].tobytes()
        chunk = common_pb2.AudioChunk(first_sample=first, audio=audio)
        yield pb.StreamingRecognizeRequest(audio=chunk)


@dataclass(frozen=True)
class Endpointing:
    """How well one detector ends turns."""

    name: str
    outcomes: Sequence[UtteranceOutcome]

    @property
    def waits_ms(self) -> list[float]:
        """The waits where an end came."""
        return [o.wait_ms for o in self.outcomes if o.wait_ms is not None]

    @property
    def mean_wait_ms(self) -> float:
        """Over all utterances."""
        return float(np.mean(self.waits_ms)) if self.waits_ms else float("nan")

    @property
    def median_complete_wait_ms(self) -> float:
        """Over utterances that were heard as one, to their end."""
        whole = [o.wait_ms for o in self.outcomes if o.wait_ms is not None and not o.cut_off]
        return float(np.median(whole)) if whole else float("nan")

    @property
    def false_cutoff_rate(self) -> float:
        """The share of utterances that were taken before their end."""
        return sum(o.cut_off for o in self.outcomes) / len(self.outcomes)

    @property
    def missed_rate(self) -> float:
        """The share of ends that came too late or never."""
        return sum(o.missed for o in self.outcomes) / len(self.outcomes)

    @property
    def premature_eager_rate(self) -> float:
        """Eager ends before the speaker had finished, per utterance: work for nothing."""
        return sum(o.premature_eager for o in self.outcomes) / len(self.outcomes)
