"""EngineLLM: memory of the runtime's own, stages, dynamic graphs."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .bench import Bench, check, raising, stand_in_check


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
def a_model_that_is_there_twice_outlives_its_double_and_others(bench: Bench) -> None:
    def model(kind: str) -> Any:
        return bench.sail.EngineLLM(bench.language_model(kind), [0])

    kept, graph = model("static"), "block_cache_0"
    inputs = kept.create_max_input_tensors(graph)
    for index, tensor in inputs.items():
        _random(bench, tensor, index)
    outputs = kept.create_max_output_tensors(graph)
    kept.process(graph, inputs, outputs)
    before = outputs[0].asnumpy()
    for kind in ("static", "history"):
        other = model(kind)
        del other
    # What was given back is used for something else.
    others = [bench.tensor([100_000], "BM_FLOAT32") for _ in range(16)]
    kept.process(graph, inputs, outputs)
    assert len(others) == 16
    assert (outputs[0].asnumpy() == before).all()


@check
def a_nets_own_memory_is_its_own_whatever_models_come_and_go(bench: Bench) -> None:
    """Of a net that joins old and new rows in place; loaded without BM_RUNTIME_SHARE_MEM."""

    def voice() -> Any:
        loaded = bench.sail.Engine(str(bench.vits()), 0, bench.sail.IOMode.DEVIO)
        (graph,) = loaded.get_graph_names()
        inputs = loaded.create_input_tensors_map(graph)
        loaded.process(graph, inputs, loaded.create_output_tensors_map(graph))
        return loaded

    before = voice()
    engine, graph, rows = (
        bench.sail.EngineLLM(bench.language_model("history"), [0]),
        "block_kv_0",
        5,
    )
    own = engine.get_input_tensors_addrmode0(graph)
    fresh = engine.create_max_input_tensors(graph)
    inputs = {0: fresh[0], 1: fresh[1], 2: own[2], 3: own[3]}
    outputs = engine.create_max_output_tensors(graph)
    for tensor in (*inputs.values(), *outputs.values()):
        tensor.reshape([1, rows, *tensor.shape()[2:]])

    def run() -> list[NDArray[Any]]:
        for index, tensor in inputs.items():
            _random(bench, tensor, index)
        engine.process(graph, inputs, outputs)
        return [tensor.asnumpy() for tensor in outputs.values()]

    first = run()
    another = voice()
    assert all((a == b).all() for a, b in zip(first, run(), strict=True))
    del before, another
    assert all((a == b).all() for a, b in zip(first, run(), strict=True))
