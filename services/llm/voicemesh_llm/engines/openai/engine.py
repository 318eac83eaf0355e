"""The openai engine: HTTP, timeouts and cancellation around a completion stream."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import httpx

from voicemesh import __version__
from voicemesh.errors import DeadlineExceeded, EngineError, Unavailable, VoiceMeshError
from voicemesh_llm.engines.engine import Capabilities, Event, Prompt
from voicemesh_llm.engines.openai.completion import Completion
from voicemesh_llm.engines.openai.failures import from_status
from voicemesh_llm.engines.openai.request_body import request_body
from voicemesh_llm.engines.openai.server_events import event_data
from voicemesh_llm.engines.openai.settings import OpenAISettings
from voicemesh_llm.token_estimate import estimate_tokens

log = logging.getLogger(__name__)

LONGEST_ERROR_BYTES = 65_536
LONGEST_LIST_BYTES = 4_000_000
AFTER_FINISH_S = 1.0
"""How long the usage may trail the finish: the reply is complete, somebody waits."""
KEEPALIVE_S = 60.0


class OpenAIModel:
    """A client of one server. Leaving a generation closes its connection, which ends it there."""

    name = "openai"

    def __init__(self, settings: OpenAISettings) -> None:
        """Nothing is sent before load()."""
        self._settings = settings
        self._base_url = settings.base_url.rstrip("/")
        self._model = settings.model
        self._context_tokens = settings.context_tokens
        self._client = httpx.AsyncClient(
            headers=self._headers(),
            timeout=httpx.Timeout(
                None, connect=settings.connect_timeout_s, pool=settings.connect_timeout_s
            ),
            limits=httpx.Limits(
                max_connections=settings.max_connections, keepalive_expiry=KEEPALIVE_S
            ),
            trust_env=settings.use_environment_proxy,
        )

    def _headers(self) -> dict[str, str]:
        headers = {"User-Agent": f"voicemesh/{__version__}", "Accept-Encoding": "identity"}
        if key := self._settings.key():
            headers["Authorization"] = f"Bearer {key}"
        return headers

    @property
    def model(self) -> str:
        """The model's name; empty until the server has told it."""
        return self._model

    @property
    def capabilities(self) -> Capabilities:
        """As the settings say: the API does not tell."""
        return Capabilities(
            tools=self._settings.tools,
            audio_input=self._settings.audio_input,
            speculative=True,
            context_tokens=self._context_tokens,
            model_choice=True,
        )

    async def load(self) -> None:
        """Look at the server. One that is not up yet is no reason not to start."""
        try:
            await self._discover()
        except VoiceMeshError as error:
            log.warning("the model server is not ready, requests fail until it is: %s", error)

    async def close(self) -> None:
        """Close all connections."""
        await self._client.aclose()

    def count_tokens(self, text: str) -> int:
        """An estimate: the API has no tokenizer."""
        return estimate_tokens(text)

    async def generate(self, prompt: Prompt) -> AsyncIterator[Event]:
        """Events of the reply; see LanguageModel."""
        if not prompt.model and not self._model:
            await self._discover()
        model = prompt.model or self._model
        request = self._client.build_request(
            "POST",
            f"{self._base_url}/chat/completions",
            json=request_body(prompt, self._settings, model),
            headers={"Accept": "text/event-stream"},
        )
        completion = Completion(self._base_url, model, self._settings.begins_in_thought)
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._settings.first_token_timeout_s
        response: httpx.Response | None = None
        try:
            async with asyncio.timeout_at(deadline):
                response = await self._send(request)
                await self._check(response, model)
            async with aclosing(event_data(response.aiter_bytes())) as datas:
                while not completion.complete:
                    # No timeout spans a yield: it would strike whoever takes the events.
                    async with asyncio.timeout_at(deadline):
                        data = await anext(datas, None)
                    if data is None:
                        break
                    prompt.counter.spend()  # As servers do it: a token, a chunk.
                    for event in completion.process(data):
                        yield event
                    deadline = loop.time() + self._patience_s(completion)
        except TimeoutError:
            if not completion.finished:
                raise self._too_late(response) from None
        except httpx.HTTPError as error:
            raise self._unreachable(error) from error
        finally:
            if response is not None:
                await response.aclose()
        for event in completion.end():
            yield event

    def _patience_s(self, completion: Completion) -> float:
        """How long to wait for the next data once there was some."""
        return AFTER_FINISH_S if completion.finished else self._settings.between_tokens_timeout_s

    async def _send(self, request: httpx.Request) -> httpx.Response:
        """Send and wait for the status. Tried twice where no connection came about.

        Nothing was sent then; anything later is not repeated, since the server may
        be generating already.
        """
        try:
            return await self._client.send(request, stream=True)
        except httpx.ConnectError:
            return await self._client.send(request, stream=True)

    async def _check(self, response: httpx.Response, model: str) -> None:
        """Raise the error behind any answer that is no event stream."""
        if response.status_code != 200:
            body = (await _read(response, LONGEST_ERROR_BYTES)).decode("utf-8", "replace")
            served = await self._names_served() if response.status_code == 404 else ""
            raise from_status(
                response.status_code,
                self._redacted(body),
                response.headers,
                self._base_url,
                model,
                served,
            )
        kind = response.headers.get("content-type", "")
        if not kind.startswith("text/event-stream"):
            raise EngineError(
                f"the server at {self._base_url} answered with {kind or 'no content type'} instead "
                "of an event stream; see that llm.openai.base_url is that of a chat API"
            )

    async def _discover(self) -> None:
        """Take the model's name and context from /models where the settings leave them open."""
        models = await self._models()
        if not self._model:
            if not models:
                raise Unavailable(
                    f"the model server at {self._base_url} lists no model; load one, or set "
                    "llm.openai.model"
                )
            self._model = str(models[0]["id"])
        chosen = next((m for m in models if m["id"] == self._model), {})
        context = chosen.get("max_model_len")
        if not self._settings.context_tokens and isinstance(context, int):
            self._context_tokens = context

    async def _models(self) -> list[dict[str, Any]]:
        """The models that the server lists."""
        try:
            async with (
                asyncio.timeout(self._settings.connect_timeout_s),
                self._client.stream("GET", f"{self._base_url}/models") as response,
            ):
                body = await _read(response, LONGEST_LIST_BYTES)
        except TimeoutError:
            raise Unavailable(
                f"the model server at {self._base_url} does not list its models in "
                f"{self._settings.connect_timeout_s:g} s; set llm.openai.model"
            ) from None
        except httpx.HTTPError as error:
            raise self._unreachable(error) from error
        if response.status_code != 200:
            text = self._redacted(body.decode("utf-8", "replace"))
            raise from_status(
                response.status_code, text, response.headers, self._base_url, self._model
            )
        try:
            listed = httpx.Response(200, content=body).json()["data"]
            return [model for model in listed if isinstance(model, dict) and model.get("id")]
        except (ValueError, KeyError, TypeError):
            raise EngineError(
                f"{self._base_url}/models is no list of models; see that llm.openai.base_url is "
                "that of a chat API, or set llm.openai.model"
            ) from None

    async def _names_served(self) -> str:
        """For the error of an unknown model: which ones there are."""
        try:
            names = [str(model["id"]) for model in await self._models()]
        except VoiceMeshError:
            return ""
        return ", ".join(names[:8])

    def _too_late(self, response: httpx.Response | None) -> DeadlineExceeded:
        if response is None:
            return DeadlineExceeded(
                f"the model server at {self._base_url} sent nothing for "
                f"{self._settings.first_token_timeout_s:g} s; use a faster model or raise "
                "llm.openai.first_token_timeout_s"
            )
        return DeadlineExceeded(
            f"the model server at {self._base_url} stalled in the middle of a reply; see its log, "
            "or raise llm.openai.between_tokens_timeout_s"
        )

    def _unreachable(self, error: httpx.HTTPError) -> VoiceMeshError:
        if isinstance(error, (httpx.ConnectError, httpx.ConnectTimeout)):
            return Unavailable(
                f"no model server answers at {self._base_url}; start it, or set llm.openai.base_url"
            )
        if isinstance(error, httpx.PoolTimeout):
            return Unavailable(
                "all connections to the model server are in use; raise llm.openai.max_connections"
            )
        if isinstance(error, httpx.TransportError):
            return Unavailable(
                f"the connection to the model server at {self._base_url} broke "
                f"({type(error).__name__}); try again, and see its log if it stays so"
            )
        return EngineError(f"the model server's answer cannot be read ({type(error).__name__})")

    def _redacted(self, text: str) -> str:
        """``text`` without the key, should the server repeat it."""
        key = self._client.headers.get("Authorization", "").removeprefix("Bearer ")
        return text.replace(key, "***") if key else text


async def _read(response: httpx.Response, most: int) -> bytes:
    """The first ``most`` bytes of the body."""
    body = b""
    async for piece in response.aiter_bytes():
        body += piece
        if len(body) >= most:
            break
    return body[:most]
