"""A child process that holds an engine and serves one call at a time."""

from __future__ import annotations

import asyncio
import logging
import math
import socket
import sys
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import suppress
from typing import Any

from voicemesh.aio import uninterrupted
from voicemesh.errors import EngineError, VoiceMeshError
from voicemesh.work_counter import WorkCounter
from voicemesh.workers import wire
from voicemesh.workers.hang import HANG_S

log = logging.getLogger(__name__)

_EXIT_GRACE_S = 2.0
_CANCEL_GRACE_S = 2.0


class ProcessWorker:
    """An engine in a process of its own.

    ``target`` is ``"package.module:factory"``; the child calls it with
    ``config`` (anything that pickles) and keeps the object that it returns.
    """

    def __init__(self, target: str, config: Any, name: str, cores: Sequence[int] = ()) -> None:
        """``name`` is for logs and errors; all threads are kept on ``cores``, none: any."""
        self._target = target
        self._config = config
        self.name = name
        self._cores = cores
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.StreamReader
        self._writer: asyncio.StreamWriter
        self._turn = asyncio.Lock()
        self._broken = False

    @property
    def alive(self) -> bool:
        """Whether the child runs and answers."""
        return self._process is not None and self._process.returncode is None and not self._broken

    async def ended(self) -> None:
        """Wait until the child has ended, for whatever reason."""
        if self._process is not None:
            await self._process.wait()

    @property
    def pid(self) -> int:
        """The child's process id; 0 before the start."""
        return self._process.pid if self._process else 0

    async def start(self) -> None:
        """Start the child and wait until its engine is ready; EngineError if it fails."""
        ours, theirs = socket.socketpair()
        try:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-P",  # What lies in the folder where we were started is none of our modules.
                "-m",
                "voicemesh.workers.child",
                str(theirs.fileno()),
                self._target,
                ",".join(map(str, self._cores)),
                stdin=asyncio.subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                # Ctrl-C is for who owns it: here it would end what is still importing,
                # with a traceback on the terminal.
                start_new_session=True,
            )
        finally:
            theirs.close()
        try:
            self._reader, self._writer = await asyncio.open_unix_connection(sock=ours)
            self._writer.write(wire.encode(("config", self._config)))
            answer = await wire.read(self._reader)
        except EOFError:
            await self.close()
            raise EngineError(f"{self.name}: the process ended while it was starting") from None
        except asyncio.CancelledError:
            self._broken = True
            with suppress(ProcessLookupError):
                self._process.kill()  # Nobody will own it.
            await uninterrupted(self._process.wait(), f"end of {self.name}")
            raise
        if answer[0] == "error":
            await self.close()
            raise answer[1]

    async def call(self, method: str, *args: Any) -> Any:
        """Call a method of the engine; its exception is raised here."""
        async with self._turn:
            # Shielded: a caller that goes away must not leave a result unread,
            # it would be taken for the answer to the next call.
            answer = asyncio.ensure_future(self._ask(method, args))
            try:
                return await asyncio.shield(answer)
            except asyncio.CancelledError:
                await self._forget(answer)
                raise

    async def _forget(self, answer: asyncio.Future[Any]) -> None:
        """Wait for an answer that nobody wants; a second cancel gives up the child."""
        try:
            with suppress(VoiceMeshError):
                await answer
        except asyncio.CancelledError:
            self._broken = True  # Half an answer would be taken for another one.
            raise

    async def stream(
        self, method: str, *args: Any, counter: WorkCounter | None = None
    ) -> AsyncGenerator[Any, None]:
        """Call a method that emits items. Closing the iterator cancels the call.

        ``counter`` counts the items that come, and as late those that the child makes
        once it is told that nobody wants more; cancelling it tells the child at once.
        """
        counter = counter or WorkCounter()
        async with self._turn:
            pending: asyncio.Future[tuple[str, Any]] | None = None
            answer: tuple[str, Any] = ("item", None)
            told_s = math.inf

            def tell() -> None:
                nonlocal told_s
                if told_s == math.inf and self.alive:
                    self._writer.write(wire.encode(("cancel",)))
                    told_s = time.monotonic()  # Of what is made from now on, the child knows.

            try:
                counter.on_cancel = tell
                await self._send("call", method, args, True)
                while True:
                    pending = asyncio.ensure_future(self._next())
                    answer = await asyncio.shield(pending)
                    pending = None
                    if answer[0] != "item":
                        break
                    counter.made += 1
                    yield answer[1]
                if answer[0] == "error":
                    raise answer[1]
            finally:
                counter.on_cancel = None
                if answer[0] == "item":
                    tell()
                made_s: Sequence[float] = ()
                if answer[0] == "cancelled":
                    made_s = answer[1]
                elif told_s < math.inf and self.alive:
                    # A second cancel must not leave half an answer to the next call.
                    made_s = await uninterrupted(self._ending(pending), f"cancel {self.name}")
                unwanted_s = min(told_s, counter.cancelled_s)
                counter.late += sum(moment_s > unwanted_s for moment_s in made_s)

    async def _ending(self, pending: asyncio.Future[tuple[str, Any]] | None) -> Sequence[float]:
        """Wait until the child has stopped; when it made its newest items."""
        answer: tuple[str, Any] = ("item", None)
        try:
            async with asyncio.timeout(_CANCEL_GRACE_S):
                while answer[0] != "cancelled":
                    answer = await (pending or self._next())
                    pending = None
        except EngineError:
            return ()  # It died meanwhile, which ends the call as well.
        except TimeoutError:
            self._broken = True  # Its owner replaces it, which kills it.
            log.warning("%s does not stop; giving it up", self.name)
            return ()
        made_s: Sequence[float] = answer[1]
        return made_s

    async def _send(self, *message: Any) -> None:
        if not self.alive:
            raise EngineError(f"{self.name}: the process has died; it is being replaced, try again")
        try:
            self._writer.write(wire.encode(message))
            await self._writer.drain()
        except (ConnectionError, BrokenPipeError):
            raise self._lost() from None

    async def _next(self) -> tuple[str, Any]:
        try:
            async with asyncio.timeout(HANG_S):
                message = await wire.read(self._reader)
        except EOFError:
            raise self._lost() from None
        except TimeoutError:
            raise self._hung() from None
        return message[0], message[1]

    async def _ask(self, method: str, args: tuple[Any, ...]) -> Any:
        await self._send("call", method, args, False)
        kind, value = await self._next()
        if kind == "error":
            raise value
        return value

    def _hung(self) -> EngineError:
        """Kill the child, which its owner then replaces."""
        self._broken = True
        if self._process is not None:
            with suppress(ProcessLookupError):
                self._process.kill()
        log.error("%s has not answered for %g s; killing process %d", self.name, HANG_S, self.pid)
        return EngineError(f"{self.name}: the process hung for {HANG_S:g} s; try again")

    def _lost(self) -> EngineError:
        self._broken = True
        return EngineError(f"{self.name}: the process died during the call; try again")

    async def close(self) -> None:
        """End the child: ask, then kill."""
        if self._process is None:
            return
        process = self._process
        self._broken = True
        if process.returncode is None:
            with suppress(ConnectionError, RuntimeError):
                self._writer.write(wire.encode(("exit",)))
                self._writer.close()
            waiting = asyncio.ensure_future(process.wait())
            done, _ = await asyncio.wait({waiting}, timeout=_EXIT_GRACE_S)
            if not done:
                log.warning("%s does not end; killing process %d", self.name, process.pid)
                with suppress(ProcessLookupError):
                    process.kill()
                await waiting
        else:
            self._writer.close()
