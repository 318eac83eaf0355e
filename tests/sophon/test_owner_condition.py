"""The owner looks at the chip's condition between launches, whatever the library prints."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from voicemesh_sophon.client import Chip, Launch, Read

from .owners import ScriptedOwner

Scripted = Callable[..., ScriptedOwner]
REPLIES = 200
WITHIN_S = 20.0


def _launch(chip: Chip, assets: Path) -> Launch:
    net = chip.load(assets / "vits/bm1688/bert_f16_1core.bmodel").nets["bert"]
    ids = chip.tensor((1, 64), "int32")
    return Launch(net, [ids, ids, ids], [chip.tensor((1, 64, 256), "float32")])


def _until(told: Callable[[], bool]) -> None:
    """Wait for what the owner does by its own clock; fail where it never does."""
    end = time.monotonic() + WITHIN_S
    while not told():
        assert time.monotonic() < end, "the owner does not come to it"
        threading.Event().wait(0.001)


def _wait_until_asked(owner: ScriptedOwner, times: int) -> list[str]:
    _until(lambda: len(owner.asked()) >= times)
    return owner.asked()


@pytest.mark.parametrize("board", ["soc", "deaf"])
def test_no_reply_fails_for_a_question_that_the_library_answers_with_an_error_line(
    scripted: Scripted, assets: Path, board: str
) -> None:
    owner = scripted(gated=True, condition_every_s=0.001)
    (owner.folder / "board").write_text(board)
    chip = owner.open("tts")
    launch = _launch(chip, assets)
    replies: list[float] = []

    def reply() -> None:
        for _ in range(REPLIES):
            (array,) = chip.run([launch, Read(launch.outputs[0])])
            replies.append(float(array.mean()))

    talking = threading.Thread(target=reply, daemon=True)
    talking.start()
    for _ in range(REPLIES):
        running = owner.began()
        # Until a question is due while the launch runs.
        _until(lambda: bool(owner.news()["waiting"]["condition"]))
        running.end()
    talking.join(20)
    assert replies == [7.0] * REPLIES
    asked = owner.asked()
    assert len(asked) > REPLIES
    assert set(asked) <= {"statistics", "temperature"}  # Nothing was under way.
    assert owner.news()["services"]["tts"]["failures"] == 0


def test_what_the_platform_does_not_support_is_asked_once_and_told_once(
    scripted: Scripted,
) -> None:
    owner = scripted(condition_every_s=0.001)
    asked = _wait_until_asked(owner, 20)
    assert asked[:3] == ["statistics", "temperature", "statistics"]
    assert asked.count("temperature") == 1
    assert owner.news()["condition"] == {
        "memory_total_bytes": 8192 * 2**20,
        "memory_used_bytes": 1024 * 2**20,
        "utilisation": 0.3,
    }
    owner.process.kill()
    owner.ended()
    following = ScriptedOwner(owner.folder)
    following.stop()
    following.clean_up()
    assert not any("what ended the owner before" in line for line in following.said)
    assert not any("vendor: " in line for line in owner.said)
    (told,) = [line for line in owner.said if "does not tell its temperature" in line]
    assert "ret=9; it is not asked again" in told


def test_a_question_that_fails_for_another_reason_is_asked_again(scripted: Scripted) -> None:
    owner = scripted(condition_every_s=0.001)
    (owner.folder / "board").write_text("deaf")
    begun = len(_wait_until_asked(owner, 2))
    _wait_until_asked(owner, begun + 20)
    assert owner.news()["condition"] == {}
    (owner.folder / "board").write_text("card")
    _until(lambda: "memory_total_bytes" in owner.news()["condition"])


def test_a_card_tells_its_temperature_from_the_first_moment(
    scripted: Scripted, tmp_path: Path
) -> None:
    (tmp_path / "chip0").mkdir()
    (tmp_path / "chip0/board").write_text("card")
    assert scripted().news()["condition"]["temperature_celsius"] == 51


@pytest.mark.parametrize("board", ["soc", "deaf"])
def test_numbers_of_a_version_that_hides_its_failures_are_left_out(
    scripted: Scripted, tmp_path: Path, board: str
) -> None:
    (tmp_path / "chip0").mkdir()
    (tmp_path / "chip0/board").write_text(board)
    owner = scripted(sail="3.10.2", condition_every_s=0.001)
    asked = _wait_until_asked(owner, 10)
    assert asked.count("temperature") == 1  # 0 °C stands for "not supported".
    told = owner.news()["condition"]
    assert "temperature_celsius" not in told
    assert ("memory_total_bytes" in told) == (board == "soc")


def test_a_sail_that_keeps_a_device_handle_at_each_question_is_asked_nothing(
    scripted: Scripted, assets: Path
) -> None:
    owner = scripted(sail="3.9.0", condition_every_s=0.001)
    chip = owner.open("tts")
    launch = _launch(chip, assets)
    chip.run([launch])
    descriptors = len(os.listdir(f"/proc/{owner.process.pid}/fd"))
    for _ in range(REPLIES):
        chip.run([launch])
        assert owner.news()["condition"] == {}
    # The connection of the last watcher may not be closed yet.
    assert len(os.listdir(f"/proc/{owner.process.pid}/fd")) <= descriptors + 1
    assert owner.asked() == []
    assert any("3.9.1 or newer" in line for line in owner.said)
