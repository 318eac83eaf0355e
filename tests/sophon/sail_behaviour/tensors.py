"""Tensors: memory on the host and on the device, views, copies, element types."""

from __future__ import annotations

import numpy as np

from .bench import Bench, check, raising, stand_in_check


@check
def an_array_is_on_the_host_alone_until_it_is_synced(bench: Bench) -> None:
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    both = bench.sail.Tensor(bench.handle, array)
    assert both.is_sys_data_valid()
    assert both.is_dev_data_valid()
    device = bench.tensor([2, 3], "BM_FLOAT32")
    both.sync_s2d()
    array += 100  # The tensor has a copy.
    device.sync_d2d_stride(both, 1, 1, 6)
    assert device.asnumpy().tolist() == [[0, 1, 2], [3, 4, 5]]
    both.update_data(np.full((2, 3), 9, np.float32))
    device.sync_d2d_stride(both, 1, 1, 6)
    assert device.asnumpy().tolist() == [[0, 1, 2], [3, 4, 5]], "update_data reached the device"
    assert both.asnumpy().tolist() == [[9] * 3] * 2
    both.sync_d2s()
    assert both.asnumpy().tolist() == [[0, 1, 2], [3, 4, 5]]


@check
def an_array_without_host_memory_goes_to_the_device(bench: Bench) -> None:
    tensor = bench.filled(np.array([[3, 1, 2]], np.int32))
    assert not tensor.is_sys_data_valid()
    assert tensor.asnumpy().tolist() == [[3, 1, 2]]
    assert (tensor.shape(), tensor.size(), tensor.nbytes(), tensor.element_size()) == (
        [1, 3], 3, 12, 4,
    )  # fmt: skip
    assert tensor.dtype() == bench.sail.Dtype.BM_INT32


@check
def arrays_of_other_types_become_float32(bench: Bench) -> None:
    for kind in (np.float16, np.int64, np.bool_, np.float64):
        tensor = bench.filled(np.array([1, 0], kind))
        assert tensor.dtype() == bench.sail.Dtype.BM_FLOAT32, kind
        assert tensor.asnumpy().tolist() == [1, 0]


@check
def a_tensor_from_a_shape_is_zero_on_the_device(bench: Bench) -> None:
    tensor = bench.tensor([4, 5], "BM_FLOAT16")
    assert tensor.own_dev_data()
    assert not tensor.own_sys_data()
    assert not tensor.asnumpy().any()
    nowhere = bench.sail.Tensor(bench.handle, [4], bench.sail.Dtype.BM_INT8)
    assert not nowhere.is_dev_data_valid()


@check
def half_floats_travel_as_uint16(bench: Bench) -> None:
    values = np.array([0.5, -2, 1e-3], np.float16)
    tensor = bench.tensor([3], "BM_FLOAT16")
    tensor.update_data(values.view(np.uint16))
    assert tensor.asnumpy().dtype == np.uint16
    assert (tensor.asnumpy().view(np.float16) == values).all()
    brain = bench.tensor([3], "BM_BFLOAT16")
    bits = (values.astype(np.float32).view(np.uint32) >> 16).astype(np.uint16)
    brain.update_data(bits)
    assert (brain.asnumpy() == bits).all()
    with raising(Exception):
        tensor.update_data(values)


@check
def an_update_must_have_the_tensors_shape(bench: Bench) -> None:
    tensor = bench.tensor([2, 3], "BM_FLOAT32")
    for shape in ((3, 2), (6,), (1, 2, 3), (2, 4)):
        with raising(bench.sail.SailTensorError):
            tensor.update_data(np.zeros(shape, np.float32))


@check
def a_view_is_part_of_its_sources_memory(bench: Bench) -> None:
    source = bench.filled(np.arange(12, dtype=np.int32).reshape(3, 4))
    view = bench.sail.Tensor(source, [2, 2], 5)
    assert not view.own_dev_data()
    assert view.asnumpy().tolist() == [[5, 6], [7, 8]]
    view.update_data(np.full((2, 2), -1, np.int32))
    assert source.asnumpy().reshape(-1).tolist() == [0, 1, 2, 3, 4, -1, -1, -1, -1, 9, 10, 11]
    inner = bench.sail.Tensor(view, [1], 3)
    inner.memory_set(7)
    assert source.asnumpy()[2, 0] == 7
    for shape, offset in (([4, 4], 0), ([1], 12), ([3], 10)):
        with raising(bench.sail.SailTensorError):
            bench.sail.Tensor(source, shape, offset)
    with raising(bench.sail.SailTensorError):
        bench.sail.Tensor(source, [1], 0, False)


@check
def copies_between_host_and_device_count_bytes_or_elements(bench: Bench) -> None:
    tensor = bench.sail.Tensor(bench.handle, np.arange(4, dtype=np.int32))
    tensor.memory_set(0)
    tensor.update_data(np.array([1, 2, 3, 4], np.int32))
    tensor.sync_s2d(8)
    tensor.sync_d2s()
    assert tensor.asnumpy().tolist() == [1, 2, 0, 0]
    host = bench.sail.Tensor(bench.handle, np.array([5, 6, 7], np.int32))
    tensor.sync_s2d(host, 1, 2, 2)
    tensor.sync_d2s()
    assert tensor.asnumpy().tolist() == [1, 2, 6, 7]
    host.sync_d2s(tensor, 0, 1, 2)
    assert host.asnumpy().tolist() == [5, 1, 2]
    with raising(bench.sail.MemoryError, bench.sail.SailTensorError):
        host.sync_d2s(tensor, 3, 0, 2)
    floats = bench.sail.Tensor(bench.handle, np.zeros(3, np.float32))
    with raising(bench.sail.DataTypeError):
        host.sync_d2s(floats, 0, 0, 1)


@check
def a_strided_copy_picks_every_nth_element(bench: Bench) -> None:
    source = bench.filled(np.arange(12, dtype=np.int32))
    target = bench.tensor([4], "BM_INT32")
    target.sync_d2d_stride(source, 3, 1, 4)
    assert target.asnumpy().tolist() == [0, 3, 6, 9]
    with raising(bench.sail.SailTensorError):
        target.sync_d2d_stride(source, 3, 1, 5)


@stand_in_check
def a_plain_copy_on_the_device_has_offsets(bench: Bench) -> None:
    source = bench.filled(np.arange(6, dtype=np.int32))
    target = bench.tensor([2, 4], "BM_INT32")
    target.sync_d2d(source, 3, 5, 2)
    assert target.asnumpy().reshape(-1).tolist() == [0, 0, 0, 0, 0, 3, 4, 0]
    for offsets in ((5, 0, 2), (0, 7, 2)):
        with raising(bench.sail.SailTensorError):
            target.sync_d2d(source, *offsets)


@check
def a_scalar_fills_every_type(bench: Bench) -> None:
    for kind, value, stored in (
        ("BM_FLOAT32", 1.5, 1.5),
        ("BM_FLOAT16", -10000.0, 0xF0E2),
        ("BM_INT32", -3, -3),
        ("BM_INT8", 9, 9),
    ):
        tensor = bench.tensor([2, 2], kind)
        tensor.memory_set(value)
        assert tensor.asnumpy().tolist() == [[stored] * 2] * 2, kind
