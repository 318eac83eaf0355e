from __future__ import annotations

from pathlib import Path

import pytest

from voicemesh.errors import SettingsError
from voicemesh.registry import engine_spec
from voicemesh.settings import (
    MeshSettings,
    Section,
    ServerSettings,
    Settings,
    defaults,
    engine_config,
    load,
)

pytestmark = pytest.mark.usefixtures("toyroom")


@pytest.fixture(autouse=True)
def _no_file_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def _source(settings: Settings, path: str) -> str:
    (source,) = [value.source for value in settings.values() if value.path == path]
    return source


def test_flags_beat_environment_beats_file_beats_defaults(tmp_path: Path) -> None:
    (tmp_path / "voicemesh.toml").write_text(
        '[mesh]\nlog_level = "error"\nlog_format = "json"\n[echo]\nslots = 7\n'
    )
    environ = {"VOICEMESH_MESH__LOG_LEVEL": "warning", "VOICEMESH_ECHO__SLOTS": "8"}
    settings = load(environ=environ, flags={"echo.slots": "9"})
    assert settings.section("echo", ServerSettings).model_dump()["slots"] == 9
    assert settings.mesh == MeshSettings(
        log_level="warning", log_format="json", tracing_endpoint=""
    )
    assert _source(settings, "echo.slots") == "flag --set echo.slots"
    assert _source(settings, "mesh.log_level") == "environment VOICEMESH_MESH__LOG_LEVEL"
    assert _source(settings, "mesh.log_format") == "voicemesh.toml"
    assert _source(settings, "mesh.tracing_endpoint") == "default"


def test_an_engines_own_settings_are_a_section_within_its_rooms(tmp_path: Path) -> None:
    file = tmp_path / "other.toml"
    file.write_text("[echo.parrot]\nvolume = 5\n")
    environ = {"VOICEMESH_ECHO__PARROT__WORDS": '["hello", "你好"]'}
    settings = load(file, environ=environ)
    section = settings.section("echo", Section)
    parrot = engine_config(section, engine_spec("voicemesh.toy_engines", "parrot", "echo.engine"))
    assert (parrot.volume, parrot.words) == (5, ["hello", "你好"])
    assert _source(settings, "echo.parrot.volume") == str(file)


def test_a_file_named_in_the_environment_is_read(tmp_path: Path) -> None:
    file = tmp_path / "elsewhere.toml"
    file.write_text('[mesh]\nlog_level = "error"\n')
    assert load(environ={"VOICEMESH_CONFIG": str(file)}).mesh.log_level == "error"


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ({"echo.slotss": "1"}, ["unknown setting echo.slotss", "--set echo.slotss"]),
        ({"echo.parrot.volume": "9"}, ["echo.parrot.volume", "has to be 1 to 5, not 9"]),
        ({"echo.parrot.words": "[oops"}, ["echo.parrot.words", "not valid JSON"]),
        ({"parrot.volume": "3"}, ["unknown section [parrot]", "asr"]),
        ({"echo.slots": "many"}, ["echo.slots", "a whole number, such as 2, not many"]),
        ({"echo.slots.deep": "1"}, ["echo.slots"]),
        ({"echo.parrot.words": "hello"}, ['has to be a list, such as ["a", "b"], not hello']),
        ({"echo.parrot": "loud"}, ["has to be a section"]),
        ({"echo.nicknames": "polly"}, ["has to be a table", '{"name": "value"}']),
        ({"echo.nap_ms": "30s"}, ["a whole number of milliseconds, such as 400, not 30s"]),
        ({"echo.nap_ms": "1"}, ["has to be 20 to 900 milliseconds, not 1"]),
        ({"echo.loads_forever": "perhaps"}, ["has to be true or false, not perhaps"]),
        ({"echo.song": "la"}, ["has to be like tweet tweet, not la"]),
        ({"echo.slot": "1"}, ["did you mean echo.slots?"]),
        ({"echo.parrot.volum": "1"}, ["did you mean echo.parrot.volume?"]),
        ({"ecko.slots": "1"}, ["unknown section [ecko]", "did you mean [echo]?"]),
    ],
)
def test_what_is_wrong_is_said_with_its_name(flags: dict[str, str], words: list[str]) -> None:
    with pytest.raises(SettingsError) as raised:
        load(environ={}, flags=flags)
    for word in words:
        assert word in str(raised.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[mesh]\nlog_levle = 3\n", ["unknown setting mesh.log_levle", "voicemesh.toml"]),
        ("log_level = 3\n", ["voicemesh.toml", "log_level stands outside of a section"]),
        ("[mesh\n", ["voicemesh.toml"]),
        ("[msh]\n", ["unknown section [msh]"]),
    ],
)
def test_what_is_wrong_in_a_file_is_said_with_the_file(
    tmp_path: Path, text: str, words: list[str]
) -> None:
    (tmp_path / "voicemesh.toml").write_text(text)
    with pytest.raises(SettingsError) as raised:
        load(environ={})
    for word in words:
        assert word in str(raised.value)


