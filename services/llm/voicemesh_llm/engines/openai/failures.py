"""Turns the failures of a model server into our errors, each with its cure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from voicemesh.errors import (
    Busy,
    EngineError,
    Forbidden,
    InvalidArgument,
    NotFound,
    Unavailable,
    VoiceMeshError,
)

LONGEST_MESSAGE = 300
DEFAULT_RETRY_AFTER_MS = 1_000
LONGEST_RETRY_AFTER_MS = 60_000


def from_status(
    status: int,
    body: str,
    headers: Mapping[str, str],
    base_url: str,
    model: str,
    served: str = "",
) -> VoiceMeshError:
    """The error behind an HTTP status that is not 200.

    ``body`` is as it came; ``served`` names the models that there are, where known.
    """
    said = _said(_parsed(body)) or body.strip()[:LONGEST_MESSAGE]
    answer = f"the model server at {base_url} answered {status}"
    if status in (401, 403):
        # Its own words are left out: some servers repeat the key.
        return Forbidden(
            f"{answer}: the key is missing or wrong; set VOICEMESH_LLM__OPENAI__API_KEY or "
            "llm.openai.api_key"
        )
    if status == 404:
        return NotFound(
            f"{answer} for model {model!r} ({said}); set llm.openai.model to one that it serves"
            f"{f' ({served})' if served else ''}, and see that llm.openai.base_url ends where the "
            "API begins, mostly /v1",
            field="llm.openai.model",
        )
    if status == 429:
        return Busy(
            f"{answer}: it is at its limit ({said}); wait or give it more capacity",
            retry_after_ms=_retry_after_ms(headers),
        )
    if status >= 500 or status == 408:
        return Unavailable(f"{answer} ({said}); its log tells why. Try again")
    if 300 <= status < 400:
        return EngineError(f"{answer}, a redirect; set llm.openai.base_url to the new address")
    return InvalidArgument(
        f"{answer}: it refuses the request ({said}); change the request or llm.openai.extra_body"
    )


def from_frame(frame: Mapping[str, Any], base_url: str, model: str) -> VoiceMeshError:
    """The error behind an error frame in the middle of a stream."""
    error = frame.get("error")
    code = error.get("code") if isinstance(error, dict) else None
    if isinstance(code, str) and code.isdigit():
        code = int(code)
    if isinstance(code, int) and 400 <= code <= 599:
        return from_status(code, json.dumps(frame), {}, base_url, model)
    return EngineError(
        f"the model server at {base_url} broke off the reply "
        f"({_said(frame) or 'no reason given'}); its log tells why"
    )


def _parsed(body: str) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _said(frame: Any) -> str:
    """The message of an error object in any of its common forms."""
    if not isinstance(frame, dict):
        return ""
    error = frame.get("error", frame)
    message = error.get("message") if isinstance(error, dict) else error
    return message[:LONGEST_MESSAGE] if isinstance(message, str) else ""


def _retry_after_ms(headers: Mapping[str, str]) -> int:
    """From retry-after-ms or retry-after in seconds; its date form is not worth reading."""
    for name, scale in (("retry-after-ms", 1), ("retry-after", 1000)):
        try:
            wait = float(headers[name]) * scale
        except (KeyError, ValueError):
            continue
        if 0 <= wait <= LONGEST_RETRY_AFTER_MS:
            return int(wait)
    return DEFAULT_RETRY_AFTER_MS
