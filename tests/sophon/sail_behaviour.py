"""What the mesh relies on in sophon.sail, each as a function that raises where it is not so.

Run as ``python sail_behaviour.py KIND ASSETS``: KIND is "stand-in" (with
VOICEMESH_SOPHON_CHIP) or "installed". Prints a line of JSON for each function: its name
and the error, or null. A process of its own, because a simulator is one chip for the
life of a process and may end it.
"""

from __future__ import annotations

import json
import sys
import tempfile
import wave
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

CHECKS: dict[str, Callable[[Bench], None]] = {}
STAND_IN_ONLY: set[str] = set()
"""What sail itself answers with a line in its log, with nothing, or with the process's end."""


def check(function: Callable[[Bench], None]) -> Callable[[Bench], None]:
    """Marks what every sail does."""
    CHECKS[function.__name__] = function
    return function


def stand_in_check(function: Callable[[Bench], None]) -> Callable[[Bench], None]:
    """Marks what the stand-in does in its own, stricter way."""
    STAND_IN_ONLY.add(function.__name__)
    return check(function)


class Bench:
    """A device, and the files for its chip."""

    def __init__(self, sail: Any, assets: Path, target: str = "") -> None:
        self.sail = sail
        self.assets = assets
        self.handle = sail.Handle(0)
        self.chip = (target or self.handle.get_target()).lower()

    def tensor(self, shape: list[int], kind: str, host: bool = False) -> Any:
        return self.sail.Tensor(self.handle, shape, getattr(self.sail.Dtype, kind), host, True)

    def filled(self, array: NDArray[Any]) -> Any:
        """A tensor with the array on the device, without host memory."""
        return self.sail.Tensor(self.handle, array, False, True)

    def vits(self) -> Path:
        name = "vits_chinese_128_bm1688_f16_1core" if self.chip == "bm1688" else "vits_*_f16"
        return next((self.assets / "vits" / self.chip).glob(f"{name}.bmodel"))

    def bert(self) -> Path:
        return self.assets / "vits" / self.chip / "bert_f16_1core.bmodel"

    def language_model(self, kind: str) -> str:
        return str(next((self.assets / "llm" / self.chip).glob(f"*{kind}*.bmodel")))

    def sentence(self) -> tuple[list[NDArray[Any]], NDArray[np.float64]]:
        """The inputs of VITS for one sentence, and the waveform that they give."""
        expected = np.load(self.assets / "vits" / "expected" / "one.npz")
        prosody = np.zeros((1, 128, 256), np.float32)
        vectors = np.repeat(expected["char_embeds"], expected["rep"], axis=0)
        prosody[0, : len(vectors)] = vectors
        with wave.open(str(self.assets / "vits" / "expected" / "one.wav")) as file:
            samples = np.frombuffer(file.readframes(file.getnframes()), np.int16)
        return [expected["x"].astype(np.int32), prosody], samples.astype(np.float64)


@contextmanager
def raising(*kinds: type[Exception], match: str = "") -> Iterator[None]:
    said: Exception | None = None
    try:
        yield
    except kinds as error:
        said = error
    if said is not None:
        assert match in str(said), f"{said!r} does not say {match!r}"
        return
    raise AssertionError(f"none of {[kind.__name__ for kind in kinds]} was raised")


def similarity(given: NDArray[Any], wanted: NDArray[np.float64]) -> float:
    heard = given.reshape(-1)[: len(wanted)].astype(np.float64)
    return float(np.corrcoef(heard, wanted)[0, 1])


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


@check
def a_device_that_is_not_there_is_refused(bench: Bench) -> None:
    assert bench.sail.get_available_tpu_num() >= 1
    with raising(bench.sail.SailDeviceError):
        bench.sail.Handle(99)


