"""Models that disturb each other on a chip are found, whatever the vendor's library says."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from voicemesh.errors import EngineError, Unavailable
from voicemesh_sophon.chip_owner import wire
from voicemesh_sophon.chip_owner.scheduler import Scheduler
from voicemesh_sophon.client import Chip, FixedQuestion, Launch, Model, Read
from voicemesh_sophon.service_chip import ServiceChip

from .owners import ScriptedOwner

Scripted = Callable[..., ScriptedOwner]
SMALL = "vits/bm1688/bert_f16_1core.bmodel"
LARGE = "vits/bm1688/vits_chinese_128_bm1688_f16_1core.bmodel"
WITHIN_S = 20.0


def _launch(chip: Chip, model: Model) -> list[Launch | Read]:
    (net,) = model.nets.values()
    inputs = [chip.tensor(slot.shape, slot.dtype) for slot in net.inputs]
    outputs = [chip.tensor(slot.shape, slot.dtype) for slot in net.outputs]
    return [Launch(net, inputs, outputs), *map(Read, outputs)]


def _taken_in(chip: Chip, file: Path) -> list[Launch | Read]:
    """Load as an engine does; the steps of a launch of the engine's own."""
    model = chip.load(file, checked=True)
    question = FixedQuestion(chip)
    question.run(_launch(question, model))
    chip.check(model, question.steps)
    return _launch(chip, model)


def _answers(chip: Chip, steps: list[Launch | Read]) -> set[float]:
    return {float(value) for array in chip.run(steps) for value in array.reshape(-1)}


def _until(told: Callable[[], bool]) -> None:
    end = time.monotonic() + WITHIN_S
    while not told():
        assert time.monotonic() < end, "the owner does not come to it"


def _memory(owner: ScriptedOwner, manner: str) -> None:
    (owner.folder / "memory").write_text(manner)


def test_models_that_have_memory_of_their_own_are_taken_in(
    scripted: Scripted, assets: Path
) -> None:
    owner = scripted()
    llm, tts = owner.open("llm"), owner.open("tts")
    small = _taken_in(llm, assets / SMALL)
    large = _taken_in(tts, assets / LARGE)
    assert _answers(llm, small) == _answers(tts, large) == {7.0}
    assert owner.news()["checks"] == {"right": 2, "refused": 0, "reordered": 0}


def test_a_newcomer_that_the_others_write_over_is_refused_and_they_go_on(
    scripted: Scripted, assets: Path
) -> None:
    owner = scripted()
    _memory(owner, "shared")
    llm = owner.open("llm")
    small = _taken_in(llm, assets / SMALL)
    tts = owner.open("tts")
    with pytest.raises(EngineError) as refused:
        _taken_in(tts, assets / LARGE)
    said = str(refused.value)
    assert f"{assets / LARGE} (tts) cannot be on this chip together with {assets / SMALL}" in said
    assert "it answers a fixed question otherwise" in said
    assert "devices.tts.chip" in said
    assert _answers(llm, small) == {7.0}
    news = owner.news()
    assert news["checks"]["refused"] == 1
    assert {c["service"]: len(c["models"]) for c in news["clients"]} == {"llm": 1, "tts": 0}


def test_who_was_refused_is_not_loaded_again_before_something_has_changed(
    scripted: Scripted, assets: Path
) -> None:
    owner = scripted()
    _memory(owner, "shared")
    llm = owner.open("llm")
    _taken_in(llm, assets / SMALL)
    for _ in range(3):
        tts = owner.open("tts")
        with pytest.raises(EngineError, match="cannot be on this chip"):
            _taken_in(tts, assets / LARGE)
        tts.close()
    assert owner.loaded() == [Path(SMALL).name, Path(LARGE).name]
    llm.close()
    _until(lambda: not owner.news()["clients"])
    tts = owner.open("tts")
    assert _answers(tts, _taken_in(tts, assets / LARGE)) == {7.0}


def test_the_largest_model_first_leaves_the_shared_memory_where_it_is(
    scripted: Scripted, assets: Path
) -> None:
    owner = scripted()
    _memory(owner, "shared")
    tts, llm = owner.open("tts"), owner.open("llm")
    large = _taken_in(tts, assets / LARGE)
    small = _taken_in(llm, assets / SMALL)
    assert _answers(llm, small) == _answers(tts, large) == {7.0}


