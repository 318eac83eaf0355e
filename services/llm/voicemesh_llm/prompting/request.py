"""Checks a request and turns it into an engine's Prompt."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Literal

from voicemesh.errors import InvalidArgument, NotFound, Unsupported
from voicemesh.v1 import llm_pb2
from voicemesh_llm.engines.engine import (
    Capabilities,
    Prompt,
    Sampling,
    Tool,
    ToolChoice,
)
from voicemesh_llm.prompting.request_messages import read_messages

MOST_STOP_STRINGS = 8
LONGEST_STOP_STRING = 64
MOST_TOOLS = 128
LONGEST_SCHEMA = 100_000
MOST_FACTS = 64
LONGEST_FACT = 1_000
MOST_OUTPUT_TOKENS = 100_000
LONGEST_IDENTIFIER = 256

_TOOL_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_LANGUAGE_TAG = re.compile(r"[A-Za-z]{2,8}(?:[-_][A-Za-z0-9]{1,8})*")
_Option = Literal["temperature", "top_p", "top_k", "repetition_penalty"]
_TOOL_CHOICES: Mapping[int, ToolChoice] = {
    llm_pb2.TOOL_CHOICE_UNSPECIFIED: ToolChoice.AUTO,
    llm_pb2.TOOL_CHOICE_NONE: ToolChoice.NONE,
    llm_pb2.TOOL_CHOICE_REQUIRED: ToolChoice.REQUIRED,
}


def read_request(
    request: llm_pb2.GenerationRequest, capabilities: Capabilities, model: str
) -> Prompt:
    """The prompt that ``request`` asks for, before persona and history bounds.

    Raises InvalidArgument, Unsupported or NotFound with the path of the field.
    """
    _check_identifiers(request, capabilities, model)
    if request.speculative and not capabilities.speculative:
        raise Unsupported(
            "this engine takes no speculative requests; send it when the turn is over",
            field="generation.speculative",
        )
    return Prompt(
        messages=read_messages(request.messages, capabilities),
        conversation_id=request.conversation_id,
        tools=_tools(request, capabilities),
        tool_choice=_TOOL_CHOICES[request.tool_choice],
        sampling=_sampling(request.sampling),
        stop=_stop(request),
        max_output_tokens=_in_range(
            request.max_output_tokens, 0, MOST_OUTPUT_TOKENS, "max_output_tokens"
        ),
        language_code=request.language_code,
        model=request.model,
        facts=_facts(request),
        speculative=request.speculative,
        interactive=request.priority != llm_pb2.PRIORITY_BACKGROUND,
    )


def _check_identifiers(
    request: llm_pb2.GenerationRequest, capabilities: Capabilities, model: str
) -> None:
    for name, text in (("conversation_id", request.conversation_id), ("model", request.model)):
        if len(text) > LONGEST_IDENTIFIER:
            raise InvalidArgument(
                f"longer than {LONGEST_IDENTIFIER} characters; shorten it",
                field=f"generation.{name}",
            )
    if request.model and not capabilities.model_choice and request.model != model:
        raise NotFound(
            f"this engine serves {model!r} alone; leave the model empty", field="generation.model"
        )
    if request.language_code and not _LANGUAGE_TAG.fullmatch(request.language_code):
        raise InvalidArgument(
            f"{request.language_code!r} is no BCP-47 tag; use one such as en or zh-CN",
            field="generation.language_code",
        )
    if request.priority not in llm_pb2.Priority.values():
        raise InvalidArgument(
            f"unknown priority {request.priority}; use a value of Priority",
            field="generation.priority",
        )


def _tools(request: llm_pb2.GenerationRequest, capabilities: Capabilities) -> tuple[Tool, ...]:
    if request.tool_choice not in _TOOL_CHOICES:
        raise InvalidArgument(
            f"unknown tool choice {request.tool_choice}; use a value of ToolChoice",
            field="generation.tool_choice",
        )
    if request.tools and not capabilities.tools:
        raise Unsupported(
            "this engine calls no tools; offer none or choose another engine",
            field="generation.tools",
        )
    if request.tool_choice == llm_pb2.TOOL_CHOICE_REQUIRED and not request.tools:
        raise InvalidArgument(
            "a tool call is required but no tool is offered; offer one",
            field="generation.tool_choice",
        )
    if len(request.tools) > MOST_TOOLS:
        raise InvalidArgument(
            f"{len(request.tools)} tools; offer at most {MOST_TOOLS}", field="generation.tools"
        )
    names: set[str] = set()
    for index, tool in enumerate(request.tools):
        path = f"generation.tools[{index}]"
        if not _TOOL_NAME.fullmatch(tool.name) or tool.name in names:
            raise InvalidArgument(
                f"{tool.name!r} is no free tool name; use 1 to 64 letters, digits, _ and -, each "
                "name once",
                field=f"{path}.name",
            )
        names.add(tool.name)
        _check_schema(tool.parameters_json_schema, f"{path}.parameters_json_schema")
    return tuple(Tool(t.name, t.description, t.parameters_json_schema) for t in request.tools)


def _check_schema(text: str, path: str) -> None:
    if not text:
        return
    try:
        schema = json.loads(text) if len(text) <= LONGEST_SCHEMA else None
    except (ValueError, RecursionError):
        schema = None
    if not isinstance(schema, dict):
        raise InvalidArgument(
            f"no JSON object of at most {LONGEST_SCHEMA} characters; send a JSON schema, or "
            "nothing for a tool without parameters",
            field=path,
        )


def _sampling(options: llm_pb2.SamplingOptions) -> Sampling:
    def number(name: _Option, least: float, most: float) -> float | None:
        if not options.HasField(name):
            return None
        value = float(getattr(options, name))
        if not math.isfinite(value) or not least <= value <= most:
            raise InvalidArgument(
                f"{value:g} is out of range; use {least:g} to {most:g}",
                field=f"generation.sampling.{name}",
            )
        return value

    top_k = number("top_k", 0, 1_000_000)
    return Sampling(
        temperature=number("temperature", 0, 2),
        top_p=number("top_p", 0, 1),
        top_k=None if top_k is None else int(top_k),
        seed=options.seed if options.HasField("seed") else None,
        repetition_penalty=number("repetition_penalty", 0.01, 10),
    )


def _stop(request: llm_pb2.GenerationRequest) -> tuple[str, ...]:
    if len(request.stop) > MOST_STOP_STRINGS:
        raise InvalidArgument(
            f"{len(request.stop)} stop strings; send at most {MOST_STOP_STRINGS}",
            field="generation.stop",
        )
    for index, stop in enumerate(request.stop):
        if not 1 <= len(stop) <= LONGEST_STOP_STRING:
            raise InvalidArgument(
                f"a stop string has 1 to {LONGEST_STOP_STRING} characters, this one {len(stop)}",
                field=f"generation.stop[{index}]",
            )
    return tuple(request.stop)


def _facts(request: llm_pb2.GenerationRequest) -> dict[str, str]:
    if len(request.facts) > MOST_FACTS:
        raise InvalidArgument(
            f"{len(request.facts)} facts; send at most {MOST_FACTS}", field="generation.facts"
        )
    for name, value in request.facts.items():
        if not name.strip() or len(name) > LONGEST_FACT or len(value) > LONGEST_FACT:
            raise InvalidArgument(
                f"a fact needs a name, and name and value at most {LONGEST_FACT} characters",
                field=f'generation.facts["{name[:40]}"]',
            )
    return dict(sorted(request.facts.items()))


def _in_range(value: int, least: int, most: int, name: str) -> int:
    if not least <= value <= most:
        raise InvalidArgument(
            f"{value} is out of range; use {least} to {most}", field=f"generation.{name}"
        )
    return value
