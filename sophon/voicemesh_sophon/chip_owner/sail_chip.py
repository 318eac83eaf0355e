"""The chip through the vendor's sophon.sail: the only module that touches it.

Uses nothing that is not in sophon/voicemesh_sophon/sail_interface.toml, and asks by ``hasattr`` for
what older versions lack. Everything is checked before it comes here, because the oldest
versions end the process on a wrong argument.
"""

from __future__ import annotations

import glob
import os
import sys
from typing import Any, Sequence

import numpy as np

from .bmodel_file import BmodelFile
from .kinds import CORES, files_of
from .vendor_errors import MEMORY_CURE, explained

KINDS: dict[str, tuple[str, Any]] = {
    "float32": ("BM_FLOAT32", np.float32),
    "float16": ("BM_FLOAT16", np.float16),
    "int8": ("BM_INT8", np.int8),
    "uint8": ("BM_UINT8", np.uint8),
    "int16": ("BM_INT16", np.int16),
    "uint16": ("BM_UINT16", np.uint16),
    "int32": ("BM_INT32", np.int32),
    "uint32": ("BM_UINT32", np.uint32),
    "bfloat16": ("BM_BFLOAT16", np.uint16),
}
"""Element types: what sail calls them, and the numpy type that stores one."""

# sail takes arrays of these types only; the others travel as the bits of one of them.
_CARRIERS = {
    "float16": np.uint16,
    "bfloat16": np.uint16,
    "int16": np.uint16,
    "uint32": np.int32,
}
_NATIVE_ONLY = frozenset({"int16", "uint32"})  # 3.10.7 on: its own type, and no other

_WHEELS = ("sophon", "sophon_arm", "sophon_arm_pcie", "sophon_loongarch64", "sophon_riscv64")

Shape = Sequence[int]
Tensors = Sequence[Any]


class ChipError(Exception):
    """Something that was asked of the chip failed; the message names the cure."""


