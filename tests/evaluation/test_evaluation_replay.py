"""Recorded conversations through real services again."""

from __future__ import annotations

import asyncio
import dataclasses
import io
import json
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path
from shutil import copytree
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from voicemesh.audio_format import linear16
from voicemesh.errors import InvalidArgument, NotFound
from voicemesh.recording import CONFIG, EVENTS, MICROPHONE
from voicemesh.v1 import common_pb2, dialog_pb2
from voicemesh_evaluation.commands.replay import replay
from voicemesh_evaluation.replay.comparison import Comparison, TurnPair
from voicemesh_evaluation.replay.turns import TurnOutline
from voicemesh_robot.asking.console import Console
from voicemesh_robot.asking.question_session import QuestionSession
from voicemesh_robot.asking.question_turn import Question
from voicemesh_robot.asking.streamed_conversation import StreamingMode
from voicemesh_robot.files.audio_file import write_wav
from voicemesh_robot.mesh.connection import ConversationOptions
from voicemesh_robot.mesh.conversation import Conversation
from voicemesh_robot.settings import RobotSettings

Speech = Callable[..., NDArray[np.int16]]
Talking = Callable[..., AbstractAsyncContextManager[str]]


@pytest.fixture
def talking(serving: Any) -> Talking:
    """``async with talking(recordings=folder, **settings) as target``: a mesh that may record."""

    @asynccontextmanager
    async def started(
        recordings: Path | None = None,
        services: Sequence[str] = ("asr", "llm", "tts"),
        **settings: Any,
    ) -> AsyncIterator[str]:
        async with AsyncExitStack() as stack:
            front: dict[str, Any] = {}
            if recordings is not None:
                front["orchestrator.recorder.folder"] = recordings
                front["orchestrator.recorder.min_free_megabytes"] = 0
            for name in services:
                own = {k: v for k, v in settings.items() if k.startswith(f"{name}.")}
                if name == "asr":
                    own = {"asr.engine": "pocketsphinx", "asr.pocketsphinx.workers": 1} | own
                front[f"orchestrator.{name}_target"] = await stack.enter_async_context(
                    serving(name, **own)
                )
            yield await stack.enter_async_context(serving("orchestrator", **front))

    return started


async def again(folder: Path, target: str, fast: bool = True, record: bool = False) -> Comparison:
    settings = RobotSettings(target=target, turn_timeout_s=20)
    return await replay(folder, settings, fast, record, Console(io.StringIO()))


def only(folder: Path) -> Path:
    (made,) = folder.iterdir()
    return made


async def talk(target: str, tmp_path: Path, speech: Speech, *questions: str) -> None:
    """Ask in real time, as a microphone would."""
    async with QuestionSession(
        RobotSettings(target=target), StreamingMode(store_reply=True)
    ) as session:
        for question in questions:
            path = tmp_path / "question.wav"
            write_wav(path, speech(question), 16_000)
            record = await session.ask(Question(audio=path))
            assert record.transcript == question


async def test_two_spoken_turns_replay_to_the_same_words_at_the_same_samples(
    talking: Talking, flite_speech: Speech, tmp_path: Path
) -> None:
    recordings = tmp_path / "recordings"
    async with talking(recordings) as target:
        await talk(target, tmp_path, flite_speech, "hello", "good morning")
        made = only(recordings)
        for fast in (False, True):
            comparison = await again(made, target, fast, record=fast)
            assert comparison.equal
            one, two = comparison.turns
            for turn, words in ((one, "hello"), (two, "good morning")):
                assert turn.recorded is not None
                assert turn.replayed is not None
                assert turn.recorded.transcript == words
                assert turn.replayed.end_sample == turn.recorded.end_sample
                assert turn.replayed.begin_sample == turn.recorded.begin_sample
                assert turn.replayed.outcome == "completed"
                assert turn.replayed.reply_text == turn.recorded.reply_text
        # The replay's own recording can be replayed in its turn.
        beside = made.with_name(f"{made.name}-replay-1")
        assert (beside / MICROPHONE).read_bytes() == (made / MICROPHONE).read_bytes()
        assert (await again(beside, target)).equal


