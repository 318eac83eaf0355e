"""Announces the openai engine."""

from typing import Any

from voicemesh.errors import EngineMissing
from voicemesh.registry import EngineSpec, Probe, probe_import
from voicemesh_llm.engines.openai.settings import OpenAISettings

EXTRA = "voicemesh-llm[openai]"


def _probe() -> Probe:
    return probe_import("httpx", "httpx", EXTRA)


def _make(settings: OpenAISettings) -> Any:
    found = _probe()
    if not found.usable:
        raise EngineMissing(f"{found.reason}, which the openai engine needs; {found.cure}")
    from voicemesh_llm.engines.openai.engine import OpenAIModel

    return OpenAIModel(settings)


SPEC = EngineSpec(
    name="openai",
    summary="any OpenAI-compatible server: vLLM, llama.cpp, Ollama, OpenAI and others",
    licence="Apache-2.0",
    config_type=OpenAISettings,
    factory=_make,
    probe=_probe,
    extra=EXTRA,
    tags=frozenset({"remote"}),
)
