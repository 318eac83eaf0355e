"""Keeps a service whose engine works on a device true to that device's state."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from voicemesh.backoff import Backoff
from voicemesh.devices import DeviceWatch
from voicemesh.errors import VoiceMeshError
from voicemesh.server.service import Service

log = logging.getLogger(__name__)

_FIRST_BACKOFF_S = 0.2
_LONGEST_BACKOFF_S = 10.0


async def follow_device(
    service: Service, device: DeviceWatch, set_serving: Callable[[bool], Awaitable[None]]
) -> None:
    """Whenever the device is lost, have the engine made again when it is back.

    ``device`` is connected and the engine loaded. ``set_serving`` tells the world; what
    was under way on the device has failed by itself. Runs until cancelled.
    """
    while True:
        why = await device.lost()
        log.error("%s has lost %s: %s", service.name, device.name, why)
        await set_serving(False)
        backoff = Backoff(_FIRST_BACKOFF_S, _LONGEST_BACKOFF_S)
        while True:
            await service.unload()
            wait_s = backoff.next_s()
            try:
                await device.connect()
                await service.load()
                break
            except VoiceMeshError as error:
                log.warning("%s; %s tries again in %.1f s", error, service.name, wait_s)
            except Exception:  # A bug of an engine must not leave the service down for good.
                log.exception("%s cannot load; it tries again in %.1f s", service.name, wait_s)
            await asyncio.sleep(wait_s)
        log.info("%s has %s again", service.name, device.name)
        await set_serving(True)
