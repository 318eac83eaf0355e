"""Somebody speaks while the robot does: what becomes of the reply, over real services."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import numpy as np
import pytest

from voicemesh.audio_format import linear16
from voicemesh.v1 import asr_pb2, common_pb2, dialog_pb2

from .conftest import RATE, Client, Connect, Mesh, Request, Response, config

PAUSE = dialog_pb2.INTERRUPTION_POLICY_PAUSE_THEN_DECIDE
STOP = dialog_pb2.INTERRUPTION_POLICY_STOP
DUCK = dialog_pb2.INTERRUPTION_POLICY_DUCK
IGNORE = dialog_pb2.INTERRUPTION_POLICY_IGNORE
END_OF_TURN = asr_pb2.TURN_EVENT_TYPE_END_OF_TURN
NO_TURN = dialog_pb2.TURN_OUTCOME_BACKCHANNEL

Story = Callable[..., AbstractAsyncContextManager["Listener"]]


class Listener:
    """A client whose speaker stands still after the first sound until it is known what was said.

    A busy machine recognises late what is said over a reply, which must not be over by
    then. From then on the speaker plays whatever arrives at once. It always says so.
    """

    def __init__(self, client: Client, speech: Any) -> None:
        self.client = client
        self._speech = speech
        self._silence = np.zeros(2 * RATE, dtype=np.int16)
        self.received = 0
        self.played = 0
        self.stamp = common_pb2.Stamp()
        self.paused = False
        self._plays = False

    async def speak(self) -> None:
        """Something is said; the recogniser's script knows what."""
        await self.client.say(self._speech)
        await self.client.say(self._silence)

    async def play(self) -> None:
        """The speaker plays what has arrived, and from now on what arrives."""
        self._plays = True
        await self.report()

    async def report(self, **fields: Any) -> None:
        if self._plays or not self.played:
            self.played = self.received
        still = self.paused or not self._plays
        report = common_pb2.PlaybackReport(
            stamp=self.stamp, played_samples=self.played, paused=still, **fields
        )
        await self.client.send(playback=report)

    async def read(self) -> Response:
        response = await self.client.read()
        match response.WhichOneof("converse_response"):
            case "reply_audio":
                assert not self.paused, "audio came for a speaker that was told to pause"
                if response.stamp != self.stamp:
                    self.stamp, self.received, self.played = response.stamp, 0, 0
                chunk = response.reply_audio.chunk
                assert chunk.first_sample == self.received, "samples were lost or repeated"
                self.received += len(chunk.audio) // 2
                await self.report()
            case "reply_paused":
                self.paused = True
                await self.report()
            case "reply_resumed" | "reply_interrupted":
                self.paused = False
                await self.play()
            case "reply_ended":
                assert response.reply_ended.sample_count == self.received
                await self.report(drained=self._plays)
        return response

    async def until(self, kind: str) -> Response:
        """The next response of a kind."""
        async with asyncio.timeout(60):
            while True:
                response = await self.read()
                if response.WhichOneof("converse_response") == kind:
                    return response

    async def until_heard(self) -> None:
        """The recogniser has made a turn of what was said."""
        while (await self.until("turn_event")).turn_event.type != END_OF_TURN:
            pass

    async def until_ended(self, outcome: dialog_pb2.TurnOutcome.ValueType) -> Response:
        while True:
            response = await self.until("turn_ended")
            if response.turn_ended.outcome == outcome:
                return response


@pytest.fixture
def story(mesh: Mesh, connect: Connect, flite_speech: Any) -> Story:
    """``async with story("uh huh") as listener``: a reply plays, and that is said next."""
    speech = flite_speech("one two three four five six")

    @asynccontextmanager
    async def told(
        *texts: str,
        policy: dialog_pb2.InterruptionPolicy.ValueType = PAUSE,
        **settings: Any,
    ) -> AsyncIterator[Listener]:
        scripted = {
            "asr.engine": "simulated",
            "asr.simulated.texts": json.dumps(["tell me a story", *texts]),
            "llm.engine": "simulated",
            "orchestrator.floor.resume_after_ms": 10_000,
        }
        first = Request(config=config(input_format=linear16(RATE), interruption_policy=policy))
        async with (
            mesh("asr", "llm", "tts", **scripted | settings) as target,
            connect(target, first) as client,
        ):
            listener = Listener(client, speech)
            await listener.speak()
            await listener.until("reply_audio")
            yield listener

    return told


