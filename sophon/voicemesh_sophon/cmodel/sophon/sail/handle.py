"""Handle, and what sail tells about devices."""

from __future__ import annotations

import os
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


def _not_supported(call: str) -> SailDeviceError:
    """What sail prints and raises where the device library's ``call`` is not supported."""
    os.write(1, f"[error] {call} failed, ret=9\n".encode())
    return SailDeviceError(f"{call} failed")


def get_tpu_util(dev_id: int, /) -> int:
    """Always raises: the simulator's number would be nonsense."""
    raise _not_supported("bm_get_stat")


def get_dev_stat(dev_id: int, /) -> List[int]:
    """Always raises: the simulator's numbers would be nonsense."""
    raise _not_supported("bm_get_stat")


def get_chip_temp(dev_id: int, /) -> int:
    """Always raises, as sail does on the simulator."""
    raise _not_supported("bm_get_chip_temp")


def get_board_temp(dev_id: int, /) -> int:
    """Always raises, as sail does on the simulator."""
    raise _not_supported("bm_get_board_temp")
