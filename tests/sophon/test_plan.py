"""``voicemesh plan``: what sits where, what it needs, and what does not fit."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from voicemesh.cli import main
from voicemesh.settings import load
from voicemesh_sophon.chip_owner.bmodel_file import BmodelError, read_bmodel
from voicemesh_sophon.placing.inventory import described
from voicemesh_sophon.placing.placement import placement_findings

ENGINES = [
    "--set=asr.engine=sophon-whisper",
    "--set=llm.engine=sophon-llm",
    "--set=tts.engine=sophon-vits",
]
Plan = Callable[..., tuple[int, dict[str, Any]]]


def _models(assets: Path, chip: str = "bm1688") -> dict[str, str]:
    """The tiny models of a chip as settings."""
    whisper = next((assets / "whisper" / chip).glob("*whisper*_nano_*.bmodel"))
    llm = next(path for path in (assets / "llm" / chip).glob("*.bmodel") if "static" in path.name)
    vits = sorted((assets / "vits" / chip).glob("*f16*.bmodel"))
    one_core = [path for path in vits if "2core" not in path.name]
    return {
        "asr.sophon_whisper.model_files": json.dumps([str(whisper)]),
        "llm.sophon_llm.model": str(llm),
        "tts.sophon_vits.model_files": json.dumps([str(path) for path in one_core]),
        **_tables(assets),
    }


def test_nets_of_a_chip_with_two_cores_are_counted_with_memory_of_their_own(assets: Path) -> None:
    """11 nets: two layers of 484 and 612 KiB each, and 128 KiB of heads and steps together."""
    (own,) = (assets / "llm/bm1688").glob("*_history.bmodel")
    (shared,) = (assets / "llm/bm1684x").glob("*_history.bmodel")
    assert read_bmodel(str(own)).work == (2 * (484 + 612) + 128) << 10
    assert read_bmodel(str(shared)).work == 516 << 10  # Its largest: they take turns in it.


def _tables(assets: Path) -> dict[str, str]:
    """What the engines need beside the models."""
    return {
        "asr.sophon_whisper.positions_file": str(next(assets.glob("whisper/tables/*.npz"))),
        "asr.sophon_whisper.vocabulary_file": str(next(assets.glob("whisper/tables/*.tiktoken"))),
        "llm.sophon_llm.tokenizer": str(assets / "llm/config"),
        "tts.sophon_vits.vocabulary_file": str(assets / "vits/vocab.txt"),
    }


@pytest.fixture
def plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Plan:
    """Runs the command with an inventory and settings; its status and its JSON."""
    monkeypatch.chdir(tmp_path)

    def run(inventory: str, flags: dict[str, str]) -> tuple[int, dict[str, Any]]:
        (tmp_path / "inventory.toml").write_text(inventory)
        settings = [f"--set={path}={value}" for path, value in flags.items()]
        report = tmp_path / "plan.json"
        where = ["--inventory", str(tmp_path / "inventory.toml"), "--json", str(report)]
        status = main(["plan", *ENGINES, *settings, *where])
        return status, json.loads(report.read_text())

    return run


def _texts(found: dict[str, Any], severity: str = "fail") -> dict[str, str]:
    return {one["field"]: one["text"] for one in found["findings"] if one["severity"] == severity}


SE9 = "[[cards]]\nchip = 'BM1688'\nmemory_mb = 8192\n"


def test_a_box_that_holds_everything(
    plan: Plan, assets: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    apart = {"devices.asr.cores": "[0]", "devices.tts.cores": "[1]"}
    two_cores = assets / "llm/bm1688/tiny-assistant_f16_seq256_2core_static.bmodel"
    flags = {**_models(assets), **apart, "llm.sophon_llm.model": str(two_cores)}
    status, found = plan(SE9, flags)
    assert status == 0
    assert found["fits"]
    (chip,) = found["chips"]
    assert chip["services"] == ["asr", "llm", "tts"]
    assert (chip["kind"], chip["cores"], chip["memory_mb"]) == ("BM1688", 2, 8192)
    for service in found["services"].values():
        assert 0 < service["need_mb"] < 40
        assert all(model["chip"] == "BM1688" for model in service["models"])
    out = capsys.readouterr().out
    assert "card 0 chip 0 (BM1688): 2 cores, 8192 MiB" in out
    assert "asr   sophon-whisper: cores 0, about" in out
    assert "estimated" in out


def test_what_a_model_takes_grows_with_the_slots_of_its_caches(plan: Plan, assets: Path) -> None:
    needs = []
    for slots in ("1", "64"):
        flags = {**_models(assets), "llm.sophon_llm.slots": slots}
        _, found = plan(SE9, flags)
        (model,) = found["services"]["llm"]["models"]
        needs.append(model)
    assert needs[0]["loaded_mb"] == needs[1]["loaded_mb"] >= 2
    # 2 layers, 256 tokens, 2 heads of 32, keys and values of 2 bytes: 128 KiB a slot.
    assert (needs[0]["caches_mb"], needs[1]["caches_mb"]) == (0, 64 * 2 * 256 * 64 * 2 * 2 >> 20)


def test_too_little_memory_says_who_takes_how_much(plan: Plan, assets: Path) -> None:
    status, found = plan(SE9.replace("8192", "10"), _models(assets))
    assert status == 1
    (text,) = [text for text in _texts(found).values() if "too many" in text]
    needs = {name: service["need_mb"] for name, service in found["services"].items()}
    parts = " + ".join(f"{name} {need}" for name, need in needs.items())
    assert f"has 10 MiB, but the models take about {parts} = {sum(needs.values())} MiB" in text
    assert "place one of them on another chip" in text


def test_a_model_that_exceeds_what_it_is_granted(plan: Plan, assets: Path) -> None:
    status, found = plan(SE9, {**_models(assets), "devices.asr.memory_mb": "3"})
    assert status == 1
    assert "devices.asr.memory_mb grants 3 MiB; raise it" in _texts(found)["devices.asr.memory_mb"]


def test_a_model_of_another_chip_is_named_with_its_file(plan: Plan, assets: Path) -> None:
    wrong = assets / "vits/bm1684x/vits_chinese_128_f16.bmodel"
    flags = {**_models(assets), "tts.sophon_vits.model_files": json.dumps([str(wrong)])}
    status, found = plan(SE9, flags)
    assert status == 1
    text = _texts(found)["tts.sophon_vits.model_files"]
    assert text.startswith(f"{wrong} was compiled for BM1684X, but tts sits on card 0 chip 0")


def test_a_model_for_more_cores_than_it_has(plan: Plan, assets: Path) -> None:
    two = {"llm.sophon_llm.model": str(next((assets / "llm/bm1688").glob("*_f16_*2core*.bmodel")))}
    status, found = plan(SE9, {**_models(assets), **two, "devices.llm.cores": "[1]"})
    assert status == 1
    assert (
        "compiled for 2 cores, but devices.llm.cores names 1" in _texts(found)["devices.llm.cores"]
    )
    status, found = plan(SE9.replace("BM1688", "CV186AH"), {**_models(assets), **two})
    assert status == 1
    assert "has 1; take the file for fewer" in _texts(found)["llm.sophon_llm.model"]


def test_files_that_are_missing_cut_short_or_none(plan: Plan, assets: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut.bmodel"
    cut.write_bytes((assets / "vits/bm1688/bert_f16_1core.bmodel").read_bytes()[:-5])
    flags = {
        **_models(assets),
        "llm.sophon_llm.model": str(tmp_path / "nowhere.bmodel"),
        "tts.sophon_vits.model_files": json.dumps([str(cut)]),
        "asr.sophon_whisper.model_files": "[]",
    }
    status, found = plan(SE9, flags)
    assert status == 1
    texts = _texts(found)
    assert "nowhere.bmodel cannot be read" in texts["llm.sophon_llm.model"]
    assert "cut.bmodel is cut short" in texts["tts.sophon_vits.model_files"]
    assert "names no bmodel" in texts["asr.sophon_whisper"]


def test_a_file_that_is_no_bmodel_or_has_a_torn_table(assets: Path, tmp_path: Path) -> None:
    path = tmp_path / "odd.bmodel"
    path.write_text("<html>not found</html>" * 9)
    with pytest.raises(BmodelError, match="does not begin as one"):
        read_bmodel(str(path))
    whole = (assets / "vits/bm1688/bert_f16_1core.bmodel").read_bytes()
    path.write_bytes(whole[:64] + bytes([255] * 32) + whole[96:])
    with pytest.raises(BmodelError, match="table that cannot be read"):
        read_bmodel(str(path))


def test_without_engines_on_a_chip_there_is_nothing_to_place(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    inventory = tmp_path / "inventory.toml"
    inventory.write_text(SE9)
    assert main(["plan", "--inventory", str(inventory)]) == 0
    assert "No service has chosen an engine that runs on a chip." in capsys.readouterr().out


def test_the_simulator_is_a_chip_to_plan_for(
    assets: Path,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VOICEMESH_SOPHON", "cmodel")
    monkeypatch.setenv("VOICEMESH_SOPHON_CHIP", "bm1684x")
    vits = json.dumps([str(assets / "vits/bm1684x/tts_bm1684x.bmodel")])
    words = f"--set=tts.sophon_vits.vocabulary_file={assets / 'vits/vocab.txt'}"
    flags = ["--set=tts.engine=sophon-vits", f"--set=tts.sophon_vits.model_files={vits}", words]
    assert main(["plan", *flags]) == 0
    out = capsys.readouterr().out
    assert "source: the simulator of the BM1684X" in out
    assert "tts_bm1684x.bmodel: BM1684X, 1 core" in out


def test_the_examples_of_the_documentation_are_valid(tmp_path: Path) -> None:
    text = (Path(__file__).parents[2] / "docs/sophon.md").read_text()
    blocks = [block.partition("```")[0] for block in text.split("```toml\n")[1:]]
    inventories = [block for block in blocks if "[[cards]]" in block]
    settings = [block for block in blocks if block not in inventories]
    assert inventories
    assert settings
    path = tmp_path / "example.toml"
    for block in inventories:
        path.write_text(block)
        assert described(path).chips
    for block in settings:
        path.write_text(block)
        loaded = load(path, environ={})
        severities = {finding.severity for finding in placement_findings(loaded)}
        assert "fail" not in severities


@pytest.mark.parametrize("chip", ["bm1684x", "bm1688"])
def test_the_samples_of_settings_fit_the_simulator(
    chip: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    root = Path(__file__).parents[2]
    monkeypatch.chdir(root)  # Their paths count from there.
    assert main(["plan", "--config", f"samples/sophon/{chip}.toml"]) == 0
    assert "FAIL" not in capsys.readouterr().out
