"""The voicemesh command: config and doctor."""

from __future__ import annotations

import json
import socket
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from voicemesh.cli import main
from voicemesh.commands import doctor_checks
from voicemesh.commands.config import toml
from voicemesh.commands.frame import check_writable
from voicemesh.settings import defaults, load

pytestmark = pytest.mark.usefixtures("toyroom")


@pytest.fixture(autouse=True)
def _plain_surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def _out(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    status = main(arguments)
    return status, capsys.readouterr().out


def _checks(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict[str, Any]]:
    status, text = _out(capsys, "doctor", "--json", *arguments)
    sections = json.loads(text)
    found = {f"{head}/{check['name']}": check for head in sections for check in sections[head]}
    return status, found


def test_config_prints_every_value_and_where_it_came_from(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VOICEMESH_ECHO__SLOTS", "5")
    status, text = _out(capsys, "config", "--set", "echo.parrot.volume=4")
    assert status == 0
    lines = {line.split()[0]: line.split(maxsplit=2)[1:] for line in text.splitlines()}
    assert lines["echo.slots"] == ["5", "environment VOICEMESH_ECHO__SLOTS"]
    assert lines["echo.parrot.volume"] == ["4", "flag --set echo.parrot.volume"]
    assert lines["mesh.log_level"] == ['"info"', "default"]


def test_config_never_shows_a_secret(capsys: pytest.CaptureFixture[str]) -> None:
    for form in ([], ["--json"], ["--toml"]):
        status, text = _out(capsys, "config", *form, "--set", "echo.parrot.password=s3cret")
        assert status == 0
        assert "s3cret" not in text
        assert "password" in text


def test_config_shortens_long_lists_for_people_only(capsys: pytest.CaptureFixture[str]) -> None:
    words = [f"word-{n}" for n in range(100)]
    flag = f"echo.parrot.words={json.dumps(words)}"
    _, text = _out(capsys, "config", "--set", flag)
    (line,) = [line for line in text.splitlines() if line.startswith("echo.parrot.words")]
    assert "(100 items)" in line
    assert len(line) < 200
    _, text = _out(capsys, "config", "--json", "--set", flag)
    assert json.loads(text)["echo.parrot.words"]["value"] == words


def test_the_printed_settings_file_holds_exactly_the_defaults(tmp_path: Path) -> None:
    uncommented = "\n".join(
        line[1:] if line.startswith("#") and not line.startswith("# ") else line
        for line in toml().splitlines()
        if not line.endswith(" =")  # A setting whose default is that it is not set.
    )
    file = tmp_path / "all.toml"
    file.write_text(uncommented)
    assert "echo" in tomllib.loads(uncommented)
    loaded = load(file, environ={})
    assert [(v.path, v.value) for v in loaded.values()] == [
        (v.path, v.value) for v in defaults().values()
    ]
    as_printed = tmp_path / "voicemesh.toml"
    as_printed.write_text(toml())
    assert {v.source for v in load(environ={}).values()} == {"default"}


def test_wrong_settings_are_one_line_and_status_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "--set", "mesh.log_levle=info"]) == 2
    assert capsys.readouterr().err == (
        "voicemesh: unknown setting mesh.log_levle (from flag --set mesh.log_levle); "
        "did you mean mesh.log_level? `voicemesh config` lists all\n"
    )


def test_an_unknown_service_is_one_line_and_status_1(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "nonsense"]) == 1
    assert "no service 'nonsense' is installed here" in capsys.readouterr().err


def test_doctor_names_the_licence_of_an_engine_and_the_cure(
    capsys: pytest.CaptureFixture[str],
) -> None:
    _, found = _checks(capsys)
    parrot, dodo = found["engines/echo.engine = parrot"], found["engines/echo.engine = dodo"]
    assert parrot["verdict"] == "ok"
    assert "MIT" in parrot["detail"]
    assert "chosen by echo.engine" in parrot["detail"]
    assert dodo["verdict"] == "warn"
    assert dodo["cure"] == "choose another bird"


def test_doctor_fails_when_the_chosen_engine_cannot_be_used(
    capsys: pytest.CaptureFixture[str],
) -> None:
    status, found = _checks(capsys, "--set", "echo.engine=dodo")
    assert status == 1
    assert found["engines/echo.engine = dodo"]["verdict"] == "fail"
    status, found = _checks(capsys, "--set", "echo.engine=phoenix")
    assert status == 1
    assert "dodo, parrot" in found["engines/toy_engines phoenix"]["detail"]


