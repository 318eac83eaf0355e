"""A chip that does nothing, through sail's interface: what is left is the host's own work.

For ``voicemesh bench token``. Memory holds nothing, whatever is read of it is zero, and
launches end at once. Models are read as far as their nets, whose memory is asked for.
"""

from __future__ import annotations

import enum
from typing import Any, Dict, List, Sequence

import numpy as np

from voicemesh_sophon.chip_owner.bmodel_file import NetEntry, read_bmodel

__version__ = "3.10.7"


class Dtype(enum.IntEnum):
    """As sail's."""

    BM_FLOAT32 = 0
    BM_FLOAT16 = 1
    BM_INT8 = 2
    BM_UINT8 = 3
    BM_INT16 = 4
    BM_UINT16 = 5
    BM_INT32 = 6
    BM_UINT32 = 7
    BM_BFLOAT16 = 8


_STORED = (
    *(np.float32, np.uint16, np.int8, np.uint8, np.int16),
    *(np.uint16, np.int32, np.uint32, np.uint16),
)


class Handle:
    """As sail's."""

    def __init__(self, dev_id: int, /) -> None:
        self._dev_id = dev_id

    def get_target(self) -> str:
        return "Error"


class Tensor:
    """A shape and a type: made new, or as a view of another."""

    def __init__(
        self,
        first: Any,
        shape: Sequence[int],
        third: int,
        own_sys_data: bool = False,
        own_dev_data: bool = False,
    ) -> None:
        self._shape = list(shape)
        self._dtype: int = first._dtype if isinstance(first, Tensor) else third

    def shape(self) -> List[int]:
        return list(self._shape)

    def reshape(self, shape: List[int], /) -> None:
        self._shape = list(shape)

    def nbytes(self) -> int:
        return int(np.prod(self._shape)) * np.dtype(_STORED[self._dtype]).itemsize

    def update_data(self, data: np.ndarray, /) -> None:
        pass

    def asnumpy(self) -> np.ndarray:
        return np.zeros(self._shape, _STORED[self._dtype])

    def sync_d2d(self, src: Tensor, offset_src: int, offset_dst: int, len: int, /) -> None:
        pass

    def sync_d2d_stride(self, src: Tensor, stride_src: int, stride_dst: int, count: int, /) -> None:
        pass


class EngineLLM:
    """The nets of a file; launching one does nothing."""

    def __init__(self, bmodel_path: str, *how: Any) -> None:
        self._nets: Dict[str, NetEntry] = {net.name: net for net in read_bmodel(bmodel_path).nets}

    def get_graph_names(self) -> List[str]:
        return list(self._nets)

    def get_addr_mode(self, graph_name: str, /) -> int:
        return int(self._nets[graph_name].own_io)

    def get_input_tensors(self, graph_name: str, stage: int, /) -> Dict[int, Tensor]:
        slots = self._nets[graph_name].input_slots
        return {
            number: Tensor(None, slot.stages[stage], Dtype[f"BM_{slot.dtype.upper()}"])
            for number, slot in enumerate(slots)
        }

    def process(
        self,
        graph_name: str,
        input: Dict[int, Tensor],
        output: Dict[int, Tensor],
        core_list: Sequence[int] = (),
    ) -> None:
        pass


def get_dev_stat(dev_id: int, /) -> List[int]:
    return [16384, 0, 0]


def get_chip_temp(dev_id: int, /) -> int:
    return 40