@pytest.mark.parametrize("text", ["[echo.parott]\nvolume = 1\n", "[echo.parott]\n"])
def test_an_unknown_section_in_a_section_is_said_with_the_file(tmp_path: Path, text: str) -> None:
    (tmp_path / "voicemesh.toml").write_text(text)
    with pytest.raises(SettingsError) as raised:
        load(environ={})
    assert "echo.parott (from voicemesh.toml); did you mean echo.parrot?" in str(raised.value)


def test_a_wrong_item_of_a_list_is_said_with_the_lists_source() -> None:
    with pytest.raises(SettingsError, match=r"words\.1 \(from flag --set echo\.parrot\.words\)"):
        load(environ={}, flags={"echo.parrot.words": '["a", 1]'})


@pytest.mark.parametrize(
    "text", ["localhost", "localhost:abc", ":50052", "a:0", "a:65536", "a b:1"]
)
def test_an_address_that_is_not_host_and_port_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="has to be host:port, such as"):
        load(environ={}, flags={"echo.target": text})


@pytest.mark.parametrize("text", ["localhost:1", "dns:///mesh:50050", "机器人:9"])
def test_an_address_is_host_and_port(text: str) -> None:
    section = load(environ={}, flags={"echo.target": text}).section("echo", Section)
    assert section.model_dump()["target"] == text


def test_a_file_that_was_named_must_exist(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="nowhere.toml does not exist"):
        load(tmp_path / "nowhere.toml", environ={})


def test_a_section_of_a_room_that_is_elsewhere_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "voicemesh.toml").write_text("[gateway]\nport = 8080\n")
    load(environ={})


def test_only_the_sections_that_are_wanted_are_read(tmp_path: Path) -> None:
    (tmp_path / "voicemesh.toml").write_text("[echo]\nslotss = 1\n")
    settings = load(environ={}, only=("mesh",))
    assert [name for name, _ in settings.sections()] == ["mesh"]
    with pytest.raises(SettingsError, match="echo.slotss"):
        load(environ={}, only=("mesh", "echo"))


def test_a_section_that_only_a_flag_names_is_an_error_of_this_machine() -> None:
    environ = {"VOICEMESH_GATEWAY__PORT": "1"}
    assert load(environ=environ).elsewhere == ("gateway",)
    with pytest.raises(SettingsError, match=r"unknown section \[gateway\]"):
        load(environ={}, flags={"gateway.port": "1"})


def test_a_secret_is_not_shown_by_an_error() -> None:
    with pytest.raises(SettingsError) as raised:
        load(environ={}, flags={"echo.parrot.password": '["s3cret"]'})
    assert "s3cret" not in str(raised.value)


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        setattr(load(environ={}).mesh, "log_level", "error")  # noqa: B010 - mypy knows it, too


def test_every_setting_of_every_installed_room_is_described() -> None:
    assert [value.path for value in defaults().values() if not value.description] == []


def test_an_environment_variable_that_names_no_setting_is_refused() -> None:
    with pytest.raises(SettingsError, match="VOICEMESH_LLM_ENGINE names no setting"):
        load(environ={"VOICEMESH_LLM_ENGINE": "openai"})


def test_a_part_of_a_section_that_stands_at_the_top_is_a_slip(tmp_path: Path) -> None:
    (tmp_path / "voicemesh.toml").write_text("[parrot]\nvolume = 1\n")
    with pytest.raises(SettingsError, match=r"unknown section \[parrot\]; did you mean \[echo\.p"):
        load(environ={})
