"""Programs: steps that the owner checks once, started at many positions."""

from __future__ import annotations

import gc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from voicemesh.errors import EngineError
from voicemesh_sophon.chip_owner import wire
from voicemesh_sophon.chip_owner.client_resources import MAX_PROGRAMS
from voicemesh_sophon.chip_owner.programs import POSITIONS_KEPT
from voicemesh_sophon.client import (
    Argument,
    Chip,
    Copy,
    DeviceTensor,
    Fill,
    Launch,
    Program,
    Read,
    Start,
    Write,
)

from .owners import ScriptedOwner

Scripted = Callable[..., ScriptedOwner]
BERT = "vits/bm1688/bert_f16_1core.bmodel"
SAILS = pytest.mark.parametrize("sail", ["3.10.7", "3.9.0"], ids=["views", "no views"])
OUTPUT = (1, 64, 256)
SIZE = 64 * 256


def bert(chip: Chip, assets: Path, output: DeviceTensor) -> Launch:
    net = chip.load(assets / BERT).nets["bert"]
    ids = chip.tensor((1, 64), "int32")
    return Launch(net, [ids, ids, ids], [output])


@SAILS
def test_a_start_does_the_steps_at_its_position(shared_owner: Scripted, sail: str) -> None:
    chip = shared_owner(sail=sail).open("llm")
    cache, row, mark = (chip.tensor(shape, "int32") for shape in ((100, 4), (1, 4), (3,)))
    program = chip.prepare(
        [
            Argument(mark),
            Argument(row),
            Copy(row, cache.moving((1, 4), 4)),
            Read(cache.moving((4,), 4)),
            Fill(row, 5),
            Read(row),
            Read(mark),
        ],
        positions=100,
    )
    expected = np.zeros((100, 4), np.int32)
    for position in (3, 0, 99, 3):
        marked = np.array([position, 2, 3], np.int32)
        expected[position] = position + 1
        written, filled, told = chip.run(
            [Start(program, [marked, expected[position]], position)],
        )
        assert np.array_equal(written, expected[position])
        assert filled.tolist() == [[5] * 4]
        assert np.array_equal(told, marked)
    (whole,) = chip.run([Read(cache)])
    assert np.array_equal(whole, expected)


@SAILS
def test_a_launch_writes_where_its_position_says(
    scripted: Scripted, assets: Path, sail: str
) -> None:
    owner = scripted(sail=sail)
    chip = owner.open("llm")
    # The scripted launch fills all of the memory that it is given.
    rows, fixed = chip.tensor((70, SIZE), "float32"), chip.tensor(OUTPUT, "float32")
    moving = rows.view((69, SIZE), SIZE).moving(OUTPUT, SIZE)
    launch = bert(chip, assets, fixed)
    program = chip.prepare(
        [Launch(launch.net, launch.inputs, [moving]), launch, Read(fixed)], positions=69
    )
    # More of them than are kept, and one again that has been dropped.
    for position in (*range(2, POSITIONS_KEPT + 4), 2):
        chip.run([Fill(rows), Start(program, position=position)])
        (array,) = chip.run([Read(rows)])
        assert np.nonzero(array.any(axis=1))[0].tolist() == [position + 1]
    counted = owner.news()["services"]["llm"]["launches"]["bert"]["counts"]
    assert sum(counted) == 2 * (POSITIONS_KEPT + 3)


def test_large_arguments_and_results_go_by_shared_memory(shared_owner: Scripted) -> None:
    chip = shared_owner().open("tts")
    large, small = chip.tensor((300_001,), "uint8"), chip.tensor((3,), "uint8")
    program = chip.prepare([Argument(small), Argument(large), Read(large), Read(small)])
    values = np.random.default_rng(1).integers(0, 255, 300_001).astype(np.uint8)
    three = np.array([1, 2, 3], np.uint8)
    extra = chip.tensor((2,), "uint8")
    pair = np.array([8, 9], np.uint8)
    results = chip.run([Write(extra, pair), Start(program, [three, values]), Read(extra)])
    for found, expected in zip(results, (values, three, pair), strict=True):
        assert np.array_equal(found, expected)


def test_what_would_leave_its_tensor_at_some_position_is_refused_when_it_is_prepared(
    shared_owner: Scripted,
) -> None:
    chip = shared_owner().open("llm")
    cache = chip.tensor((10, 4), "int32")
    steps = [Read(cache.moving((4,), 4))]
    chip.prepare(steps, positions=10)
    with pytest.raises(EngineError, match=r"\[4\] elements from 40 on reach beyond .*\[10, 4\]"):
        chip.prepare(steps, positions=11)
    with pytest.raises(EngineError, match="does not fit into"):
        cache.moving((11, 4), 4)
    for positions in (0, -1, 1 << 30):
        with pytest.raises(EngineError, match="is no number of positions"):
            chip.prepare(steps, positions)


def test_a_start_that_does_not_fit_its_program_is_refused(shared_owner: Scripted) -> None:
    owner = shared_owner()
    chip, other = owner.open("llm"), owner.open("llm")
    tensor = chip.tensor((4,), "int32")
    program = chip.prepare([Argument(tensor), Read(tensor)], positions=3)
    four = np.arange(4, dtype=np.int32)
    for position in (3, -1):
        with pytest.raises(EngineError, match=f"no position {position}, only 3"):
            chip.run([Start(program, [four], position)])
    with pytest.raises(EngineError, match="takes 1 arrays, not 2"):
        chip.run([Start(program, [four, four])])
    with pytest.raises(EngineError, match="cannot be written to a tensor"):
        chip.run([Start(program, [four.astype(np.int64)])])
    with pytest.raises(EngineError, match="prepared by another chip"):
        other.run([Start(program, [four])])
    (array,) = chip.run([Start(program, [four], 2)])
    assert np.array_equal(array, four)


