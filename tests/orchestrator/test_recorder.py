"""Conversations recorded by a real orchestrator, and what cuts a recording."""

from __future__ import annotations

import json
import threading
import wave
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from voicemesh.audio_format import linear16
from voicemesh.errors import InvalidArgument, SettingsError
from voicemesh.recording import (
    CONFIG,
    EVENTS,
    MICROPHONE,
    About,
    Note,
    Recording,
    RecordingFull,
    RecordingWriter,
)
from voicemesh.stamps import label
from voicemesh.v1 import common_pb2, dialog_pb2
from voicemesh_orchestrator.observing.disk_writer import DiskWriter
from voicemesh_orchestrator.observing.observers import Observers
from voicemesh_orchestrator.observing.recorder import RecordedConversation, Recorder
from voicemesh_orchestrator.settings import OrchestratorSettings, RecorderSettings

from .conftest import RATE, Client, Connect, Mesh, Request, config

SPEAKS = dialog_pb2.ConverseConfig(
    input_format=linear16(RATE), output_format=linear16(RATE), reply_lead_ms=600_000
)


def recorder_flags(folder: Path, **limits: Any) -> dict[str, Any]:
    own = {"folder": folder, "min_free_megabytes": 0} | limits
    return {f"orchestrator.recorder.{name}": value for name, value in own.items()}


def folders(folder: Path) -> list[Path]:
    return sorted(folder.iterdir())


def samples(path: Path) -> Any:
    with wave.open(str(path)) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, RATE)
        return np.frombuffer(file.readframes(file.getnframes()), dtype=np.int16)


def notes(recording: Recording) -> list[str]:
    return [e.message.text for e in recording.events() if isinstance(e.message, Note)]


async def ask(client: Client, text: str) -> common_pb2.Stamp:
    await client.send(text=dialog_pb2.TypedText(text=text))
    ended = await client.until("reply_ended")
    played = common_pb2.PlaybackReport(
        stamp=ended.stamp, played_samples=ended.reply_ended.sample_count, drained=True
    )
    await client.send(playback=played)
    await client.until("turn_ended")
    return ended.stamp


async def hang_up(client: Client) -> None:
    await client.send(end=dialog_pb2.EndConversation())
    while (response := await client.stream.read()) is not None:
        client.seen.append(response)


