"""Fetching the vendor's model files. A program of the same name stands in for dfss."""

from __future__ import annotations

import io
import json
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from voicemesh.cli import main
from voicemesh.errors import EngineError, EngineMissing, NotFound, Unavailable
from voicemesh_sophon.models.fetching import fetch
from voicemesh_sophon.models.model_sets import model_set, model_sets

_DFSS = """
import os, pathlib, shutil, sys
address = sys.argv[1].partition("=")[2]
server = pathlib.Path(os.environ["TEST_DFSS_SERVER"])
with open(server / "log", "a") as log:
    log.write(address + "\\n")
name = address.replace(":", "/").rpartition("/")[2]
if not (server / name).exists():
    sys.exit("No available server found")
shutil.copy(server / name, name)
"""


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that the stand-in serves from; its ``log`` lists what it was asked for."""
    package = tmp_path / "path/dfss"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "__main__.py").write_text(_DFSS)
    folder = tmp_path / "server"
    folder.mkdir()
    monkeypatch.setenv("PYTHONPATH", str(package.parent))
    monkeypatch.syspath_prepend(package.parent)
    monkeypatch.setenv("TEST_DFSS_SERVER", str(folder))
    return folder


def _asked(server: Path) -> list[str]:
    log = server / "log"
    return log.read_text().split() if log.exists() else []


def _zip(path: Path, members: dict[str, bytes]) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)


def _tar(path: Path, members: dict[str, bytes]) -> None:
    with tarfile.open(path, "w:gz") as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))


def test_a_second_run_fetches_only_what_is_missing(server: Path, tmp_path: Path) -> None:
    _zip(server / "models.zip", {"BM1688/whisper/encoder.txt": b"weights"})
    to, said = tmp_path / "models", list[str]()
    addresses = ("open@x.com:a/models.zip", "open@x.com:b/table.npz")
    with pytest.raises(Unavailable, match=r"table\.npz did not come.*is there a network"):
        fetch(addresses, to, said.append)
    (server / "table.npz").write_bytes(b"table")
    came = fetch(addresses, to, said.append)
    assert came == [to / "table.npz"]
    assert (to / "BM1688/whisper/encoder.txt").read_bytes() == b"weights"
    assert _asked(server) == [addresses[0], addresses[1], addresses[1]]
    assert "[1 of 2] models.zip is there." in said
    assert sorted(path.name for path in to.iterdir()) == [".fetched.json", "BM1688", "table.npz"]


def test_a_file_that_was_cut_since_is_fetched_again(server: Path, tmp_path: Path) -> None:
    (server / "table.npz").write_bytes(b"table")
    fetch(("open@x.com:table.npz",), tmp_path, print)
    (tmp_path / "table.npz").write_bytes(b"tab")
    assert fetch(("open@x.com:table.npz",), tmp_path, print) == [tmp_path / "table.npz"]
    assert (tmp_path / "table.npz").read_bytes() == b"table"


def test_a_bmodel_that_came_cut_short_is_not_kept(
    server: Path, tmp_path: Path, assets: Path
) -> None:
    whole = (assets / "vits/bm1688/bert_f16_1core.bmodel").read_bytes()
    _tar(server / "vits.tar.gz", {"BM1688/bert.bmodel": whole[:-1]})
    to = tmp_path / "models"
    with pytest.raises(EngineError, match=r"bert\.bmodel came damaged.*cut short"):
        fetch(("open@x.com:vits.tar.gz",), to, print)
    assert list(to.iterdir()) == []
    _tar(server / "vits.tar.gz", {"BM1688/bert.bmodel": whole})
    assert fetch(("open@x.com:vits.tar.gz",), to, print) == [to / "BM1688/bert.bmodel"]


def test_an_archive_cannot_write_outside_of_its_folder(server: Path, tmp_path: Path) -> None:
    _zip(server / "evil.zip", {"../../outside.txt": b"!"})
    with pytest.raises(EngineError, match="lies outside"):
        fetch(("open@x.com:evil.zip",), tmp_path / "models", print)
    assert not list(tmp_path.rglob("outside.txt"))


def test_a_damaged_archive_is_told(server: Path, tmp_path: Path) -> None:
    (server / "broken.zip").write_bytes(b"<html>moved</html>")
    with pytest.raises(EngineError, match=r"broken\.zip came damaged"):
        fetch(("open@x.com:broken.zip",), tmp_path / "models", print)


def test_without_dfss_the_cure_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if "site-packages" not in entry])
    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path])
    monkeypatch.delitem(sys.modules, "dfss", raising=False)
    with pytest.raises(EngineMissing, match="pip install dfss"):
        fetch(("open@x.com:a",), tmp_path, print)


def test_sets_are_listed_with_what_is_not_verified(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fetch-models"]) == 0
    lines = capsys.readouterr().out.splitlines()
    listed = {line.split()[0]: line for line in lines[:-1]}
    assert set(listed) == set(model_sets())
    for name, found in model_sets().items():
        assert found.verified == ("(unverified)" not in listed[name])


def test_an_unknown_set_names_the_known_ones() -> None:
    with pytest.raises(NotFound, match="assistant-bm1688"):
        model_set("assistant")


def test_a_set_that_is_fetched_says_what_came(
    server: Path, tmp_path: Path, assets: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bmodel = assets / "vits/bm1688/bert_f16_2core.bmodel"
    _tar(server / "BM1688.tar.gz", {"BM1688/bert_f16_2core.bmodel": bmodel.read_bytes()})
    assert main(["fetch-models", "vits-bm1688", "--to", str(tmp_path / "models")]) == 0
    out = capsys.readouterr().out
    assert "unverified" in out
    assert "bert_f16_2core.bmodel: BM1688, 2 cores, 1 nets" in out
    record = json.loads((tmp_path / "models/vits-bm1688/.fetched.json").read_text())
    assert record == {
        model_set("vits-bm1688").files[0]: {"BM1688/bert_f16_2core.bmodel": bmodel.stat().st_size}
    }
