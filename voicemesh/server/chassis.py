"""The life of a service process."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
from collections.abc import Callable, Sequence
from contextlib import suppress

import grpc.aio
import uvloop
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from voicemesh import __version__, logs, metrics, tracing
from voicemesh.aio import TaskSet, cancel_and_wait, within
from voicemesh.errors import DeviceMissing, PortTaken, VoiceMeshError
from voicemesh.grpc_client import MAX_MESSAGE_BYTES
from voicemesh.server.batch_scheduling import BatchScheduling
from voicemesh.server.device_following import follow_device
from voicemesh.server.door import Door
from voicemesh.server.http_endpoint import HttpEndpoint
from voicemesh.server.hung_engine import end_when_an_engine_hangs
from voicemesh.server.operations import Operations
from voicemesh.server.service import Service, ServiceSpec
from voicemesh.server.stall import StallDetector
from voicemesh.settings import Settings
from voicemesh.v1 import common_pb2, operations_pb2
from voicemesh.v1.operations_pb2_grpc import add_OperationsServiceServicer_to_server

log = logging.getLogger(__name__)

# Keepalive finds dead peers in about 30 s; both sides must agree on the pace
# (a stricter server answers "too many pings").
SERVER_OPTIONS: Sequence[tuple[str, int]] = (
    ("grpc.so_reuseport", 0),  # A second server on the port is an error, not a silent twin.
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
    ("grpc.http2.max_pings_without_data", 0),
    # 60 s at 48 kHz, the longest recording that Recognize takes, are 5.76 MB.
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
)


class Server:
    """One service on one port: start, drain, stop. Used by ``run`` and by tests."""

    def __init__(self, service: Service, instance: str = "") -> None:
        """Nothing happens before ``start``. ``instance``: see Operations."""
        self._service = service
        self._server = grpc.aio.server(interceptors=[Door(service.stage)], options=SERVER_OPTIONS)
        self._health = health.aio.HealthServicer()
        self._operations = Operations(service, self.request_stop, instance)
        self._stop = asyncio.Event()
        self._serving = False
        self._grace_s = service.settings.drain_grace_s
        self._tasks = TaskSet()
        self._following: asyncio.Task[None] | None = None
        self._names: list[str] = []
        self.stalls = StallDetector()
        self.port = 0

    async def start(self) -> None:
        """Open the port, load the service, report SERVING."""
        settings = self._service.settings
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        add_OperationsServiceServicer_to_server(self._operations, self._server)
        names = [*self._service.register(self._server), "voicemesh.v1.OperationsService"]
        reflection.enable_server_reflection(
            [*names, health.SERVICE_NAME, reflection.SERVICE_NAME], self._server
        )
        address = f"{settings.host}:{settings.port}"
        try:
            self.port = self._server.add_insecure_port(address)
        except RuntimeError:
            raise PortTaken(
                f"{address} cannot be bound; is another process using it? "
                f"Set {self._service.name}.port to a free one",
                field=f"{self._service.name}.port",
            ) from None
        self._names = ["", *names]
        await self._set_health(health_pb2.HealthCheckResponse.NOT_SERVING)
        await self._server.start()
        device = self._service.device
        if device is not None:
            try:
                await device.connect()
            except VoiceMeshError as error:
                raise DeviceMissing(error.message, stage=self._service.stage) from None
        await self._service.load()
        await self._set_serving(True)
        if device is not None:
            following = follow_device(self._service, device, self._set_serving)
            self._following = self._tasks.start(following, "follow the device")
        described = operations_pb2.DescribeResponse()
        self._service.describe(described)
        metrics.BUILD.info(
            {
                "version": __version__,
                "service": self._service.name,
                "engine": described.engine,
                "model": described.model,
            }
        )
        self._tasks.start(self.stalls.run(), "stall detector")
        log.info("%s serves on %s:%d", self._service.name, settings.host, self.port)
        if self._service.on_serving is not None:
            self._service.on_serving(f"{settings.host}:{self.port}")

    async def _set_health(self, status: int) -> None:
        for name in self._names:
            await self._health.set(name, status)

    async def _set_serving(self, serving: bool) -> None:
        """Say whether the engine works."""
        self._serving = serving
        states = health_pb2.HealthCheckResponse
        await self._set_health(states.SERVING if serving else states.NOT_SERVING)
        if not self.stopping:
            self._operations.state = (
                operations_pb2.PROCESS_STATE_SERVING
                if serving
                else operations_pb2.PROCESS_STATE_FAILED
            )

    def request_stop(self, grace_s: float | None = None) -> None:
        """Ask for a drain, then a stop."""
        if grace_s is not None:
            self._grace_s = grace_s
        self._stop.set()

    @property
    def stopping(self) -> bool:
        """Whether a stop has been asked for."""
        return self._stop.is_set()

    @property
    def ready(self) -> bool:
        """Whether the service is loaded and takes callers; may be asked from any thread."""
        return self._serving and not self.stopping

    async def wait(self) -> None:
        """Wait until a stop has been asked for."""
        await self._stop.wait()

    async def stop(self) -> None:
        """Drain: refuse new streams, let live ones finish within the grace, then end."""
        await self._health.enter_graceful_shutdown()
        self._operations.state = operations_pb2.PROCESS_STATE_DRAINING
        notice = common_pb2.DrainNotice(reason="stopping", grace_ms=int(self._grace_s * 1000))
        self._service.admission.close()
        try:
            await self._service.drain(notice)
            idle = self._tasks.start(self._service.admission.idle(), "drain")
            await within(self._grace_s, idle)
        finally:
            await self._server.stop(0.5)
            await cancel_and_wait(self._following)
            await self._service.close()
            await self._tasks.close()
            if self._service.device is not None:
                await self._service.device.close()


def _open_http(service: Service, ready: Callable[[], bool]) -> None:
    """Metrics and probes, on a thread that ends with the process."""
    settings = service.settings
    if settings.metrics_port < 0:
        return
    try:
        endpoint = HttpEndpoint(settings.host, settings.metrics_port, ready)
    except OSError as error:
        raise PortTaken(
            f"metrics cannot be served on {settings.host}:{settings.metrics_port} "
            f"({error.strerror}); set {service.name}.metrics_port to a free port, or to -1",
            field=f"{service.name}.metrics_port",
        ) from None
    log.info("metrics on http://%s:%d/metrics", settings.host, endpoint.port)


async def _serve(spec: ServiceSpec, settings: Settings, instance: str) -> None:
    loop = asyncio.get_running_loop()
    main = asyncio.current_task()
    assert main is not None

    def on_signal() -> None:
        if server.stopping:
            log.warning("second signal: stopping at once")
            main.cancel()
        server.request_stop()

    # First of all: a signal that comes while the service imports its libraries waits
    # until the loop runs, when there is a server to stop.
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_signal)
    service = spec.factory(settings)
    tracing.configure(spec.name, settings.mesh.tracing_endpoint)
    service.admission.changed = BatchScheduling().count
    server = Server(service, instance)
    _open_http(service, lambda: server.ready)
    start = loop.create_task(server.start(), name="start")
    stop = loop.create_task(server.wait(), name="stop asked for")
    hangs: asyncio.Task[None] | None = None
    try:
        # Whoever is told to stop while a model loads does not load it to the end.
        await asyncio.wait({start, stop}, return_when=asyncio.FIRST_COMPLETED)
        if start.done():
            start.result()
            # What is loaded lives as long as the process: a collection that looked
            # through all of it would hold the loop up for tens of milliseconds.
            gc.collect()
            gc.freeze()
            # Full collections wait until a quarter of what the last one saw is new:
            # without this one, until the cycles of thousands of conversations are.
            gc.collect()
            hangs = loop.create_task(end_when_an_engine_hangs(lambda: server.ready), name="hangs")
            await stop
        log.info("%s drains", spec.name)
    finally:
        with suppress(asyncio.CancelledError):
            await cancel_and_wait(start, stop, hangs)
            await server.stop()
        tracing.close()


def run(spec: ServiceSpec, settings: Settings, instance: str = "") -> None:
    """Run a service until SIGTERM or SIGINT; a second signal stops it at once.

    ``instance`` is how the process names itself to who started it; empty: as it likes.
    """
    logs.configure(spec.name, settings.mesh)
    with suppress(asyncio.CancelledError):
        uvloop.run(_serve(spec, settings, instance))
