"""One reply of the language model, as events with deadlines."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from voicemesh.aio import Channel, ChannelClosed, ChannelFull, TaskSet
from voicemesh.errors import Busy, DeadlineExceeded, EngineError, VoiceMeshError
from voicemesh.v1 import common_pb2, llm_pb2
from voicemesh_orchestrator import metrics
from voicemesh_orchestrator.settings import Deadlines
from voicemesh_orchestrator.upstream.stream import Upstream

if TYPE_CHECKING:  # The stubs' asynchronous types exist for type checkers only.
    from voicemesh.v1.llm_pb2_grpc import LanguageModelServiceAsyncStub

Request = llm_pb2.GenerateRequest
Response = llm_pb2.GenerateResponse

_CAPACITY = 4096
_EVENTS = frozenset({"delta", "tool_call", "finished"})


class Generation:
    """Asks the model and gives its answer's events; ``close`` cancels what runs."""

    def __init__(
        self,
        stub: LanguageModelServiceAsyncStub,
        target: str,
        stamp: common_pb2.Stamp,
        deadlines: Deadlines,
        closing: TaskSet,
    ) -> None:
        """``closing`` runs the good-byes of cancelled generations in the background."""
        self._stub = stub
        self._stamp = stamp
        self._deadlines = deadlines
        self._closing = closing
        self._events: Channel[Response] = Channel(_CAPACITY)
        self._failure: VoiceMeshError | None = None
        self._finished = False
        self._usage = llm_pb2.Usage()
        self._wasted = False
        self._upstream: Upstream[Request, Response] = Upstream(
            common_pb2.STAGE_LLM,
            target,
            self._receive,
            self._lost,
            lambda beat: Request(stamp=stamp, heartbeat=beat),
            deadlines.stall_s,
        )

    async def start(self, request: llm_pb2.GenerationRequest) -> llm_pb2.GenerationStarted:
        """Send the request; what serves it, or why nothing does."""
        response = await self._upstream.start(
            self._stub.Generate,
            Request(stamp=self._stamp, generation=request),
            self._deadlines.connect_s,
        )
        return response.started

    def _receive(self, response: Response) -> None:
        kind = response.WhichOneof("generate_response")
        # Echoed heartbeats are no sign of the model: they must not put off its deadline.
        if response.stamp != self._stamp or kind not in _EVENTS:
            return
        if kind == "finished":
            self._finished = True
            self._usage = response.finished.usage
            if self._wasted:
                self._count_waste()
        try:
            self._events.send(response)
        except ChannelFull:
            text = "llm: the reply is longer than can be taken in"
            self._lost(Busy(text, stage=common_pb2.STAGE_LLM))
        except ChannelClosed:
            return

    def _lost(self, error: VoiceMeshError) -> None:
        if not self._finished:
            self._failure = error
        self._events.close()

    async def next(self, first: bool) -> Response:
        """The next event; DeadlineExceeded when it takes too long."""
        limit = self._deadlines.first_token_s if first else self._deadlines.next_token_s
        try:
            async with asyncio.timeout(limit):
                return await self._events.receive()
        except TimeoutError:
            what = "began no answer" if first else "stopped in the middle of its answer"
            raise DeadlineExceeded(
                f"llm: the model {what} within {limit:g} s", stage=common_pb2.STAGE_LLM
            ) from None
        except ChannelClosed:
            raise self._failure or EngineError(
                "llm: the answer has no end", stage=common_pb2.STAGE_LLM
            ) from None

    def close(self, reason: str) -> asyncio.Task[None]:
        """End the stream; a generation that still runs is told to stop.

        The task ends with the stream, when the place at the service is free again.
        """
        if not self._finished and self._upstream.open:
            cancel = llm_pb2.CancelGeneration(reason=reason)
            self._upstream.send(Request(stamp=self._stamp, cancel=cancel))
        return self._closing.start(self._upstream.close(), "close generation")

    def waste(self) -> None:
        """Nobody will see anything of it: what it cost is counted, when that is known."""
        self._wasted = True
        if self._finished:
            self._count_waste()

    def _count_waste(self) -> None:
        metrics.EAGER_WASTED_TOKENS.labels("prompt").inc(self._usage.prompt_tokens)
        metrics.EAGER_WASTED_TOKENS.labels("completion").inc(self._usage.completion_tokens)
