"""Which service sits where: the section [devices], and what is found wrong before a start."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from voicemesh.errors import SettingsError
from voicemesh.settings import Settings, load
from voicemesh_sophon.devices import Place
from voicemesh_sophon.placing.inventory import ChipEntry, Inventory, described, inventory_of, listed
from voicemesh_sophon.placing.placement import devices_of, placement_findings, placement_of
from voicemesh_sophon.placing.placement_check import findings

SOPHON = {"asr.engine": "sophon-whisper", "llm.engine": "sophon-llm", "tts.engine": "sophon-vits"}

SE9 = """
[[cards]]
name = "SE9-16"
chip = "BM1688"
memory_mb = 8192
"""
THREE_CHIPS = """
[[cards]]
chip = "BM1684X"
chips = 3
memory_mb = 16384
"""


def _settings(flags: Mapping[str, str], environ: Mapping[str, str] | None = None) -> Settings:
    return load(environ=environ or {}, flags={**SOPHON, **flags})


def _inventory(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "inventory.toml"
    path.write_text(text)
    return path


def test_a_chip_that_is_not_driven_is_told_with_those_that_are(tmp_path: Path) -> None:
    path = _inventory(tmp_path, SE9.replace("BM1688", "SE9"))
    wrong = r"cards\.0\.chip: 'SE9' is no chip that is driven; set it to BM1684X .*BM1688 \(SE9-16"
    with pytest.raises(SettingsError, match=wrong):
        described(path)
    (chip,) = described(_inventory(tmp_path, SE9.replace("BM1688", "cv186ah"))).chips
    assert (chip.kind, chip.cores) == ("CV186AH", 1)
    assert devices_of(_settings({"devices.simulated_chip": "BM1684X"})).simulated_chip == "bm1684x"
    with pytest.raises(SettingsError, match=r"devices\.simulated_chip.*'bm1688' or 'bm1684x'"):
        _settings({"devices.simulated_chip": "BM1684"})


def test_without_a_placement_all_sit_on_the_first_chip(tmp_path: Path) -> None:
    settings = _settings({"devices.socket_folder": str(tmp_path)})
    for service in ("asr", "llm", "tts"):
        placement = placement_of(settings, service)
        assert placement.service == service
        assert (placement.device, placement.cores, placement.memory_mb) == (0, (), None)
        assert placement.socket == tmp_path / "chip-0.socket"


def test_a_service_sits_where_its_section_says(tmp_path: Path) -> None:
    settings = _settings(
        {
            "devices.inventory": str(_inventory(tmp_path, 2 * THREE_CHIPS)),
            "devices.llm.card": "1",
            "devices.llm.chip": "2",
            "devices.llm.cores": "[0]",
            "devices.llm.memory_mb": "9000",
        }
    )
    placement = placement_of(settings, "llm")
    assert (placement.device, placement.cores, placement.memory_mb) == (5, (0,), 9000)
    assert placement_of(settings, "asr").socket != placement.socket


def test_the_simulator_is_chosen_by_one_variable() -> None:
    settings = _settings({}, {"VOICEMESH_SOPHON": "cmodel", "VOICEMESH_SOPHON_CHIP": "bm1684x"})
    devices = devices_of(settings)
    assert devices.simulated
    (chip,) = inventory_of(devices).chips
    assert (chip.kind, chip.cores) == ("BM1684X", 1)
    with pytest.raises(SettingsError, match="environment VOICEMESH_SOPHON"):
        _settings({}, {"VOICEMESH_SOPHON": "emulator"})


@pytest.mark.parametrize(
    ("flags", "field", "text"),
    [
        ({"devices.asr.card": "1"}, "devices.asr.card", "there is no card 1; there is 0"),
        ({"devices.tts.chip": "3"}, "devices.tts.chip", "card 0 has no chip 3; there is 0 and 1"),
        ({"devices.asr.cores": "[1]"}, "devices.asr.cores", "has no core 1; it has 0"),
        ({"devices.llm.memory_mb": "20000"}, "devices.llm.memory_mb", "has 16384 MiB, less than"),
        (
            {"devices.llm.memory_mb": "12000", "devices.asr.memory_mb": "6000"},
            "devices.llm.memory_mb",
            "together asr 6000 and llm 12000 may take 18000 MiB",
        ),
    ],
)
def test_what_cannot_work_names_the_field_and_the_cure(
    flags: dict[str, str], field: str, text: str, tmp_path: Path
) -> None:
    settings = _settings({"devices.inventory": str(_inventory(tmp_path, THREE_CHIPS)), **flags})
    with pytest.raises(SettingsError, match=text) as error:
        placement_of(settings, field.split(".")[1])
    assert error.value.field == field
    cures = ("Set devices", "lower devices")
    assert any(cure in error.value.message for cure in cures)


@pytest.mark.parametrize("cores", ["[0, 0]", "[-1]"])
def test_cores_are_named_once_and_from_0(cores: str) -> None:
    with pytest.raises(SettingsError, match=r"devices\.asr\.cores.*counted from 0"):
        _settings({"devices.asr.cores": cores})


def test_a_socket_folder_that_sockets_cannot_have_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="choose a shorter folder"):
        _settings({"devices.socket_folder": str(tmp_path / ("x" * 100))})


def test_sharing_a_core_with_a_long_launch_is_a_warning_with_its_bound(tmp_path: Path) -> None:
    inventory = described(_inventory(tmp_path, SE9))
    shared = {"asr": Place(cores=(0,)), "tts": Place(cores=(0, 1))}
    (finding,) = findings(shared, inventory)
    assert finding.severity == "warn"
    assert "asr goes first, and waits at most for the launch of tts" in finding.text
    assert "(published: up to 1.2 s)" in finding.text
    assert "devices.asr.cores = [0], devices.tts.cores = [1]" in finding.text
    apart = {"asr": Place(cores=(0,)), "tts": Place(cores=(1,))}
    assert findings(apart, inventory) == []


def test_services_may_share_a_chip_of_one_core_and_are_told(tmp_path: Path) -> None:
    inventory = described(_inventory(tmp_path, THREE_CHIPS))
    (finding,) = findings({"asr": Place(), "tts": Place()}, inventory)
    assert finding.severity == "note"
    assert "asr goes first" in finding.text
    assert "up to 0.23 s" in finding.text
    assert findings({"asr": Place(), "tts": Place(chip=1)}, inventory) == []


@pytest.mark.parametrize("name", ["CV186AH", "cv186x"])
def test_a_bm1688_of_one_core_goes_by_two_names(name: str, tmp_path: Path) -> None:
    inventory = described(_inventory(tmp_path, SE9.replace("BM1688", name)))
    (chip,) = inventory.chips
    assert (chip.kind, chip.cores) == (name.upper(), 1)
    (finding,) = findings({"asr": Place(), "tts": Place()}, inventory)
    assert finding.severity == "note"
    assert "up to 1.2 s" in finding.text


def test_the_more_urgent_service_goes_first_in_whatever_order_they_are_named(
    tmp_path: Path,
) -> None:
    inventory = described(_inventory(tmp_path, SE9))
    (finding,) = findings({"llm": Place(), "tts": Place()}, inventory)
    assert finding.severity == "note"  # Nobody published a launch of a language model that long.
    assert "tts goes first, and waits at most for the launch of llm" in finding.text


def test_a_simulated_card_may_have_a_chip_for_each_service() -> None:
    flags = {"devices.simulated_chips": "3", "devices.tts.chip": "2"}
    settings = _settings(flags, {"VOICEMESH_SOPHON": "cmodel"})
    assert placement_of(settings, "tts").device == 2
    assert placement_of(settings, "tts").socket != placement_of(settings, "asr").socket


def test_only_engines_on_a_chip_are_placed() -> None:
    settings = load(environ={}, flags={"tts.engine": "sophon-vits", "devices.asr.card": "7"})
    assert placement_findings(settings) == []


def test_the_driver_lists_cards_and_their_chips(tmp_path: Path) -> None:
    for device in ("card0/bmsophon0", "card0/bmsophon1", "card1/bmsophon2"):
        (tmp_path / device).mkdir(parents=True)
    (tmp_path / "card0/chipid").write_text("0x1686\n")
    (tmp_path / "card10").mkdir()
    assert listed(tmp_path) == Inventory(
        "the driver",
        (
            ChipEntry(0, 0, 0, "BM1684X", 1),
            ChipEntry(0, 1, 1, "BM1684X", 1),
            ChipEntry(1, 0, 2),
        ),
    )


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("cards = 3", "cards"),
        ("[[cards]]\nchips = 2", "cards.0.chip: Field required"),
        ("[[cards]]\nchip = 'BM1688'\nmemory = 3", "cards.0.memory"),
        ("cards =", "is no TOML"),
        ("", "cards: Field required"),
    ],
)
def test_a_wrong_inventory_file_says_where(text: str, wrong: str, tmp_path: Path) -> None:
    path = _inventory(tmp_path, text)
    with pytest.raises(SettingsError, match=wrong) as error:
        described(path)
    assert str(path) in error.value.message


def test_an_inventory_that_is_missing_is_told(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read"):
        described(tmp_path / "nowhere.toml")