def transitions(client: Client) -> list[str]:
    return [
        dialog_pb2.FloorTransition.Name(floor.transition).removeprefix("FLOOR_TRANSITION_")
        for floor in client.of("floor")
    ]


@pytest.mark.parametrize("said", ["uh huh", "嗯嗯", "Yeah, right.", ""])
async def test_a_sound_of_listening_or_a_noise_lets_the_reply_go_on_where_it_paused(
    story: Story, said: str
) -> None:
    async with story(said) as listener:
        await listener.speak()
        paused = await listener.until("reply_paused")
        resumed = await listener.until("reply_resumed")
        assert paused.stamp == resumed.stamp == listener.stamp
        story_ended = await listener.until_ended(dialog_pb2.TURN_OUTCOME_COMPLETED)
        assert story_ended.stamp == paused.stamp
        outcomes = [ended.outcome for ended in listener.client.of("turn_ended")]
        assert outcomes.count(NO_TURN) == 1
        assert len(listener.client.of("reply_started")) == 1
        await listener.until("floor")
        assert transitions(listener.client) == ["START_SPEAK", "CONTINUE_SPEAK", "START_LISTEN"]


async def test_words_stop_the_reply_and_are_answered(story: Story) -> None:
    async with story("what time is it in Berlin") as listener:
        await listener.speak()
        await listener.until("reply_paused")
        heard = listener.played
        interrupted = await listener.until("reply_interrupted")
        assert interrupted.reply_interrupted.reason == "speech"
        ended = (await listener.until("turn_ended")).turn_ended
        assert ended.outcome == dialog_pb2.TURN_OUTCOME_INTERRUPTED
        text = "".join(part.text for part in listener.client.of("reply_text"))
        assert heard > 0
        assert text.startswith(ended.heard_text)
        assert len(ended.heard_text) < len(text.strip())
        started = await listener.until("reply_started")
        assert started.reply_started.question == "what time is it in Berlin"
        assert transitions(listener.client) == ["START_SPEAK", "START_LISTEN"]


@pytest.mark.parametrize("policy", [PAUSE, DUCK, IGNORE, STOP])
@pytest.mark.parametrize("said", ["stop", "别说了"])
async def test_a_command_to_be_quiet_always_wins_and_is_not_answered(
    story: Story, policy: dialog_pb2.InterruptionPolicy.ValueType, said: str
) -> None:
    async with story(said, policy=policy) as listener:
        await listener.speak()
        await listener.until_ended(dialog_pb2.TURN_OUTCOME_INTERRUPTED)
        ended = await listener.until_ended(dialog_pb2.TURN_OUTCOME_COMPLETED)
        assert ended.stamp.turn == 2
        assert not ended.turn_ended.heard_text
        assert len(listener.client.of("reply_started")) == 1


async def test_who_is_ducked_for_hears_the_reply_all_the_while(story: Story) -> None:
    async with story("mm", policy=DUCK) as listener:
        await listener.speak()
        ducked = await listener.until("reply_ducked")
        assert 0 < ducked.reply_ducked.volume < 1
        await listener.until("reply_resumed")
        await listener.until_ended(dialog_pb2.TURN_OUTCOME_COMPLETED)
        assert not listener.client.of("reply_paused")


async def test_what_is_said_over_a_reply_that_goes_on_is_answered_afterwards(story: Story) -> None:
    async with story("what time is it in Berlin", policy=IGNORE) as listener:
        await listener.speak()
        await listener.until_heard()
        await listener.play()
        first = await listener.until_ended(dialog_pb2.TURN_OUTCOME_COMPLETED)
        started = await listener.until("reply_started")
        assert started.reply_started.question == "what time is it in Berlin"
        assert started.stamp.turn == first.stamp.turn + 1
        await listener.until_ended(dialog_pb2.TURN_OUTCOME_COMPLETED)
        assert not listener.client.of("reply_paused")