@check
def a_voice_has_its_waveform(bench: Bench) -> None:
    inputs, wanted = bench.sentence()
    engine = bench.sail.Engine(str(bench.vits()), 0, bench.sail.IOMode.DEVIO)
    (graph,) = engine.get_graph_names()
    assert [engine.get_input_shape(graph, name) for name in engine.get_input_names(graph)] == [
        [1, 128], [1, 128, 256],
    ]  # fmt: skip
    given = dict(zip(engine.get_input_names(graph), map(bench.filled, inputs), strict=True))
    outputs = engine.create_output_tensors_map(graph)
    wave_name = engine.get_output_names(graph)[0]
    lists: list[list[int]] = [[], [0], [1]] if bench.chip == "bm1688" else [[]]
    for cores in lists:
        outputs[wave_name].zeros()
        engine.process(graph, given, outputs, cores)
        assert similarity(outputs[wave_name].asnumpy(), wanted) > 0.99, cores


@check
def both_cores_work_on_one_graph(bench: Bench) -> None:
    if bench.chip != "bm1688":
        return
    inputs, wanted = bench.sentence()
    path = bench.vits().with_name(bench.vits().name.replace("1core", "2core"))
    engine = bench.sail.Engine(str(path), 0, bench.sail.IOMode.DEVIO)
    (graph,) = engine.get_graph_names()
    given = dict(zip(engine.get_input_names(graph), map(bench.filled, inputs), strict=True))
    outputs = engine.create_output_tensors_map(graph)
    engine.process(graph, given, outputs, [0, 1])
    assert similarity(outputs[engine.get_output_names(graph)[0]].asnumpy(), wanted) > 0.99


@check
def a_system_mode_copies_in_and_out(bench: Bench) -> None:
    mode = bench.sail.IOMode.SYSIO
    engine = bench.sail.Engine(str(bench.bert()), 0, mode)
    (graph,) = engine.get_graph_names()
    inputs = engine.create_input_tensors_map(graph)
    outputs = engine.create_output_tensors_map(graph)
    for tensor in inputs.values():
        tensor.update_data(np.ones((1, 64), np.int32))
    engine.process(graph, inputs, outputs)
    (vectors,) = [tensor.asnumpy() for tensor in outputs.values()]
    assert vectors.shape == (1, 64, 256)
    assert np.isfinite(vectors).all()
    assert vectors.any()
    engine.set_io_mode(graph, bench.sail.IOMode.DEVIO)
    for tensor in inputs.values():
        tensor.update_data(np.zeros((1, 64), np.int32))  # Stays on the host.
    engine.process(graph, inputs, outputs)
    (before,) = [tensor.asnumpy() for tensor in outputs.values()]
    assert (before == vectors).all()
    devices = {name: bench.tensor([1, 64], "BM_INT32") for name in inputs}
    engine.set_io_mode(graph, mode)
    with raising(bench.sail.SailEngineError):
        engine.process(graph, devices, outputs)


@check
def an_engine_holds_several_files(bench: Bench) -> None:
    engine = bench.sail.Engine(bench.handle)
    assert engine.load(str(bench.vits()))
    data = bench.bert().read_bytes()
    assert engine.load(data, len(data))
    assert sorted(engine.get_graph_names()) == ["bert", "vits_chinese"]
    assert not engine.graph_is_dynamic("bert")
    engine.set_io_mode("bert", bench.sail.IOMode.DEVIO)
    inputs = {name: bench.tensor([1, 64], "BM_INT32") for name in engine.get_input_names("bert")}
    outputs = engine.create_output_tensors_map("bert", 1)
    engine.process("bert", inputs, outputs)
    assert np.isfinite(next(iter(outputs.values())).asnumpy()).all()


@check
def a_static_graph_takes_its_own_shape_alone(bench: Bench) -> None:
    engine = bench.sail.Engine(str(bench.bert()), 0, bench.sail.IOMode.DEVIO)
    names = engine.get_input_names("bert")
    outputs = engine.create_output_tensors_map("bert")
    short = {name: bench.tensor([1, 12], "BM_INT32") for name in names}
    with raising(bench.sail.SailEngineError):
        engine.process("bert", short, outputs)
    whole = {name: bench.tensor([1, 64], "BM_INT32") for name in names}
    engine.process("bert", whole, outputs)


