"""Keeps a service whose engine sits on a chip true to that chip's state."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from voicemesh.errors import VoiceMeshError
from voicemesh.server.service import Service
from voicemesh_sophon.metrics import LOSSES
from voicemesh_sophon.watch import ChipWatch

log = logging.getLogger(__name__)

_FIRST_BACKOFF_S = 0.2
_LONGEST_BACKOFF_S = 10.0


async def follow_chip(
    service: Service, watch: ChipWatch, set_serving: Callable[[bool], Awaitable[None]]
) -> None:
    """Whenever the chip's owner goes, have the engine made again on its successor.

    ``watch`` is connected and the engine loaded. ``set_serving`` tells the world; what
    was under way on the chip has failed by itself. Runs until cancelled.
    """
    while True:
        why = await watch.lost()
        LOSSES.labels(service.name).inc()
        log.error("%s has lost chip %s: %s", service.name, watch.name, why)
        await set_serving(False)
        backoff = _FIRST_BACKOFF_S
        while True:
            await service.unload()
            try:
                await watch.connect()
                await service.load()
                break
            except VoiceMeshError as error:
                log.warning("%s; %s tries again in %.1f s", error, service.name, backoff)
            except Exception:  # A bug of an engine must not leave the service down for good.
                log.exception("%s cannot load; it tries again in %.1f s", service.name, backoff)
            await asyncio.sleep(backoff)
            backoff = min(2 * backoff, _LONGEST_BACKOFF_S)
        log.info("%s has chip %s again", service.name, watch.name)
        await set_serving(True)
