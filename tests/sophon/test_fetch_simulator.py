"""Fetching the simulator: once, whole, and with the cure where it cannot be."""

from __future__ import annotations

import hashlib
import platform
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from voicemesh.errors import EngineMissing
from voicemesh_sophon.cmodel import __main__ as command
from voicemesh_sophon.cmodel import fetch as fetching
from voicemesh_sophon.cmodel.fetch import fetch, missing
from voicemesh_sophon.cmodel.sophon.simulator import location

CONTENTS = {"libbmrt.so.1.0": b"runtime", "libcmodel.so": b"chip"}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The cache folder, empty."""
    monkeypatch.setenv(location.FOLDER_VARIABLE, str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small package with two libraries for each chip, and the checksums of these."""
    path = tmp_path / "package.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in CONTENTS.items():
            archive.writestr(f"lib/{name}", data)
    libraries = tuple(
        location.Library(name, f"lib/{name}", len(data), hashlib.sha256(data).hexdigest())
        for name, data in CONTENTS.items()
    )
    monkeypatch.setattr(location, "LIBRARIES", dict.fromkeys(location.CHIPS, libraries))
    checksum = hashlib.sha256(path.read_bytes()).hexdigest()
    monkeypatch.setattr(location, "PACKAGE_SHA256", checksum)
    return path


def test_what_is_needed_is_taken_and_nothing_is_done_again(folder: Path, wheel: Path) -> None:
    assert fetch(("bm1688",), wheel) == ["bm1688"]
    assert fetch(("bm1688",)) == []
    assert missing() == ["bm1684x"]
    assert fetch(package=wheel) == ["bm1684x"]
    for chip in location.CHIPS:
        files = {path.name: path.read_bytes() for path in (folder / chip).iterdir()}
        assert files == CONTENTS
    assert {path.name for path in folder.iterdir()} == {".lock", *location.CHIPS}


def test_a_damaged_library_is_replaced(folder: Path, wheel: Path) -> None:
    fetch(("bm1688",), wheel)
    (folder / "bm1688" / "libcmodel.so").write_bytes(b"chop")
    assert missing(("bm1688",)) == ["bm1688"]
    assert fetch(("bm1688",), wheel) == ["bm1688"]
    assert missing(("bm1688",)) == []


def test_two_at_once_do_the_work_once(wheel: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(lambda _: fetch(package=wheel), range(4)))
    assert sorted(map(len, done)) == [0, 0, 0, len(location.CHIPS)]
    assert missing() == []


def test_a_package_that_was_left_behind_is_used(folder: Path, wheel: Path) -> None:
    (folder / "download").mkdir(parents=True)
    wheel.rename(folder / "download" / wheel.name)
    assert fetch() == list(location.CHIPS)
    assert not (folder / "download").exists()


def test_another_package_is_refused(tmp_path: Path, wheel: Path) -> None:
    (tmp_path / "other.whl").write_bytes(b"something else")
    with pytest.raises(EngineMissing, match=r"other\.whl is not the wheel of tpu_mlir"):
        fetch(package=tmp_path / "other.whl")
    with pytest.raises(EngineMissing, match="none"):
        fetch(package=tmp_path / "none.whl")


def test_without_a_network_the_cure_is_named(
    folder: Path,
    wheel: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setattr("sys.argv", ["fetch_simulator", "bm1688"])
    assert command.main() == 1
    said = capfd.readouterr().err
    assert "fetch_simulator: pip could not download tpu_mlir" in said
    assert "--package" in said
    assert not (folder / "download").exists()


def test_a_machine_that_cannot_run_it_is_told_before_anything_is_fetched(
    wheel: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(platform, "libc_ver", lambda: ("glibc", "2.31"))
        with pytest.raises(EngineMissing, match=r"glibc 2\.34 or newer, here is glibc 2\.31"):
            fetch(package=wheel)
    with monkeypatch.context() as patch:
        patch.setattr(platform, "machine", lambda: "aarch64")
        with pytest.raises(EngineMissing, match="this is linux on aarch64"):
            fetch(package=wheel)
    monkeypatch.setattr(fetching, "_ROOM_BYTES", 10**18)
    with pytest.raises(EngineMissing, match="make room"):
        fetch(package=wheel)


def test_a_folder_that_cannot_be_written_is_named(
    tmp_path: Path, wheel: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv(location.FOLDER_VARIABLE, str(tmp_path / "file" / "cache"))
    with pytest.raises(EngineMissing, match="make that folder writable"):
        fetch(package=wheel)


def test_a_chip_without_a_simulator_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["fetch_simulator", "bm1690"])
    with pytest.raises(SystemExit):
        command.main()
    assert "no simulator of bm1690; there is bm1688, bm1684x" in capsys.readouterr().err


def test_the_cache_folder_is_the_users_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(location.FOLDER_VARIABLE)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    where = tmp_path / "voicemesh" / "sophon-simulator" / location.VERSION / "bm1688"
    assert location.folder("bm1688") == where
