"""The owner of a chip against clients that keep to no rules, and within its quotas."""

from __future__ import annotations

import os
import socket
import stat
import struct
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from voicemesh.errors import EngineError, Unavailable
from voicemesh_sophon.chip_owner import client_resources, wire
from voicemesh_sophon.client import Copy, Fill, Launch, Read, Write
from voicemesh_sophon.client.owner_link import OwnerLink
from voicemesh_sophon.owner_process import OWNER
from voicemesh_sophon.placing.placement import Placement
from voicemesh_sophon.watch import ChipWatch

from .owners import STAND_IN, ScriptedOwner

Scripted = Callable[..., ScriptedOwner]
BERT = "vits/bm1688/bert_f16_1core.bmodel"


def _hello(sock: socket.socket, **changes: Any) -> dict[str, Any]:
    hello = {"protocol": wire.PROTOCOL, "service": "asr", "cores": [], "memory_mb": None}
    wire.send(sock, hello | changes)
    return wire.receive(sock)[0]


def _serves(owner: ScriptedOwner) -> bool:
    chip = owner.open("asr")
    tensor = chip.tensor((3,), "int32")
    (array,) = chip.run([Write(tensor, np.array([1, 2, 3], np.int32)), Read(tensor)])
    chip.close()
    return np.array_equal(array, [1, 2, 3])


@pytest.mark.parametrize(
    "octets",
    [
        b"GET / HTTP/1.1\r\nHost: chip\r\n\r\n",
        struct.pack("<II", 1 << 31, 0),
        struct.pack("<II", 2, 1 << 31) + b"{}",
        struct.pack("<II", 4, 0) + b"\xff\xfe\x00\x01",
        struct.pack("<II", 2, 0) + b"[]",
        struct.pack("<II", 200_000, 0) + b"[" * 200_000,
        b"\x00",
    ],
    ids=["http", "long header", "long payload", "no text", "no object", "deep", "cut short"],
)
def test_bytes_that_are_no_frame_end_their_connection_alone(
    shared_owner: Scripted, octets: bytes
) -> None:
    owner = shared_owner()
    for greeted in (False, True):
        with owner.raw() as sock:
            if greeted:
                _hello(sock)
            sock.sendall(octets)
            sock.shutdown(socket.SHUT_WR)
            with suppress(ConnectionResetError):  # It did not read all of it.
                while sock.recv(4096):
                    pass
    assert _serves(owner)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"protocol": 99}, "the client speaks protocol 99"),
        ({"service": "cat"}, "'cat' is no service"),
        ({"cores": [2]}, "are no cores of this chip, which has 2"),
        ({"cores": [0, 0]}, "are no cores"),
        ({"memory_mb": -1}, "is no number of MiB"),
    ],
)
def test_a_client_that_does_not_fit_is_told_why(
    shared_owner: Scripted, changes: dict[str, Any], why: str
) -> None:
    with shared_owner().raw() as sock:
        assert why in _hello(sock, **changes)["error"]