@stand_in_check
def a_launch_with_wrong_tensors_is_refused(bench: Bench) -> None:
    engine = bench.sail.Engine(str(bench.bert()), 0, bench.sail.IOMode.DEVIO)
    names = engine.get_input_names("bert")
    (output,) = engine.get_output_names("bert")
    good = {name: bench.tensor([1, 64], "BM_INT32") for name in names}
    room = {output: bench.tensor([1, 64, 256], "BM_FLOAT32")}
    refused = bench.sail.SailEngineError
    with raising(refused, match="not given"):
        engine.process("bert", {names[0]: good[names[0]]}, room)
    with raising(refused, match="BM_FLOAT32"):
        engine.process("bert", {**good, names[1]: bench.tensor([1, 64], "BM_FLOAT32")}, room)
    with raising(refused, match="no device memory"):
        nowhere = bench.sail.Tensor(bench.handle, [1, 64], bench.sail.Dtype.BM_INT32)
        engine.process("bert", {**good, names[1]: nowhere}, room)
    with raising(refused, match="room for 4096"):
        engine.process("bert", good, {output: bench.tensor([1024], "BM_FLOAT32")})
    with raising(refused, match="there is no graph 'albert': there are bert"):
        engine.process("albert", good, room)
    with raising(refused, match="no input 'sentence'"):
        engine.get_input_shape("bert", "sentence")
    with raising(TypeError):
        engine.process("bert", list(good.values()), room)
    engine.process("bert", good, room)


@stand_in_check
def a_file_that_cannot_be_used_is_refused(bench: Bench) -> None:
    data = bench.bert().read_bytes()
    other = "bm1684x" if bench.chip == "bm1688" else "bm1688"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "cut.bmodel").write_bytes(data[:-1])
        (folder / "header.bmodel").write_bytes(data[:40])
        (folder / "text.bmodel").write_text("no model" * 20)
        (folder / "torn.bmodel").write_bytes(data[:64] + bytes(4032) + data[64 + 4032 :])
        foreign = bench.assets / "vits" / other / "bert_f16_1core.bmodel"
        for path, words in (
            (folder / "none.bmodel", "cannot be read"),
            (folder / "cut.bmodel", f"cut short: {len(data) - 1} bytes of {len(data)}"),
            (folder / "header.bmodel", "no bmodel"),
            (folder / "text.bmodel", "no bmodel"),
            (folder / "torn.bmodel", "damaged"),
            (foreign, f"compiled for {other.upper()}"),
        ):
            with raising(bench.sail.SailEngineError, match=words):
                bench.sail.Engine(str(path), 0, bench.sail.IOMode.DEVIO)
            with raising(bench.sail.SailEngineError, match=path.name):
                bench.sail.EngineLLM(str(path), [0])
    with raising(bench.sail.SailEngineError):
        bench.sail.Engine(data[:-1], len(data) - 1, 0, bench.sail.IOMode.DEVIO)
    engine = bench.sail.Engine(str(bench.bert()), 0, bench.sail.IOMode.DEVIO)
    with raising(bench.sail.SailEngineError):
        engine.load(str(foreign))
    assert engine.get_graph_names() == ["bert"]


def _random(bench: Bench, tensor: Any, seed: int) -> None:
    """Small numbers of the tensor's own type."""
    random = np.random.default_rng(seed)
    if tensor.dtype() == bench.sail.Dtype.BM_INT32:
        tensor.update_data(random.integers(0, 60, tensor.shape()).astype(np.int32))
        return
    values = random.normal(0, 0.5, tensor.shape()).astype(np.float32)
    half = tensor.dtype() == bench.sail.Dtype.BM_FLOAT16
    bits = values.astype(np.float16).view(np.uint16) if half else values.view(np.uint32) >> 16
    tensor.update_data(bits.astype(np.uint16))


