"""The vendor's runtime library, its device library and one chip's simulator, loaded.

A process simulates one chip for all its life: ``VOICEMESH_SOPHON_CHIP`` names it.
"""

from __future__ import annotations

import ctypes
import os
import sys
import threading
from typing import Any, Dict, Optional, Tuple

from . import array_margins, completion_poll, compute_memory, engine_threads, location
from .chatter import Chatter
from .structures import LaunchTensor, Memory, NetworkInfo

_DESTRUCTOR = "_ZN9bmruntime9BmruntimeD1Ev"  # Bmruntime::~Bmruntime()


class SimulatorError(Exception):
    """The simulator cannot be used here; the message names the cure."""


class Libraries:
    """``runtime`` (libbmrt) and ``device`` (libbmlib) with typed functions.

    ``chip`` is "bm1688" or "bm1684x"; ``chatter`` holds what the libraries print.
    """

    def __init__(self, chip: str) -> None:
        folder = location.folder(chip)
        self.chip = chip
        self.chatter = Chatter()
        # The order matters: each library finds the ones that it needs already there.
        self.device = ctypes.CDLL(str(folder / "libbmlib.so.0"), mode=ctypes.RTLD_GLOBAL)
        cmodel = ctypes.CDLL(str(folder / "libcmodel.so"), mode=ctypes.RTLD_GLOBAL)
        self.runtime = ctypes.CDLL(str(folder / "libbmrt.so.1.0"), mode=ctypes.RTLD_GLOBAL)
        self._declare()
        completion_poll.shorten(self.device)
        array_margins.widen(self.runtime)
        if chip == "bm1684x":  # The other one has one thread, and is told addresses at launch.
            compute_memory.separate(self.runtime)
            engine_threads.make_polite(cmodel)

    def _declare(self) -> None:
        status, handle, size = ctypes.c_int, ctypes.c_void_p, ctypes.c_uint32
        text, flag, pointer = ctypes.c_char_p, ctypes.c_bool, ctypes.POINTER
        tensors = (pointer(LaunchTensor), ctypes.c_int) * 2
        prototypes: Dict[ctypes.CDLL, Dict[str, Tuple[Any, ...]]] = {
            self.device: {
                "bm_dev_request": (status, pointer(handle), ctypes.c_int),
                "bm_get_chipid": (status, handle, pointer(ctypes.c_uint32)),
                "bm_get_tpu_scalar_num": (status, handle, pointer(ctypes.c_uint32)),
                "bm_malloc_device_byte": (status, handle, pointer(Memory), size),
                "bm_free_device": (None, handle, Memory),
                "bm_memcpy_s2d_partial_offset": (status, handle, Memory, handle, size, size),
                "bm_memcpy_d2s_partial_offset": (status, handle, handle, Memory, size, size),
                "bm_thread_sync": (status, handle),
                "bm_thread_sync_from_core": (status, handle, ctypes.c_int),
            },
            self.runtime: {
                "bmrt_create": (handle, handle),
                _DESTRUCTOR: (None, handle),
                "bmrt_set_flags": (None, handle, size),
                "bmrt_load_bmodel": (flag, handle, text),
                "bmrt_load_bmodel_data": (flag, handle, handle, ctypes.c_size_t),
                "bmrt_get_network_number": (ctypes.c_int, handle),
                "bmrt_get_network_name": (text, handle, ctypes.c_int),
                "bmrt_get_network_info": (pointer(NetworkInfo), handle, text),
                "bmrt_launch_tensor_ex": (flag, handle, text, *tensors, flag, flag),
                "bmrt_launch_tensor_multi_cores": (
                    flag, handle, text, *tensors, flag, flag, pointer(ctypes.c_int), ctypes.c_int,
                ),
            },
        }  # fmt: skip
        for library, functions in prototypes.items():
            for name, (result, *arguments) in functions.items():
                function = getattr(library, name)
                function.restype, function.argtypes = result, arguments

    def destroy(self, runtime: int) -> None:
        """Frees what a runtime has on the device, and leaves its own 4 KB where they are.

        The runtimes of a process share weights, and remember for ever which weights a
        network had, by its name and its runtime's address. A later runtime at the same
        address would give back what another one still uses (``CoeffMemory`` in libsophon's
        bmruntime_coeff.cpp), so the address is used once, other than by bmrt_destroy.
        """
        getattr(self.runtime, _DESTRUCTOR)(runtime)


def _choose_chip() -> str:
    chip = os.environ.get(location.CHIP_VARIABLE, location.CHIPS[0]).lower()
    if chip not in location.CHIPS:
        raise SimulatorError(
            f"{location.CHIP_VARIABLE}={chip} is no chip that can be simulated: "
            f"set it to one of {', '.join(location.CHIPS)}"
        )
    if not location.complete(chip):
        raise SimulatorError(
            f"the simulator of {chip} is not in {location.folder(chip)}: "
            f"run scripts/fetch_simulator {chip}"
        )
    return chip


_lock = threading.Lock()
_libraries: Optional[Libraries] = None


def libraries() -> Libraries:
    """The libraries of this process's chip, loaded by the first call.

    Raises SimulatorError when the chip is unknown or its libraries are not there.
    """
    global _libraries
    with _lock:
        if _libraries is None:
            chip = _choose_chip()
            print(
                f"sophon.sail: this is a simulator of {chip.upper()}, no TPU is used; "
                "it is slow and its speed says nothing about the chip",
                file=sys.stderr,
                flush=True,
            )
            try:
                _libraries = Libraries(chip)
            except OSError as error:
                raise SimulatorError(
                    f"the simulator of {chip} does not load ({error}): it needs Linux on x86-64 "
                    "with glibc 2.34 or newer"
                ) from error
        return _libraries