async def test_another_setting_shows_as_a_difference(
    talking: Talking, flite_speech: Speech, tmp_path: Path
) -> None:
    recordings = tmp_path / "recordings"
    async with talking(recordings, **{"asr.phrases": '["who wrote this book"]'}) as target:
        await talk(target, tmp_path, flite_speech, "who wrote this book")
    made = only(recordings)
    async with talking() as target:  # The phrase is expected no more.
        status, out = await run_replay(made, target, "--json", tmp_path / "report.json")
    assert status == 1
    report = json.loads((tmp_path / "report.json").read_text())
    (turn,) = report["turns"]
    assert not report["equal"]
    assert report["complete"]
    assert turn["recorded"]["transcript"] == "who wrote this book"
    assert turn["replayed"]["transcript"] != turn["recorded"]["transcript"]
    assert "≠ transcript" in out
    assert turn["replayed"]["transcript"] in out
    assert "Turn 1: DIFFERENT: transcript" in out
    assert "1 of 1 turns differ: transcript (1)" in out


def answering(words: str) -> dict[str, Any]:
    return {"llm.engine": "simulated", "llm.simulated.replies": json.dumps([words])}


async def test_a_completely_different_reply_is_no_equal_turn(
    talking: Talking, tmp_path: Path
) -> None:
    recordings = tmp_path / "recordings"
    async with talking(recordings, ("llm", "tts"), **answering("It is sunny.")) as target:
        await type_one(target)
    made, path = only(recordings), tmp_path / "report.json"
    async with talking(None, ("llm", "tts"), **answering("Ask me later.")) as target:
        status, out = await run_replay(made, target, "--json", path)
        ignoring, forgiving = await run_replay(made, target, "--ignore-replies")
    assert status == 1
    assert "Turn 1: DIFFERENT: reply" in out
    assert "It is sunny." in out
    assert "Ask me later." in out
    assert "1 of 1 turns differ: reply (1)." in out
    report = json.loads(path.read_text())
    assert not report["equal"]
    assert report["turns"][0]["differences"] == ["reply"]
    assert ignoring == 0
    assert "Turn 1: equal but for reply" in forgiving


async def type_one(target: str) -> None:
    options = ConversationOptions(target, input_rate_hertz=None, reply_lead_ms=600_000)
    async with await Conversation.open(options) as conversation:
        await conversation.send_text("what is the weather")
        await until_ended(conversation)


SUNNY = TurnOutline(1, question="q", reply_text="It is sunny.", outcome="completed")


@pytest.mark.parametrize(
    ("changes", "differences", "shifts"),
    [
        ({}, [], []),
        ({"reply_text": "It is cloudy."}, ["reply"], []),
        ({"reply_text": "It is"}, ["reply"], []),
        ({"reply_text": "It is", "outcome": "interrupted"}, ["outcome"], []),
        ({"reply_text": "No", "outcome": "interrupted"}, ["outcome", "reply"], []),
        ({"question": "p", "transcript": "p"}, ["transcript", "question"], []),
        ({"outcome": "failed", "error": "llm: gone"}, ["outcome", "error"], []),
        ({"reply_samples": 7, "end_sample": 9}, [], ["end, sample", "reply, samples"]),
    ],
)
def test_what_differs_is_named(
    changes: dict[str, Any], differences: Sequence[str], shifts: Sequence[str]
) -> None:
    pair = TurnPair(SUNNY, dataclasses.replace(SUNNY, **changes))
    assert list(pair.differences) == differences
    assert list(pair.shifts) == shifts


def test_a_turn_that_took_place_only_once_is_a_difference() -> None:
    assert TurnPair(SUNNY, None).differences == ("not in the replay",)
    assert TurnPair(None, SUNNY).differences == ("not in the recording",)


async def run_replay(folder: Path, target: str, *arguments: str | Path) -> tuple[int, str]:
    host, _, port = target.rpartition(":")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "voicemesh", "replay", str(folder), "--fast"),
        *("--host", host, "--port", port, *map(str, arguments)),
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode()


