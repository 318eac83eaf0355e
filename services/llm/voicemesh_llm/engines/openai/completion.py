"""Assembles a reply from the chunks of a chat completion stream."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from voicemesh.errors import EngineError
from voicemesh_llm.engines.engine import Event, Finish, Finished, TextDelta, ToolCall, Usage
from voicemesh_llm.engines.openai.failures import from_frame
from voicemesh_llm.reasoning import ReasoningFilter

DONE = "[DONE]"
MOST_TOOL_CALLS = 64
LONGEST_ARGUMENTS = 200_000

_REASONS = {
    "stop": Finish.STOP,
    "length": Finish.LENGTH,
    "tool_calls": Finish.TOOL_CALLS,
    "function_call": Finish.TOOL_CALLS,
    "content_filter": Finish.CONTENT_FILTER,
}


@dataclass
class _PartialCall:
    tool_call_id: str = ""
    name: str = ""
    arguments: str = ""


class Completion:
    """The state of one reply. Reasoning, in any of its forms, is left out."""

    def __init__(self, base_url: str, model: str, begins_in_thought: bool) -> None:
        """``base_url`` and ``model`` are for error messages."""
        self._base_url = base_url
        self._model = model
        self._visible = ReasoningFilter(begins_in_thought)
        self._calls: dict[int, _PartialCall] = {}
        self._reason: Finish | None = None
        self._usage: Usage | None = None
        self._any_text = False
        self._done = False

    @property
    def finished(self) -> bool:
        """Whether a finish reason has come; at most the usage follows."""
        return self._reason is not None

    @property
    def complete(self) -> bool:
        """Whether nothing more is to be expected."""
        return self._done or (self.finished and self._usage is not None)

    def process(self, data: str) -> list[Event]:
        """The events in the data of one server-sent event; its error frames are raised."""
        if data.strip() == DONE:
            self._done = True
            return []
        try:
            chunk = json.loads(data)
        except (ValueError, RecursionError):
            chunk = None
        if not isinstance(chunk, dict):
            raise EngineError("the model server sent a chunk that is no JSON object; check it")
        if chunk.get("error"):
            raise from_frame(chunk, self._base_url, self._model)
        self._take_usage(chunk.get("usage"))
        # With include_usage the last chunk has no choices at all.
        choices = chunk.get("choices")
        choice = choices[0] if isinstance(choices, list) and choices else None
        return list(self._take_choice(choice)) if isinstance(choice, dict) else []

    def end(self) -> list[Event]:
        """The stream is over: the last events; EngineError when it broke off."""
        if self._reason is None:
            if not (self._done and self._any_text):
                raise EngineError(
                    "the model server ended the stream before the reply was complete; its log "
                    "tells why"
                )
            self._reason = Finish.STOP
        events: list[Event] = []
        if rest := self._visible.finish():
            events.append(TextDelta(rest))
        events.extend(self._whole_calls())
        reason = self._reason
        if self._calls and reason is Finish.STOP:
            reason = Finish.TOOL_CALLS  # Some servers say "stop" after tool calls.
        events.append(Finished(reason, self._usage))
        return events

    def _take_choice(self, choice: dict[str, Any]) -> Iterator[Event]:
        delta = choice.get("delta")
        if isinstance(delta, dict):
            content = delta.get("content")
            if isinstance(content, str) and (text := self._visible.process(content)):
                self._any_text = True
                yield TextDelta(text)
            for piece in delta.get("tool_calls") or ():
                self._take_call(piece)
        reason = choice.get("finish_reason")
        if reason in ("abort", "error"):
            raise EngineError("the model server gave the reply up; its log tells why")
        if reason:
            self._reason = _REASONS.get(reason, Finish.STOP)

    def _take_call(self, piece: Any) -> None:
        """Id and name come in a call's first piece, its arguments bit by bit."""
        if not isinstance(piece, dict):
            return
        index = piece.get("index")
        if not isinstance(index, int):
            index = len(self._calls)  # Servers that send whole calls leave it out.
        function = piece.get("function")
        function = function if isinstance(function, dict) else {}
        call = self._calls.setdefault(index, _PartialCall())
        call.tool_call_id = call.tool_call_id or str(piece.get("id") or "")
        call.name = call.name or str(function.get("name") or "")
        arguments = function.get("arguments") or ""
        call.arguments += arguments if isinstance(arguments, str) else json.dumps(arguments)
        if len(self._calls) > MOST_TOOL_CALLS or len(call.arguments) > LONGEST_ARGUMENTS:
            raise EngineError("the model calls tools without end; lower its temperature")

    def _whole_calls(self) -> Iterator[ToolCall]:
        for index, call in sorted(self._calls.items()):
            if not call.name:
                raise EngineError("the model server sent a tool call without a name; check it")
            yield ToolCall(
                call.tool_call_id or f"call_{index}", call.name, call.arguments.strip() or "{}"
            )

    def _take_usage(self, usage: Any) -> None:
        if not isinstance(usage, dict):
            return
        details = usage.get("prompt_tokens_details")
        cached = details.get("cached_tokens") if isinstance(details, dict) else 0
        self._usage = Usage(
            prompt_tokens=_count(usage.get("prompt_tokens")),
            cached_tokens=_count(cached),
            completion_tokens=_count(usage.get("completion_tokens")),
        )


def _count(value: Any) -> int:
    return min(value, 2**31 - 1) if isinstance(value, int) and value > 0 else 0
