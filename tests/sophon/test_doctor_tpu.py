"""``voicemesh doctor --tpu``: every chip is tried out, and a report can be sent."""

from __future__ import annotations

import getpass
import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from voicemesh.check import Check
from voicemesh.cli import main
from voicemesh.settings import load
from voicemesh_sophon.checking.chip_report import report
from voicemesh_sophon.checking.self_test import ChipTest
from voicemesh_sophon.owner_process import OwnerProcess
from voicemesh_sophon.placing.inventory import simulator as simulated_chips
from voicemesh_sophon.placing.placement import devices_of
from voicemesh_sophon.placing.plan import device_plan


@pytest.fixture(autouse=True)
def _simulated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, simulator: Callable[[str], Path]
) -> None:
    simulator("bm1688")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VOICEMESH_SOPHON", "cmodel")
    monkeypatch.setenv("VOICEMESH_DEVICES__SOCKET_FOLDER", str(tmp_path))


def _vits(assets: Path) -> list[str]:
    files = [
        str(assets / "vits/bm1688" / name)
        for name in ("bert_f16_1core.bmodel", "vits_chinese_128_bm1688_f16_1core.bmodel")
    ]
    return [
        "--set=tts.engine=sophon-vits",
        f"--set=tts.sophon_vits.model_files={json.dumps(files)}",
        f"--set=tts.sophon_vits.vocabulary_file={assets / 'vits/vocab.txt'}",
    ]


def _doctor(
    capsys: pytest.CaptureFixture[str], *arguments: str
) -> tuple[int, dict[str, dict[str, Any]]]:
    status = main(["doctor", "--tpu", "--json", *arguments])
    sections = json.loads(capsys.readouterr().out)
    return status, {head: {c["name"]: c for c in checks} for head, checks in sections.items()}


def test_a_chip_launches_a_net_and_loads_the_chosen_engine(
    assets: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "report.json"
    status, found = _doctor(capsys, *_vits(assets), "--report", str(path))
    chip = found["card 0 chip 0 (BM1688)"]
    assert status == 0, chip
    assert "a simulator of BM1688" in chip["opens"]["detail"]
    assert "bert of bert_f16_1core.bmodel took" in chip["launch"]["detail"]
    assert "loaded and tested in" in chip["tts.engine = sophon-vits"]["detail"]
    written = json.loads(path.read_text())
    assert written["chips"][0]["news"]["target"] == "BM1688"
    assert written["services"]["tts"]["models"][0]["name"] == "bert_f16_1core.bmodel"
    assert str(tmp_path) not in path.read_text()
    assert str(assets) not in path.read_text()


def test_a_model_of_another_chip_fails_with_its_file_and_the_cure(
    assets: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = assets / "vits/bm1684x/bert_f16_1core.bmodel"
    status, found = _doctor(
        capsys,
        "--set=tts.engine=sophon-vits",
        f'--set=tts.sophon_vits.model_files=["{wrong}"]',
        f"--set=tts.sophon_vits.vocabulary_file={assets / 'vits/vocab.txt'}",
    )
    assert status == 1
    chip = found["card 0 chip 0 (BM1688)"]
    for check in (chip["launch"], chip["tts.engine = sophon-vits"]):
        assert check["verdict"] == "fail"
        assert str(wrong) in check["detail"]
        assert "BM1688" in check["detail"]
    assert found["placement"]["tts.sophon_vits.model_files"]["verdict"] == "fail"


def test_a_chip_at_work_is_asked_and_left_alone(
    assets: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with OwnerProcess(devices_of(load())):
        status, found = _doctor(capsys, *_vits(assets))
    assert status == 0
    chip = found["card 0 chip 0 (BM1688)"]
    assert "BM1688" in chip["opens"]["detail"]
    assert "its owner runs and serves nobody" in chip["engines"]["detail"]
    assert "launch" not in chip


def test_a_python_without_sail_is_told_with_the_cure(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VOICEMESH_SOPHON", "sail")
    status, found = _doctor(capsys, "--set=tts.engine=sophon-vits")
    assert status == 1
    text = json.dumps(found, ensure_ascii=False)
    assert "devices.owner_python" in text
    assert "VOICEMESH_SOPHON=cmodel" in text


def test_a_report_without_the_chips_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--report", "report.json"]) == 1
    assert "add --tpu" in capsys.readouterr().err
    assert not Path("report.json").exists()


def test_the_doctor_tells_placements_without_opening_a_chip(
    assets: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VOICEMESH_DEVICES__OWNER_PYTHON", "/opt/no/python")  # Nothing runs it.
    main(["doctor", "--json", *_vits(assets)])
    found = json.loads(capsys.readouterr().out)
    (placed,) = found["placement"]
    assert placed["name"] == "tts"
    assert "sophon-vits on card 0 chip 0 (BM1688)" in placed["detail"]
    (sail,) = [check for check in found["sophon"] if check["name"] == "sophon.sail"]
    assert "simulator of the BM1688" in sail["detail"]
    monkeypatch.setenv("VOICEMESH_SOPHON", "sail")
    main(["doctor", "--json", "--set=tts.engine=sophon-vits", "--set=devices.tts.card=4"])
    found = json.loads(capsys.readouterr().out)
    assert (
        "there is no card 4"
        in {c["name"]: c for c in found["placement"]}["devices.tts.card"]["detail"]
    )
    (sail,) = [check for check in found["sophon"] if check["name"] == "sophon.sail"]
    assert "expected in /opt/no/python" in sail["detail"]


def test_the_report_names_neither_machine_nor_user_nor_folders(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: "robby-7")
    monkeypatch.setattr(getpass, "getuser", lambda: "ada")
    settings = load()
    plan = device_plan(settings, simulated_chips("bm1688"))
    (entry,) = plan.inventory.chips
    said = (
        "/home/ada/models/a.bmodel and /data/secret/whisper.bmodel failed on "
        "robby-7 of ada: 12/13 loaded, see ~/notes/x.txt and kitchen/list.json"
    )
    checks = (Check("opens", "fail", said),)
    text = json.dumps(report(plan, [ChipTest(entry, None, checks)], []), ensure_ascii=False)
    for hidden in ("/home", "models/", "secret", "notes", "kitchen", "robby-7", "ada"):
        assert hidden not in text
    assert "whisper.bmodel failed" in text
    assert "12/13 loaded" in text
