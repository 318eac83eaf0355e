"""The JSON body of a chat completion request."""

from __future__ import annotations

import base64
import io
import json
import wave
from typing import Any

from voicemesh_llm.engines.engine import Audio, Message, Prompt, Role, ToolChoice
from voicemesh_llm.engines.openai.settings import OpenAISettings
from voicemesh_llm.engines.prompt_notes import with_facts, with_interruption_note


def request_body(prompt: Prompt, settings: OpenAISettings, model: str) -> dict[str, Any]:
    """What is posted to /v1/chat/completions; ``settings.extra_body`` wins over all."""
    body: dict[str, Any] = {
        "model": model,
        "messages": [_message(m) for m in with_facts(prompt.messages, prompt.facts)],
        "stream": True,
    }
    if settings.include_usage:
        body["stream_options"] = {"include_usage": True}
    if prompt.max_output_tokens:
        body[settings.max_tokens_field] = prompt.max_output_tokens
    body |= _sampling(prompt, settings)
    if stops := prompt.stop[: settings.max_stop_strings]:
        body["stop"] = list(stops)
    if prompt.tools:
        body["tools"] = [
            {
                "type": "function",
                "function": {
                    "name": tool.name,
                    "description": tool.description,
                    "parameters": json.loads(tool.parameters_json_schema or _NO_PARAMETERS),
                },
            }
            for tool in prompt.tools
        ]
        if prompt.tool_choice is not ToolChoice.AUTO:
            body["tool_choice"] = prompt.tool_choice.value
    return body | settings.extra_body


_NO_PARAMETERS = '{"type": "object", "properties": {}}'


def _sampling(prompt: Prompt, settings: OpenAISettings) -> dict[str, Any]:
    sampling = prompt.sampling
    temperature = sampling.temperature if sampling.temperature is not None else settings.temperature
    options = {
        "temperature": temperature,
        "top_p": sampling.top_p,
        "seed": sampling.seed,
        # Not in OpenAI's API, but in those of the local servers.
        "top_k": sampling.top_k or None,
        "repetition_penalty": sampling.repetition_penalty,
    }
    return {name: value for name, value in options.items() if value is not None}


def _message(message: Message) -> dict[str, Any]:
    message = with_interruption_note(message)
    body: dict[str, Any] = {"role": message.role.value, "content": _content(message)}
    if message.tool_calls:
        body["tool_calls"] = [
            {
                "id": call.tool_call_id,
                "type": "function",
                "function": {"name": call.name, "arguments": call.arguments_json},
            }
            for call in message.tool_calls
        ]
    if message.role is Role.TOOL:
        body["tool_call_id"] = message.tool_call_id
    return body


def _content(message: Message) -> str | list[dict[str, Any]]:
    """Plain text where there is only text: every server understands that form."""
    if not any(isinstance(part, Audio) for part in message.parts):
        return message.text
    return [
        {
            "type": "input_audio",
            "input_audio": {"data": base64.b64encode(_wav(part)).decode(), "format": "wav"},
        }
        if isinstance(part, Audio)
        else {"type": "text", "text": part}
        for part in message.parts
    ]


def _wav(audio: Audio) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(audio.sample_rate_hertz)
        writer.writeframes(audio.pcm)
    return file.getvalue()