def test_a_model_that_a_newcomer_spoils_is_loaded_again_behind_it(
    scripted: Scripted, assets: Path
) -> None:
    owner = scripted()
    llm, tts = owner.open("llm"), owner.open("tts")
    small = _taken_in(llm, assets / SMALL)
    _memory(owner, "spoiled")
    with pytest.raises(EngineError, match=r"loaded again, .* \(tts\) first") as sent:
        _taken_in(tts, assets / LARGE)
    assert f"{assets / SMALL} (llm) answers a fixed question otherwise" in str(sent.value)
    with pytest.raises(Unavailable):
        llm.run(small)
    _memory(owner, "")
    llm = owner.open("llm")
    with pytest.raises(EngineError, match=r"waits until .* \(tts\) has been loaded"):
        llm.load(assets / SMALL, checked=True)
    large = _taken_in(tts, assets / LARGE)
    assert _answers(llm, _taken_in(llm, assets / SMALL)) == _answers(tts, large) == {7.0}
    assert owner.news()["checks"]["reordered"] == 1


def test_all_models_that_a_newcomer_spoils_are_loaded_again_behind_it(
    scripted: Scripted, assets: Path
) -> None:
    owner = scripted()
    llm, asr, tts = (owner.open(service) for service in ("llm", "asr", "tts"))
    steps = [_taken_in(chip, assets / SMALL) for chip in (llm, asr)]
    _memory(owner, "spoiled")
    with pytest.raises(EngineError, match=r"\(llm\) answers .* and .* \(asr\) answers"):
        _taken_in(tts, assets / LARGE)
    for chip, own in zip((llm, asr), steps, strict=True):
        with pytest.raises(Unavailable):
            chip.run(own)
    assert _answers(tts, _taken_in(tts, assets / LARGE)) == {7.0}


def test_a_model_is_not_kept_waiting_for_one_that_was_loaded_for_a_moment(
    scripted: Scripted, assets: Path
) -> None:
    owner = scripted()
    _memory(owner, "spoiled")
    llm, doctor = owner.open("llm"), owner.open("tts")
    _taken_in(llm, assets / SMALL)
    with pytest.raises(EngineError, match="are to be loaded again"):
        doctor.load(assets / LARGE)  # Without a question of its own.
    llm = owner.open("llm")
    assert _answers(llm, _taken_in(llm, assets / SMALL)) == {7.0}


def test_a_chip_on_which_two_models_spoil_each_other_in_either_order_is_lost(
    scripted: Scripted, assets: Path
) -> None:
    owner = scripted()
    _memory(owner, "spoiled")
    llm, tts = owner.open("llm"), owner.open("tts")
    _taken_in(llm, assets / SMALL)
    with pytest.raises(EngineError, match="are to be loaded again"):
        _taken_in(tts, assets / LARGE)
    _taken_in(tts, assets / LARGE)
    llm = owner.open("llm")
    with pytest.raises((EngineError, Unavailable)):
        _taken_in(llm, assets / SMALL)
    assert owner.ended() == 3
    (told,) = [line for line in owner.said if "is taken to be lost" in line]
    assert f"{assets / LARGE} (tts) answers a fixed question otherwise" in told


def test_a_step_that_waited_while_its_model_was_spoiled_is_not_done(
    scripted: Scripted, assets: Path
) -> None:
    owner = scripted()
    llm, tts = owner.open("llm"), owner.open("tts")
    small = _taken_in(llm, assets / SMALL)
    _memory(owner, "spoiled")
    model = tts.load(assets / LARGE, checked=True)
    with ThreadPoolExecutor(1) as other:
        waiting = other.submit(_answers, llm, small)
        _until(lambda: owner.news()["waiting"]["llm"] == 1)
        question = FixedQuestion(tts)
        question.run(_launch(question, model))
        with pytest.raises(EngineError):
            tts.check(model, question.steps)
        with pytest.raises(Unavailable):
            waiting.result(WITHIN_S)


