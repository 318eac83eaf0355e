"""The simulated device: memory, copies, and which core to wait for."""

from __future__ import annotations

import ctypes
import threading
from typing import Optional, Sequence

import numpy as np

from .libraries import libraries
from .structures import Memory

_RESULTS = (
    "success",
    "the device is not ready",
    "failure",
    "timeout",
    "wrong parameter",
    "no memory left on the device",
    "wrong data",
    "busy",
    "no such feature",
    "not supported",
)


class DeviceFailure(Exception):
    """A call of the device library failed."""


def _check(what: str, result: int) -> None:
    if result:
        known = 0 < result < len(_RESULTS)
        raise DeviceFailure(f"{what}: {_RESULTS[result] if known else f'error {result}'}")


class Device:
    """The one simulated chip of this process; use :func:`device` to get it.

    ``lock`` is held by whatever calls the vendor's libraries: two threads at once, even on
    different cores, end the process on a simulated BM1688.
    """

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self._library = libraries().device
        self.handle = ctypes.c_void_p()
        _check("opening the device", self._library.bm_dev_request(ctypes.byref(self.handle), 0))

    @property
    def target(self) -> str:
        """The chip's name as the vendor writes it: "BM1688" or "BM1684X"."""
        return libraries().chip.upper()

    @property
    def cores(self) -> int:
        """TPU cores of the chip."""
        count = ctypes.c_uint32()
        _check("cores", self._library.bm_get_tpu_scalar_num(self.handle, ctypes.byref(count)))
        return count.value

    def allocate(self, size: int) -> Memory:
        """``size`` bytes, contents undefined."""
        memory = Memory()
        with self.lock:
            result = self._library.bm_malloc_device_byte(self.handle, ctypes.byref(memory), size)
        _check(f"allocating {size} bytes", result)
        return memory

    def free(self, memory: Memory) -> None:
        with self.lock:
            self._library.bm_free_device(self.handle, memory)

    def write(self, memory: Memory, array: np.ndarray, offset: int = 0) -> None:
        """Copies a C-contiguous host array to ``offset`` bytes behind the start."""
        with self.lock:
            result = self._library.bm_memcpy_s2d_partial_offset(
                self.handle, memory, array.ctypes.data, array.nbytes, offset
            )
        _check("copy to the device", result)

    def read(self, array: np.ndarray, memory: Memory, offset: int = 0) -> None:
        """Fills a C-contiguous host array from ``offset`` bytes behind the start."""
        with self.lock:
            result = self._library.bm_memcpy_d2s_partial_offset(
                self.handle, array.ctypes.data, memory, array.nbytes, offset
            )
        _check("copy from the device", result)

    def copy(self, target: Memory, source: Memory) -> None:
        """Copies all of ``source``, through the host.

        The device's own copy ends the process on a simulated BM1688, because its message
        lacks a count that the simulator insists on.
        """
        data = np.empty(source.size, np.uint8)
        self.read(data, source)
        self.write(target, data)

    def wait(self, cores: Sequence[int]) -> None:
        """Until all launches are done: of the given cores, or of all if none is given."""
        if not cores:
            _check("waiting for the device", self._library.bm_thread_sync(self.handle))
        for core in cores:
            _check(
                f"waiting for core {core}",
                self._library.bm_thread_sync_from_core(self.handle, core),
            )


_lock = threading.Lock()
_device: Optional[Device] = None


def device() -> Device:
    """The process's device, opened by the first call."""
    global _device
    with _lock:
        if _device is None:
            _device = Device()
        return _device
