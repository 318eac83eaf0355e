"""Tensor: a shape and a type over host memory, device memory, both, or neither.

Which of the two a method touches, and that the two may differ, is as in sail: data goes
to host memory where there is any, and reaches the device by ``sync_s2d`` or by a launch
in a "system" mode.
"""

from __future__ import annotations

from math import prod
from typing import Any, List, Optional, Sequence, Tuple

import numpy as np

from ..simulator.structures import Memory
from .errors import DataTypeError, MemoryError, SailTensorError
from .handle import Handle, device_of
from .overloads import Overloaded
from .types import Dtype, constructed, scalar_bits, storage


def _positive(shape: Sequence[int]) -> List[int]:
    if not shape or min(shape) <= 0:
        raise SailTensorError(f"{list(shape)} is no shape: every size must be positive")
    return [int(size) for size in shape]


def _within(what: str, offset: int, count: int, size: int) -> None:
    if offset < 0 or count < 0 or offset + count > size:
        raise SailTensorError(
            f"{what}: elements {offset} to {offset + count} are not all among its {size}"
        )


class Tensor:
    """Made from an array, from a shape, or as a view of another tensor's memory.

    ``Tensor(handle, data)`` has host memory with the array and device memory without it.
    ``Tensor(handle, data, own_sys_data, own_dev_data)`` chooses; without host memory the
    array goes to the device at once. ``Tensor(handle, shape, dtype, ...)`` is zero on the
    device. ``Tensor(src, shape, offset)`` starts ``offset`` elements behind the start of
    ``src`` and does not keep it alive.
    """

    _memory: Optional[Memory] = None
    _host: Optional[np.ndarray] = None
    _owned = False

    def _both(self, handle: Handle, data: np.ndarray) -> None:
        self._chosen(handle, data, True, True)

    def _chosen(
        self, handle: Handle, data: np.ndarray, own_sys_data: bool, own_dev_data: bool = True
    ) -> None:
        array, dtype = constructed(data)
        self._describe(handle, array.shape, dtype)
        if own_sys_data:
            self._host = array.copy()
        if own_dev_data:
            memory = self._allocate()
            if not own_sys_data:
                self._device.write(memory, array)

    def _empty(
        self,
        handle: Handle,
        shape: List[int],
        dtype: Dtype,
        own_sys_data: bool = False,
        own_dev_data: bool = False,
    ) -> None:
        self._describe(handle, shape, dtype)
        if own_sys_data:
            self._host = np.empty(self._shape, storage(dtype))
        if own_dev_data:
            self._device.write(self._allocate(), np.zeros(self.nbytes(), np.uint8))

    def _view(self, src: Tensor, shape: List[int], offset: int, no_copy: bool = True) -> None:
        if not no_copy:
            raise SailTensorError("a view with no_copy=False is not supported")
        memory = src._on_device()
        self._describe(src._handle, shape, src._dtype)
        _within("view", offset, self.size(), memory.size // self.element_size())
        self._memory = memory.part(offset * self.element_size(), self.nbytes())
        if src._host is not None:
            flat = src._host.reshape(-1)
            self._host = flat[offset : offset + self.size()].reshape(self._shape)

    __init__ = Overloaded(_both, _chosen, _empty, _view)

    @classmethod
    def on(cls, handle: Handle, shape: Sequence[int], dtype: int, memory: Memory) -> Tensor:
        """A tensor on memory that the runtime owns."""
        tensor = cls.__new__(cls)
        tensor._describe(handle, shape, dtype)
        tensor._memory = memory
        return tensor

    def _describe(self, handle: Handle, shape: Sequence[int], dtype: int) -> None:
        self._handle, self._device = handle, device_of(handle)
        self._shape, self._dtype = _positive(shape), Dtype(dtype)

    def _allocate(self) -> Memory:
        self._memory = self._device.allocate(self.nbytes())
        self._owned = True
        return self._memory

    def __del__(self) -> None:
        if self._owned and self._memory is not None:
            self._device.free(self._memory)

    def _on_device(self) -> Memory:
        if self._memory is None:
            raise SailTensorError("this tensor has no device memory")
        return self._memory

    def _on_host(self) -> np.ndarray:
        if self._host is None:
            raise MemoryError("this tensor has no host memory")
        return self._host

    def shape(self) -> List[int]:
        return list(self._shape)

    def dtype(self) -> Dtype:
        return self._dtype

    def device_id(self) -> int:
        return self._handle.get_device_id()

    def size(self) -> int:
        """Elements."""
        return prod(self._shape)

    def __len__(self) -> int:
        return self.size()

    def element_size(self) -> int:
        """Bytes of one element."""
        return storage(self._dtype).itemsize

    def nbytes(self) -> int:
        return self.size() * self.element_size()

    def own_sys_data(self) -> bool:
        """Whether it was made with host memory of its own."""
        return self._host is not None and self._host.base is None

    def own_dev_data(self) -> bool:
        """Whether it was made with device memory of its own."""
        return self._owned

    def is_sys_data_valid(self) -> bool:
        return self._host is not None

    def is_dev_data_valid(self) -> bool:
        return self._memory is not None

    def reshape(self, shape: List[int], /) -> None:
        """Another shape for the same memory. Raises SailTensorError if it needs more."""
        wanted = prod(_positive(shape)) * self.element_size()
        room = self._memory.size if self._memory is not None else self.nbytes()
        if wanted > room:
            raise SailTensorError(f"{list(shape)} needs {wanted} bytes, there are {room}")
        if self._host is not None and wanted != self.nbytes():
            raise SailTensorError(f"{list(shape)} has another size than {self._shape}")
        self._shape = [int(size) for size in shape]
        if self._host is not None:
            self._host = self._host.reshape(self._shape)

    def _asnumpy(self) -> np.ndarray:
        if self._host is not None:
            return self._host.copy()
        array = np.empty(self._shape, storage(self._dtype))
        self._device.read(array, self._on_device())
        return array

    def _asnumpy_shaped(self, shape: List[int], /) -> np.ndarray:
        return self._asnumpy().reshape(shape)

    asnumpy = Overloaded(_asnumpy, _asnumpy_shaped)

    def update_data(self, data: np.ndarray, /) -> None:
        """Fills host memory if there is any, otherwise device memory.

        Raises SailTensorError unless rank, sizes and element type are the tensor's.
        """
        if list(data.shape) != self._shape:
            raise SailTensorError(f"an array of {list(data.shape)} for a tensor of {self._shape}")
        if data.dtype != storage(self._dtype):
            raise SailTensorError(
                f"an array of {data.dtype} for a tensor of {self._dtype.name}: "
                f"it takes {storage(self._dtype)}"
            )
        if self._host is not None:
            self._host[...] = data
        else:
            self._device.write(self._on_device(), np.ascontiguousarray(data))

    def memory_set(self, value: Any, /) -> None:
        """Sets every element, on the host and on the device where there is memory."""
        filled = np.full(self._shape, scalar_bits(value, self._dtype))
        if self._host is not None:
            self._host[...] = filled
        if self._memory is not None:
            self._device.write(self._memory, filled)

    def zeros(self) -> None:
        self.memory_set(0)

    def ones(self) -> None:
        self.memory_set(1)

    def _sync_s2d(self) -> None:
        self._device.write(self._on_device(), np.ascontiguousarray(self._on_host()))

    def _sync_s2d_start(self, size: int, /) -> None:
        _within("sync_s2d", 0, size, self.nbytes())
        start = np.ascontiguousarray(self._on_host()).reshape(-1).view(np.uint8)[:size]
        self._device.write(self._on_device(), start)

    def _sync_s2d_part(self, src: Tensor, offset_src: int, offset_dst: int, len: int, /) -> None:
        self._same_type(src)
        _within("sync_s2d source", offset_src, len, src.size())
        _within("sync_s2d target", offset_dst, len, self.size())
        part = src._on_host().reshape(-1)[offset_src : offset_src + len]
        self._device.write(
            self._on_device(), np.ascontiguousarray(part), offset_dst * self.element_size()
        )

    sync_s2d = Overloaded(_sync_s2d, _sync_s2d_start, _sync_s2d_part)

    def _sync_d2s(self) -> None:
        self._sync_d2s_start(self.nbytes())

    def _sync_d2s_start(self, size: int, /) -> None:
        _within("sync_d2s", 0, size, self.nbytes())
        start = np.empty(size, np.uint8)
        self._device.read(start, self._on_device())
        self._on_host().reshape(-1).view(np.uint8)[:size] = start

    def _sync_d2s_part(self, src: Tensor, offset_src: int, offset_dst: int, len: int, /) -> None:
        self._same_type(src)
        _within("sync_d2s source", offset_src, len, src.size())
        _within("sync_d2s target", offset_dst, len, self.size())
        part = np.empty(len, storage(self._dtype))
        self._device.read(part, src._on_device(), offset_src * self.element_size())
        self._on_host().reshape(-1)[offset_dst : offset_dst + len] = part

    sync_d2s = Overloaded(_sync_d2s, _sync_d2s_start, _sync_d2s_part)

    def sync_d2d(self, src: Tensor, offset_src: int, offset_dst: int, len: int, /) -> None:
        """Copies ``len`` elements on the device."""
        self._same_type(src)
        _within("sync_d2d source", offset_src, len, src.size())
        _within("sync_d2d target", offset_dst, len, self.size())
        size = self.element_size()
        self._device.copy(
            self._on_device().part(offset_dst * size, len * size),
            src._on_device().part(offset_src * size, len * size),
        )

    def sync_d2d_stride(self, src: Tensor, stride_src: int, stride_dst: int, count: int, /) -> None:
        """Copies every ``stride_src``-th of the first elements, ``count`` of them."""
        self._same_type(src)
        if stride_dst != 1 or stride_src < 1:
            raise SailTensorError("sync_d2d_stride: the target's stride must be 1")
        _within("sync_d2d_stride source", 0, count * stride_src, src.size())
        _within("sync_d2d_stride target", 0, count, self.size())
        elements = np.empty(count * stride_src, storage(self._dtype))
        self._device.read(elements, src._on_device())
        self._device.write(self._on_device(), np.ascontiguousarray(elements[::stride_src]))

    def _same_type(self, src: Tensor) -> None:
        if src._dtype != self._dtype:
            raise DataTypeError(f"a copy from {src._dtype.name} to {self._dtype.name}")


def launched(tensor: Tensor) -> Tuple[Memory, Tuple[int, ...]]:
    """Memory and shape of a tensor, as a launch takes them."""
    return tensor._on_device(), tuple(tensor._shape)
