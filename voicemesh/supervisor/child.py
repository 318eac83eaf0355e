"""One supervised process: started, watched, restarted, stopped."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Generic, TypeVar
from uuid import uuid4

from voicemesh.aio import cancel_and_wait, within
from voicemesh.backoff import Backoff
from voicemesh.devices import PlannedProcess
from voicemesh.errors import DeviceMissing, PortTaken, SettingsError, Unavailable
from voicemesh.supervisor.events import MeshEvent

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
ASK_AGAIN_S = 2.0
"""Who has not answered may have slept with the whole machine, and is asked once more."""
ASKED_PER_LIMIT = 3
"""How often within the watchdog's time a service is asked how it is."""


class Child(Generic[P]):
    """A service or the owner of a device, replaced whenever it ends."""

    def __init__(
        self,
        planned: P,
        arguments: Sequence[str],
        happened: Callable[[MeshEvent], None],
        watchdog_s: float = 0.0,
    ) -> None:
        """``happened`` is told when it serves, when it ends and when it hangs.

        ``watchdog_s``: after so many seconds without an answer it is replaced; 0: never.
        """
        self.planned = planned
        self.restarts = 0
        self._arguments = arguments
        self._happened = happened
        self._watchdog_s = watchdog_s
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
            text = f"{self.name} ended {status}; starting it again in {wait_s:.1f} s"
            log.warning("%s", text)
            self._happened(
                MeshEvent("ended", text, service=self.name, status=status.code, again_in_s=wait_s)
            )
            with suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._retired.wait()
                return

    def _check_hope(self, status: _Status) -> None:
        if status.code == PortTaken.exit_status:
            raise PortTaken(f"another process has taken a port of {self.name} meanwhile")
        if status.code == SettingsError.exit_status:
            raise SettingsError(f"{self.name} refuses its settings; what is wrong stands above")
        if self.restarts + 1 >= START_ATTEMPTS:
            missing = status.code == DeviceMissing.exit_status
            raise (DeviceMissing if missing else Unavailable)(
                f"{self.name} ended {START_ATTEMPTS} times before it was ready, "
                f"the last time {status}; its own messages stand above"
            )

    async def _life(self) -> tuple[_Status, float]:
        """Run one process to its end: how it ended, and how long it served."""
        loop = asyncio.get_running_loop()
        # A session of its own: Ctrl-C in a terminal reaches the supervisor
        # alone, which then stops all services in order.
        instance = uuid4().hex
        process = self._process = await asyncio.create_subprocess_exec(
            *self.planned.command(self._arguments, instance),
            stdin=asyncio.subprocess.DEVNULL,
            start_new_session=True,
        )
        if self._retired.is_set():
            self.kill()
        ended = loop.create_task(process.wait(), name=f"{self.name} ends")
        ready = loop.create_task(self.planned.ready(instance), name=f"{self.name} serves")
        silent: asyncio.Task[None] | None = None
        began: float | None = None
        try:
            await asyncio.wait({ended, ready}, return_when=asyncio.FIRST_COMPLETED)
            if not ended.done():
                ready.result()
                began = loop.time()
                self._ever_served = True
                self._tell_serving()
                await self._set_serving(True)
                if self._watchdog_s:
                    silent = loop.create_task(self._replace_when_silent(process))
            code = await ended
        finally:
            await cancel_and_wait(ready, silent)
            await self._set_serving(False)
        return _Status(code), 0.0 if began is None else loop.time() - began

    def _tell_serving(self) -> None:
        again = f" again (restart {self.restarts})" if self.restarts else ""
        self._happened(
            MeshEvent(
                "serves",
                f"{self.name} serves on {self.planned.target}{again}",
                service=self.name,
                target=self.planned.target,
                pid=self.pid,
                restarts=self.restarts,
            )
        )

    async def _replace_when_silent(self, process: asyncio.subprocess.Process) -> None:
        """Kill the process once it has not answered for the watchdog's time: it hangs."""
        pause_s = self._watchdog_s / ASKED_PER_LIMIT
        while True:
            await asyncio.sleep(pause_s)
            if self._retired.is_set():
                return
            if await self.planned.answers(self._watchdog_s - pause_s):
                continue
            if await self.planned.answers(ASK_AGAIN_S) or self._retired.is_set():
                continue
            text = (
                f"{self.name} has not answered for {self._watchdog_s + ASK_AGAIN_S:g} s "
                "(mesh.watchdog_s); killing it"
            )
            log.error("%s", text)
            self._happened(MeshEvent("hangs", text, service=self.name, pid=process.pid))
            with suppress(ProcessLookupError):
                process.kill()
            return

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
