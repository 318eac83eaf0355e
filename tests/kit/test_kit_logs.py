from __future__ import annotations

import json
import logging
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
    yield lambda: capsys.readouterr().err
    root.handlers, root.level = before, level


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
