"""Reads server-sent events from bytes, with bounds.

Format: HTML Living Standard, section 9.2 "Server-sent events". Only data matters
here; comments, which servers send to keep a connection open, are skipped.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable

from voicemesh.errors import EngineError

LONGEST_EVENT_BYTES = 1_000_000
"""A chunk holds some tokens, seldom more than a kilobyte."""


async def event_data(pieces: AsyncIterable[bytes]) -> AsyncGenerator[str, None]:
    """The data of each event; EngineError for one that is too long or not UTF-8."""
    waiting = b""
    data: list[bytes] = []
    async for piece in pieces:
        *lines, waiting = (waiting + piece).split(b"\n")
        for line in lines:
            line = line.removesuffix(b"\r")
            if line.startswith(b"data:"):
                data.append(line[5:].removeprefix(b" "))
            elif not line and data:
                yield _text(data)
                data = []
        if len(waiting) + sum(map(len, data)) > LONGEST_EVENT_BYTES:
            raise EngineError(
                f"the model server sent an event of more than {LONGEST_EVENT_BYTES} bytes; "
                "check that llm.openai.base_url is a chat server"
            )
    if waiting.startswith(b"data:"):
        data.append(waiting[5:].strip())
    if data:
        # Some servers leave out the blank line after the last event.
        yield _text(data)


def _text(data: list[bytes]) -> str:
    try:
        return b"\n".join(data).decode("utf-8")
    except UnicodeDecodeError:
        raise EngineError("the model server sent text that is not UTF-8; check it") from None
