from __future__ import annotations

from pathlib import Path

import pytest

from voicemesh.cli import main
from voicemesh.errors import SettingsError
from voicemesh.registry import config_field, engine_spec, engine_specs, installed, probe_import

pytestmark = pytest.mark.usefixtures("toyroom")


def test_engines_of_other_peoples_packages_are_found() -> None:
    specs = engine_specs("voicemesh.toy_engines")
    assert list(specs) == ["dodo", "parrot"]
    assert not specs["dodo"].probe().usable


def test_an_unknown_engine_is_refused_with_the_known_ones() -> None:
    with pytest.raises(SettingsError, match="echo.engine = 'eagle'.*dodo, parrot"):
        engine_spec("voicemesh.toy_engines", "eagle", "echo.engine")


def test_the_service_of_another_package_is_found() -> None:
    assert installed("voicemesh.services")["echo"].summary == "says everything again"


def test_a_settings_field_is_a_python_name() -> None:
    assert config_field("sophon-vits") == "sophon_vits"


def test_a_probe_for_a_module_names_the_cure() -> None:
    assert probe_import("json", "json").usable
    for module in ("no_such_module", "no_such_package.module"):
        missing = probe_import(module, "no-such", "voicemesh-asr[no-such]")
        assert not missing.usable
        assert missing.cure == "pip install 'voicemesh-asr[no-such]'"


def test_a_broken_package_is_named_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    info = tmp_path / "ruin-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: ruin\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[voicemesh.settings]\nruin = ruin:Settings\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(SettingsError, match="install ruin again"):
        installed("voicemesh.settings")
    assert main(["config"]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
