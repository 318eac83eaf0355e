"""Launches that fail the way sail's do: without a word to the caller."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from voicemesh.errors import EngineError, Unavailable
from voicemesh_sophon.chip_owner.launch_proof import EVERY_LAUNCHES
from voicemesh_sophon.client import Chip, Launch, Read

from .owners import ScriptedOwner

Scripted = Callable[..., ScriptedOwner]


def _launch(chip: Chip, assets: Path) -> Launch:
    net = chip.load(assets / "vits/bm1688/bert_f16_1core.bmodel").nets["bert"]
    ids = chip.tensor((1, 64), "int32")
    return Launch(net, [ids, ids, ids], [chip.tensor((1, 64, 256), "float32")])


@pytest.mark.parametrize("manner", ["silent", "printed", "raised"])
@pytest.mark.parametrize("sail", ["3.10.7", "3.9.0"], ids=["views", "no views"])
def test_a_first_launch_that_fails_is_an_error_that_names_file_and_net(
    scripted: Scripted, assets: Path, manner: str, sail: str
) -> None:
    owner = scripted(sail=sail)
    chip = owner.open("tts")
    launch = _launch(chip, assets)
    owner.script(manner)
    with pytest.raises(EngineError, match=r"bert_f16_1core\.bmodel: the launch of bert failed"):
        chip.run([launch])
    owner.script("")
    (array,) = chip.run([launch, Read(launch.outputs[0])])
    assert (array == 7).all()


def test_a_failure_that_is_printed_is_found_at_any_launch(scripted: Scripted, assets: Path) -> None:
    owner = scripted()
    chip = owner.open("tts")
    launch = _launch(chip, assets)
    chip.run([launch] * 5)
    owner.script("printed")
    with pytest.raises(EngineError, match="bmrt_launch_tensor_ex"):
        chip.run([launch])
    owner.script("")
    chip.run([launch])
    assert owner.news()["services"]["tts"]["failures"] == 1


def test_a_failure_without_a_word_is_found_after_a_bounded_number_of_launches(
    scripted: Scripted, assets: Path
) -> None:
    owner = scripted()
    chip = owner.open("tts")
    launch = _launch(chip, assets)
    chip.run([launch])
    owner.script("silent")
    chip.run([launch] * (EVERY_LAUNCHES - 1))  # What the proof does not see.
    with pytest.raises(EngineError, match="its output was not written"):
        chip.run([launch])


def test_an_owner_whose_chip_fails_again_and_again_ends(scripted: Scripted, assets: Path) -> None:
    owner = scripted()
    chip = owner.open("tts")
    launch = _launch(chip, assets)
    chip.run([launch])
    owner.script("printed")
    for _ in range(3):
        # The last answer may be cut off by the owner's end.
        with pytest.raises((EngineError, Unavailable)):
            chip.run([launch])
    assert owner.process.wait(20) == 3
    assert any("taken to be lost" in line for line in owner.said)
    with pytest.raises(Unavailable):
        chip.run([launch])


def test_a_network_that_never_worked_does_not_end_the_owner(
    scripted: Scripted, assets: Path
) -> None:
    owner = scripted()
    chip = owner.open("tts")
    launch = _launch(chip, assets)
    owner.script("raised")
    for _ in range(10):
        with pytest.raises(EngineError):
            chip.run([launch])
    owner.script("")
    chip.run([launch])


def test_an_owner_that_is_ended_by_the_libraries_tells_where_and_leaves_their_last_words(
    scripted: Scripted, assets: Path
) -> None:
    owner = scripted()
    chip = owner.open("tts")
    launch = _launch(chip, assets)
    owner.script("printed")
    with pytest.raises(EngineError):
        chip.run([launch])
    owner.script("ended")
    with pytest.raises(Unavailable):
        chip.run([launch])
    assert owner.ended() == -signal.SIGABRT
    assert any("Fatal Python error: Aborted" in line for line in owner.said)
    assert any("sail_chip.py" in line and "in launch" in line for line in owner.said)
    following = ScriptedOwner(owner.folder)
    following.stop()
    following.clean_up()
    assert any("bmrt_launch_tensor_ex() err" in line for line in following.said)


def test_launches_are_counted_by_network(scripted: Scripted, assets: Path) -> None:
    owner = scripted()
    chip = owner.open("tts")
    chip.run([_launch(chip, assets)] * 3)
    told = owner.news()["services"]["tts"]
    assert sum(told["launches"]["bert"]["counts"]) == 3
    assert sum(told["waits"]["counts"]) == 3