async def test_speech_that_only_the_robot_notices_pauses_and_nothing_follows(story: Story) -> None:
    async with story(**{"orchestrator.floor.resume_after_ms": 200}) as listener:
        speech = dialog_pb2.LocalSpeech(begin_sample=listener.client.sample)
        await listener.client.send(local_speech=speech)
        await listener.until("reply_paused")
        resumed = await listener.until("reply_resumed")
        assert resumed.reply_resumed.reason == "timeout"
        await listener.until_ended(dialog_pb2.TURN_OUTCOME_COMPLETED)


async def test_nothing_was_heard_where_reports_were_promised_and_none_came(
    mesh: Mesh, connect: Connect
) -> None:
    first = Request(config=config(reports_playback=True))
    async with mesh("llm", "tts") as target, connect(target, first) as client:
        await client.send(text=dialog_pb2.TypedText(text="what is artificial intelligence"))
        await client.until("reply_audio")
        await client.send(interrupt=dialog_pb2.Interrupt())
        ended = (await client.until("turn_ended")).turn_ended
        assert ended.outcome == dialog_pb2.TURN_OUTCOME_INTERRUPTED
        assert ended.heard_text == ""


async def test_the_robot_takes_the_floor_from_who_speaks_for_too_long(
    mesh: Mesh, connect: Connect, flite_speech: Any
) -> None:
    settings = {
        "asr.engine": "simulated",
        "asr.simulated.texts": json.dumps(["and then and then and then"]),
        "orchestrator.floor.longest_user_turn_s": 0.2,
    }
    first = Request(config=dialog_pb2.ConverseConfig(input_format=linear16(RATE)))
    async with mesh("asr", "llm", **settings) as target, connect(target, first) as client:
        await client.say(flite_speech("one two three four five six"))
        started = (await client.until("reply_started")).reply_started
        assert started.question == "and then and then and then"


async def test_the_robot_greets_and_says_what_it_is_told_to(mesh: Mesh, connect: Connect) -> None:
    settings = {"orchestrator.proactive.greeting": "Hello, I am here."}
    async with mesh("llm", "tts", **settings) as target, connect(target) as client:
        assert (await client.until("reply_started")).reply_started.question == ""
        await client.send(say=dialog_pb2.SayText(text="Not while I speak."))
        ended = (await client.until("turn_ended")).turn_ended
        assert ended.heard_text == "Hello, I am here."
        await client.send(say=dialog_pb2.SayText(text="Dinner is ready."))
        ended = (await client.until("turn_ended")).turn_ended
        assert ended.heard_text == "Dinner is ready."
        await client.send(text=dialog_pb2.TypedText(text="say that again"))
        ended = (await client.until("turn_ended")).turn_ended
        assert "Dinner is ready" in ended.heard_text


async def test_the_robot_does_not_fall_asleep_while_it_says_something(
    mesh: Mesh, connect: Connect
) -> None:
    settings = {"orchestrator.proactive.sleep_after_s": 0.5}
    async with mesh("llm", "tts", **settings) as target, connect(target) as client:
        text = "Dinner is ready, and it is getting cold, so please come to the table."
        await client.send(say=dialog_pb2.SayText(text=text))
        ended = (await client.until("turn_ended")).turn_ended
        assert ended.heard_text == text
        assert not client.of("fall_asleep")
        await client.until("fall_asleep")


async def test_the_robot_asks_says_goodbye_and_sleeps_when_nobody_speaks(
    mesh: Mesh, connect: Connect
) -> None:
    settings = {
        "orchestrator.proactive.silence_prompt": "Still there?",
        "orchestrator.proactive.silence_prompt_after_s": 0.1,
        "orchestrator.proactive.goodbye": "Bye.",
        "orchestrator.proactive.sleep_after_s": 3.0,
    }
    async with mesh("llm", "tts", **settings) as target, connect(target) as client:
        asleep = (await client.until("fall_asleep")).fall_asleep
        assert asleep.idle_ms == 3000
        said = [ended.heard_text for ended in client.of("turn_ended")]
        assert said == ["Still there?", "Bye."]
