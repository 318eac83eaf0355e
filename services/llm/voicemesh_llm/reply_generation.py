"""The generation of one reply: the engine's events become responses."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import cast

from voicemesh.enums import short_name
from voicemesh.errors import DeadlineExceeded, EngineError
from voicemesh.v1 import llm_pb2
from voicemesh_llm import metrics
from voicemesh_llm.delta_coalescing import DeltaCoalescer
from voicemesh_llm.engines.engine import (
    Event,
    Finish,
    Finished,
    LanguageModel,
    Prompt,
    TextDelta,
    ToolCall,
    Usage,
)
from voicemesh_llm.settings import LanguageModelSettings
from voicemesh_llm.stop_strings import StopStrings

_REASONS = {
    Finish.STOP: llm_pb2.FINISH_REASON_STOP,
    Finish.LENGTH: llm_pb2.FINISH_REASON_LENGTH,
    Finish.TOOL_CALLS: llm_pb2.FINISH_REASON_TOOL_CALLS,
    Finish.CONTENT_FILTER: llm_pb2.FINISH_REASON_CONTENT_FILTER,
}


class ReplyGeneration:
    """Generates the reply to one prompt; keeps its timings and its usage."""

    def __init__(
        self,
        model: LanguageModel,
        settings: LanguageModelSettings,
        send: Callable[[llm_pb2.GenerateResponse], None],
        arrived: float,
    ) -> None:
        """``send`` takes responses and stamps them; ``arrived`` is on the monotonic clock."""
        self._model = model
        self._settings = settings
        self._send = send
        self._arrived = arrived
        self._began = 0.0
        self._first_text = 0.0
        self._dropped = 0
        self._sent_tokens = 0
        self._text = DeltaCoalescer(self._send_text, settings.delta_flush_ms / 1000)

    @property
    def speaking(self) -> bool:
        """Whether the first text is there."""
        return self._first_text > 0

    async def run(self, prompt: Prompt, dropped: int) -> None:
        """Generate to the end; DeadlineExceeded or what the engine raises.

        Cancelling this coroutine cancels the engine's work.
        """
        self._dropped = dropped
        self._began = time.monotonic()
        stops = StopStrings(prompt.stop)
        # The protocol says that generate() is an async generator.
        events = cast(AsyncGenerator[Event, None], self._model.generate(prompt))
        finished: Finished | None = None
        try:
            async with (
                asyncio.timeout(self._settings.first_token_timeout_s) as deadline,
                aclosing(events),
            ):
                async for event in events:
                    if not self.speaking and not isinstance(event, Finished):
                        deadline.reschedule(self._end_of_time())
                    finished = self._process(event, stops)
                    if finished is not None:
                        break
        except TimeoutError:
            if deadline.expired():
                raise self._too_late() from None
            raise
        finally:
            self._text.close()
        if finished is None:
            raise EngineError("the engine ended without a finish; its log may tell why")
        self._text.feed(stops.finish())
        self._text.flush()
        self._dropped += finished.dropped_messages
        self._finish(_REASONS[finished.reason], finished.usage)

    def send_fixed_answer(self, text: str) -> None:
        """Send a fixed answer of the service's own as the whole reply."""
        self._began = time.monotonic()
        self._process(TextDelta(text), StopStrings(()))
        self._text.flush()
        self._finish(llm_pb2.FINISH_REASON_STOP, None, history_reset=True)

    def cancelled(self) -> None:
        """End the reply where it stands, as the client asked."""
        self._finish(llm_pb2.FINISH_REASON_CANCELLED, None)

    def _process(self, event: Event, stops: StopStrings) -> Finished | None:
        """Handle one event; returns the finish when the reply is over."""
        if isinstance(event, Finished):
            return event
        if isinstance(event, ToolCall):
            self._text.feed(stops.finish())
            self._text.flush()
            call = llm_pb2.ToolCall(
                tool_call_id=event.tool_call_id,
                name=event.name,
                arguments_json=event.arguments_json,
            )
            self._send(llm_pb2.GenerateResponse(tool_call=call))
            return None
        text = stops.process(event.text)
        if text and not self.speaking:
            self._first_text = time.monotonic()
            metrics.FIRST_TOKEN.labels(self._model.name).observe(self._first_text - self._arrived)
        self._text.feed(text)
        return Finished(Finish.STOP) if stops.met else None

    def _send_text(self, text: str) -> None:
        self._sent_tokens += self._model.count_tokens(text)
        self._send(llm_pb2.GenerateResponse(delta=llm_pb2.TextDelta(text=text)))

    def _finish(
        self,
        reason: llm_pb2.FinishReason.ValueType,
        usage: Usage | None,
        history_reset: bool = False,
    ) -> None:
        usage = usage or Usage(completion_tokens=self._sent_tokens)
        now = time.monotonic()
        self._count(reason, usage, now)
        self._send(
            llm_pb2.GenerateResponse(
                finished=llm_pb2.GenerationFinished(
                    finish_reason=reason,
                    usage=llm_pb2.Usage(
                        prompt_tokens=usage.prompt_tokens,
                        cached_tokens=usage.cached_tokens,
                        completion_tokens=usage.completion_tokens,
                    ),
                    timings=llm_pb2.GenerationTimings(
                        queued_us=self._since_arrival_us(self._began),
                        first_token_us=self._since_arrival_us(self._first_text),
                        total_us=self._since_arrival_us(now),
                    ),
                    history_reset=history_reset,
                    dropped_messages=self._dropped,
                )
            )
        )

    def _count(self, reason: llm_pb2.FinishReason.ValueType, usage: Usage, now: float) -> None:
        name = self._model.name
        metrics.FINISHED.labels(name, short_name(llm_pb2.FinishReason, reason)).inc()
        metrics.REPLY.labels(name).observe(now - self._arrived)
        metrics.TOKENS.labels(name, "prompt").inc(usage.prompt_tokens)
        metrics.TOKENS.labels(name, "cached").inc(usage.cached_tokens)
        metrics.TOKENS.labels(name, "completion").inc(usage.completion_tokens)
        metrics.DROPPED_MESSAGES.inc(self._dropped)

    def _since_arrival_us(self, moment: float) -> int:
        """0 where the moment never came."""
        return max(0, int((moment - self._arrived) * 1e6)) if moment else 0

    def _end_of_time(self) -> float:
        """When the whole reply is late, on the loop's clock."""
        elapsed = time.monotonic() - self._arrived
        return asyncio.get_running_loop().time() + self._settings.total_timeout_s - elapsed

    def _too_late(self) -> DeadlineExceeded:
        if self.speaking:
            return DeadlineExceeded(
                f"the reply was not complete within {self._settings.total_timeout_s:g} s; ask for "
                "a shorter one or raise llm.total_timeout_s"
            )
        return DeadlineExceeded(
            f"no word came within {self._settings.first_token_timeout_s:g} s; use a faster model "
            "or raise llm.first_token_timeout_s"
        )
