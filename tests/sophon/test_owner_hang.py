"""A chip that hangs: its owner ends all the same, and a supervisor starts another."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from voicemesh.errors import Unavailable
from voicemesh.supervisor.child import Child
from voicemesh.supervisor.events import MeshEvent
from voicemesh_llm.engines.engine import Message, Prompt, Role
from voicemesh_llm.engines.sophon_llm.engine import SophonModel
from voicemesh_llm.engines.sophon_llm.settings import SophonLLMSettings
from voicemesh_sophon.client import Chip, Launch
from voicemesh_sophon.devices import DevicesSettings
from voicemesh_sophon.placing.placement import Placement
from voicemesh_sophon.planned_owner import PlannedChipOwner

from .owners import STAND_IN, ScriptedOwner

Scripted = Callable[..., ScriptedOwner]
BERT = "vits/bm1688/bert_f16_1core.bmodel"


def _launch(chip: Chip, assets: Path) -> Launch:
    net = chip.load(assets / BERT).nets["bert"]
    ids = chip.tensor((1, 64), "int32")
    return Launch(net, [ids, ids, ids], [chip.tensor((1, 64, 256), "float32")])


def _hanging(chip: Chip, launch: Launch) -> threading.Thread:
    def run() -> None:
        with suppress(Unavailable):
            chip.run([launch])

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread


def test_a_launch_that_hangs_does_not_survive_sigterm(scripted: Scripted, assets: Path) -> None:
    owner = scripted(gated=True)
    chip = owner.open("tts")
    launch = _launch(chip, assets)
    owner.script("hung")
    hanging = _hanging(chip, launch)
    owner.began().end()  # It is under way, and does not end.
    assert owner.stop() == 0
    assert any("in the middle of tts: a launch of bert" in line for line in owner.said)
    assert any("in _launch" in line for line in owner.said)  # Where the threads were.
    hanging.join(20)
    assert not hanging.is_alive()


def test_an_owner_whose_chip_hangs_says_what_did_not_end_and_ends(
    scripted: Scripted, assets: Path
) -> None:
    owner = scripted(launch_within_s=0.5)
    llm, tts = owner.open("llm"), owner.open("tts")
    launches = [_launch(chip, assets) for chip in (llm, tts)]
    owner.script("hung")
    both = [_hanging(chip, one) for chip, one in zip((llm, tts), launches, strict=True)]
    assert owner.ended() == 3
    told = "".join(owner.said)
    assert "is taken to be lost: " in told
    assert ": a launch of bert has not ended for " in told
    assert "the chip hangs; look at bm-smi and dmesg" in told
    for one in both:  # The one that waited for its turn, too.
        one.join(20)
        assert not one.is_alive()


def test_a_launch_within_its_time_is_left_alone(scripted: Scripted, assets: Path) -> None:
    owner = scripted(gated=True, launch_within_s=0.5, load_within_s=0.5)
    chip = owner.open("tts")
    launch = _launch(chip, assets)
    for _ in range(12):  # Together longer than the limit.
        running = _hanging(chip, launch)
        gate = owner.began()
        threading.Event().wait(0.1)  # The launch takes that long.
        gate.end()
        running.join(20)
    assert owner.stop() == 0


def test_loading_that_holds_python_s_lock_ends_the_owner_too(
    scripted: Scripted, assets: Path
) -> None:
    owner = scripted(launch_within_s=0.5, load_within_s=0.5)
    chip = owner.open("tts")
    owner.script("stuck")
    with pytest.raises(Unavailable):
        chip.load(assets / BERT)
    assert owner.ended() == 1
    assert any("Timeout" in line for line in owner.said)
    assert any("sail.py" in line and "in load" in line for line in owner.said)


@pytest.fixture
def planned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PlannedChipOwner:
    """An owner whose Python has the scripted library as if it were the vendor's."""
    monkeypatch.setenv("PYTHONPATH", str(STAND_IN))
    monkeypatch.setenv("SCRIPTED_SAIL", str(tmp_path))
    monkeypatch.setenv("SCRIPTED_SAIL_VERSION", "3.10.7")
    devices = DevicesSettings(socket_folder=tmp_path, launch_within_s=0.5)
    return PlannedChipOwner(0, devices)


async def test_a_supervisor_replaces_the_owner_of_a_chip_that_hangs_and_ends_it_in_a_stop(
    planned: PlannedChipOwner, assets: Path, tmp_path: Path
) -> None:
    happened: list[MeshEvent] = []
    child = Child(planned, [], happened.append)
    run = asyncio.create_task(child.run())
    await child.wait_serving()
    placement = Placement("tts", Path(planned.target))
    chip = await asyncio.to_thread(Chip.open, placement)
    launch = await asyncio.to_thread(_launch, chip, assets)
    (tmp_path / "manner").write_text("hung")
    with pytest.raises(Unavailable):
        await asyncio.to_thread(chip.run, [launch])
    await child.wait_serving(restarts=1)
    assert [event.facts["status"] for event in happened if event.kind == "ended"] == [3]
    (tmp_path / "manner").write_text("")
    chip = await asyncio.to_thread(Chip.open, placement)
    launch = await asyncio.to_thread(_launch, chip, assets)
    await asyncio.to_thread(chip.run, [launch])
    (tmp_path / "manner").write_text("hung")
    hanging = _hanging(chip, launch)
    await child.stop()
    await run
    await asyncio.to_thread(hanging.join, 20)
    assert not psutil.pid_exists(child.pid)


async def test_an_engine_closes_though_its_launch_hangs(scripted: Scripted, assets: Path) -> None:
    owner = scripted()
    settings = SophonLLMSettings(
        model=assets / "llm/bm1688/tiny-assistant_f16_seq256_2core_static.bmodel",
        tokenizer=str(assets / "llm/config"),
        self_test=False,  # The scripted chip's numbers are nonsense.
        steps_up_to_tokens=1,  # Nothing is measured at load, which would wait for the gate.
    )
    model = SophonModel(settings, owner.placement("llm"))
    await model.load()
    owner.gate()
    owner.script("hung")

    async def answer() -> None:
        async for _ in model.generate(Prompt((Message(Role.USER, ("你好。",)),))):
            pass

    answering = asyncio.create_task(answer())
    (await asyncio.to_thread(owner.began)).end()  # It is under way, and does not end.
    async with asyncio.timeout(10):
        await model.close()
        with pytest.raises(Unavailable):
            await answering