def test_nobody_works_between_a_load_and_the_naming_of_its_question(
    scripted: Scripted, assets: Path
) -> None:
    owner = scripted()
    llm, tts = owner.open("llm"), owner.open("tts")
    small = _taken_in(llm, assets / SMALL)
    model = tts.load(assets / LARGE, checked=True)
    with ThreadPoolExecutor(1) as other:
        waiting = other.submit(_answers, llm, small)
        _until(lambda: owner.news()["waiting"]["llm"] == 1)
        question = FixedQuestion(tts)
        question.run(_launch(question, model))
        assert not waiting.done()
        tts.check(model, question.steps)
        assert waiting.result(WITHIN_S) == {7.0}


def test_who_goes_without_naming_a_question_keeps_nobody_waiting(
    scripted: Scripted, assets: Path
) -> None:
    owner = scripted()
    llm, tts = owner.open("llm"), owner.open("tts")
    small = _taken_in(llm, assets / SMALL)
    tts.load(assets / LARGE, checked=True)
    tts.close()
    assert _answers(llm, small) == {7.0}


def test_a_question_about_a_model_that_is_not_loaded_lets_the_others_go_on(
    scripted: Scripted, assets: Path
) -> None:
    owner = scripted()
    llm, tts = owner.open("llm"), owner.open("tts")
    small = _taken_in(llm, assets / SMALL)
    model = tts.load(assets / LARGE, checked=True)
    model.close()
    with pytest.raises(EngineError, match="that model is not loaded"):
        tts.check(model, [])
    assert _answers(llm, small) == {7.0}


async def test_a_chip_that_goes_wrong_later_is_lost_and_its_services_hear_why(
    scripted: Scripted, assets: Path
) -> None:
    owner = scripted(check_every_s=0.02)
    watch = ServiceChip(owner.placement("llm"))
    await watch.connect()
    llm = await asyncio.to_thread(owner.open, "llm")
    await asyncio.to_thread(_taken_in, llm, assets / SMALL)
    await asyncio.to_thread(_until, lambda: owner.news()["checks"]["right"] > 3)
    owner.script("drifted")
    async with asyncio.timeout(WITHIN_S):
        why = await watch.lost()
    assert f"{assets / SMALL} (llm) answers a fixed question otherwise" in why
    assert watch.cause == "wrong_answers"
    assert await asyncio.to_thread(owner.ended) == 3
    with pytest.raises(Unavailable):
        await asyncio.to_thread(llm.tensor, (1,), "int32")


def test_a_chip_is_idle_from_the_end_of_a_services_last_turn_on() -> None:
    scheduler, services = Scheduler(), 3
    whole = frozenset({0, 1})
    with scheduler.turn(services - 1, whole, "llm"):
        assert scheduler.idle_s(services) == 0
    ended = scheduler.idle_s(services)
    with scheduler.turn(services, whole, "the chip's condition"):
        assert scheduler.idle_s(services) > ended > 0


def test_a_model_that_answers_never_twice_alike_is_told_of_and_taken_in(
    scripted: Scripted, assets: Path
) -> None:
    owner = scripted(gated=True)
    llm = owner.open("llm")
    model = llm.load(assets / SMALL, checked=True)
    question = FixedQuestion(llm)
    question.run(_launch(question, model))
    with ThreadPoolExecutor(1) as engine:
        named = engine.submit(llm.check, model, question.steps)
        owner.began().end()
        second = owner.began()
        owner.script("drifted")
        second.end()
        named.result(WITHIN_S)
    owner.stop()
    assert any("does not answer the same question alike twice" in line for line in owner.said)


def test_a_chip_lost_for_another_reason_says_so_in_its_farewell(
    scripted: Scripted, assets: Path
) -> None:
    owner = scripted(launch_within_s=0.5)
    with owner.raw() as watcher:
        wire.send(watcher, {"protocol": wire.PROTOCOL, "service": wire.WATCH})
        wire.receive(watcher)
        llm = owner.open("llm")
        own = _launch(llm, llm.load(assets / SMALL))
        owner.script("hung")
        with pytest.raises(Unavailable):
            llm.run(own)
        assert wire.receive(watcher)[0]["cause"] == "hung"
