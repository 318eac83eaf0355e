"""What a process tells over HTTP: metrics, and whether it lives and is ready."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import pytest
import pytest_asyncio
from prometheus_client import Counter

from voicemesh.server.http_endpoint import HttpEndpoint
from voicemesh.supervisor import Mesh

ASKED = Counter("voicemesh_test_asked_total", "Made for a test", ["by"])


class Readiness:
    """Of the service whose endpoint it is."""

    ready = True


@pytest.fixture
def service() -> Readiness:
    return Readiness()


@pytest_asyncio.fixture
async def endpoint(service: Readiness) -> AsyncIterator[HttpEndpoint]:
    """One that is ready while its service is."""
    running = HttpEndpoint("127.0.0.1", 0, lambda: service.ready)
    yield running
    await asyncio.to_thread(running.close)


async def get(port: int, path: str, method: str = "GET") -> tuple[int, str, str]:
    """Status, headers and body."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"{method} {path} HTTP/1.0\r\n\r\n".encode())
    head, _, body = (await reader.read()).decode().partition("\r\n\r\n")
    writer.close()
    return int(head.split()[1]), head, body


async def test_metrics_are_exposed_without_created_series(endpoint: HttpEndpoint) -> None:
    ASKED.labels("me").inc()
    status, head, body = await get(endpoint.port, "/metrics")
    assert status == 200
    assert "text/plain; version=" in head
    assert 'voicemesh_test_asked_total{by="me"} 1.0' in body
    assert "_created" not in body


async def test_readiness_follows_the_service(endpoint: HttpEndpoint, service: Readiness) -> None:
    assert (await get(endpoint.port, "/readyz"))[0] == 200
    service.ready = False
    status, _, body = await get(endpoint.port, "/readyz")
    assert status == 503
    assert "loading" in body
    assert (await get(endpoint.port, "/healthz"))[0] == 200


@pytest.mark.parametrize("path", ["/", "/favicon.ico", "/metrics/", "/healthz/x", "/..%2f"])
async def test_there_is_nothing_else(endpoint: HttpEndpoint, path: str) -> None:
    assert (await get(endpoint.port, path))[0] == 404


async def test_a_loop_that_does_not_turn_is_not_healthy(
    endpoint: HttpEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("voicemesh.server.http_endpoint._ALIVE_WITHIN_S", 0.05)
    with socket.create_connection(("127.0.0.1", endpoint.port)) as probe:
        probe.sendall(b"GET /healthz HTTP/1.0\r\n\r\n")
        answer = probe.recv(100)  # Blocks the loop: that is what is told.
    assert b" 503 " in answer


async def test_those_who_ask_and_say_nothing_more_take_no_place_for_ever(
    endpoint: HttpEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("voicemesh.server.http_endpoint._Handler.timeout", 0.2)
    silent = [socket.create_connection(("127.0.0.1", endpoint.port)) for _ in range(40)]
    began = time.monotonic()
    while True:
        try:
            status, _, _ = await get(endpoint.port, "/healthz")
            break
        except (IndexError, ConnectionError):
            assert time.monotonic() - began < 10
    assert status == 200
    for each in silent:
        each.close()


async def test_a_service_is_ready_from_its_loading_to_its_drain(echoing: Any) -> None:
    async with echoing(started=False, loads_forever=True) as echo:
        starting = asyncio.ensure_future(echo.server.start())
        await echo.service.loading.wait()
        assert not echo.server.ready
        echo.service.gate.set()
        await starting
        assert echo.server.ready
        echo.server.request_stop()
        assert not echo.server.ready
        await echo.server.stop()


@pytest.mark.usefixtures("toyroom")
async def test_a_supervised_service_answers_probes_and_prometheus() -> None:
    async with Mesh(["echo"], flags={"echo.metrics_port": "9450"}, ephemeral=True) as mesh:
        url = urlsplit(mesh.services["echo"].planned.metrics)
        assert url.port is not None
        assert (await get(url.port, "/readyz"))[0] == 200
        assert (await get(url.port, "/healthz"))[0] == 200
        status, _, body = await get(url.port, url.path)
        assert status == 200
        assert 'service="echo"' in body
        assert "_created" not in body