@pytest.mark.parametrize("lost", ["tensor", "model"])
def test_a_program_ends_with_what_it_works_on(scripted: Scripted, assets: Path, lost: str) -> None:
    owner = scripted()
    chip = owner.open("llm")
    model = chip.load(assets / BERT)
    ids, output = chip.tensor((1, 64), "int32"), chip.tensor(OUTPUT, "float32")
    launch = Launch(model.nets["bert"], [ids, ids, ids], [output])
    program, other = chip.prepare([launch, Read(output)]), chip.prepare([Read(ids)])
    chip.run([Start(program)])
    if lost == "tensor":
        output.free()
    else:
        model.close()
    with pytest.raises(EngineError, match="a tensor or a model of it was freed; prepare it again"):
        chip.run([Start(program)])
    chip.run([Start(other)])
    fresh = chip.tensor(OUTPUT, "float32")
    (array,) = chip.run([Read(fresh)])
    assert not array.any()


def test_a_client_has_a_bounded_number_of_programs_and_dropped_ones_make_room(
    shared_owner: Scripted,
) -> None:
    chip = shared_owner().open("llm")
    tensor = chip.tensor((4,), "int32")
    held: list[Program] = [chip.prepare([Read(tensor)]) for _ in range(MAX_PROGRAMS)]
    with pytest.raises(EngineError, match=f"at most {MAX_PROGRAMS} programs"):
        chip.prepare([Read(tensor)])
    held.pop()
    gc.collect()
    chip.run([Start(chip.prepare([Read(tensor)]))])


@pytest.mark.parametrize("manner", ["silent", "printed", "raised"])
def test_a_launch_of_a_program_that_fails_is_an_error_that_names_file_and_net(
    scripted: Scripted, assets: Path, manner: str
) -> None:
    owner = scripted()
    chip = owner.open("tts")
    output = chip.tensor(OUTPUT, "float32")
    program = chip.prepare([bert(chip, assets, output), Read(output)])
    owner.script(manner)
    with pytest.raises(EngineError, match=r"bert_f16_1core\.bmodel: the launch of bert failed"):
        chip.run([Start(program)])
    owner.script("")
    (array,) = chip.run([Start(program)])
    assert (array == 7).all()


@pytest.mark.parametrize(
    "steps",
    [
        7,
        [7],
        [["write", [1, 0, [4]], "payload", 0]],
        [["read", [1, 0, [4]], "payload", 0]],
        [["argument"]],
        [["argument", [1, 0, [4], -1]]],
        [["argument", [1, 0, [4], "far"]]],
        [["argument", [1, 0, [4], 0, 0]]],
        [["result", [9, 0, [4]]]],
        [["copy", [1, 0, [1], 1], [1, 2, [1]]]],
        [["start", 1, 0, "payload", 0, "payload", 0]],
        [["launch", 1, "bert", [], [], None]],
    ],
)
def test_a_program_that_cannot_be_done_is_refused(shared_owner: Scripted, steps: Any) -> None:
    with shared_owner().raw() as sock:
        wire.send(sock, {"protocol": wire.PROTOCOL, "service": "llm", "cores": []})
        wire.receive(sock)
        wire.send(sock, {"op": "tensor", "shape": [4], "dtype": "int32"})
        assert wire.receive(sock)[0]["tensor"] == 1
        wire.send(sock, {"op": "prepare", "steps": steps, "positions": 2})
        assert wire.receive(sock)[0]["kind"] == "refused"
        for start in (["start", 2, 0, "payload", 0, "payload", 0], ["start"], ["start", [], 0]):
            wire.send(sock, {"op": "run", "steps": [start]})
            assert wire.receive(sock)[0]["kind"] == "refused"


@pytest.mark.parametrize(
    "start",
    [
        [0, "payload", 8, "payload", 0],
        [0, "cellar", 0, "payload", 0],
        [0, "payload", -8, "payload", 0],
        [0, "payload", 0, "arena", 0],
        ["0", "payload", 0, "payload", 0],
        [2, "payload", 0, "payload", 0],
    ],
)
def test_a_start_whose_bulk_is_not_there_is_refused(shared_owner: Scripted, start: Any) -> None:
    with shared_owner().raw() as sock:
        wire.send(sock, {"protocol": wire.PROTOCOL, "service": "llm", "cores": []})
        wire.receive(sock)
        wire.send(sock, {"op": "tensor", "shape": [4], "dtype": "int32"})
        wire.receive(sock)
        steps = [["argument", [1, 0, [4]]], ["result", [1, 0, [4]]]]
        wire.send(sock, {"op": "prepare", "steps": steps, "positions": 2})
        assert wire.receive(sock)[0] == {"program": 2}
        wire.send(sock, {"op": "run", "steps": [["start", 2, *start]]}, bytes(16))
        assert wire.receive(sock)[0]["kind"] == "refused"
        good = ["start", 2, 1, "payload", 0, "payload", 0]
        wire.send(sock, {"op": "run", "steps": [good]}, bytes(range(16)))
        assert wire.receive(sock) == ({}, bytes(range(16)))


def test_a_request_of_too_many_steps_is_refused_with_those_of_its_programs(
    shared_owner: Scripted,
) -> None:
    chip = shared_owner().open("llm")
    tensor = chip.tensor((1,), "int32")
    program = chip.prepare([Fill(tensor)] * 2000)
    with pytest.raises(EngineError, match="at most 4096 steps, its programs' included"):
        chip.run([Fill(tensor, 3), *[Start(program)] * 3])
    (array,) = chip.run([Read(tensor)])
    assert array[0] == 0
