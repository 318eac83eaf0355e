"""What a person sees of commands: wrong options, and what becomes of what was said."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from voicemesh.cli import main
from voicemesh.v1 import common_pb2, dialog_pb2
from voicemesh_robot.asking.console import Console
from voicemesh_robot.mesh.events import Event


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["talk", "--vad-level", "9"], "--vad-level: has to be 0 to 3, not 9"),
        (
            ["talk", "--chunk-duration-ms", "1000"],
            "--chunk-duration-ms: has to be 10 to 500 milliseconds, not 1000",
        ),
        (["listen-service", "--audio-fs", "-1"], "--audio-fs: has to be 0 to 192000 hertz, not -1"),
        (["listen-service", "--dial", "robot"], "--dial: has to be host:port, such as"),
    ],
)
def test_a_wrong_option_is_named_with_what_it_has_to_be(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert words in line


def test_a_file_that_cannot_be_written_is_told_before_anything_is_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "taken").write_text("no folder")
    answer = tmp_path / "taken" / "answer.wav"
    # Nobody listens at port 9: whoever asked first would say so.
    assert main(["ask", "--text", "hi", "--port", "9", "--output-file", str(answer)]) == 1
    assert f"{answer} cannot be written" in capsys.readouterr().err


def test_it_is_said_that_the_robot_goes_on_after_a_sound_of_listening() -> None:
    out = io.StringIO()
    ended = dialog_pb2.TurnEnded(outcome=dialog_pb2.TURN_OUTCOME_BACKCHANNEL)
    Console(out).observe(Event(common_pb2.Stamp(), 0.0, ended))
    assert "the robot goes on" in out.getvalue()
