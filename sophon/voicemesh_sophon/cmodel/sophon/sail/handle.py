"""Handle, and what sail tells about devices."""

from __future__ import annotations

from typing import List

from ..simulator.device import Device, device
from ..simulator.libraries import SimulatorError
from .errors import SailDeviceError


class Handle:
    """The one simulated device, number 0."""

    def __init__(self, dev_id: int, /) -> None:
        if dev_id != 0:
            raise SailDeviceError(f"device {dev_id}: the simulator has device 0 alone")
        try:
            self._device = device()
        except SimulatorError as error:
            raise SailDeviceError(str(error)) from error

    def get_device_id(self) -> int:
        return 0

    def get_sn(self) -> str:
        """The serial number, which a simulator has not: "Error", as sail says it."""
        return "Error"

    def get_target(self) -> str:
        """The chip's name, BM1688 or BM1684X; sail on the simulator says "Error"."""
        return self._device.target


def device_of(handle: Handle) -> Device:
    """The device behind a handle."""
    return handle._device


def get_available_tpu_num() -> int:
    """How many devices there are: one."""
    return 1


def _unknown(what: str, dev_id: int) -> SailDeviceError:
    return SailDeviceError(f"device {dev_id}: a simulator has no {what}")


def get_tpu_util(dev_id: int, /) -> int:
    """Always raises: the simulator's number would be nonsense."""
    raise _unknown("utilisation", dev_id)


def get_dev_stat(dev_id: int, /) -> List[int]:
    """Always raises: the simulator's numbers would be nonsense."""
    raise _unknown("statistics", dev_id)


def get_chip_temp(dev_id: int, /) -> int:
    """Always raises, as sail does on the simulator."""
    raise _unknown("temperature", dev_id)


def get_board_temp(dev_id: int, /) -> int:
    """Always raises, as sail does on the simulator."""
    raise _unknown("temperature", dev_id)
