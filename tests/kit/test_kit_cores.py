"""Engines are kept on the cores that settings name, and who is where is told."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from voicemesh.cli import main
from voicemesh.cores import numbers, usable_cores
from voicemesh.errors import SettingsError
from voicemesh.workers import ProcessPool, ThreadWorker

FIRST, LAST = usable_cores()[0], usable_cores()[-1]
ABSENT = LAST + 1


@pytest.mark.parametrize(
    ("text", "cores"),
    [("", ()), ("0", (0,)), ("0-2", (0, 1, 2)), ("3, 0-1,1", (0, 1, 3))],
)
def test_cores_are_written_as_numbers_and_ranges(text: str, cores: tuple[int, ...]) -> None:
    assert numbers(text) == cores


@pytest.mark.parametrize("text", ["x", "1-", "-1", "0..3", "1 2", "3-1"])
def test_what_lists_no_cores_is_told(text: str) -> None:
    with pytest.raises(ValueError, match="write it as in 0-1,3"):
        numbers(text)


def test_a_core_that_no_machine_has_is_told_before_it_takes_memory() -> None:
    with pytest.raises(ValueError, match="has a core beyond 8191"):
        numbers("0-9999999999")


async def test_the_thread_of_a_worker_stays_on_its_cores() -> None:
    worker = ThreadWorker("pinned", (LAST,))
    assert await worker.run(os.sched_getaffinity, 0) == {LAST}
    assert usable_cores() == tuple(sorted(os.sched_getaffinity(0)))
    worker.close()


@pytest.mark.usefixtures("toyroom")
async def test_all_threads_of_a_child_stay_on_its_cores() -> None:
    pool = ProcessPool("toyroom.worker_engine:make", {}, "pinned", 1, (LAST,))
    await pool.start()
    async with pool.borrow() as worker:
        threads = os.listdir(f"/proc/{worker.pid}/task")
        assert [os.sched_getaffinity(int(thread)) for thread in threads] == [{LAST}] * len(threads)
    await pool.close()


def test_a_worker_on_cores_that_are_not_here_is_refused() -> None:
    with pytest.raises(SettingsError, match=f"core {ABSENT} cannot be used here"):
        ThreadWorker("pinned", (FIRST, ABSENT))


def planned(tmp_path: Path, **settings: str) -> tuple[int, dict[str, Any]]:
    file = tmp_path / "plan.json"
    flags = [f"--set={path.replace('__', '.')}={value}" for path, value in settings.items()]
    status = main(["plan", "--json", str(file), *flags])
    return status, json.loads(file.read_text(encoding="utf-8"))


ENGINES = {"asr__engine": "pocketsphinx", "tts__engine": "embedded"}


def test_the_plan_shows_the_engines_on_cores(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pins = {"asr__pocketsphinx__cores": str(LAST), "asr__pocketsphinx__workers": "3"}
    status, found = planned(tmp_path, **ENGINES, **pins)
    assert status == 0
    assert found["fits"]
    engines = {engine["engine"]: engine for engine in found["processor"]["engines"]}
    assert engines["pocketsphinx"] == {
        "service": "asr",
        "engine": "pocketsphinx",
        "setting": "asr.pocketsphinx.cores",
        "cores": [LAST],
        "threads": 3,
    }
    assert engines["embedded"]["cores"] == []
    assert f"asr   pocketsphinx: core {LAST}, 3 threads" in capsys.readouterr().out


def test_cores_that_are_promised_twice_are_a_warning_that_names_both_settings(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pins = {"asr__pocketsphinx__cores": str(LAST), "tts__embedded__cores": str(LAST)}
    status, found = planned(tmp_path, **ENGINES, **pins)
    assert status == 0
    (finding,) = found["findings"]
    assert finding["severity"] == "warn"
    assert f"core {LAST}" in finding["text"]
    assert "asr.pocketsphinx.cores" in finding["text"]
    assert "tts.embedded.cores" in finding["text"]
    main(["doctor", *(f"--set={path.replace('__', '.')}={LAST}" for path in pins)])
    assert finding["text"] in capsys.readouterr().out


def test_doctor_tells_of_an_engine_that_is_not_there_and_goes_on(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["doctor", "--set", 'tts.auto.preferred={"en": "nobody"}']) == 1
    printed = capsys.readouterr().out
    assert "FAIL  cores: tts.auto.preferred = 'nobody': there is no such engine" in printed
    assert "\nports\n" in printed


@pytest.mark.parametrize("command", [["plan"], ["config"], ["up", "asr"], ["serve", "asr"]])
def test_cores_that_are_not_here_end_a_command_naming_the_setting(
    command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["--set", "asr.engine=pocketsphinx", "--set", f"asr.pocketsphinx.cores={ABSENT}"]
    assert main([*command, *flags]) != 0
    printed = "".join(capsys.readouterr())
    assert f"asr.pocketsphinx.cores: core {ABSENT} cannot be used here" in printed
