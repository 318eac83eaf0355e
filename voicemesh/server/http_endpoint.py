"""What a process tells over HTTP: /metrics for Prometheus, /healthz and /readyz for probes."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Iterable
from http import HTTPStatus
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from prometheus_client import make_wsgi_app

_ALIVE_WITHIN_S = 2.0
_READ_WITHIN_S = 5.0
_MOST_CONNECTIONS = 16

Environ = dict[str, Any]
StartResponse = Callable[..., Any]


class HttpEndpoint:
    """A small server on a thread of its own: the event loop never waits for whoever asks.

    - ``/metrics``: what Prometheus scrapes.
    - ``/healthz``: 200 while the event loop turns, else 503.
    - ``/readyz``: 200 while the service is loaded and takes callers, else 503.
    """

    def __init__(self, host: str, port: int, ready: Callable[[], bool]) -> None:
        """Bind; OSError where that cannot be. To be made on the loop that is watched.

        ``port`` 0 is any free one; ``ready`` is asked from another thread.
        """
        self._loop = asyncio.get_running_loop()
        self._ready = ready
        self._metrics = make_wsgi_app()
        self._server = _server_class(host)((host, port), _Handler)
        self._server.set_app(self._answer)
        self.port: int = self._server.server_port
        self._thread = threading.Thread(
            target=self._server.serve_forever, name="metrics", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Answer no more; blocks for a moment."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _answer(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        match environ["PATH_INFO"]:
            case "/metrics":
                metrics: Iterable[bytes] = self._metrics(environ, start_response)
                return metrics
            case "/healthz":
                return _state(self._alive(), "the event loop does not turn", start_response)
            case "/readyz":
                why = "the service is loading, has lost its engine, or is stopping"
                return _state(self._ready(), why, start_response)
        told = "/metrics, /healthz and /readyz are here, and nothing else"
        return _text(HTTPStatus.NOT_FOUND, told, start_response)

    def _alive(self) -> bool:
        """Whether the event loop runs what it is given."""
        turned = threading.Event()
        try:
            self._loop.call_soon_threadsafe(turned.set)
        except RuntimeError:
            return False  # It has been closed.
        return turned.wait(_ALIVE_WITHIN_S)


def _state(well: bool, why_not: str, start_response: StartResponse) -> Iterable[bytes]:
    if well:
        return _text(HTTPStatus.OK, "ok", start_response)
    return _text(HTTPStatus.SERVICE_UNAVAILABLE, why_not, start_response)


def _text(status: HTTPStatus, text: str, start_response: StartResponse) -> Iterable[bytes]:
    headers = [("Content-Type", "text/plain; charset=utf-8"), ("Cache-Control", "no-store")]
    start_response(f"{status.value} {status.phrase}", headers)
    return [f"{text}\n".encode()]


class _Handler(WSGIRequestHandler):
    timeout = _READ_WITHIN_S  # Who says nothing more does not keep a thread.

    def log_message(self, format: str, *args: Any) -> None:
        """Probes come every few seconds: nothing of them is logged."""


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], handler: type[_Handler]) -> None:
        self._free = threading.BoundedSemaphore(_MOST_CONNECTIONS)
        super().__init__(address, handler)

    def server_bind(self) -> None:
        """Without the look-up of the host's name, which may take seconds."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = self.socket.getsockname()[:2]
        self.setup_environ()

    def process_request(self, request: Any, client_address: Any) -> None:
        """On a thread of its own; nobody gets one where all are taken."""
        if self._free.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """On that thread."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Whoever asked has gone away meanwhile, or asked nonsense."""


class _Ipv6Server(_Server):
    address_family = socket.AF_INET6


def _server_class(host: str) -> type[_Server]:
    return _Ipv6Server if ":" in host else _Server
