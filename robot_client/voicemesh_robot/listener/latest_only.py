"""One piece of work at a time: a newer stamp replaces an older one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from voicemesh.aio import cancel_and_wait
from voicemesh.errors import Busy, Superseded
from voicemesh.stamps import label, order
from voicemesh.v1 import common_pb2 as pb


class LatestOnly:
    """Runs at most one piece of work at a time: the one of the newest stamp."""

    def __init__(self, what: str) -> None:
        """``what`` it does, for people: "listening"."""
        self._what = what
        self._task: asyncio.Task[None] | None = None
        self._ended = False
        self.stamp: pb.Stamp | None = None
        """Of the work under way; None: there is none."""

    async def run(self, stamp: pb.Stamp, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Do ``work``; older work is ended first.

        Busy where the stamp is under way already. Superseded where a newer one
        is, or comes before the work is done. Returns early after ``end``.
        """
        while self._task is not None and self.stamp is not None:
            self._refuse(stamp, self.stamp)
            await cancel_and_wait(self._task)
            await asyncio.sleep(0)  # Whoever ran it clears the stamp.
        task = self._task = asyncio.get_running_loop().create_task(work(), name=self._what)
        self.stamp, self._ended = stamp, False
        try:
            await asyncio.wait({task})
        finally:
            await cancel_and_wait(task)
            ended = self._ended
            if self._task is task:
                self._task = self.stamp = None
        if not task.cancelled():
            task.result()
        elif not ended:
            raise Superseded(
                f"newer work has ended {self._what} for {label(stamp)}",
                field="stamp",
                stage=pb.STAGE_ROBOT,
            )

    def _refuse(self, stamp: pb.Stamp, current: pb.Stamp) -> None:
        if order(stamp) == order(current):
            raise Busy(
                f"already {self._what} for {label(stamp)}; stop it, or come with a newer stamp",
                field="stamp",
                stage=pb.STAGE_ROBOT,
            )
        if order(stamp) < order(current):
            raise Superseded(
                f"{self._what} for {label(current)}, which is newer than {label(stamp)}",
                field="stamp",
                stage=pb.STAGE_ROBOT,
            )

    async def end(self) -> None:
        """End what is under way, quietly, and wait for it."""
        if self._task is not None:
            self._ended = True
            await cancel_and_wait(self._task)
