"""Settings of the openai engine."""

from __future__ import annotations

import os
from typing import Any, Literal

from pydantic import Field, SecretStr

from voicemesh.settings import Section


class OpenAISettings(Section):
    """``[llm.openai]``: any OpenAI-compatible server (vLLM, llama.cpp, Ollama, ...)."""

    base_url: str = Field(
        "http://127.0.0.1:8000/v1",
        pattern=r"^https?://\S+$",
        description="Where the server is, with its /v1. The default is vLLM's own.",
    )
    api_key: SecretStr = Field(
        SecretStr(""),
        description="Key for the server, best given as VOICEMESH_LLM__OPENAI__API_KEY; empty: "
        "none. Never logged or printed.",
    )
    api_key_env: str = Field(
        "",
        description="Environment variable that holds the key, such as OPENAI_API_KEY, where "
        "api_key is empty. None by default, so that a key goes only where it was meant to go.",
    )
    model: str = Field(
        "", description="The model's name; empty: the first that the server lists at /v1/models."
    )
    temperature: float | None = Field(
        None,
        ge=0,
        le=2,
        description="Sampling temperature where the request sets none; unset: the server's own.",
    )
    max_stop_strings: int = Field(
        4,
        ge=0,
        description="How many stop strings the server takes (OpenAI: 4). The service enforces all "
        "of them in any case; more here only saves tokens.",
    )
    max_tokens_field: Literal["max_tokens", "max_completion_tokens"] = Field(
        "max_tokens",
        description="The field that bounds the reply: max_tokens is understood everywhere, newer "
        "models of OpenAI insist on max_completion_tokens.",
    )
    extra_body: dict[str, Any] = Field(
        default_factory=dict,
        description="Merged into every request's JSON, for example "
        '{"chat_template_kwargs": {"enable_thinking": false}}, since thinking delays a voice.',
    )
    include_usage: bool = Field(
        True, description="Ask for token counts at the end of the stream. Off for old servers."
    )
    begins_in_thought: bool = Field(
        False,
        description="The model's text begins inside its reasoning and only </think> is written, "
        "as templates do that open <think> in the prompt.",
    )
    tools: bool = Field(True, description="Whether the model can call tools.")
    audio_input: bool = Field(
        False, description="Whether the model hears audio itself (input_audio parts)."
    )
    context_tokens: int = Field(
        0,
        ge=0,
        description="The model's context in tokens; 0: as the server tells (vLLM does), else "
        "not known.",
    )
    connect_timeout_s: float = Field(
        3.0, gt=0, le=60, description="Seconds to reach the server. A local one answers in 1 ms."
    )
    first_token_timeout_s: float = Field(
        12.0,
        gt=0,
        le=600,
        description="Seconds until the server's first data. A little less than "
        "llm.first_token_timeout_s, so that the error names the server.",
    )
    between_tokens_timeout_s: float = Field(
        8.0, gt=0, le=600, description="Seconds that a reply may stall before it is given up."
    )
    max_connections: int = Field(
        64,
        ge=1,
        le=4096,
        description="Connections to the server. Above llm.max_concurrent_streams.",
    )
    use_environment_proxy: bool = Field(
        False,
        description="Whether HTTP_PROXY and its like apply. Off, since most servers are local.",
    )

    def key(self) -> str:
        """The key for the server; empty where there is none."""
        key = self.api_key.get_secret_value()
        if not key and self.api_key_env:
            key = os.environ.get(self.api_key_env, "")
        return key
