"""All services of a mesh, as children of this process."""

from __future__ import annotations

import asyncio
import json
import logging
import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any

from voicemesh.aio import cancel_and_wait
from voicemesh.errors import DeadlineExceeded, DeviceMissing, PortTaken, Unavailable
from voicemesh.supervisor.child import Child
from voicemesh.supervisor.events import MeshEvent
from voicemesh.supervisor.memory import held_bytes
from voicemesh.supervisor.plan import PlannedService, make_plan

log = logging.getLogger(__name__)

READY_WITHIN_S = 300.0
"""Loading a large model from a slow disk takes minutes; more means that it hangs."""
_DRAWS = 3
"""How often other free ports are tried, where somebody was quicker than a service of ours."""
_KNOCK_S = 1.0


def _log(event: MeshEvent) -> None:
    log.info("%s", event)


class Mesh:
    """Services that are started together, watched, and stopped together.

        async with Mesh(ephemeral=True) as mesh:
            channel = open_channel(mesh.target)

    Entering returns when all services are healthy. A service that dies later is
    replaced on the same port. Services die with the thread whose event loop runs
    the mesh, so that must be the main thread or one that lives as long.
    """

    def __init__(
        self,
        names: Sequence[str] = (),
        *,
        config: Path | None = None,
        flags: Mapping[str, str] | None = None,
        ephemeral: bool = False,
        state: Path | None = None,
        report: Callable[[MeshEvent], None] = _log,
    ) -> None:
        """``names``: none means all that are installed.

        ``config`` and ``flags`` are as for ``voicemesh.settings.load``;
        ``ephemeral`` chooses free ports for all; ``state`` is a JSON file that is
        kept true and goes when the mesh stops; ``report`` gets what happens.
        SettingsError where a setting is wrong, PortTaken where a port is somebody's.
        """
        self._state = state
        self._report = report
        self._ready = False
        self._runs: set[asyncio.Task[None]] = set()
        self._new_plan = partial(make_plan, names, config, flags or {}, ephemeral)
        self._take_plan()

    def _take_plan(self) -> None:
        plan = self._plan = self._new_plan()
        arguments = plan.arguments()
        self.owners = {
            planned.name: Child(planned, arguments, self._happened) for planned in plan.owners
        }
        """The owners of the devices that the engines work on."""
        self.services = {
            planned.name: Child(planned, arguments, self._happened, plan.watchdog_s)
            for planned in plan.services
        }

    @property
    def target(self) -> str:
        """Where clients dial; empty where no service that they dial is among these."""
        return next((front.planned.target for front in self._fronts()), "")

    @property
    def drain_grace_s(self) -> float:
        """How long what is under way may go on in a stop, in seconds.

        That of the front: once it has ended, nothing asks the other services for more.
        """
        asked = self._fronts() or self.services.values()
        return max((child.planned.drain_grace_s for child in asked), default=0.0)

    def _fronts(self) -> list[Child[PlannedService]]:
        """The services that clients dial."""
        return [child for child in self.services.values() if child.planned.spec.front]

    async def start(self, within_s: float = READY_WITHIN_S) -> None:
        """Start all services and wait until they are healthy.

        An error when one of them cannot start at all, or takes longer than
        ``within_s`` seconds; the others still run and want a ``stop``.
        """
        for draw in range(1, _DRAWS + 1):
            try:
                await self._start_all(within_s)
                break
            except PortTaken as error:
                drawn = all(service.drawn for service in self._plan.services)
                if not drawn or draw == _DRAWS:
                    raise
                self._report(MeshEvent("warning", f"{error}; drawing other ports"))
                await self._stop_all()
                self._take_plan()
        self._ready = True
        self._write_state()

    async def _start_all(self, within_s: float) -> None:
        # Engines open their devices when they load: the owners come first.
        try:
            await self._started([*self.owners.values()], within_s)
        except Unavailable as error:
            raise DeviceMissing(error.message) from None
        for name, target in self._plan.elsewhere.items():
            if not await _is_open(target):
                text = f"{name} is not among these services and nothing answers at {target}"
                self._report(MeshEvent("warning", text, service=name, target=target))
        await self._started([*self.services.values()], within_s)

    async def _started(self, children: Sequence[Child[Any]], within_s: float) -> None:
        """Run ``children`` and wait until all of them serve, or one of all cannot."""
        loop = asyncio.get_running_loop()
        self._runs |= {
            loop.create_task(child.run(), name=f"supervise {child.name}") for child in children
        }
        healthy = loop.create_task(_all_serving(children), name="all serve")
        try:
            done, _ = await asyncio.wait(
                {healthy, *self._runs}, timeout=within_s, return_when=asyncio.FIRST_COMPLETED
            )
            for task in done:
                task.result()
            if not done:
                late = ", ".join(child.name for child in children if not child.serving)
                raise DeadlineExceeded(
                    f"{late}: not ready within {within_s:.0f} s; see the messages above, "
                    "and `voicemesh doctor`"
                )
        finally:
            await cancel_and_wait(healthy)

    async def stop(self) -> None:
        """Drain and stop all services: first the one that uses the others."""
        await self._stop_all()
        if self._state is not None:
            # Its process ids may soon belong to strangers.
            self._state.unlink(missing_ok=True)

    async def _stop_all(self) -> None:
        fronts = self._fronts()
        others = [child for child in self.services.values() if child not in fronts]
        self._ready = False
        for child in self._children():
            child.retire()
        groups: tuple[Sequence[Child[Any]], ...] = (fronts, others, [*self.owners.values()])
        for group in groups:
            await asyncio.gather(*(child.stop() for child in group))
        await asyncio.gather(*self._runs, return_exceptions=True)
        self._runs.clear()
        self._plan.close()

    def held_bytes(self) -> int | None:
        """The memory of all its processes, without this one; see ``memory.held_bytes``."""
        return held_bytes(child.pid for child in self._children() if child.pid)

    def kill(self) -> None:
        """End all services at once."""
        for child in self._children():
            child.kill()

    def _children(self) -> list[Child[Any]]:
        return [*self.services.values(), *self.owners.values()]

    def _happened(self, event: MeshEvent) -> None:
        self._report(event)
        if self._ready and event.kind == "serves":
            self._write_state()

    def _write_state(self) -> None:
        if self._state is None:
            return
        services = {
            child.name: {
                "pid": child.pid,
                "target": child.planned.target,
                "metrics": child.planned.metrics,
                "restarts": child.restarts,
            }
            for child in self.services.values()
        }
        owners = {
            child.name: {
                "pid": child.pid,
                "target": child.planned.target,
                "restarts": child.restarts,
            }
            for child in self.owners.values()
        }
        state = {"target": self.target, "services": services, "owners": owners}
        text = json.dumps(state, indent=2)
        fresh = self._state.with_name(f"{self._state.name}.new")
        fresh.write_text(f"{text}\n", encoding="utf-8")
        os.replace(fresh, self._state)

    async def __aenter__(self) -> Mesh:
        """Start; what has been started is stopped again when that fails."""
        try:
            await self.start()
        except BaseException:
            await self.stop()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop."""
        await self.stop()


async def _all_serving(children: Sequence[Child[Any]]) -> None:
    for child in children:
        await child.wait_serving()


async def _is_open(target: str) -> bool:
    """Whether anybody takes connections at ``target``."""
    host, _, port = target.rpartition(":")
    try:
        async with asyncio.timeout(_KNOCK_S):
            _, writer = await asyncio.open_connection(host.strip("[]"), int(port))
    except (OSError, ValueError, TimeoutError):
        return False
    writer.close()
    return True
