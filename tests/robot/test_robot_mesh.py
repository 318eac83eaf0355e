"""The client against a whole mesh: real services, real engines, real speech."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from voicemesh.errors import Busy
from voicemesh.grpc_client import open_channel
from voicemesh.supervisor import Mesh
from voicemesh.v1 import common_pb2, dialog_pb2
from voicemesh.v1.dialog_pb2_grpc import DialogServiceStub
from voicemesh_robot.asking.question_record import QuestionRecord
from voicemesh_robot.asking.question_session import QuestionSession
from voicemesh_robot.asking.question_turn import Question
from voicemesh_robot.asking.streamed_conversation import StreamingMode
from voicemesh_robot.files.audio_file import write_wav
from voicemesh_robot.mesh.connection import ConversationOptions
from voicemesh_robot.mesh.events import Event
from voicemesh_robot.settings import RobotSettings

pytestmark = pytest.mark.asyncio(loop_scope="session")

SpokenFile = Callable[..., Path]

FAST = StreamingMode(real_time=False, store_reply=True)
REAL_TIME = StreamingMode()
TYPED = StreamingMode(speaks=False, hears=False)


def session(mesh: Mesh, mode: StreamingMode, **settings: object) -> QuestionSession:
    return QuestionSession(RobotSettings(target=mesh.target).model_copy(update=settings), mode)


def assert_answered(record: QuestionRecord, transcript: str, words: str) -> None:
    assert record.error is None
    assert record.transcript == transcript
    assert words in record.reply_text.lower()
    assert record.outcome == dialog_pb2.TURN_OUTCOME_COMPLETED


async def test_spoken_question_is_answered_and_heard_in_real_time(
    mesh: Mesh, spoken_file: SpokenFile
) -> None:
    question = Question(audio=spoken_file("what is your name"))
    async with session(mesh, REAL_TIME) as client:
        record = await client.ask(question)
    assert_answered(record, "What is your name?", "name")
    assert record.reply.seconds > 0.5
    assert np.abs(record.reply.samples()).max() > 1000
    assert record.configured_silence_ms >= 300
    stages = dict(record.stages())
    assert {"last_voiced", "endpoint", "llm_first_token", "tts_first_audio"} <= set(stages)
    assert stages["client_end_of_turn"] <= stages["client_first_audio"]
    # The reply was played at a loudspeaker's pace, and its end waited for.
    assert record.response_ms is not None
    assert record.response_ms >= record.configured_silence_ms - 100


async def test_question_as_fast_as_possible_and_a_second_one_in_the_same_conversation(
    mesh: Mesh, spoken_file: SpokenFile
) -> None:
    async with session(mesh, FAST) as client:
        first = await client.ask(Question(audio=spoken_file("what is the moon")))
        second = await client.ask(Question(audio=spoken_file("what is a rainbow")))
    assert_answered(first, "What is the moon?", "moon")
    assert_answered(second, "What is a rainbow?", "rain")


async def test_typed_question_gets_a_written_answer(mesh: Mesh) -> None:
    async with session(mesh, TYPED) as client:
        record = await client.ask(Question(text="what is the capital of china"))
        again = await client.ask(Question(text="什么是月亮"))
    assert_answered(record, "what is the capital of china", "beijing")
    assert record.reply.sample_count == 0
    assert again.answered


async def test_typed_question_is_spoken_where_audio_is_wanted(mesh: Mesh) -> None:
    mode = StreamingMode(real_time=False, store_reply=True, speaks=False)
    async with session(mesh, mode) as client:
        record = await client.ask(Question(text="hello"))
    assert record.spoken_answer


async def test_typed_text_goes_with_the_speech_that_follows(
    mesh: Mesh, spoken_file: SpokenFile
) -> None:
    questions: list[str] = []

    def observe(event: Event) -> None:
        if isinstance(event.payload, dialog_pb2.ReplyStarted):
            questions.append(event.payload.question)

    path = spoken_file("what is a robot")
    async with QuestionSession(RobotSettings(target=mesh.target), FAST, observe) as client:
        record = await client.ask(Question(audio=path, text="in one sentence"))
    assert record.transcript == "What is a robot?"
    assert len(questions) == 1
    assert "What is a robot?" in questions[0]
    assert "in one sentence" in questions[0]
    assert record.spoken_answer


async def test_two_conversations_at_once_do_not_mix(mesh: Mesh, spoken_file: SpokenFile) -> None:
    async with session(mesh, FAST) as one, session(mesh, FAST) as other:
        for _ in range(2):
            moon, rain = await asyncio.gather(
                one.ask(Question(audio=spoken_file("what is the moon"))),
                other.ask(Question(audio=spoken_file("what is a rainbow"))),
            )
            assert_answered(moon, "What is the moon?", "moon")
            assert_answered(rain, "What is a rainbow?", "rain")
            assert "rainbow" not in moon.reply_text.lower()
            assert "moon" not in rain.reply_text.lower()


async def vanishing_client(target: str, speech: NDArray[np.int16]) -> None:
    """Begin a conversation, say half a question, and be gone without a word."""
    async with open_channel(target) as channel:
        stream = DialogServiceStub(channel).Converse()
        config = ConversationOptions(target).config()
        await stream.write(dialog_pb2.ConverseRequest(config=config))
        response = await stream.read()
        assert isinstance(response, dialog_pb2.ConverseResponse)
        chunk = common_pb2.AudioChunk(audio=speech[:8_000].tobytes(), first_sample=0)
        await stream.write(dialog_pb2.ConverseRequest(audio=chunk))
        stream.cancel()


async def test_clients_that_vanish_free_their_places(mesh: Mesh, spoken_file: SpokenFile) -> None:
    path = spoken_file("what is the moon")
    speech, _ = soundfile.read(path, dtype="int16")
    recognisers = 2  # As the fixture sets it.
    for _ in range(2):
        for _ in range(recognisers):
            await vanishing_client(mesh.target, speech)
        async with asyncio.timeout(20):
            while True:  # All places are free again: as many can talk at once.
                clients = [session(mesh, FAST) for _ in range(recognisers)]
                asked = (client.ask(Question(audio=path)) for client in clients)
                records = await asyncio.gather(*asked)
                for client in clients:
                    await client.close()
                if not any(isinstance(record.error, Busy) for record in records):
                    break
        for record in records:
            assert_answered(record, "What is the moon?", "moon")


async def test_file_without_speech_is_said_to_be_so_and_the_next_turn_works(
    mesh: Mesh, spoken_file: SpokenFile, tmp_path: Path
) -> None:
    write_wav(tmp_path / "silence.wav", np.zeros(8_000, dtype=np.int16), 16_000)
    for mode in (FAST, StreamingMode(store_reply=True)):
        async with session(mesh, mode, quiet_after_s=1.5) as client:
            record = await client.ask(Question(audio=tmp_path / "silence.wav"))
            assert record.outcome == dialog_pb2.TURN_OUTCOME_NOTHING_HEARD
            assert not record.answered
            again = await client.ask(Question(audio=spoken_file("what is the moon")))
            assert_answered(again, "What is the moon?", "moon")


async def test_second_question_in_a_recording_interrupts_the_first_answer(
    mesh: Mesh, spoken_file: SpokenFile, tmp_path: Path
) -> None:
    parts = [
        soundfile.read(spoken_file(text), dtype="int16")[0]
        for text in ("what is the moon", "what is your name")
    ]
    pause = np.zeros(24_000, dtype=np.int16)
    write_wav(tmp_path / "both.wav", np.concatenate([parts[0], pause, parts[1]]), 16_000)
    ends: list[dialog_pb2.TurnEnded] = []

    def observe(event: Event) -> None:
        if isinstance(event.payload, dialog_pb2.TurnEnded):
            ends.append(event.payload)

    async with QuestionSession(RobotSettings(target=mesh.target), REAL_TIME, observe) as client:
        record = await client.ask(Question(audio=tmp_path / "both.wav"))
    assert [end.question for end in ends] == ["What is the moon?", "What is your name?"]
    assert ends[0].outcome == dialog_pb2.TURN_OUTCOME_INTERRUPTED
    # Only what had been played when the user spoke again counts as heard.
    assert len(ends[0].heard_text.split()) < 10
    assert_answered(record, "What is your name?", "name")


async def run_ask(*arguments: str | Path) -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "voicemesh", "ask", *map(str, arguments)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


async def test_ask_writes_the_answer_and_the_report(
    mesh: Mesh, spoken_file: SpokenFile, tmp_path: Path
) -> None:
    host, _, port = mesh.target.rpartition(":")
    wav, report = tmp_path / "out" / "answer.wav", tmp_path / "report.json"
    status, out, err = await run_ask(
        *("--audio-in", spoken_file("what is the moon"), "--fast", "--turns", "2"),
        *("--host", host, "--port", port, "--output-file", wav, "--json", report),
    )
    assert (status, err) == (0, "")
    written = json.loads(report.read_text())
    turns = written["turns"]
    assert [turn["transcript"] for turn in turns] == ["What is the moon?"] * 2
    for figure in ("over_silence_ms", "voice_to_voice_ms"):
        assert written[figure] == pytest.approx(sum(turn[figure] for turn in turns) / 2, abs=0.2)
    assert turns[0]["reply_text"] in out
    assert "client_first_audio" in out
    for turn, path in zip(turns, [wav, wav.with_name("answer-2.wav")], strict=True):
        assert turn["reply_wav"] == str(path)
        assert soundfile.info(path).duration == pytest.approx(turn["reply_seconds"], abs=0.001)
        assert turn["configured_silence_ms"] >= 0
        assert turn["after_endpoint_ms"] > 0
        assert turn["response_ms"] > 0
        assert turn["voice_to_voice_ms"] == turn["response_ms"]
        silence = turn["response_ms"] - turn["over_silence_ms"]
        assert silence == pytest.approx(turn["configured_silence_ms"], abs=0.2)
        assert "tts_first_audio" in turn["stages"]


async def test_ask_says_in_a_sentence_that_nobody_answers(tmp_path: Path) -> None:
    status, out, err = await run_ask("--text", "hello", "--port", "1")
    assert status == 1
    assert "orchestrator: nothing answers at 127.0.0.1:1" in out + err
    assert "voicemesh up" in out + err
    assert "Traceback" not in err


async def test_ask_names_a_missing_file(tmp_path: Path) -> None:
    status, _, err = await run_ask("--audio-in", tmp_path / "nowhere.wav")
    assert status == 1
    assert "nowhere.wav does not exist" in err
    assert "Traceback" not in err
