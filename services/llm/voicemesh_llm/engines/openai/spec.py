"""How the openai engine announces itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from voicemesh.errors import EngineMissing
from voicemesh.registry import EngineSpec, Probe, probe_import
from voicemesh_llm.engines.openai.settings import OpenAISettings

if TYPE_CHECKING:
    from voicemesh_llm.engines.openai.engine import OpenAIModel

EXTRA = "voicemesh-llm[openai]"


def _probe() -> Probe:
    return probe_import("httpx", "httpx", EXTRA)


def _make(settings: OpenAISettings) -> OpenAIModel:
    found = _probe()
    if not found.usable:
        raise EngineMissing(f"{found.reason}, which the openai engine needs; {found.cure}")
    from voicemesh_llm.engines.openai.engine import OpenAIModel

    return OpenAIModel(settings)


def _check(settings: OpenAISettings) -> Probe:
    import httpx

    url = f"{settings.base_url.rstrip('/')}/models"
    key = settings.key()
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    try:
        answer = httpx.get(url, headers=headers, timeout=settings.connect_timeout_s)
    except httpx.HTTPError as error:
        cure = "start the model server, or set llm.openai.base_url to where it is"
        return Probe(False, f"nothing answers at {url} ({error})", cure)
    if answer.status_code in (401, 403):
        return Probe(False, f"{url} refuses the key", "set llm.openai.api_key")
    if answer.status_code != httpx.codes.OK:
        cure = "set llm.openai.base_url to the server's address, with its /v1"
        return Probe(False, f"{url} answers {answer.status_code}", cure)
    return Probe(True, f"a server answers at {url}")


SPEC = EngineSpec(
    name="openai",
    summary="any OpenAI-compatible server: vLLM, llama.cpp, Ollama, OpenAI and others",
    licence="Apache-2.0",
    config_type=OpenAISettings,
    factory=_make,
    probe=_probe,
    check=_check,
    extra=EXTRA,
    tags=frozenset({"remote"}),
)