async def test_nothing_is_recorded_unless_asked_for(
    mesh: Mesh, connect: Connect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    async with mesh("llm", "tts") as target, connect(target) as client:
        assert not (await client.until("started")).started.recorded
        await hang_up(client)
    assert folders(tmp_path) == []


async def test_recording_holds_both_directions_and_every_message(
    mesh: Mesh, connect: Connect, flite_speech: Any, tmp_path: Path
) -> None:
    folder = tmp_path / "kept" / "here"
    flags = recorder_flags(folder) | {"asr.moonshine.workers": 1}
    speech = flite_speech("hello")
    async with (
        mesh("asr", "llm", "tts", **flags) as target,
        connect(target, Request(config=SPEAKS)) as client,
    ):
        assert (await client.until("started")).started.recorded
        await client.say(speech)
        silence = common_pb2.SilenceChunk(first_sample=client.sample, sample_count=RATE)
        await client.send(silence=silence)
        ended = await client.until("reply_ended")
        played = common_pb2.PlaybackReport(
            stamp=ended.stamp, played_samples=ended.reply_ended.sample_count, drained=True
        )
        await client.send(playback=played)
        await client.until("turn_ended")
        await hang_up(client)
    (made,) = folders(folder)
    assert made.stat().st_mode & 0o777 == 0o700
    recording = Recording(made)
    events = list(recording.events())
    assert recording.complete
    assert recording.about.config == SPEAKS
    assert recording.about.settings["orchestrator"]["reply_lead_ms"] == 400
    assert [e.at_ms for e in events] == sorted(e.at_ms for e in events)
    said = [e.message for e in events if isinstance(e.message, dialog_pb2.ConverseResponse)]
    assert said == client.seen
    heard = [e.message for e in events if isinstance(e.message, dialog_pb2.ConverseRequest)]
    assert b"".join(request.audio.audio for request in heard) == speech.tobytes()
    assert [r.WhichOneof("converse_request") for r in heard][-3:] == ["silence", "playback", "end"]
    microphone = samples(made / MICROPHONE)
    assert np.array_equal(microphone[: len(speech)], speech)
    assert not microphone[len(speech) :].any()
    assert len(microphone) == len(speech) + RATE
    reply = b"".join(audio.chunk.audio for audio in client.of("reply_audio"))
    assert samples(made / f"reply-{label(ended.stamp)}.wav").tobytes() == reply


def test_broken_off_recording_is_read_up_to_where_it_breaks(tmp_path: Path) -> None:
    about = About("c", "2026-01-01T00:00:00Z", SPEAKS)
    writer = RecordingWriter(tmp_path / "r", about)
    for number in range(3):
        chunk = common_pb2.AudioChunk(audio=b"\1\0" * 160, first_sample=160 * number)
        writer.request(10.0 * number, Request(audio=chunk))
    writer.request(40.0, Request(text=dialog_pb2.TypedText(text="hello")))
    # The process dies here: nobody closes the files.
    assert len(samples(tmp_path / "r" / MICROPHONE)) == 480
    events = tmp_path / "r" / EVENTS
    with events.open("a") as file:
        file.write('{"at_ms": 50.0, "from": "cli')
    recording = Recording(tmp_path / "r")
    assert [e.at_ms for e in recording.events()] == [0.0, 10.0, 20.0, 40.0]
    assert not recording.complete
    writer.close()
    # A second of sound may be lost with what the events say of it.
    with (tmp_path / "r" / MICROPHONE).open("r+b") as file:
        file.truncate(44 + 2 * 200)
    assert [e.at_ms for e in Recording(tmp_path / "r").events()] == [0.0]


async def test_recording_is_cut_at_its_limit_and_the_conversation_goes_on(
    mesh: Mesh, connect: Connect, tmp_path: Path
) -> None:
    flags = recorder_flags(tmp_path, max_megabytes=0.02)
    first = Request(config=config(reply_lead_ms=600_000))
    async with mesh("llm", "tts", **flags) as target, connect(target, first) as client:
        await ask(client, "hello")
        await ask(client, "what is the moon")
        await hang_up(client)
    assert len(client.of("turn_ended")) == 2
    (made,) = folders(tmp_path)
    recording = Recording(made)
    (note,) = notes(recording)
    assert "orchestrator.recorder.max_megabytes" in note
    assert not recording.complete
    # Beyond it: the config, which comes before anything is counted, and the note.
    assert sum(path.stat().st_size for path in made.iterdir() if path.name != CONFIG) < 20_500


def test_long_silence_takes_no_room_on_the_disk(tmp_path: Path) -> None:
    writer = RecordingWriter(tmp_path / "r", About("c", "", SPEAKS))
    sound = np.arange(1, 321, dtype=np.int16)
    first = 0

    def silence(count: int) -> None:
        nonlocal first
        chunk = common_pb2.SilenceChunk(first_sample=first, sample_count=count)
        writer.request(first / RATE * 1000, Request(silence=chunk))
        first += count

    for _ in range(60):
        silence(10 * RATE)
    chunk = common_pb2.AudioChunk(audio=sound.tobytes(), first_sample=first)
    writer.request(first / RATE * 1000, Request(audio=chunk))
    first += len(sound)
    silence(160)
    silence(10 * RATE)
    writer.close()
    path = tmp_path / "r" / MICROPHONE
    kept = samples(path)  # 610 s, 19.5 MB
    assert len(kept) == first
    assert (kept[600 * RATE : 600 * RATE + 320] == sound).all()
    assert np.count_nonzero(kept) == len(sound)
    assert path.stat().st_blocks * 512 < 100_000


def test_a_message_beyond_the_limit_is_not_written_at_all(tmp_path: Path) -> None:
    writer = RecordingWriter(tmp_path / "r", About("c", "", SPEAKS), most_bytes=10_000)
    writer.request(0.0, Request(audio=common_pb2.AudioChunk(audio=bytes(6_000))))
    chunk = common_pb2.SilenceChunk(first_sample=3_000, sample_count=10 * RATE)
    with pytest.raises(RecordingFull):
        writer.request(1.0, Request(silence=chunk))
    with pytest.raises(RecordingFull):
        writer.request(2.0, Request(text=dialog_pb2.TypedText(text="x" * 9_000)))
    writer.note(3.0, "cut")
    writer.close()
    assert len(samples(tmp_path / "r" / MICROPHONE)) == 3_000
    assert [e.at_ms for e in Recording(tmp_path / "r").events()] == [0.0, 3.0]


async def test_what_is_refused_is_not_recorded(
    mesh: Mesh, connect: Connect, tmp_path: Path
) -> None:
    first = Request(config=config(input_format=linear16(RATE)))
    endless = common_pb2.SilenceChunk(first_sample=0, sample_count=1_000_000_000)
    flags = recorder_flags(tmp_path)
    async with mesh("asr", "llm", "tts", **flags) as target, connect(target, first) as client:
        await client.send(silence=endless)
        with pytest.raises(InvalidArgument) as caught:
            await client.until("turn_ended")
    assert caught.value.field == "silence.sample_count"
    (made,) = folders(tmp_path)
    assert sum(path.stat().st_size for path in made.iterdir()) < 100_000


async def test_a_disk_without_room_is_left_alone(
    mesh: Mesh, connect: Connect, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    flags = recorder_flags(tmp_path, min_free_megabytes=10**9)
    async with mesh("llm", "tts", **flags) as target, connect(target) as client:
        await client.until("started")
        await hang_up(client)
    assert folders(tmp_path) == []
    assert "min_free_megabytes" in caplog.text


async def test_oldest_recordings_are_deleted_and_nothing_else(
    mesh: Mesh, connect: Connect, tmp_path: Path
) -> None:
    (tmp_path / "0-mine").mkdir()
    async with mesh("llm", **recorder_flags(tmp_path, max_conversations=2)) as target:
        for _ in range(4):
            async with connect(target, Request(config=dialog_pb2.ConverseConfig())) as client:
                await client.until("started")
                await hang_up(client)
    made = folders(tmp_path)
    assert made[0].name == "0-mine"
    assert len(made) == 3


def _wait_for(event: threading.Event) -> None:
    event.wait()


def test_a_slow_disk_cuts_the_recording_never_the_conversation(tmp_path: Path) -> None:
    disk = DiskWriter(1_000)
    stuck = threading.Event()
    disk.put(partial(_wait_for, stuck))
    forgotten: list[bool] = []
    limits = RecorderSettings(folder=str(tmp_path), min_free_megabytes=0)
    observer = RecordedConversation(
        tmp_path / "r", About("c", "", SPEAKS), limits, disk, lambda: forgotten.append(True)
    )
    for number in range(10):
        chunk = common_pb2.AudioChunk(audio=bytes(320), first_sample=160 * number)
        observer.heard(Request(audio=chunk))
    observer.over()
    stuck.set()
    disk.close(10)
    recording = Recording(tmp_path / "r")
    events = list(recording.events())
    assert isinstance(events[-1].message, Note)
    assert "too slow" in events[-1].message.text
    assert len(events) - 1 == len(samples(tmp_path / "r" / MICROPHONE)) / 160 < 10
    assert not recording.complete
    assert forgotten == [True]


def test_a_folder_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    settings = OrchestratorSettings.model_validate(
        {"recorder": {"folder": str(tmp_path / "file" / "below")}}
    )
    with pytest.raises(SettingsError, match="orchestrator.recorder.folder"):
        Recorder(settings)


class Failing:
    keeps = False

    def __init__(self) -> None:
        self.calls = 0

    def heard(self, request: dialog_pb2.ConverseRequest) -> None:
        self.calls += 1
        raise ValueError("an observer's mistake")

    def said(self, response: dialog_pb2.ConverseResponse) -> None:
        self.calls += 1

    def over(self) -> None:
        self.calls += 1


def test_an_observer_that_fails_watches_no_more() -> None:
    failing = Failing()
    observers = Observers([lambda conversation_id, config: failing])
    with observers:
        observers.begin("c", SPEAKS)
        observers.heard(Request())
        observers.said(dialog_pb2.ConverseResponse())
    assert failing.calls == 1


def test_messages_of_a_recording_are_plain_json(tmp_path: Path) -> None:
    writer = RecordingWriter(tmp_path / "r", About("c", "", SPEAKS))
    writer.request(1.23456, Request(text=dialog_pb2.TypedText(text="你好")))
    writer.close()
    (line,) = (tmp_path / "r" / EVENTS).read_text(encoding="utf-8").splitlines()
    event = json.loads(line)
    assert event["at_ms"] == 1.235
    assert event["message"] == {"text": "你好"}