@check
def a_caches_own_memory_and_other_memory_give_one_result(bench: Bench) -> None:
    engine = bench.sail.EngineLLM(bench.language_model("history"), [0])
    graph = "block_cache_0"
    assert engine.get_addr_mode(graph) == 1
    own = engine.get_input_tensors(graph)
    assert [own[i].shape() for i in own] == [
        engine.get_input_shape(graph, i) for i in range(engine.get_input_num(graph))
    ]
    foreign = engine.create_max_input_tensors(graph)
    results = []
    for inputs in (own, foreign):
        for index, tensor in inputs.items():
            _random(bench, tensor, index)
        outputs = engine.create_max_output_tensors(graph)
        engine.process(graph, inputs, outputs)
        results.append([tensor.asnumpy() for tensor in outputs.values()])
    for mine, theirs in zip(*results, strict=True):
        assert (mine == theirs).all()
    again = engine.get_input_tensor(graph, 3)
    assert (again.asnumpy() == foreign[3].asnumpy()).all()
    named = engine.get_input_tensors(graph, engine.get_input_name(graph, 3))
    assert list(named) == [3]


@check
def a_row_of_a_cache_is_written_in_place(bench: Bench) -> None:
    engine = bench.sail.EngineLLM(bench.language_model("history"), [0])
    graph = "block_cache_0"
    inputs = engine.get_input_tensors(graph)
    outputs = engine.create_max_output_tensors(graph)
    for index, tensor in inputs.items():
        _random(bench, tensor, index)
    engine.process(graph, inputs, outputs)
    rows = [outputs[1].asnumpy().reshape(-1), outputs[2].asnumpy().reshape(-1)]
    size = len(rows[0])
    views = {1: inputs[3], 2: inputs[4]}
    before = inputs[3].asnumpy().reshape(-1)
    in_place = {0: outputs[0]} | {
        index: bench.sail.Tensor(cache, [1, 1, *cache.shape()[2:]], 7 * size)
        for index, cache in views.items()
    }
    engine.process(graph, inputs, in_place)
    after = inputs[3].asnumpy().reshape(-1)
    assert (after[7 * size : 8 * size] == rows[0]).all()
    assert (after[: 7 * size] == before[: 7 * size]).all()
    assert (after[8 * size :] == before[8 * size :]).all()


@check
def a_stage_is_chosen_by_the_shapes(bench: Bench) -> None:
    engine = bench.sail.EngineLLM(bench.language_model("history"), [0])
    graph = "block_cache_0"
    assert engine.get_stage_num(graph) > 1
    last = engine.get_stage_num(graph) - 1
    rows = [engine.get_input_shape(graph, 3, stage)[1] for stage in range(last + 1)]
    assert rows == sorted(rows, reverse=True)
    inputs = engine.get_input_tensors(graph, last)
    for index, tensor in inputs.items():
        _random(bench, tensor, index)
    outputs = engine.create_max_output_tensors(graph)
    engine.process(graph, inputs, outputs)
    assert outputs[0].asnumpy().any()


@check
def a_dynamic_graph_takes_a_shorter_input(bench: Bench) -> None:
    engine = bench.sail.EngineLLM(bench.language_model("history"), [0])
    graph = "block_0"
    assert engine.get_is_dynamic(graph)

    def run(rows: int) -> list[NDArray[Any]]:
        def tensor(side: str, index: int) -> Any:
            shape = getattr(engine, f"get_{side}_shape")(graph, index)
            kind = getattr(engine, f"get_{side}_dtype")(graph, index)
            whole = bench.sail.Tensor(bench.handle, shape, kind, False, True)
            whole.reshape([1, rows, *shape[2:]])
            return whole

        states, positions = tensor("input", 0), tensor("input", 1)
        bits = np.random.default_rng(3).integers(0, 0x3C00, (1, 9, states.shape()[2]))
        states.update_data(bits[:, :rows].astype(np.uint16))
        positions.update_data(np.arange(rows, dtype=np.int32).reshape(1, rows))
        outputs = {index: tensor("output", index) for index in range(3)}
        engine.process(graph, {0: states, 1: positions}, outputs)
        return [output.asnumpy() for output in outputs.values()]

    for short, long in zip(run(5), run(9), strict=True):
        # A row sees those before it, so the ones behind it change nothing.
        assert (short == long[:, :5]).all()


