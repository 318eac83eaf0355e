from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Iterator

import pytest

from voicemesh import logs
from voicemesh.settings import MeshSettings
from voicemesh.v1.common_pb2 import Stamp

log = logging.getLogger("test")


@pytest.fixture
def stderr(capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[[], str]]:
    """What has been written to standard error."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    root.handlers = []
    hooks, inherited = (sys.excepthook, threading.excepthook), dict(os.environ)
    yield lambda: capsys.readouterr().err
    root.handlers, root.level = before, level
    sys.excepthook, threading.excepthook = hooks
    logging.captureWarnings(False)
    os.environ.clear()
    os.environ.update(inherited)


def test_a_json_line_carries_conversation_and_stamp(stderr: Callable[[], str]) -> None:
    logs.configure("asr", MeshSettings(log_format="json"))
    with logs.bind(conversation_id="c1"), logs.bind(stamp=Stamp(epoch=1, turn=2)):
        log.warning("几点了 %d", 7)
    log.info("outside")
    inside, outside = [json.loads(line) for line in stderr().splitlines()]
    assert inside["message"] == "几点了 7"
    assert (inside["service"], inside["level"]) == ("asr", "warning")
    assert (inside["conversation"], inside["stamp"]) == ("c1", "1.2.0.0")
    assert "conversation" not in outside


def test_a_json_line_holds_an_exception_in_one_line(stderr: Callable[[], str]) -> None:
    logs.configure("asr", MeshSettings(log_format="json"))
    try:
        raise ValueError("oops")
    except ValueError:
        log.exception("failed")
    (line,) = stderr().splitlines()
    assert "ValueError: oops" in json.loads(line)["exception"]


def test_a_text_line_names_the_service_and_what_is_bound(stderr: Callable[[], str]) -> None:
    logs.configure("tts", MeshSettings())
    with logs.bind("c2", Stamp(turn=3)):
        log.info("speaks")
    assert stderr().endswith("info    tts: speaks conversation=c2 stamp=0.3.0.0\n")


def test_less_serious_lines_than_the_setting_are_not_written(stderr: Callable[[], str]) -> None:
    logs.configure("tts", MeshSettings(log_level="error"))
    log.warning("hush")
    assert stderr() == ""


FORGED = "c1\n00:00:00.000 error   asr: forged\r\x1b[2J\x85\u2028\u202e"


def test_nobody_forges_a_line_of_text(stderr: Callable[[], str]) -> None:
    logs.configure("asr", MeshSettings())
    with logs.bind(conversation_id=FORGED):
        log.warning("refused: %s", FORGED)
        try:
            raise ValueError(FORGED)
        except ValueError:
            log.exception("failed")
    lines = stderr().splitlines()
    assert sum("asr:" in line and not line.startswith("  | ") for line in lines) == 2
    assert all(line.startswith("  | ") for line in lines[2:])
    assert "\x1b" not in "".join(lines)
    assert 'conversation="c1\\n00:00' in lines[0]


def test_nobody_forges_a_line_of_json(stderr: Callable[[], str]) -> None:
    logs.configure("asr", MeshSettings(log_format="json"))
    with logs.bind(conversation_id=FORGED):
        log.warning("refused: %s", FORGED)
    (line,) = stderr().splitlines()
    assert json.loads(line)["message"] == f"refused: {FORGED}"
    assert json.loads(line)["conversation"] == FORGED


def test_libraries_warnings_threads_and_bad_arguments_are_json_too(
    stderr: Callable[[], str],
) -> None:
    logs.configure("asr", MeshSettings(log_format="json"))
    logging.getLogger("some.library").error("%d things", "no number")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("old", stacklevel=1)

    def fail() -> None:
        raise ValueError("in a thread")

    thread = threading.Thread(target=fail, name="worker")
    thread.start()
    thread.join()
    library, warning, failed = [json.loads(line) for line in stderr().splitlines()]
    assert library["logger"] == "some.library"
    assert "no number" in library["message"]
    assert "old" in warning["message"]
    assert failed["message"] == "thread worker failed: in a thread"
    assert "ValueError" in failed["exception"]


def run(*lines: str) -> subprocess.CompletedProcess[str]:
    """A process that logs as JSON and then does this."""
    configure = (
        "from voicemesh import logs; from voicemesh.settings import MeshSettings; "
        "logs.configure('asr', MeshSettings(log_format='json'))"
    )
    return subprocess.run(
        [sys.executable, "-c", "\n".join([configure, *lines])],
        capture_output=True,
        text=True,
        check=False,
    )


def test_an_uncaught_exception_is_one_line_of_json() -> None:
    (line,) = run("raise ValueError('gone')").stderr.splitlines()
    entry = json.loads(line)
    assert entry["message"] == "uncaught exception: gone"
    assert "ValueError" in entry["exception"]


def test_a_child_process_logs_as_its_parent_does() -> None:
    child = (
        "from voicemesh import logs; import logging; logs.inherit(); logging.warning('from below')"
    )
    ended = run("import subprocess, sys", f"subprocess.run([sys.executable, '-c', {child!r}])")
    (line,) = ended.stderr.splitlines()
    entry = json.loads(line)
    assert (entry["service"], entry["message"]) == ("asr", "from below")


def test_what_is_said_to_whoever_started_it_is_json_where_logs_are() -> None:
    ended = run("logs.say('ready: 127.0.0.1:50050')")
    assert json.loads(ended.stdout)["message"] == "ready: 127.0.0.1:50050"


@pytest.mark.usefixtures("toyroom")
@pytest.mark.parametrize("fails", ["true", "false"])
def test_all_that_a_mesh_says_is_json(fails: str) -> None:
    """The supervisor's own lines, its last words, and its services'."""
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "voicemesh", "up", "echo", "--ephemeral"),
            *("--set", "mesh.log_format=json", "--set", f"echo.fails_to_load={fails}"),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    said = []
    if fails == "false":
        assert process.stdout is not None
        while "ready" not in (line := process.stdout.readline()):
            said.append(line)
        process.terminate()
    out, errors = process.communicate(timeout=60)
    entries = [json.loads(line) for line in [*said, *out.splitlines(), *errors.splitlines()]]
    assert {entry["service"] for entry in entries} == {"up", "echo"}
    messages = " ".join(entry["message"] for entry in entries)
    assert ("the parrot has escaped" if fails == "true" else "echo drains") in messages