class SailChip:
    """One chip, opened once for each client."""

    def __init__(self, device: int, simulated: bool, target: str = "") -> None:
        """``target``: the chip's name where sail cannot tell it, such as on the simulator."""
        try:
            from sophon import sail
        except ImportError as error:
            raise ChipError(f"sophon.sail cannot be imported: {explained(str(error))}") from error
        self.sail: Any = sail
        self.device = device
        # A simulator has one device, whichever chip of an inventory it stands for.
        self._sail_device = 0 if simulated else device
        self.simulated = simulated
        self._native: dict[str, bool] = {}
        handle = self.handle()
        named = "" if handle.get_target() == "Error" else handle.get_target()
        self.target: str = (target or named).upper()
        self.cores = CORES.get(self.target, 1)
        self.abilities = self._abilities()
        self.versions = self._versions()
        self._handle = handle

    def handle(self) -> Any:
        """Another handle of the chip: what it is asked to do is ordered by itself."""
        try:
            return self.sail.Handle(self._sail_device)
        except Exception as error:
            raise ChipError(
                f"chip {self.device} cannot be opened: {explained(str(error))}"
            ) from error

    def _abilities(self) -> frozenset[str]:
        found = set()
        if hasattr(self.sail.Tensor, "nbytes"):  # It came together with views.
            found.add("views")
        if hasattr(self.sail, "EngineLLM"):
            found.add("own_io")
        if self.cores > 1:
            found.add("core_list")
        return frozenset(found)

    def _versions(self) -> dict[str, str]:
        from importlib import metadata

        found = {
            "python": ".".join(str(part) for part in sys.version_info[:3]),
            "numpy": np.__version__,
            "sail": str(getattr(self.sail, "__version__", "unknown")),
        }
        for wheel in _WHEELS:
            try:
                found["sail"] = metadata.version(wheel)
                break
            except metadata.PackageNotFoundError:
                continue
        if not self.simulated:
            for path in sorted(glob.glob("/opt/sophon/libsophon-[0-9]*")):
                found["libsophon"] = os.path.basename(path)[len("libsophon-") :]
            for path in glob.glob("/proc/bmsophon/driver_version"):
                with open(path) as file:
                    found["driver"] = " ".join(file.read().split())[:80]
        return found

    # Condition

    @property
    def leaks_handles(self) -> bool:
        """Whether the questions below keep a device handle each time: before 3.9.1.

        Views came with the same release.
        """
        return "views" not in self.abilities

    def statistics(self) -> dict[str, float]:
        """Memory in bytes and utilisation from 0 to 1. Opens the device once more.

        Empty where the numbers mean nothing: up to 3.10.2 a failure leaves them as they
        happen to be.
        """
        total_mb, used_mb, percent = self.sail.get_dev_stat(self._sail_device)[:3]
        if not (0 <= used_mb <= total_mb and total_mb > 0 and 0 <= percent <= 100):
            return {}
        return {
            "memory_total_bytes": total_mb * 2.0**20,
            "memory_used_bytes": used_mb * 2.0**20,
            "utilisation": percent / 100.0,
        }

    def celsius(self) -> dict[str, float]:
        """The temperature in °C. Opens the device once more; ChipError where it tells none."""
        celsius = self.sail.get_chip_temp(self._sail_device)
        if not celsius:  # Up to 3.10.2 nothing else tells of it.
            raise ChipError("0 °C: it is not supported")
        return {"temperature_celsius": float(celsius)}

    # Memory

    def allocate(self, handle: Any, shape: Shape, dtype: str) -> Any:
        """Device memory, zero filled."""
        kind = getattr(self.sail.Dtype, KINDS[dtype][0])
        try:
            tensor = self.sail.Tensor(handle, list(shape), kind, False, True)
        except Exception as error:
            raise ChipError(
                f"the chip gives no memory for {list(shape)} {dtype} "
                f"({explained(str(error))}); {MEMORY_CURE}"
            ) from error
        return tensor

    def view(self, tensor: Any, shape: Shape, offset: int) -> Any:
        """A tensor over part of another's memory, which it does not keep alive."""
        return self.sail.Tensor(tensor, list(shape), offset)

    def views(self, wanted: Sequence[tuple[Any, list[int], int, int]], position: int) -> list[Any]:
        """The same of several, each by its stride further on at each position."""
        make = self.sail.Tensor  # A decoder wants dozens of them for each token.
        return [
            make(tensor, shape, offset + position * stride)
            for tensor, shape, offset, stride in wanted
        ]

    def upload(self, tensor: Any, dtype: str, values: np.ndarray) -> None:
        """Bring an array of the tensor's shape and stored type to the device."""
        carried = values
        carrier = _CARRIERS.get(dtype)
        if carrier is not None and not (dtype in _NATIVE_ONLY and self._takes(tensor, dtype)):
            carried = values.view(carrier)
        tensor.update_data(np.ascontiguousarray(carried))

    def _takes(self, tensor: Any, dtype: str) -> bool:
        """Whether this sail takes arrays of that type as such."""
        if dtype not in self._native:
            trial = self.sail.Tensor(
                self._handle, [1], getattr(self.sail.Dtype, KINDS[dtype][0]), False, True
            )
            try:
                trial.update_data(np.zeros(1, KINDS[dtype][1]))
                self._native[dtype] = True
            except Exception:  # TypeError of the binding, or a sail error.
                self._native[dtype] = False
        return self._native[dtype]

    def download(self, tensor: Any, dtype: str) -> np.ndarray:
        """The tensor's elements, as they are stored."""
        return np.ascontiguousarray(tensor.asnumpy()).reshape(-1).view(KINDS[dtype][1])

    def copy(
        self, source: Any, source_offset: int, target: Any, target_offset: int, count: int
    ) -> None:
        """Copy elements between tensors of one type."""
        if self.simulated and "views" in self.abilities:
            # The plain copy ends the process on the BM1688 simulator.
            source = self.view(source, [count], source_offset)
            target = self.view(target, [count], target_offset)
            target.sync_d2d_stride(source, 1, 1, count)
        else:
            target.sync_d2d(source, source_offset, target_offset, count)

    # Models

    def check_chip(self, file: BmodelFile) -> None:
        """ChipError where the file was compiled for another chip, or for several."""
        if file.devices > 1:
            raise ChipError(
                f"{file.path} is spread over {file.devices} chips; "
                "fetch or compile it for a single one"
            )
        if self.target and files_of(self.target) != files_of(file.chip):
            raise ChipError(
                f"{file.path} was compiled for {file.chip}, but this chip is a {self.target}; "
                f"fetch or compile it for {self.target}"
            )

    def load(self, handle: Any, files: Sequence[BmodelFile], own_io: bool) -> LoadedModel:
        """Load files that ``check_chip`` has passed."""
        if own_io:
            return _OwnIoModel(self.sail, files[0].path, self._sail_device)
        return _PlainModel(self.sail, handle, [file.path for file in files])