async def test_a_watch_that_does_not_fit_is_told_why_and_hangs_up(
    shared_owner: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = shared_owner()
    watch = ChipWatch(owner.placement("tts"))
    with monkeypatch.context() as other_version:
        other_version.setattr(wire, "PROTOCOL", 99)
        with pytest.raises(EngineError, match="speaks protocol 99, this owner 2; start the owner"):
            await watch.connect()
    with pytest.raises(Unavailable, match="the watch is closed"):
        await watch._ask()
    await watch.connect()
    assert watch.name == "bm1688:0"
    await watch.close()


def test_who_speaks_no_protocol_is_no_owner(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as stranger:
        stranger.bind(str(tmp_path / "chip"))
        stranger.listen()
        with ThreadPoolExecutor(1) as guest:
            connecting = guest.submit(OwnerLink, Placement("tts", tmp_path / "chip"))
            caller, _ = stranger.accept()
            with caller:
                caller.sendall(b"HTTP/1.1 400 Bad Request")
                with pytest.raises(Unavailable, match="nobody owns chip 0 .*is announced"):
                    connecting.result()


@pytest.mark.parametrize("free", [None, 7, {"1": 2}])
def test_a_request_that_frees_no_list_ends_its_connection_alone(
    shared_owner: Scripted, free: Any
) -> None:
    owner = shared_owner()
    with owner.raw() as sock:
        _hello(sock)
        wire.send(sock, {"op": "tensor", "shape": [4], "dtype": "int32", "free": free})
        assert wire.receive(sock)[0]["kind"] == "protocol"
    assert _serves(owner)


@pytest.mark.parametrize(
    "steps",
    [
        7,
        [["jump"]],
        ["write"],
        [["write", 1]],
        [["write", [1, 0, [4]], "payload", 0]],  # The payload is empty.
        [["write", [1, 0, [4]], "arena", -5]],
        [["write", [1, 0, [4]], "cellar", 0]],
        [["read", [1, 2, [4]], "payload", 0]],  # Beyond the tensor's end.
        [["read", [1, -1, [1]], "payload", 0]],
        [["read", [1, 0, [0]], "payload", 0]],
        [["read", [1, 0, [1 << 40]], "payload", 0]],
        [["read", [1, 0, [1] * 9], "payload", 0]],
        [["read", [77, 0, [1]], "payload", 0]],
        [["read", [[], 0, [1]], "payload", 0]],
        [["copy", [1, 0, [4]], [1, 0, [3]]]],
        [["copy", [1, 0, [3]], [1, 1, [3]]]],
        [["fill", [1, 0, [4]], "all"]],
        [["launch", 1, "bert", [], [], None]],
        [["launch", 2, 5, [], [], None]],
        [["launch", 2, "bert", [[1, 0, [4]]] * 3, [[1, 0, [4]]], None]],
        [["launch", 2, "bert", None, None, None]],
        [["read", [1, 0, [1]], "payload", 0]] * 5000,
    ],
)
def test_steps_that_cannot_be_done_are_refused_before_any_is(
    shared_owner: Scripted, assets: Path, steps: Any
) -> None:
    owner = shared_owner()
    with owner.raw() as sock:
        _hello(sock)
        wire.send(sock, {"op": "tensor", "shape": [4], "dtype": "int32"})
        assert wire.receive(sock)[0]["tensor"] == 1
        wire.send(sock, {"op": "load", "files": [str(assets / BERT)], "own_io": False})
        assert wire.receive(sock)[0]["model"] == 2
        first = [["fill", [1, 0, [4]], 9]]
        wire.send(sock, {"op": "run", "steps": first + steps if type(steps) is list else steps})
        assert wire.receive(sock)[0]["kind"] == "refused"
        wire.send(sock, {"op": "run", "steps": [["read", [1, 0, [4]], "payload", 0]]})
        assert not any(wire.receive(sock)[1])


def test_an_arena_that_its_client_could_shrink_is_refused(shared_owner: Scripted) -> None:
    owner = shared_owner()
    descriptor = os.memfd_create("open arena")
    os.ftruncate(descriptor, 1 << 16)
    with owner.raw() as sock:
        _hello(sock)
        wire.send(sock, {"op": "arena", "bytes": 1 << 16})
        wire.send_descriptor(sock, descriptor)
        assert "not sealed" in wire.receive(sock)[0]["error"]
    os.close(descriptor)
    assert _serves(owner)


def test_the_socket_is_its_users_alone_and_has_one_owner(scripted: Scripted) -> None:
    owner = scripted()
    assert stat.S_IMODE(owner.socket.stat().st_mode) == 0o600
    second = subprocess.run(
        [sys.executable, OWNER, "--socket", owner.socket, "--sail-folder", STAND_IN],
        env=os.environ | {"SCRIPTED_SAIL": str(owner.folder)},
        stderr=subprocess.PIPE,
        text=True,
    )
    assert second.returncode == 2
    assert "another owner listens" in second.stderr
    assert _serves(owner)


def test_an_owner_that_is_stopped_takes_its_socket_away_and_tells_its_clients(
    scripted: Scripted,
) -> None:
    owner = scripted()
    chip = owner.open("asr")
    assert owner.stop() == 0
    assert not owner.socket.exists()
    with pytest.raises(Unavailable, match="voicemesh serve-chip 0"):
        chip.tensor((1,), "int32")
    with pytest.raises(Unavailable, match="No such file"):
        owner.open("asr")


@pytest.mark.parametrize("sail", ["3.10.7", "3.9.0"], ids=["views", "no views"])
@pytest.mark.parametrize(
    ("dtype", "stored"),
    [
        ("float32", np.float32),
        ("float16", np.float16),
        ("bfloat16", np.uint16),
        ("int32", np.int32),
        ("uint32", np.uint32),
        ("int16", np.int16),
        ("uint16", np.uint16),
        ("int8", np.int8),
        ("uint8", np.uint8),
    ],
)
def test_elements_of_every_type_come_back_as_they_went(
    shared_owner: Scripted, dtype: str, stored: type[np.generic], sail: str
) -> None:
    owner = shared_owner(sail=sail)
    chip = owner.open("llm")
    assert ("views" in chip.abilities) == (sail != "3.9.0")
    values = np.arange(-3, 21).astype(stored).reshape(2, 3, 4)
    one, other = chip.tensor((2, 3, 4), dtype), chip.tensor((24,), dtype)
    row = one.view((4,), 8)
    back, whole, copied, filled = chip.run(
        [
            Write(one, values),
            Write(row, values[0, 0]),
            Read(row),
            Read(one),
            Copy(one, other, 4, 20, 4),
            Read(other.view((2, 2), 20)),
            Fill(other.view((3,), 1), 2),
            Read(other.view((5,))),
        ]
    )
    assert back.dtype == stored
    assert np.array_equal(back, values[0, 0])
    expected = values.copy()
    expected[0, 2] = values[0, 0]
    assert np.array_equal(whole, expected)
    assert np.array_equal(copied, values[0, 1].reshape(2, 2))
    two = 0x4000 if dtype == "bfloat16" else 2
    assert filled.tolist() == [0, two, two, two, 0]


def test_large_arrays_travel_in_shared_memory_that_grows(shared_owner: Scripted) -> None:
    chip = shared_owner().open("tts")
    for count in (10_000, 3_000_000, 100):
        values = np.random.default_rng(1).standard_normal(count).astype(np.float32)
        tensor, small = chip.tensor((count,), "float32"), chip.tensor((2,), "int32")
        pair = np.array([count, 5], np.int32)
        first, second, third = chip.run(
            [Write(small, pair), Write(tensor, values), Read(tensor), Read(small), Read(tensor)]
        )
        assert np.array_equal(first, values)
        assert np.array_equal(third, values)
        assert np.array_equal(second, pair)
        first[0] = 0  # A result is the caller's own.
        assert not np.array_equal(first, third)


def test_a_client_gets_no_more_memory_than_its_placement_names(
    scripted: Scripted, assets: Path
) -> None:
    owner = scripted()
    chip = owner.open("tts", memory_mb=1)
    held = chip.tensor((700, 256), "float32")
    with pytest.raises(EngineError, match=r"0\.7 of the 1 MiB of devices\.tts\.memory_mb"):
        chip.tensor((700, 256), "float32")
    with pytest.raises(EngineError, match=r"bert_f16_1core\.bmodel needs"):
        chip.load(assets / BERT)
    held.free()
    chip.load(assets / BERT)
    assert owner.news()["clients"][0]["models"] == [str(assets / BERT)]


def test_tensors_that_nobody_holds_any_more_are_freed(
    scripted: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = scripted()
    chip = owner.open("llm", memory_mb=1)
    for _ in range(20):
        chip.tensor((1000, 100), "float32")
    kept = chip.tensor((10,), "float32").view((2,), 4)
    chip.run([Read(kept)])
    assert owner.news()["clients"][0]["memory_bytes"] == 40


def test_a_client_has_a_bounded_number_of_tensors(shared_owner: Scripted) -> None:
    chip = shared_owner().open("llm")
    held = [chip.tensor((1,), "int8") for _ in range(client_resources.MAX_TENSORS)]
    with pytest.raises(EngineError, match="at most 8192 tensors"):
        chip.tensor((1,), "int8")
    held.pop()
    chip.tensor((1,), "int8")


def test_what_a_net_does_not_take_is_refused_with_file_net_and_slot(
    shared_owner: Scripted, assets: Path
) -> None:
    chip = shared_owner().open("tts", cores=(1,))
    net = chip.load(assets / BERT).nets["bert"]
    ids = chip.tensor((1, 64), "int32")
    embedding = chip.tensor((1, 64, 256), "float32")
    chip.run([Launch(net, [ids, ids, ids], [embedding])])
    short = ids.view((1, 12))
    for inputs, outputs, cores, message in (
        ([ids, ids], [embedding], None, "has 3 inputs, not 2"),
        ([ids, ids, embedding], [embedding], None, "token_type_ids is int32, but"),
        ([ids, ids, short], [embedding], None, r"does not take inputs of .*\[1, 12\]; it takes"),
        ([ids, ids, ids], [embedding.view((1, 63, 256))], None, "has no room for the output"),
        ([ids, ids, ids], [embedding], [0], r"\[0\] are not among the cores of its placement"),
    ):
        with pytest.raises(EngineError, match=message) as caught:
            chip.run([Launch(net, inputs, outputs, cores=cores)])
        assert "bert_f16_1core.bmodel: bert" in str(caught.value)


def test_a_model_for_more_cores_than_its_place_has_is_refused(
    shared_owner: Scripted, assets: Path
) -> None:
    chip = shared_owner().open("tts", cores=(1,))
    with pytest.raises(EngineError, match=r"compiled for 2 cores, but devices\.tts\.cores names 1"):
        chip.load(assets / "vits/bm1688/bert_f16_2core.bmodel")
