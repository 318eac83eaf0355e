"""Turns on a robot that the orchestrator dials: real services, only the sound card is a script."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
import pytest

from voicemesh.errors import InvalidArgument, Superseded
from voicemesh.stamps import order
from voicemesh.v1 import common_pb2, dialog_pb2

from .conftest import RATE, Mesh
from .controller import Controller, controlling
from .scripted_robot import ScriptedRobot, offering_robot

ONE_EAR = {"asr.moonshine.workers": 1}


async def test_three_spoken_questions_in_a_row_are_one_conversation(
    mesh: Mesh, flite_speech: Any
) -> None:
    robot = ScriptedRobot(
        flite_speech("what is the moon"),
        flite_speech("please say that again"),
        flite_speech("what is artificial intelligence"),
    )
    async with (
        mesh("asr", "llm", "tts", **ONE_EAR) as orchestrator,
        offering_robot(robot) as target,
        controlling(orchestrator) as controller,
    ):
        replies = []
        for words in ("moon", "again", "intelligence"):
            ended = await controller.run(robot_target=target)
            assert ended.outcome == dialog_pb2.TURN_OUTCOME_COMPLETED
            assert words in ended.question
            assert ended.heard_text == controller.reply.strip()
            replies.append(controller.reply)
            kinds = [news.WhichOneof("run_turn_response") for news in controller.news]
            assert kinds.index("turn_event") < kinds.index("reply_text") < kinds.index("playback")
            assert controller.reports[-1].drained
            assert controller.reports[-1].played_samples > RATE // 2
            await robot.closed_microphone.wait()
            robot.ready()
        # The second answer is the first one again: the turns remember each other.
        assert replies[1] == replies[0]
        assert "moon" in replies[0].lower()
        assert robot.plays == 3
        assert np.abs(np.frombuffer(bytes(robot.played), dtype=np.int16)).max() > 1000
        # Nobody has silenced it; its microphone was closed when each turn was over.
        assert all(stop.listening and stop.keep_playing for stop in robot.stops)
        stamps = [order(stamp) for stamp in robot.stamps]
        assert stamps == sorted(stamps)
        assert len({stamp.turn for stamp in robot.stamps}) == 3
        # Nothing is held between turns: neither a slot here nor the only recogniser.
        assert await controller.turns() == []


async def test_a_robot_may_stream_to_the_recogniser_itself(
    serving: Any, mesh: Mesh, flite_speech: Any
) -> None:
    robot = ScriptedRobot(flite_speech("what is artificial intelligence"))
    async with (
        serving("asr", **ONE_EAR) as asr,
        mesh(
            *("llm", "tts"),
            **{"orchestrator.robot_asr_target": asr, "orchestrator.robot_asr_ticket": "sesame"},
        ) as orchestrator,
        offering_robot(robot) as target,
        controlling(orchestrator) as controller,
    ):
        ended = await controller.run(robot_target=target)
        assert ended.outcome == dialog_pb2.TURN_OUTCOME_COMPLETED
        assert "artificial intelligence" in ended.question
        steps = {step.name: step.at_us for step in ended.timeline}
        assert 0 <= steps["last_voiced"] < steps["endpoint"] < steps["first_audio_sent"]
        assert robot.tickets == ["sesame"]
        assert robot.played


async def test_text_is_asked_instead_of_listening_and_facts_of_the_robot_are_used(
    mesh: Mesh,
) -> None:
    robot = ScriptedRobot()
    robot.facts = {"battery": "73 percent"}
    async with (
        mesh("llm", "tts") as orchestrator,
        offering_robot(robot) as target,
        controlling(orchestrator) as controller,
    ):
        ended = await controller.run(robot_target=target, text="how is your battery")
        assert ended.outcome == dialog_pb2.TURN_OUTCOME_COMPLETED
        assert ended.question == "how is your battery"
        assert "73" in controller.reply
        assert robot.played
        assert not robot.listening.is_set()


async def test_the_robot_says_something_first_and_then_listens(
    mesh: Mesh, flite_speech: Any
) -> None:
    robot = ScriptedRobot(flite_speech("what is the moon"))
    async with (
        mesh("asr", "llm", "tts", **ONE_EAR) as orchestrator,
        offering_robot(robot) as target,
        controlling(orchestrator) as controller,
    ):
        ended = await controller.run(robot_target=target, say="What do you want to know?")
        assert ended.outcome == dialog_pb2.TURN_OUTCOME_COMPLETED
        assert ended.question == "What is the moon?"
        assert controller.reply.startswith("What do you want to know?")
        assert robot.plays == 2
        started = [n.reply_started for n in controller.news if n.HasField("reply_started")]
        assert [news.question for news in started] == ["", "What is the moon?"]
        first, *_, last = robot.stamps  # Of Play, then of Listen and Play.
        assert order(first) < order(last)
        assert [n for n in controller.news if n.HasField("turn_ended")] == [controller.news[-1]]


async def test_the_robot_says_something_and_nothing_follows(mesh: Mesh) -> None:
    robot = ScriptedRobot()
    async with (
        mesh("llm", "tts") as orchestrator,
        offering_robot(robot) as target,
        controlling(orchestrator) as controller,
    ):
        ended = await controller.run(robot_target=target, say="Dinner is ready.", say_only=True)
        assert ended.outcome == dialog_pb2.TURN_OUTCOME_COMPLETED
        assert ended.heard_text == controller.reply == "Dinner is ready."
        assert ended.question == ""
        assert not robot.listening.is_set()
        # It is part of the conversation.
        again = await controller.run(robot_target=target, text="say that again")
        assert "Dinner is ready" in again.heard_text
        # What is said may come before what is asked, too.
        asked = await controller.run(robot_target=target, say="One moment.", text="hello")
        assert controller.reply.startswith("One moment.")
        assert asked.question == "hello"


@pytest.mark.parametrize(
    ("field", "request_"),
    [
        ("say_only", {"say_only": True}),
        ("say_only", {"say": "Hello.", "text": "hello", "say_only": True}),
        ("say", {"say": " "}),
        ("say", {"say": "a" * 4001}),
        ("interruption_policy", {"text": "hello", "interruption_policy": 99}),
    ],
)
async def test_what_cannot_be_said_is_refused_with_its_field(
    mesh: Mesh, field: str, request_: dict[str, Any]
) -> None:
    async with mesh() as orchestrator, controlling(orchestrator) as controller:
        with pytest.raises(InvalidArgument) as refused:
            await controller.run(robot_target="127.0.0.1:9", **request_)
        assert refused.value.field == field


async def test_listening_once_returns_the_words_and_answers_nothing(
    mesh: Mesh, flite_speech: Any
) -> None:
    robot = ScriptedRobot(flite_speech("what is the moon"))
    async with (
        mesh("asr", **ONE_EAR) as orchestrator,
        offering_robot(robot) as target,
        controlling(orchestrator) as controller,
    ):
        heard = await controller.listen(robot_target=target)
        assert heard.text == "What is the moon?"
        assert heard.is_final
        await robot.closed_microphone.wait()
        assert robot.plays == 0


async def test_the_next_turn_knows_the_pauses_that_the_speaker_made(
    mesh: Mesh, flite_speech: Any
) -> None:
    pause = np.zeros(RATE * 45 // 100, dtype=np.int16)
    said = [flite_speech("one two three"), pause, flite_speech("four five six")]
    robot = ScriptedRobot(np.concatenate(said), np.concatenate(said))
    simulated = {"asr.engine": "simulated", "llm.engine": "simulated"}
    async with (
        mesh("asr", "llm", "tts", **simulated) as orchestrator,
        offering_robot(robot) as target,
        controlling(orchestrator) as controller,
    ):
        for _ in range(2):
            await controller.run(robot_target=target)
            await robot.closed_microphone.wait()
            robot.ready()
        first, second = robot.known
        assert first.pause_count == 0
        assert second.pause_count > 0
        assert second.mean_pause_ms > 450
        assert not second.in_turn


NOBODY = common_pb2.ErrorDetail(
    code=common_pb2.ERROR_CODE_DEADLINE,
    stage=common_pb2.STAGE_ROBOT,
    message="nobody spoke within 0.1 s",
)


async def test_nobody_speaks_as_the_robot_says(mesh: Mesh) -> None:
    robot = ScriptedRobot(NOBODY, NOBODY)
    async with (
        mesh() as orchestrator,
        offering_robot(robot) as target,
        controlling(orchestrator) as controller,
    ):
        ended = await controller.run(robot_target=target, no_speech_timeout_ms=100)
        assert ended.outcome == dialog_pb2.TURN_OUTCOME_NOTHING_HEARD
        assert "nobody spoke within 0.1 s" in ended.error.message
        assert ended.error.stage == common_pb2.STAGE_ROBOT
        assert robot.plays == 0
        heard = await controller.listen(robot_target=target, no_speech_timeout_ms=100)
        assert heard.text == ""


async def test_a_microphone_that_stays_silent_is_closed_in_the_end(mesh: Mesh) -> None:
    robot = ScriptedRobot()
    async with (
        mesh() as orchestrator,
        offering_robot(robot) as target,
        controlling(orchestrator) as controller,
    ):
        ended = await controller.run(robot_target=target, no_speech_timeout_ms=100)
        assert ended.outcome == dialog_pb2.TURN_OUTCOME_NOTHING_HEARD
        await robot.closed_microphone.wait()


async def test_noise_without_words_ends_the_turn_quietly(mesh: Mesh) -> None:
    noise = np.random.default_rng(7).normal(0, 6000, RATE).astype(np.int16)
    robot = ScriptedRobot(noise)
    async with (
        mesh("asr", **ONE_EAR) as orchestrator,
        offering_robot(robot) as target,
        controlling(orchestrator) as controller,
    ):
        ended = await controller.run(robot_target=target, no_speech_timeout_ms=100)
        assert ended.outcome == dialog_pb2.TURN_OUTCOME_NOTHING_HEARD
        assert robot.plays == 0


@pytest.mark.parametrize("phase", ["listening", "playing"])
async def test_the_robot_is_stopped_when_its_controller_vanishes(mesh: Mesh, phase: str) -> None:
    robot = ScriptedRobot()
    robot.holds_playback = True
    text = "what is artificial intelligence" if phase == "playing" else ""
    async with (
        mesh("llm", "tts") as orchestrator,
        offering_robot(robot) as target,
        controlling(orchestrator) as controller,
    ):
        call = controller.begin(robot_target=target, text=text)
        await getattr(robot, phase).wait()
        (turn,) = await controller.turns()
        assert turn.phase == ("speaking" if text else "listening")
        call.cancel()
        await robot.stopped.wait()
        assert robot.stops[0].listening
        await controller.until_free()
        # The robot is at once free for the next, and the conversation goes on.
        robot.holds_playback = False
        robot.ready()
        ended = await controller.run(robot_target=target, text="hello")
        assert ended.outcome == dialog_pb2.TURN_OUTCOME_COMPLETED
        assert order(controller.news[-1].stamp) > order(robot.stops[0].stamp)
        assert controller.news[-1].stamp.epoch == robot.stops[0].stamp.epoch


@pytest.mark.parametrize("phase", ["listening", "playing"])
async def test_a_newer_turn_supersedes_the_older_one(mesh: Mesh, phase: str) -> None:
    robot = ScriptedRobot()
    robot.holds_playback = True
    text = "what is artificial intelligence" if phase == "playing" else ""
    async with (
        mesh("llm", "tts") as orchestrator,
        offering_robot(robot) as target,
        controlling(orchestrator) as controller,
        controlling(orchestrator) as other,
    ):
        older = asyncio.ensure_future(other.run(robot_target=target, text=text))
        await getattr(robot, phase).wait()
        robot.holds_playback = False
        ended = await controller.run(robot_target=target, text="hello")
        assert ended.outcome == dialog_pb2.TURN_OUTCOME_COMPLETED
        with pytest.raises(Superseded, match="newer turn"):
            await older
        assert len(robot.stops) == 1
        assert order(robot.stops[0].stamp) < order(controller.news[-1].stamp)


async def test_of_many_turns_at_once_only_the_newest_is_had(mesh: Mesh) -> None:
    robot = ScriptedRobot()
    async with (
        mesh("llm", "tts") as orchestrator,
        offering_robot(robot) as target,
        controlling(orchestrator) as controller,
    ):
        others = [Controller(controller.channel) for _ in range(4)]
        older = [asyncio.ensure_future(other.run(robot_target=target)) for other in others]
        await robot.listening.wait()
        ended = await controller.run(robot_target=target, text="hello")
        assert ended.outcome == dialog_pb2.TURN_OUTCOME_COMPLETED
        for result in await asyncio.gather(*older, return_exceptions=True):
            assert isinstance(result, Superseded)


async def test_somebody_stops_the_robot_in_the_middle_of_its_reply(mesh: Mesh) -> None:
    robot = ScriptedRobot()
    robot.holds_playback = True
    async with (
        mesh("llm", "tts") as orchestrator,
        offering_robot(robot) as target,
        controlling(orchestrator) as controller,
    ):
        call = controller.begin(robot_target=target, text="what is artificial intelligence")
        await robot.playing.wait()
        robot.stopped.set()
        ended = await controller.follow(call)
        assert ended.outcome == dialog_pb2.TURN_OUTCOME_INTERRUPTED
        assert len(ended.heard_text) < len(controller.reply)
        assert robot.stops == []


async def test_two_robots_at_once_do_not_mix(mesh: Mesh) -> None:
    robots = [ScriptedRobot(), ScriptedRobot()]
    async with (
        mesh("llm", "tts") as orchestrator,
        offering_robot(robots[0]) as one,
        offering_robot(robots[1]) as other,
        controlling(orchestrator) as controller,
    ):
        second = Controller(controller.channel)
        for _ in range(2):
            moon, rain = await asyncio.gather(
                controller.run(robot_target=one, text="what is the moon"),
                second.run(robot_target=other, text="what is a rainbow"),
            )
            assert "moon" in moon.heard_text.lower()
            assert "rainbow" in rain.heard_text.lower()
        again = await controller.run(robot_target=one, text="say that again")
        assert again.heard_text == moon.heard_text


async def test_the_longest_idle_robot_is_forgotten_for_a_new_one(mesh: Mesh) -> None:
    robots = [ScriptedRobot() for _ in range(2)]
    async with (
        mesh("llm", "tts", **{"orchestrator.max_robots": 1}) as orchestrator,
        offering_robot(robots[0]) as one,
        offering_robot(robots[1]) as other,
        controlling(orchestrator) as controller,
    ):
        for target in (one, one, other, one):
            await controller.run(robot_target=target, text="hello")
        first, second, third = (stamp for stamp in robots[0].stamps)
        assert first.epoch == second.epoch
        assert third.epoch > second.epoch  # So that the robot takes it for newer.
        assert third.turn == 1
