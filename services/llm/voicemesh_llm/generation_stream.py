"""One Generate stream: the request, then its reply beside the client's later messages."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from enum import Enum, auto

from voicemesh import logs, tracing
from voicemesh.aio import cancel_and_wait
from voicemesh.errors import DeadlineExceeded, ProtocolViolation
from voicemesh.heartbeats import echo_of
from voicemesh.server import Outbox
from voicemesh.stamps import order
from voicemesh.v1 import llm_pb2, operations_pb2
from voicemesh.work_counter import WorkCounter
from voicemesh_llm import metrics
from voicemesh_llm.engines.engine import LanguageModel, Prompt
from voicemesh_llm.prompting.builder import build_prompt
from voicemesh_llm.prompting.reset_phrases import ResetPhrases, confirmation
from voicemesh_llm.reply_generation import ReplyGeneration
from voicemesh_llm.settings import LanguageModelSettings


class _ClientEnd(Enum):
    """How the client's side of the stream ended."""

    CANCEL = auto()
    HALF_CLOSE = auto()


class GenerationStream:
    """Serves one stream. Every response carries the stamp of the request."""

    def __init__(
        self,
        request: llm_pb2.GenerateRequest,
        model: LanguageModel,
        settings: LanguageModelSettings,
        outbox: Outbox[llm_pb2.GenerateResponse],
    ) -> None:
        """``request`` is the first message of the stream."""
        self._stamp = request.stamp
        self._generation = request.generation
        self._model = model
        self._settings = settings
        self._outbox = outbox
        self._arrived = time.monotonic()
        self._reply = ReplyGeneration(model, settings, self.send, self._arrived)

    def send(self, response: llm_pb2.GenerateResponse) -> None:
        """Stamp a response and put it into the outbox."""
        response.stamp.CopyFrom(self._stamp)
        self._outbox.send(response)

    def live_turn(self) -> operations_pb2.LiveTurn:
        """The stream as introspection shows it."""
        return operations_pb2.LiveTurn(
            conversation_id=self._generation.conversation_id,
            stamp=self._stamp,
            phase="speaking" if self._reply.speaking else "thinking",
            phase_ms=int((time.monotonic() - self._arrived) * 1000),
        )

    async def run(
        self,
        prompt: Prompt,
        reset_phrases: ResetPhrases,
        requests: AsyncIterator[llm_pb2.GenerateRequest],
        started: llm_pb2.GenerationStarted,
    ) -> None:
        """Send the whole reply, unless the client cancels it."""
        conversation = self._generation.conversation_id
        with (
            logs.bind(conversation, self._stamp),
            tracing.span("llm.generate", conversation, self._stamp, engine=self._model.name),
        ):
            asked = prompt.messages[-1].text
            if reset_phrases.match(asked):
                self.send(llm_pb2.GenerateResponse(started=started))
                metrics.HISTORY_RESETS.inc()
                self._reply.send_fixed_answer(confirmation(asked, prompt.language_code))
                return
            built, dropped = build_prompt(prompt, self._settings, self._model)
            # The engine begins before the outbox writes; what it generates comes after.
            work = asyncio.create_task(self._reply.run(built, dropped), name="reply")
            self.send(llm_pb2.GenerateResponse(started=started))
            await self._finish_or_cancel(work, built.counter, requests)

    async def _finish_or_cancel(
        self,
        work: asyncio.Task[None],
        counter: WorkCounter,
        requests: AsyncIterator[llm_pb2.GenerateRequest],
    ) -> None:
        reader = asyncio.create_task(self._receive(requests), name="requests")
        try:
            await asyncio.wait({work, reader}, return_when=asyncio.FIRST_COMPLETED)
            if not work.done() and reader.result() is _ClientEnd.CANCEL:
                await self._cancel(work, counter)
                self._reply.cancelled()
                return
            # A half-close only says that nothing more will be asked. If it hides
            # the client's cancel, gRPC cancels this coroutine right after it.
            await asyncio.wait({work})
            work.result()
        finally:
            await self._cancel(work, counter)
            await cancel_and_wait(reader)

    async def _cancel(self, work: asyncio.Task[None], counter: WorkCounter) -> None:
        """End the engine's work, unless it is done; count what it still makes."""
        if work.done():
            return
        counter.cancel()
        await cancel_and_wait(work)
        metrics.LATE_TOKENS.labels(self._model.name).observe(counter.late)

    async def _receive(self, requests: AsyncIterator[llm_pb2.GenerateRequest]) -> _ClientEnd:
        """Read until the client cancels or has nothing more to say."""
        async for request in requests:
            kind = request.WhichOneof("generate_request")
            if kind == "heartbeat":
                if echo := echo_of(request.heartbeat):
                    self.send(llm_pb2.GenerateResponse(heartbeat=echo))
            elif kind == "cancel":
                if order(request.stamp) >= order(self._stamp):
                    return _ClientEnd.CANCEL
            elif kind == "generation":
                raise ProtocolViolation(
                    "a stream carries one generation; open another stream for the next",
                    field="generation",
                )
            else:
                raise ProtocolViolation(
                    "the message is empty; send cancel or heartbeat", field="generate_request"
                )
        return _ClientEnd.HALF_CLOSE


async def first_request(
    requests: AsyncIterator[llm_pb2.GenerateRequest], timeout_s: float
) -> llm_pb2.GenerateRequest | None:
    """The stream's first message, which must be a generation; None if nothing is asked at all."""
    try:
        async with asyncio.timeout(timeout_s):
            request = await anext(requests, None)
    except TimeoutError:
        raise DeadlineExceeded(
            f"no request came within {timeout_s:g} s; send generation at once when the stream is "
            "open"
        ) from None
    if request is not None and request.WhichOneof("generate_request") != "generation":
        raise ProtocolViolation(
            "the first message must carry generation; cancel and heartbeat come later",
            field="generation",
        )
    return request
