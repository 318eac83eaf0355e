"""`voicemesh eval turns --material`: folders of recordings with words and times."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from voicemesh.cli import main
from voicemesh.errors import InvalidArgument
from voicemesh_evaluation.turns.recordings import read_folder
from voicemesh_evaluation.turns.speech import trimmed
from voicemesh_robot.files.audio_file import write_wav

Speech = Callable[..., NDArray[np.int16]]

WORDS = [
    {"word": "what", "begin_s": 0.1, "end_s": 0.3},
    {"word": "is", "begin_s": 0.5, "end_s": 0.8},
]


def write(path: Path, content: Any) -> None:
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")


def test_a_folder_of_recordings_becomes_material(tmp_path: Path, flite_speech: Speech) -> None:
    write_wav(tmp_path / "one.WAV", flite_speech("what is the moon"), 16_000)
    write(tmp_path / "one.json", {"text": "what is", "words": WORDS, "speaker": "anna"})
    (utterance,) = read_folder(tmp_path)
    assert (utterance.begin_sample, utterance.end_sample) == (1600, 12_800)
    assert utterance.pauses == ((4800, 8000),)
    assert utterance.words == (("what", 1600, 4800), ("is", 8000, 12_800))
    assert len(utterance.samples) >= 12_800 + 2 * 16_000


@pytest.mark.parametrize(("rate", "channels"), [(8_000, 1), (44_100, 2), (48_000, 1)])
def test_recordings_may_have_any_rate_and_channels(
    tmp_path: Path, rate: int, channels: int
) -> None:
    times = np.arange(rate) / rate
    tone = np.where(times >= 0.5, np.sin(2 * np.pi * 440 * times), 0) * 0.5
    soundfile.write(tmp_path / "one.wav", np.tile(tone[:, None], channels), rate)
    write(tmp_path / "one.json", {"text": "what is", "words": WORDS})
    (utterance,) = read_folder(tmp_path)
    loud = np.flatnonzero(np.abs(utterance.samples.astype(int)) > 8_000)
    assert loud[0] == pytest.approx(8_000, abs=100)
    assert loud[-1] == pytest.approx(16_000, abs=100)


def changed(number: int, **fields: Any) -> dict[str, Any]:
    words: list[dict[str, Any]] = [dict(word) for word in WORDS]
    words[number] |= fields
    return {"text": "what is", "words": words}


@pytest.mark.parametrize(
    ("beside", "complaint"),
    [
        (None, r"one\.wav has no words; write one\.json beside it: \{\"text\""),
        ("{", r"one\.json is no JSON that can be read .*; it holds"),
        ([], r"one\.json: .*dictionary"),
        ({"words": WORDS}, r"one\.json: text: field required"),
        ({"text": "x", "words": []}, r"one\.json: words: .*at least 1 item"),
        (changed(1, begin_s="0.5"), r"one\.json: words\[1\]\.begin_s: .*valid number"),
        (changed(1, begin_s=None), r"one\.json: words\[1\]\.begin_s: .*valid number"),
        (changed(0, begin_s=-1.0), r"one\.json: words\[0\]\.begin_s: .*greater than or equal"),
        (changed(1, begin_s=0.2), r"words\[1\]\.begin_s: 0\.2 s is before the end of the word"),
        (changed(1, end_s=0.5), r"words\[1\]\.end_s: 0\.5 s is not after its begin_s"),
        ({"text": "who is", "words": WORDS}, r"one\.json: text: 'who is' is not what the words"),
        (changed(1, end_s=800.0), r"words\[1\]\.end_s: 800 s is after the end of the recording"),
    ],
)
def test_a_wrong_transcript_is_told_with_its_file_and_field(
    tmp_path: Path, flite_speech: Speech, beside: Any, complaint: str
) -> None:
    write_wav(tmp_path / "one.wav", flite_speech("yes"), 16_000)
    if beside is not None:
        write(tmp_path / "one.json", beside)
    with pytest.raises(InvalidArgument, match=complaint):
        read_folder(tmp_path)


def test_a_text_may_have_marks_that_its_words_lack(tmp_path: Path, flite_speech: Speech) -> None:
    write_wav(tmp_path / "one.wav", flite_speech("what is the moon"), 16_000)
    write(tmp_path / "one.json", {"text": "What... is?", "words": WORDS})
    assert read_folder(tmp_path)[0].text == "What... is?"


def test_a_recording_longer_than_a_turn_is_refused(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "one.wav", np.zeros(40 * 8_000, dtype=np.int16), 8_000)
    write(tmp_path / "one.json", changed(1, end_s=31.0))
    with pytest.raises(InvalidArgument, match=r"words: they take more than 30 s; cut it"):
        read_folder(tmp_path)


def test_a_recording_that_is_no_audio_is_named(tmp_path: Path) -> None:
    write(tmp_path / "one.wav", "no audio at all")
    write(tmp_path / "one.json", {"text": "what is", "words": WORDS})
    with pytest.raises(InvalidArgument, match=r"one\.wav is no audio that can be read"):
        read_folder(tmp_path)


@pytest.mark.parametrize(
    ("folder", "complaint"), [("", "holds no WAV files"), ("missing", "does not exist; name one")]
)
def test_a_folder_without_recordings_is_refused(
    tmp_path: Path, folder: str, complaint: str
) -> None:
    with pytest.raises(InvalidArgument, match=complaint) as caught:
        read_folder(tmp_path / folder)
    assert caught.value.field == "--material"


def record(folder: Path, name: str, parts: dict[str, NDArray[np.int16]], rate: int) -> None:
    """A recording at 16 kHz times ``rate`` of parts, 500 ms apart; their texts count as words."""
    pieces, words, at = [np.zeros(4_800, np.int16)], [], 4_800
    for text, part in parts.items():
        words.append({"word": text, "begin_s": at / 16_000, "end_s": (at + len(part)) / 16_000})
        pieces += [part, np.zeros(8_000, np.int16)]
        at += len(part) + 8_000
    stereo = np.repeat(np.concatenate(pieces), rate)[:, None].repeat(2, axis=1)
    soundfile.write(folder / f"{name}.wav", stereo, 16_000 * rate)
    write(folder / f"{name}.json", {"text": " ".join(parts), "words": words})


def test_one_s_own_recordings_are_measured_by_the_command(
    tmp_path: Path, flite_speech: Speech, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "recordings"
    folder.mkdir()
    for name, texts, rate in (
        ("whole", ["tell me a joke"], 2),
        ("paused", ["tell me", "a joke"], 1),
    ):
        parts = {text: trimmed(flite_speech(text)) for text in texts}
        record(folder, name, parts, rate)
    silent = np.zeros(2 * 16_000, np.int16)
    soundfile.write(folder / "chinese.wav", silent, 16_000)
    characters = [
        {"word": c, "begin_s": 0.2 * n + 0.2, "end_s": 0.2 * n + 0.4}
        for n, c in enumerate("几点了")
    ]
    write(folder / "chinese.json", {"text": "几点了", "words": characters})
    figures, written = tmp_path / "turns.json", tmp_path / "turns.md"
    arguments = ["--material", str(folder), "--json", str(figures), "--report", str(written)]
    assert main(["eval", "turns", *arguments, "--quick"]) == 0
    found = json.loads(figures.read_text())
    # The sound of a word may fade before its last sample.
    assert 200 <= found["median_complete_wait_ms"] <= 400
    assert 600 <= found["fixed_mean_wait_ms"] <= 800
    assert found["false_cutoff_rate"] == found["fixed_false_cutoff_rate"] == 0.0
    assert found["voice_to_voice_ms"] == {"p50": None, "p95": None}
    assert "--material measures the ends" in found["not_measured"]["voice_to_voice_ms"]
    text = written.read_text()
    assert text in capsys.readouterr().out
    assert "| 500 ms | 1 |" in text
    assert "## End of turn, Mandarin" in text


def test_a_report_that_cannot_be_written_is_told_before_anything_is_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    no_folder = tmp_path / "file"
    no_folder.write_text("")
    arguments = ["--material", str(tmp_path / "missing"), "--json", str(no_folder / "turns.json")]
    assert main(["eval", "turns", *arguments]) != 0
    assert "turns.json cannot be written" in capsys.readouterr().err


def test_a_missing_folder_is_told_by_the_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["eval", "turns", "--material", str(tmp_path / "missing")]) != 0
    assert "missing does not exist; name one" in capsys.readouterr().err