def test_doctor_tells_where_sail_comes_from(capsys: pytest.CaptureFixture[str]) -> None:
    _, found = _checks(capsys)
    sail = found["sophon/sophon.sail"]
    assert sail["verdict"] == "warn"
    assert "vendor's SDK" in sail["cure"]
    assert "never from a package index" in sail["cure"]


def test_doctor_names_the_sections_that_no_room_reads(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "voicemesh.toml").write_text("[gateway]\nport = 8080\n")
    _, found = _checks(capsys)
    assert found["settings/valid"]["verdict"] == "warn"
    assert "no room installed here reads [gateway]" in found["settings/valid"]["detail"]


def test_doctor_reports_wrong_settings_and_goes_on(capsys: pytest.CaptureFixture[str]) -> None:
    status, found = _checks(capsys, "--set", "echo.slots=none")
    assert status == 1
    assert found["settings/valid"]["verdict"] == "fail"
    assert "echo.slots" in found["settings/valid"]["detail"]
    assert found["installed/python"]["verdict"] == "ok"


def test_doctor_tells_a_free_port_from_a_foreign_one(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        port = stranger.getsockname()[1]
        status, found = _checks(capsys, "--set", f"echo.port={port}")
    assert status == 1
    assert "not of this mesh" in found["ports/echo.port"]["detail"]
    _, found = _checks(capsys, "--set", f"echo.port={port}")
    assert "is free" in found["ports/echo.port"]["detail"]


async def test_doctor_names_the_service_behind_a_port(echoing: Any) -> None:
    async with echoing() as echo:
        settings = load(environ={}, flags={"echo.port": str(echo.server.port)})
        found = {check.name: check for check in await doctor_checks.look_at_ports(settings)}
    assert found["echo.port"].verdict == "ok"
    assert found["echo.port"].detail.endswith("is served by echo")


def test_doctor_for_people_marks_what_fails(capsys: pytest.CaptureFixture[str]) -> None:
    status, text = _out(capsys, "doctor", "--set", "echo.engine=dodo")
    assert status == 1
    assert "FAIL  echo.engine = dodo" in text
    assert "→ choose another bird" in text


def test_config_tells_an_engine_that_does_not_exist(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "--set", "echo.engine=phoenix"]) == 2
    printed = capsys.readouterr()
    assert "echo.engine = 'phoenix': there is no such engine" in printed.err
    assert "echo.slots" in printed.out


def test_a_flag_is_checked_where_the_command_reads_other_sections(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["devices", "--set", "echo.slotss=1"]) == 2
    assert "did you mean echo.slots?" in capsys.readouterr().err


def test_doctor_fails_where_a_service_would_refuse_its_settings(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    status, found = _checks(capsys, f"--set=echo.song_file={tmp_path / 'none.txt'}")
    assert status == 1
    assert found["settings/echo"]["verdict"] == "fail"
    assert "none.txt does not exist" in found["settings/echo"]["detail"]
    _, found = _checks(capsys)
    assert "settings/echo" not in found


def test_doctor_fails_where_traces_are_wanted_and_cannot_be_made(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint = "--set=mesh.tracing_endpoint=http://127.0.0.1:4317"
    for module in ("", ".exporter.otlp.proto.grpc.trace_exporter", ".sdk.trace.export"):
        monkeypatch.setitem(sys.modules, f"opentelemetry{module}", None)
    status, found = _checks(capsys, endpoint)
    assert status == 1
    assert "pip install 'voicemesh[tracing]'" in found["settings/tracing"]["detail"]


def test_doctor_tells_that_an_engine_of_a_chip_has_none_here(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("VOICEMESH_SOPHON", raising=False)
    _, found = _checks(capsys)
    vits = found["engines/tts.engine = sophon-vits"]
    assert vits["verdict"] == "warn"
    assert "VOICEMESH_SOPHON=cmodel" in vits["cure"]
    _, found = _checks(capsys, "--set=tts.engine=sophon-vits")
    assert found["engines/tts.engine = sophon-vits"]["verdict"] == "fail"


def test_a_place_that_can_be_written_is_tried_without_a_trace(tmp_path: Path) -> None:
    old, new = tmp_path / "old.wav", tmp_path / "new.wav"
    old.write_text("kept")
    check_writable(old, new, None)
    assert old.read_text() == "kept"
    assert not new.exists()
