"""Engine: files, modes, cores, what is refused, several at once."""

from __future__ import annotations

import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .bench import Bench, check, raising, similarity, stand_in_check


@check
def a_device_that_is_not_there_is_refused(bench: Bench) -> None:
    assert bench.sail.get_available_tpu_num() >= 1
    with raising(bench.sail.SailDeviceError):
        bench.sail.Handle(99)


@check
def a_simulator_tells_no_temperature(bench: Bench) -> None:
    for question in (bench.sail.get_chip_temp, bench.sail.get_board_temp):
        with raising(bench.sail.SailDeviceError, match="failed"):
            question(0)


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
def models_that_come_and_go_leave_the_others_answers_as_they_are(bench: Bench) -> None:
    bert = bench.sail.Engine(str(bench.bert()), 0, bench.sail.IOMode.DEVIO)
    ids = {name: bench.filled(np.ones((1, 64), np.int32)) for name in bert.get_input_names("bert")}
    vectors = bert.create_output_tensors_map("bert")

    def read() -> NDArray[Any]:
        bert.process("bert", ids, vectors)
        (array,) = [tensor.asnumpy() for tensor in vectors.values()]
        return np.asarray(array)

    before = read()
    inputs, wanted = bench.sentence()
    voice = bench.sail.Engine(str(bench.vits()), 0, bench.sail.IOMode.DEVIO)
    given = dict(zip(voice.get_input_names("vits_chinese"), map(bench.filled, inputs), strict=True))
    spoken = voice.create_output_tensors_map("vits_chinese")
    wave_name = voice.get_output_names("vits_chinese")[0]
    model = None
    for kind in ("history", "static", ""):
        assert (read() == before).all()
        voice.process("vits_chinese", given, spoken)
        assert similarity(spoken[wave_name].asnumpy(), wanted) > 0.99
        model = None  # The one before goes before the next one comes.
        if kind:
            model = bench.sail.EngineLLM(bench.language_model(kind), [0])
            tensors = model.create_max_input_tensors("embedding")
            model.process("embedding", tensors, model.create_max_output_tensors("embedding"))
    del voice, model
    assert (read() == before).all()


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