@stand_in_check
def a_dynamic_graphs_outputs_need_room_for_the_largest(bench: Bench) -> None:
    engine = bench.sail.EngineLLM(bench.language_model("history"), [0])
    graph = "block_0"
    inputs = engine.create_max_input_tensors(graph)
    outputs = engine.create_max_output_tensors(graph)
    for tensor in (*inputs.values(), *outputs.values()):
        tensor.reshape([1, 5, *tensor.shape()[2:]])
    small = bench.sail.Tensor(outputs[1], outputs[1].shape(), 0)
    with raising(bench.sail.SailEngineError, match="the largest that it can be"):
        engine.process(graph, inputs, {**outputs, 1: small})
    engine.process(graph, inputs, outputs)


@check
def memory_of_any_address_mode_can_be_had(bench: Bench) -> None:
    engine = bench.sail.EngineLLM(bench.language_model("static"), [0])
    graph = "embedding_cache"
    assert engine.get_addr_mode(graph) != 1
    with raising(bench.sail.SailEngineError):
        engine.get_input_tensors(graph)
    inputs = engine.get_input_tensors_addrmode0(graph)
    outputs = engine.get_output_tensors_addrmode0(graph)
    inputs[0].update_data(np.array([[5]], np.int32))
    engine.process(graph, inputs, outputs)
    foreign = engine.create_max_output_tensors(graph)
    engine.process(graph, {0: bench.filled(np.array([[5]], np.int32))}, foreign)
    assert outputs[0].asnumpy().any()
    assert (foreign[0].asnumpy() == outputs[0].asnumpy()).all()


@check
def several_models_do_not_disturb_each_other(bench: Bench) -> None:
    inputs, wanted = bench.sentence()
    voice = bench.sail.Engine(str(bench.vits()), 0, bench.sail.IOMode.DEVIO)
    given = dict(zip(voice.get_input_names("vits_chinese"), map(bench.filled, inputs), strict=True))
    spoken = voice.create_output_tensors_map("vits_chinese")
    models = [
        bench.sail.EngineLLM(bench.language_model(kind), [0]) for kind in ("static", "history")
    ]
    for model in models:
        tensors = model.create_max_input_tensors("embedding_cache")
        model.process(
            "embedding_cache", tensors, model.create_max_output_tensors("embedding_cache")
        )
    voice.process("vits_chinese", given, spoken)
    wave_name = voice.get_output_names("vits_chinese")[0]
    assert similarity(spoken[wave_name].asnumpy(), wanted) > 0.99


@check
def threads_may_launch_at_once(bench: Bench) -> None:
    inputs, wanted = bench.sentence()

    def speak(core: int) -> float:
        engine = bench.sail.Engine(str(bench.vits()), 0, bench.sail.IOMode.DEVIO)
        (graph,) = engine.get_graph_names()
        given = dict(zip(engine.get_input_names(graph), map(bench.filled, inputs), strict=True))
        outputs = engine.create_output_tensors_map(graph)
        worst = 1.0
        for _ in range(2):
            engine.process(graph, given, outputs, [core] if bench.chip == "bm1688" else [])
            sound = outputs[engine.get_output_names(graph)[0]].asnumpy()
            worst = min(worst, similarity(sound, wanted))
        return worst

    with ThreadPoolExecutor(2) as pool:
        assert min(pool.map(speak, (0, 1))) > 0.99


def _sail(kind: str) -> Any:
    if kind == "stand-in":
        from voicemesh.sophon.cmodel.sophon import sail as stand_in

        return stand_in
    from sophon import sail

    return sail


def main(kind: str, assets: str, target: str) -> None:
    bench = Bench(_sail(kind), Path(assets), target)
    for name, function in CHECKS.items():
        if kind == "stand-in" or name not in STAND_IN_ONLY:
            try:
                function(bench)
                said = None
            except Exception as error:
                said = f"{type(error).__name__}: {error}"
            sys.stdout.write(json.dumps([name, said]) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