async def converse_typed(target: str) -> None:
    """Two questions; the first reply is stopped a quarter of a second into it."""
    options = ConversationOptions(target, input_rate_hertz=None, reply_lead_ms=600_000)
    async with await Conversation.open(options) as conversation:
        await conversation.send_text("what is artificial intelligence")
        while True:
            event = await conversation.receive()
            if isinstance(event.payload, dialog_pb2.ReplyAudio):
                break
        report = common_pb2.PlaybackReport(stamp=event.stamp, played_samples=4_000, paused=True)
        await conversation.interrupt(report)
        await until_ended(conversation)
        await conversation.send_text("hello")
        while True:
            event = await conversation.receive()
            if isinstance(event.payload, dialog_pb2.ReplyEnded):
                break
        played = event.payload.sample_count
        await conversation.report_playback(
            common_pb2.PlaybackReport(stamp=event.stamp, played_samples=played, drained=True)
        )
        await until_ended(conversation)


async def until_ended(conversation: Conversation) -> None:
    while not isinstance((await conversation.receive()).payload, dialog_pb2.TurnEnded):
        pass


async def test_an_interruption_is_replayed_at_the_same_sample(
    talking: Talking, tmp_path: Path
) -> None:
    recordings = tmp_path / "recordings"
    async with talking(recordings, ("llm", "tts")) as target:
        await converse_typed(target)
        made = only(recordings)
        comparison = await again(made, target)
    assert comparison.equal
    first, second = comparison.turns
    assert first.recorded is not None
    assert first.replayed is not None
    assert first.recorded.outcome == first.replayed.outcome == "interrupted"
    assert first.recorded.heard_text == first.replayed.heard_text != ""
    assert second.replayed is not None
    assert second.replayed.outcome == "completed"


async def test_spoken_barge_in_is_replayed_fast(
    talking: Talking, flite_speech: Speech, tmp_path: Path
) -> None:
    recordings = tmp_path / "recordings"
    both = np.concatenate(
        [flite_speech("what is the moon"), np.zeros(24_000, np.int16), flite_speech("hello")]
    )
    write_wav(tmp_path / "both.wav", both, 16_000)
    async with talking(recordings) as target:
        async with QuestionSession(RobotSettings(target=target), StreamingMode()) as session:
            await session.ask(Question(audio=tmp_path / "both.wav"))
        comparison = await again(only(recordings), target)
    assert [turn.recorded.outcome for turn in comparison.turns if turn.recorded] == [
        "interrupted",
        "completed",
    ]
    assert comparison.equal


async def test_a_broken_off_recording_replays_what_is_there(
    talking: Talking, flite_speech: Speech, tmp_path: Path
) -> None:
    recordings = tmp_path / "recordings"
    async with talking(recordings) as target:
        await talk(target, tmp_path, flite_speech, "hello", "good morning")
        made = only(recordings)
        broken = copytree(made, tmp_path / "broken")
        lines = (made / EVENTS).read_text().splitlines(keepends=True)
        second = next(n for n, line in enumerate(lines) if '"turn": 2' in line and "reply" in line)
        (broken / EVENTS).write_text("".join(lines[:second]) + lines[second][:30])
        comparison = await again(broken, target)
    assert comparison.equal
    (turn,) = comparison.turns  # How the second one ended is not known.
    assert turn.number == 1
    assert any("breaks off" in line for line in comparison.lines())


async def test_a_folder_that_is_no_recording_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="is no recording"):
        await again(tmp_path, "127.0.0.1:1")
    (tmp_path / CONFIG).write_text('{"format": 99}')
    with pytest.raises(InvalidArgument, match="format is 99"):
        await again(tmp_path, "127.0.0.1:1")


def test_the_recorded_config_opens_the_replay() -> None:
    from voicemesh_evaluation.replay.player import RecordedOptions

    recorded = dialog_pb2.ConverseConfig(
        input_format=linear16(8_000), voice_name="slt", resume_token="t"
    )
    config = RecordedOptions("127.0.0.1:1", recorded=recorded).config()
    assert (config.voice_name, config.resume_token) == ("slt", "")
    assert config.input_format.sample_rate_hertz == 8_000