class Launcher:
    """Runs a net with the same tensors again and again, or with other outputs."""

    def __init__(
        self, process: Any, net: str, inputs: dict[Any, Any], outputs: dict[Any, Any], *cores: Any
    ) -> None:
        """``process``: the engine's, which takes all of these."""
        self._process = process
        self._given = net, inputs, outputs, *cores
        self._outputs = outputs

    def launch(self) -> None:
        """Run it and wait for its end; other Python threads go on meanwhile.

        The tensors' shapes are those that it is launched with.
        """
        self._process(*self._given)

    def output(self, number: int) -> tuple[dict[Any, Any], Any]:
        """Where it looks for an output: a dictionary, and the name in it."""
        return self._outputs, list(self._outputs)[number]


class LoadedModel:
    """An engine of sail's."""

    takes_cores = False
    """Whether its launches can be told on which cores to run."""

    def launcher(self, net: str, inputs: Tensors, outputs: Tensors, cores: list[int]) -> Launcher:
        """What runs a net with these tensors."""
        raise NotImplementedError

    def own_tensor(self, net: str, side: str, index: int, stage: int) -> Any:
        """The runtime's own memory for an input or output."""
        raise ChipError(
            f"{net}: its memory belongs to no model that was loaded with own_io=True; "
            "make tensors of your own"
        )


class _PlainModel(LoadedModel):
    """sail.Engine: any number of files, tensors by name."""

    takes_cores = True

    def __init__(self, sail: Any, handle: Any, paths: Sequence[str]) -> None:
        self._engine = sail.Engine(handle)
        for path in paths:
            if not self._engine.load(path):
                raise ChipError(f"{path} cannot be loaded")
        self._names: dict[str, tuple[list[str], list[str]]] = {}
        for net in self._engine.get_graph_names():
            self._engine.set_io_mode(net, sail.IOMode.DEVIO)
            self._names[net] = (
                list(self._engine.get_input_names(net)),
                list(self._engine.get_output_names(net)),
            )

    def launcher(self, net: str, inputs: Tensors, outputs: Tensors, cores: list[int]) -> Launcher:
        input_names, output_names = self._names[net]
        ins, outs = dict(zip(input_names, inputs)), dict(zip(output_names, outputs))
        return Launcher(self._engine.process, net, ins, outs, cores)


class _OwnIoModel(LoadedModel):
    """sail.EngineLLM: one file, tensors by number, and the runtime's own memory."""

    def __init__(self, sail: Any, path: str, device: int) -> None:
        if not hasattr(sail, "EngineLLM"):
            raise ChipError(explained("sail has no attribute 'EngineLLM'"))
        # No flags. With BM_RUNTIME_SHARE_MEM, which the vendor's demos ask for, the nets of all
        # models of this process work in one piece of memory, which moves when a model comes
        # or goes. The runtime tells a net's own memory but once, at load.
        self._engine = sail.EngineLLM(path, [device])
        self._modes = {
            net: int(self._engine.get_addr_mode(net)) for net in self._engine.get_graph_names()
        }

    def launcher(self, net: str, inputs: Tensors, outputs: Tensors, cores: list[int]) -> Launcher:
        ins, outs = dict(enumerate(inputs)), dict(enumerate(outputs))
        return Launcher(self._engine.process, net, ins, outs)

    def own_tensor(self, net: str, side: str, index: int, stage: int) -> Any:
        alone = self._modes[net] == 1
        if side == "input":
            whole = (
                self._engine.get_input_tensors(net, stage)
                if alone
                else self._engine.get_input_tensors_addrmode0(net, stage)
            )
        else:
            whole = (
                self._engine.get_output_tensors(net, stage)
                if alone
                else self._engine.get_output_tensors_addrmode0(net, stage)
            )
        return whole[index]
