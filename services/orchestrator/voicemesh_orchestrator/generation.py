"""One reply of the language model, as events with deadlines."""

from __future__ import annotations

import asyncio

from voicemesh.aio import Channel, ChannelClosed, ChannelFull, TaskSet
from voicemesh.errors import Busy, DeadlineExceeded, EngineError, VoiceMeshError
from voicemesh.v1 import common_pb2, llm_pb2
from voicemesh_orchestrator.early_stream import EarlyStream
from voicemesh_orchestrator.settings import Deadlines
from voicemesh_orchestrator.upstream import Upstream

Request = llm_pb2.GenerateRequest
Response = llm_pb2.GenerateResponse

_CAPACITY = 4096
_EVENTS = frozenset({"delta", "tool_call", "finished"})


class Generation:
    """Asks the model and gives its answer's events; ``close`` cancels what runs."""

    def __init__(
        self,
        streams: EarlyStream,
        target: str,
        stamp: common_pb2.Stamp,
        deadlines: Deadlines,
        closing: TaskSet,
    ) -> None:
        """``closing`` runs the good-byes of cancelled generations in the background."""
        self._streams = streams
        self._stamp = stamp
        self._deadlines = deadlines
        self._closing = closing
        self._events: Channel[Response] = Channel(_CAPACITY)
        self._failure: VoiceMeshError | None = None
        self._finished = False
        self._upstream: Upstream[Request, Response] = Upstream(
            common_pb2.STAGE_LLM,
            target,
            self._hear,
            self._lost,
            lambda beat: Request(stamp=stamp, heartbeat=beat),
        )

    async def start(self, request: llm_pb2.GenerationRequest) -> llm_pb2.GenerationStarted:
        """Send the request; what serves it, or why nothing does."""
        response = await self._upstream.start(
            self._streams.take,
            Request(stamp=self._stamp, generation=request),
            self._deadlines.connect_s,
        )
        return response.started

    def _hear(self, response: Response) -> None:
        kind = response.WhichOneof("generate_response")
        # Echoed heartbeats are no sign of the model: they must not put off its deadline.
        if response.stamp != self._stamp or kind not in _EVENTS:
            return
        if kind == "finished":
            self._finished = True
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

    def close(self, reason: str) -> None:
        """End the stream; a generation that still runs is told to stop."""
        if not self._finished and self._upstream.open:
            cancel = llm_pb2.CancelGeneration(reason=reason)
            self._upstream.send(Request(stamp=self._stamp, cancel=cancel))
        self._closing.start(self._upstream.close(), "close generation")
