"""What a bmodel file says about itself, read without a chip.

A bmodel is a header, a flatbuffer table and the data that the table points at. Only
header and table are read, so a file of gigabytes takes milliseconds. The layout is
that of ``model.fbs`` in the vendor's libsophon (tpu-bmodel), field numbers included.

Sizes in bytes. This module runs on Python 3.8, because the chip owner does.
"""

from __future__ import annotations

import os
import re
import struct
from dataclasses import dataclass

from .flatbuffer import Table
from .kinds import CORES

_MAGIC = 0xFF55AAEE
_HEADER = struct.Struct("<IIIQ")  # magic, bytes of header, table and data
_DTYPES = (
    *("float32", "float16", "int8", "uint8", "int16"),
    *("uint16", "int32", "uint32", "bfloat16"),
)
_BITS_16, _BITS_8 = frozenset({1, 4, 5, 8}), frozenset({2, 3})

# Field numbers of the tables that are read.
_VERSION, _TIME, _CHIP, _NETS, _KERNEL, _DEVICES = 1, 2, 3, 4, 6, 7
_NET_NAME, _NET_STAGES, _NET_ADDRESS_MODE = 0, 3, 5
_INPUTS, _OUTPUTS, _WORK, _WEIGHTS, _DYNAMIC = 0, 1, 3, 4, 5
_COMMANDS, _PLAN, _PARTS, _WORK_GROUPS, _CORES, _IO = 8, 11, 12, 14, 16, 18
_CHECK_CODE, _WEIGHTS_DATA = 1, 2
_TIU_DATA, _DMA_DATA = 2, 3
_PART_COMMANDS, _PART_CORES = 1, 14
_TENSOR_NAME, _TENSOR_TYPE, _TENSOR_SHAPES = 0, 1, 5
_IO_ALONE = 1


class BmodelError(Exception):
    """A file is no bmodel, or not a whole one."""


@dataclass(frozen=True)
class SlotEntry:
    """An input or an output of a network."""

    name: str
    dtype: str
    """As numpy names it, or bfloat16."""
    stages: tuple[tuple[int, ...], ...]
    """Its shape in each of the network's stages; of a dynamic network the largest."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Its largest shape."""
        return max(self.stages, key=_elements)


@dataclass(frozen=True)
class NetEntry:
    """One network of the file."""

    name: str
    inputs: tuple[int, ...]
    """Bytes of each input at its largest."""
    outputs: tuple[int, ...]
    cores: int
    """How many cores its commands were made for."""
    dynamic: bool
    own_io: bool
    """The runtime keeps memory for its inputs and outputs."""
    input_slots: tuple[SlotEntry, ...]
    output_slots: tuple[SlotEntry, ...]


@dataclass(frozen=True)
class BmodelFile:
    """A file, and the device memory that loading it takes."""

    path: str
    size: int
    chip: str
    """BM1684X, BM1688, CV186X ..."""
    version: str
    made: str
    """When it was compiled, in the compiler's words."""
    devices: int
    """Over how many chips the model is spread; 1 for most."""
    nets: tuple[NetEntry, ...]
    weights: int
    """Weights that several nets share count once."""
    commands: int
    work: int
    """Intermediate results: on a chip with one core of the largest net, for nets take turns in
    it there; else of all nets, each of which may have its own."""
    io: int
    """Inputs and outputs that the runtime keeps: the caches of a language model."""
    kernel_module: bool
    """Whether it carries the chip's own program for dynamic nets."""

    @property
    def cores(self) -> int:
        """How many cores its widest net needs."""
        return max(net.cores for net in self.nets)

    @property
    def loaded(self) -> int:
        """Device memory that the runtime takes at load."""
        return self.weights + self.commands + self.work + self.io

    @property
    def tensors(self) -> int:
        """About what an engine's own tensors take: each kind of net's inputs and outputs once.

        ``block_0`` to ``block_31`` are one kind. Where the runtime keeps the memory
        it is in ``io`` already.
        """
        kinds: dict[str, int] = {}
        for net in self.nets:
            kind = re.sub(r"\d+", "", net.name)
            size = 0 if net.own_io else sum(net.inputs) + sum(net.outputs)
            kinds[kind] = max(kinds.get(kind, 0), size)
        return sum(kinds.values())


