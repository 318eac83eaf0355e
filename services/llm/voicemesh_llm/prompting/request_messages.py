"""Checks the messages of a request and turns them into the engine's form."""

from __future__ import annotations

from collections.abc import Sequence

from voicemesh.errors import InvalidArgument, Unsupported
from voicemesh.v1 import common_pb2, llm_pb2
from voicemesh_llm.engines.engine import Audio, Capabilities, Message, Role, ToolCall

MOST_MESSAGES = 1_000
MOST_CHARACTERS = 200_000
"""In all messages together: far above any budget, low enough to count at once."""
LONGEST_AUDIO_S = 60

_ROLES = {
    llm_pb2.ROLE_SYSTEM: Role.SYSTEM,
    llm_pb2.ROLE_USER: Role.USER,
    llm_pb2.ROLE_ASSISTANT: Role.ASSISTANT,
    llm_pb2.ROLE_TOOL: Role.TOOL,
}


def read_messages(
    messages: Sequence[llm_pb2.ChatMessage], capabilities: Capabilities
) -> tuple[Message, ...]:
    """The messages, without replies that were interrupted before their first word.

    Raises InvalidArgument or Unsupported with the path of the field.
    """
    if not messages:
        raise InvalidArgument(
            "there is nothing to answer; send at least one message", field="generation.messages"
        )
    if len(messages) > MOST_MESSAGES:
        raise InvalidArgument(
            f"{len(messages)} messages; send the latest {MOST_MESSAGES} at most",
            field="generation.messages",
        )
    if sum(len(part.text) for m in messages for part in m.parts) > MOST_CHARACTERS:
        raise InvalidArgument(
            f"the messages have more than {MOST_CHARACTERS} characters; send fewer",
            field="generation.messages",
        )
    read = [
        _read_message(message, f"generation.messages[{index}]", capabilities)
        for index, message in enumerate(messages)
    ]
    last = f"generation.messages[{len(messages) - 1}]"
    if read[-1].role not in (Role.USER, Role.TOOL):
        raise InvalidArgument(
            "the last message must be the person's or a tool's: it is what to answer",
            field=f"{last}.role",
        )
    if not any(message.role is Role.USER for message in read):
        raise InvalidArgument(
            "no message is the person's; send what was asked", field="generation.messages"
        )
    return tuple(m for m in read if m.role is not Role.ASSISTANT or m.tool_calls or m.parts)


def _read_message(message: llm_pb2.ChatMessage, path: str, capabilities: Capabilities) -> Message:
    role = _ROLES.get(message.role)
    if role is None:
        raise InvalidArgument(
            f"unknown role {message.role}; use ROLE_SYSTEM, ROLE_USER, ROLE_ASSISTANT or ROLE_TOOL",
            field=f"{path}.role",
        )
    parts = tuple(
        _read_part(part, f"{path}.parts[{index}]", role, capabilities)
        for index, part in enumerate(message.parts)
    )
    blank = not any(isinstance(part, Audio) or part.strip() for part in parts)
    if blank and role in (Role.SYSTEM, Role.USER):
        raise InvalidArgument(
            "the message is empty; send text, or leave the message out", field=f"{path}.parts"
        )
    if message.tool_calls and role is not Role.ASSISTANT:
        raise InvalidArgument(
            "only ROLE_ASSISTANT calls tools; move the calls there", field=f"{path}.tool_calls"
        )
    if role is Role.TOOL and not message.tool_call_id:
        raise InvalidArgument(
            "a tool's message needs the id of the call that it answers",
            field=f"{path}.tool_call_id",
        )
    if (message.tool_calls or role is Role.TOOL) and not capabilities.tools:
        raise Unsupported(
            "this engine calls no tools; leave tool messages out or choose another engine",
            field=path,
        )
    calls = tuple(ToolCall(c.tool_call_id, c.name, c.arguments_json) for c in message.tool_calls)
    kept = () if blank and role is Role.ASSISTANT else parts
    return Message(role, kept, calls, message.tool_call_id, message.interrupted)


def _read_part(
    part: llm_pb2.ContentPart, path: str, role: Role, capabilities: Capabilities
) -> str | Audio:
    kind = part.WhichOneof("part")
    if kind == "text":
        return part.text
    if kind is None:
        raise InvalidArgument("the part is empty; set text or audio", field=path)
    if not capabilities.audio_input:
        raise Unsupported(
            "this engine takes no audio; send the transcript as text", field=f"{path}.audio"
        )
    if role is not Role.USER:
        raise InvalidArgument(
            "only ROLE_USER may carry audio; send text here", field=f"{path}.audio"
        )
    return _read_audio(part.audio, f"{path}.audio")


def _read_audio(content: llm_pb2.AudioContent, path: str) -> Audio:
    audio_format = content.audio_format
    if audio_format.encoding != common_pb2.AUDIO_ENCODING_LINEAR16:
        raise InvalidArgument(
            "the encoding must be AUDIO_ENCODING_LINEAR16", field=f"{path}.audio_format.encoding"
        )
    rate = audio_format.sample_rate_hertz
    if not 8_000 <= rate <= 48_000:
        raise InvalidArgument(
            f"{rate} Hz is out of range; use 8000 to 48000",
            field=f"{path}.audio_format.sample_rate_hertz",
        )
    if audio_format.channel_count != 1:
        raise InvalidArgument(
            f"{audio_format.channel_count} channels; mix down to 1",
            field=f"{path}.audio_format.channel_count",
        )
    size = len(content.audio)
    if size == 0 or size % 2:
        raise InvalidArgument(
            f"{size} bytes are no whole number of 16-bit samples; send at least one sample",
            field=f"{path}.audio",
        )
    if size > LONGEST_AUDIO_S * rate * 2:
        raise InvalidArgument(
            f"the audio is longer than {LONGEST_AUDIO_S} s; cut it", field=f"{path}.audio"
        )
    return Audio(content.audio, rate)
