"""All services of a mesh, as children of this process."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from voicemesh.aio import cancel_and_wait
from voicemesh.errors import DeadlineExceeded
from voicemesh.supervisor.child import Child
from voicemesh.supervisor.plan import PlannedService, make_plan

log = logging.getLogger(__name__)

READY_WITHIN_S = 300.0
"""Loading a large model from a slow disk takes minutes; more means that it hangs."""


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
        report: Callable[[str], None] = log.info,
    ) -> None:
        """``names``: none means all that are installed.

        ``config`` and ``flags`` are as for ``voicemesh.settings.load``;
        ``ephemeral`` chooses free ports for all; ``state`` is a JSON file that is
        kept true and goes when the mesh stops; ``report`` gets a line whenever a
        service begins to serve.
        """
        plan = make_plan(names, config, flags or {}, ephemeral)
        arguments = plan.arguments()
        self.owners = {
            planned.name: Child(planned, arguments, self._changed) for planned in plan.owners
        }
        """The owners of the devices that the engines work on."""
        self.services = {
            planned.name: Child(planned, arguments, self._changed) for planned in plan.services
        }
        self._folders = plan.folders
        self._state = state
        self._report = report
        self._ready = False
        self._runs: set[asyncio.Task[None]] = set()

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
        # Engines open their devices when they load: the owners come first.
        await self._started([*self.owners.values()], within_s)
        await self._started([*self.services.values()], within_s)
        self._ready = True
        self._write_state()

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
        fronts = self._fronts()
        others = [child for child in self.services.values() if child not in fronts]
        self._ready = False
        for child in self._children():
            child.retire()
        groups: tuple[Sequence[Child[Any]], ...] = (fronts, others, [*self.owners.values()])
        for group in groups:
            await asyncio.gather(*(child.stop() for child in group))
        await asyncio.gather(*self._runs, return_exceptions=True)
        if self._state is not None:
            # Its process ids may soon belong to strangers.
            self._state.unlink(missing_ok=True)
        for folder in self._folders:
            shutil.rmtree(folder, ignore_errors=True)

    def kill(self) -> None:
        """End all services at once."""
        for child in self._children():
            child.kill()

    def _children(self) -> list[Child[Any]]:
        return [*self.services.values(), *self.owners.values()]

    def _changed(self, child: Child[Any]) -> None:
        again = f" again (restart {child.restarts})" if child.restarts else ""
        self._report(f"{child.name} serves on {child.planned.target}{again}")
        if self._ready:
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