def read_bmodel(path: str) -> BmodelFile:
    """Read header and table of ``path``; BmodelError says what is wrong with it."""
    try:
        size = os.path.getsize(path)
        with open(path, "rb") as file:
            head = file.read(_HEADER.size)
            if len(head) < _HEADER.size or _HEADER.unpack(head)[0] != _MAGIC:
                raise BmodelError(
                    f"{path} ({size} bytes) is no bmodel: it does not begin as one; "
                    "fetch it again, or name another file"
                )
            _, header_size, table_size, data_size = _HEADER.unpack(head)
            whole = header_size + table_size + data_size
            if size < whole:
                raise BmodelError(
                    f"{path} is cut short: {size} of {whole} bytes are there; fetch it again"
                )
            file.seek(header_size)
            table = file.read(table_size)
    except OSError as error:
        raise BmodelError(f"{path} cannot be read ({error.strerror}); check the path") from error
    try:
        return _file(path, size, Table.root(table))
    except (struct.error, IndexError, UnicodeDecodeError, ValueError) as error:
        raise BmodelError(f"{path} has a table that cannot be read; fetch it again") from error


def _file(path: str, size: int, model: Table) -> BmodelFile:
    nets = list(model.tables(_NETS))
    if not nets:
        raise ValueError("no nets")
    stages = [stage for net in nets for stage in net.tables(_NET_STAGES)]
    weights: dict[bytes, int] = {}
    for stage in stages:
        held = stage.table(_WEIGHTS)
        if held is not None:
            weights[held.octets(_CHECK_CODE)] = held.extent(_WEIGHTS_DATA)
    chip = model.text(_CHIP)
    works = [max(_work(stage) for stage in net.tables(_NET_STAGES)) for net in nets]
    return BmodelFile(
        path=path,
        size=size,
        chip=chip,
        version=model.text(_VERSION),
        made=" ".join(model.text(_TIME).split()),
        devices=max(1, model.number(_DEVICES)),
        nets=tuple(_net(net) for net in nets),
        weights=sum(weights.values()),
        commands=sum(_commands(stage) for stage in stages),
        work=sum(works) if CORES.get(chip.upper(), 1) > 1 else max(works),
        io=sum(_io(net) for net in nets),
        kernel_module=_has_kernel(model),
    )


def _has_kernel(model: Table) -> bool:
    kernel = model.table(_KERNEL)
    return kernel is not None and kernel.extent(1) > 0


def _net(net: Table) -> NetEntry:
    stages = list(net.tables(_NET_STAGES))
    return NetEntry(
        name=net.text(_NET_NAME),
        inputs=_largest([[_bytes(t) for t in stage.tables(_INPUTS)] for stage in stages]),
        outputs=_largest([[_bytes(t) for t in stage.tables(_OUTPUTS)] for stage in stages]),
        cores=max([1, *(stage.number(_CORES) for stage in stages)]),
        dynamic=any(stage.number(_DYNAMIC) for stage in stages),
        own_io=net.number(_NET_ADDRESS_MODE) == _IO_ALONE,
        input_slots=_slots([list(stage.tables(_INPUTS)) for stage in stages]),
        output_slots=_slots([list(stage.tables(_OUTPUTS)) for stage in stages]),
    )


def _slots(stages: list[list[Table]]) -> tuple[SlotEntry, ...]:
    """One for each column: a tensor in all stages."""
    return tuple(
        SlotEntry(
            name=column[0].text(_TENSOR_NAME),
            dtype=_DTYPES[column[0].number(_TENSOR_TYPE)],
            stages=tuple(_largest_shape(tensor) for tensor in column),
        )
        for column in zip(*stages)
    )


def _largest(rows: list[list[int]]) -> tuple[int, ...]:
    return tuple(max(row[place] for row in rows) for place in range(len(rows[0])))


def _bytes(tensor: Table) -> int:
    """The size of a tensor at its largest shape."""
    kind = tensor.number(_TENSOR_TYPE)
    width = 2 if kind in _BITS_16 else 1 if kind in _BITS_8 else 4
    return width * _elements(_largest_shape(tensor))


def _largest_shape(tensor: Table) -> tuple[int, ...]:
    # The compiler writes a scalar without any length.
    shapes = (shape.numbers(0) or (1,) for shape in tensor.tables(_TENSOR_SHAPES))
    return max(shapes, key=_elements)


def _elements(shape: tuple[int, ...]) -> int:
    product = 1
    for length in shape:
        product *= length
    return product


def _work(stage: Table) -> int:
    return sum(stage.numbers(_WORK_GROUPS)) or stage.number(_WORK, "<Q")


def _io(net: Table) -> int:
    """Stages of a net share one area."""
    return max((stage.number(_IO, "<Q") for stage in net.tables(_NET_STAGES)), default=0)


def _commands(stage: Table) -> int:
    """Command streams: of the stage, or of its parts, or of their cores; and the dynamic plan."""
    groups = list(stage.tables(_COMMANDS))
    for part in stage.tables(_PARTS):
        groups += part.tables(_PART_COMMANDS)
        for core in part.tables(_PART_CORES):
            groups += core.tables(0)
    streams = sum(group.extent(_TIU_DATA) + group.extent(_DMA_DATA) for group in groups)
    return streams + stage.extent(_PLAN)
