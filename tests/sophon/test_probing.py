"""Chips are asked through owners of their own; a library of sail's shape answers for them."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from voicemesh.cli import main
from voicemesh.errors import Unavailable
from voicemesh.settings import load
from voicemesh_sophon.checking.probing import best_inventory, probe
from voicemesh_sophon.device_kind import SOPHON
from voicemesh_sophon.owner_process import OwnerProcess
from voicemesh_sophon.placing.placement import devices_of

_SAIL = """
__version__ = "3.8.0"
class Handle:
    def __init__(self, device):
        if device > 1:
            raise RuntimeError("bm_dev_request failed")
    def get_target(self):
        return "BM1684X"
class Tensor:
    def nbytes(self):
        return 4
def get_dev_stat(device):
    return [15000 + device, 1200, 7]
def get_chip_temp(device):
    return 51
"""


@pytest.fixture(autouse=True)
def _sail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A board's Python: it has a sail for two chips."""
    package = tmp_path / "wheel/sophon"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "sail.py").write_text(_SAIL)
    monkeypatch.setenv("PYTHONPATH", str(package.parent))
    monkeypatch.setenv("VOICEMESH_DEVICES__SOCKET_FOLDER", str(tmp_path))
    monkeypatch.delenv("VOICEMESH_SOPHON", raising=False)
    monkeypatch.chdir(tmp_path)


def test_a_chip_tells_its_kind_cores_and_memory() -> None:
    settings = load(flags={"tts.engine": "sophon-vits"})
    inventory = best_inventory(settings)
    (chip,) = inventory.chips
    assert (chip.kind, chip.cores, chip.memory_mb) == ("BM1684X", 1, 15000)


def test_the_plan_counts_with_the_memory_that_the_chip_has(
    assets: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    voice = json.dumps([str(assets / "vits/bm1684x/tts_bm1684x.bmodel")])
    words = f"--set=tts.sophon_vits.vocabulary_file={assets / 'vits/vocab.txt'}"
    flags = ["--set=tts.engine=sophon-vits", f"--set=tts.sophon_vits.model_files={voice}", words]
    assert main(["plan", *flags]) == 0
    out = capsys.readouterr().out
    assert "card 0 chip 0 (BM1684X): 1 core, 15000 MiB" in out
    assert "left  about 14993 MiB" in out


def test_an_owner_that_runs_is_asked_and_none_is_started(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    devices = devices_of(load())
    with OwnerProcess(devices, 1):
        monkeypatch.setenv("PYTHONPATH", "")  # No other owner could start.
        news = probe(devices, 1)
        assert news.memory_mb == 15001
        assert news.condition["temperature_celsius"] == 51
        with pytest.raises(Unavailable, match=r"devices\.owner_python"):
            probe(devices, 0)


def test_a_chip_that_cannot_be_opened_is_told_in_the_owner_s_last_words() -> None:
    with pytest.raises(Unavailable, match=r"chip 2 cannot be opened.*whether the driver is loaded"):
        probe(devices_of(load()), 2)


def test_the_doctor_names_old_versions(capsys: pytest.CaptureFixture[str]) -> None:
    main(["doctor", "--tpu", "--json", "--set=tts.engine=sophon-vits"])
    found = json.loads(capsys.readouterr().out)["card 0 chip 0 (BM1684X)"]
    checks = {check["name"]: check for check in found}
    assert "BM1684X" in checks["opens"]["detail"]
    assert checks["sail"]["verdict"] == "warn"
    assert "caches are copied" in checks["sail"]["detail"]
    assert checks["memory"]["detail"] == "15000 MiB, 1200 in use"
    assert checks["temperature"]["detail"] == "51 °C"


def test_another_package_of_the_vendor_s_name_is_told_by_the_doctor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "index/sophon"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise RuntimeError('it is imported')")
    monkeypatch.syspath_prepend(str(package.parent))
    # A test before this one may have looked for the vendor's, and found a folder of this name.
    monkeypatch.delitem(sys.modules, "sophon", raising=False)
    found = SOPHON.probe(load())
    assert not found.usable
    assert "is not the vendor's" in found.reason
    assert "pip uninstall sophon" in found.cure


def test_another_package_of_the_vendor_s_name_is_told_by_who_opens_the_chip(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "index/sophon"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    monkeypatch.setenv("PYTHONPATH", str(package.parent))
    with pytest.raises(Unavailable, match=r"is not the vendor's.*pip uninstall sophon"):
        probe(devices_of(load()), 0)
