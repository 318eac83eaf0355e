"""One supervised process: started, watched, restarted, stopped."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Generic, TypeVar

from voicemesh.aio import cancel_and_wait, within
from voicemesh.backoff import Backoff
from voicemesh.devices import PlannedProcess
from voicemesh.errors import SettingsError, Unavailable

log = logging.getLogger(__name__)

P = TypeVar("P", bound=PlannedProcess)

FIRST_BACKOFF_S = 0.1
LONGEST_BACKOFF_S = 5.0
STEADY_S = 10.0
"""Who has served this long begins again with the first back-off."""
START_ATTEMPTS = 3
"""Who has ended this often without ever serving will not be tried again."""
KILL_MARGIN_S = 5.0
"""What a service may take beyond its drain grace before it is killed."""
WRONG_SETTINGS = 2
"""The exit status that says that another attempt would end the same way."""


class Child(Generic[P]):
    """A service or the owner of a device, replaced whenever it ends."""

    def __init__(
        self, planned: P, arguments: Sequence[str], changed: Callable[[Child[Any]], None]
    ) -> None:
        """``changed`` is called whenever it begins to serve."""
        self.planned = planned
        self.restarts = 0
        self._arguments = arguments
        self._changed = changed
        self._process: asyncio.subprocess.Process | None = None
        self._retired = asyncio.Event()
        self._ever_served = False
        self._served = asyncio.Condition()
        self.serving = False

    @property
    def name(self) -> str:
        """The name of what it is."""
        return self.planned.name

    @property
    def pid(self) -> int:
        """The id of the process that runs now or ran last; 0 before the first."""
        return self._process.pid if self._process else 0

    async def wait_serving(self, restarts: int = 0) -> None:
        """Wait until it serves, having been restarted at least ``restarts`` times."""
        async with self._served:
            await self._served.wait_for(lambda: self.serving and self.restarts >= restarts)

    async def run(self) -> None:
        """Keep the service running; an error when it cannot start at all.

        SettingsError when the service says so itself, Unavailable when it ended
        several times without ever serving.
        """
        backoff = Backoff(FIRST_BACKOFF_S, LONGEST_BACKOFF_S)
        while True:
            status, served_s = await self._life()
            if self._retired.is_set():
                return
            if not self._ever_served:
                self._check_hope(status)
            if served_s >= STEADY_S:
                backoff.reset()
            self.restarts += 1
            wait_s = backoff.next_s()
            log.warning("%s ended %s; starting it again in %.1f s", self.name, status, wait_s)
            with suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._retired.wait()
                return

    def _check_hope(self, status: _Status) -> None:
        if status.code == WRONG_SETTINGS:
            raise SettingsError(f"{self.name} refuses its settings; what is wrong stands above")
        if self.restarts + 1 >= START_ATTEMPTS:
            raise Unavailable(
                f"{self.name} ended {START_ATTEMPTS} times before it was ready, "
                f"the last time {status}; its own messages stand above"
            )

    async def _life(self) -> tuple[_Status, float]:
        """Run one process to its end: how it ended, and how long it served."""
        loop = asyncio.get_running_loop()
        # A session of its own: Ctrl-C in a terminal reaches the supervisor
        # alone, which then stops all services in order.
        process = self._process = await asyncio.create_subprocess_exec(
            *self.planned.command(self._arguments),
            stdin=asyncio.subprocess.DEVNULL,
            start_new_session=True,
        )
        if self._retired.is_set():
            self.kill()
        ended = loop.create_task(process.wait(), name=f"{self.name} ends")
        ready = loop.create_task(self.planned.ready(), name=f"{self.name} serves")
        began: float | None = None
        try:
            await asyncio.wait({ended, ready}, return_when=asyncio.FIRST_COMPLETED)
            if not ended.done():
                ready.result()
                began = loop.time()
                self._ever_served = True
                self._changed(self)
                await self._set_serving(True)
            code = await ended
        finally:
            await cancel_and_wait(ready)
            await self._set_serving(False)
        return _Status(code), 0.0 if began is None else loop.time() - began

    async def _set_serving(self, value: bool) -> None:
        async with self._served:
            self.serving = value
            self._served.notify_all()

    def retire(self) -> None:
        """Replace it no more."""
        self._retired.set()

    async def stop(self) -> None:
        """Let it drain and end; kill it when it takes too long."""
        self.retire()
        process = self._process
        if process is None or process.returncode is not None:
            return
        self._signal(signal.SIGTERM)
        ended = asyncio.ensure_future(process.wait())
        if not await within(self.planned.drain_grace_s + KILL_MARGIN_S, ended):
            log.warning("%s does not end; killing process %d", self.name, process.pid)
            self.kill()
            await ended

    def kill(self) -> None:
        """End the process at once; it is not replaced."""
        self.retire()
        self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.returncode is None:
            with suppress(ProcessLookupError):
                self._process.send_signal(number)


class _Status:
    """How a process ended, for people."""

    def __init__(self, code: int) -> None:
        self.code = code

    def __str__(self) -> str:
        if self.code >= 0:
            return f"with status {self.code}"
        with suppress(ValueError):
            return f"by {signal.Signals(-self.code).name}"
        return f"by signal {-self.code}"
