"""Somebody speaks while a robot that was dialled answers: real services, and the real listener."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from prometheus_client import REGISTRY

from voicemesh.grpc_client import open_channel
from voicemesh.server import Server
from voicemesh.v1 import asr_pb2, dialog_pb2, robot_pb2
from voicemesh.v1.robot_pb2_grpc import RobotListenerServiceStub
from voicemesh_robot.devices.memory import MemoryMicrophone, MemorySpeaker
from voicemesh_robot.listener.service import RobotService
from voicemesh_robot.settings import RobotSettings
from voicemesh_robot.sound.robot import Robot

from .conftest import RATE, Mesh
from .controller import Controller, controlling

Sound = NDArray[np.int16]
DUCK = dialog_pb2.INTERRUPTION_POLICY_DUCK
IGNORE = dialog_pb2.INTERRUPTION_POLICY_IGNORE
END = asr_pb2.TURN_EVENT_TYPE_END_OF_TURN
BUFFER = 320
SILENCE = np.zeros(2 * RATE, dtype=np.int16)


class Eavesdropping(RobotService):
    """The listener's service, which keeps what it is sent to play."""

    def __init__(self, settings: RobotSettings, robot: Robot) -> None:
        super().__init__(settings, robot)
        self.sent = bytearray()

    async def Play(  # type: ignore[override]  # The stubs know generators only.
        self, request_iterator: AsyncIterator[robot_pb2.PlayRequest], context: Any
    ) -> None:
        async def requests() -> AsyncIterator[robot_pb2.PlayRequest]:
            async for request in request_iterator:
                self.sent += request.audio.audio
                yield request

        await super().Play(requests(), context)


class Talk:
    """Turns on a robot whose microphone and speaker this test has in its hands."""

    def __init__(self, speech: Sound) -> None:
        self.microphone = MemoryMicrophone()
        self.speaker = MemorySpeaker()
        self._speech = speech
        self.target = ""
        self.service: Eavesdropping
        self.stub: Any
        self.controller: Controller
        self._turn: asyncio.Future[dialog_pb2.TurnEnded]

    def ask(self, **request: Any) -> None:
        """A controller asks for a turn."""
        turn = self.controller.run(robot_target=self.target, **request)
        self._turn = asyncio.ensure_future(turn)

    async def say(self, silence: bool = True) -> None:
        """Something is said; the recogniser's script knows what."""
        await self.microphone.opened.wait()
        await self._record(self._speech)
        if silence:
            await self.fall_silent()

    async def fall_silent(self) -> None:
        """Nobody speaks for a while."""
        await self._record(SILENCE)

    async def _record(self, sound: Sound) -> None:
        for first in range(0, len(sound), BUFFER):
            self.microphone.record(sound[first : first + BUFFER])
            await asyncio.sleep(0)

    async def until(self, holds: Callable[[robot_pb2.GetStatusResponse], bool]) -> None:
        """Ask the robot what it does until that is as wanted."""
        async with asyncio.timeout(20):
            while not holds(await self.stub.GetStatus(robot_pb2.GetStatusRequest())):
                pass

    async def hear(self, samples: int) -> Sound:
        """The speaker plays so many more."""
        parts: list[Sound] = []
        async with asyncio.timeout(20):
            while sum(map(len, parts)) < samples:
                parts.append(self.speaker.play(BUFFER))
                await self.stub.GetStatus(robot_pb2.GetStatusRequest())
        return np.concatenate(parts)

    async def end(self) -> dialog_pb2.TurnEnded:
        """The speaker plays on until the turn is over."""
        while not self._turn.done():
            self.speaker.play(10 * BUFFER)
            await asyncio.wait({self._turn}, timeout=0.001)
        return self._turn.result()

    def sent(self) -> Sound:
        """All that the robot was sent to play."""
        return np.frombuffer(bytes(self.service.sent), dtype=np.int16)

    def told(self, kind: str) -> list[Any]:
        """What the controller was told of a kind."""
        news = self.controller.news
        return [getattr(n, kind) for n in news if n.WhichOneof("run_turn_response") == kind]


Talking = Callable[..., AbstractAsyncContextManager[Talk]]


@pytest.fixture
def talking(mesh: Mesh, serving: Any, flite_speech: Any) -> Talking:
    """``async with talking("uh huh") as talk``: what is said after the first question."""

    @asynccontextmanager
    async def begun(
        *texts: str,
        robot_asks_asr: bool = False,
        speech: str = "one two three four five six",
        **settings: Any,
    ) -> AsyncIterator[Talk]:
        scripted = {
            "asr.engine": "simulated",
            "asr.simulated.texts": json.dumps(["tell me a story", *texts]),
            "llm.engine": "simulated",
        }
        talk = Talk(flite_speech(speech))
        # Only the mesh decides here: the robot neither pauses nor cancels by itself.
        values = RobotSettings(
            port=0,
            metrics_port=-1,
            pause_on_speech=False,
            playback_report_ms=20,
            echo={"canceller": "none"},
        )
        robot = Robot(values, microphone=talk.microphone, speaker=talk.speaker)
        talk.service = Eavesdropping(values, robot)
        server = Server(talk.service)
        await server.start()
        async with AsyncExitStack() as stack:
            stack.push_async_callback(server.stop)
            services: tuple[str, ...] = ("asr", "llm", "tts")
            if robot_asks_asr:
                own = {k: v for k, v in scripted.items() if k.startswith("asr.")}
                asr = await stack.enter_async_context(serving("asr", **own))
                settings = settings | {"orchestrator.robot_asr_target": asr}
                services = ("llm", "tts")
            target = await stack.enter_async_context(mesh(*services, **scripted, **settings))
            talk.target = f"127.0.0.1:{server.port}"
            channel = await stack.enter_async_context(open_channel(talk.target))
            talk.stub = RobotListenerServiceStub(channel)
            talk.controller = await stack.enter_async_context(controlling(target))
            yield talk

    return begun


@pytest.mark.parametrize("robot_asks_asr", [False, True])
async def test_a_nod_pauses_the_reply_and_it_goes_on_at_the_same_sample(
    talking: Talking, robot_asks_asr: bool
) -> None:
    async with talking("uh huh", robot_asks_asr=robot_asks_asr) as talk:
        talk.ask()
        await talk.say()
        await talk.hear(RATE // 2)
        await talk.say(silence=False)
        await talk.until(lambda status: status.paused)
        assert len(talk.speaker.play(RATE)) == 0
        await talk.fall_silent()
        await talk.until(lambda status: not status.paused)
        ended = await talk.end()
        assert ended.outcome == dialog_pb2.TURN_OUTCOME_COMPLETED
        assert ended.question == "tell me a story"
        assert [resumed.reason for resumed in talk.told("reply_resumed")] == ["backchannel"]
        assert len(talk.sent()) > RATE
        assert np.array_equal(talk.speaker.heard(), talk.sent())


@pytest.mark.parametrize("robot_asks_asr", [False, True])
async def test_who_interrupts_is_answered_in_the_same_call(
    talking: Talking, robot_asks_asr: bool
) -> None:
    async with talking("what time is it in Berlin", robot_asks_asr=robot_asks_asr) as talk:
        talk.ask()
        await talk.say()
        await talk.hear(RATE // 2)
        await talk.say()
        ended = await talk.end()
        assert ended.outcome == dialog_pb2.TURN_OUTCOME_COMPLETED
        assert ended.question == "what time is it in Berlin"
        assert [told.reason for told in talk.told("reply_interrupted")] == ["speech"]
        questions = [started.question for started in talk.told("reply_started")]
        assert questions == ["tell me a story", "what time is it in Berlin"]
        assert len(talk.told("turn_ended")) == 1
        # The microphone is closed, and nothing is held, when the turn is over.
        await talk.until(lambda status: not (status.listening or status.playing))
        await talk.controller.until_free()


async def test_words_that_are_only_judged_at_their_end_are_answered_as_well(
    talking: Talking,
) -> None:
    # So short that nothing is decided before, and no sentence, so that no eager end comes.
    async with talking("tell me about the", speech="one two") as talk:
        talk.ask()
        await talk.say()
        await talk.hear(RATE // 2)
        await talk.say()
        ended = await talk.end()
        assert ended.question == "tell me about the"
        assert ended.outcome == dialog_pb2.TURN_OUTCOME_COMPLETED
        events = [told.type for told in talk.told("turn_event")]
        assert asr_pb2.TURN_EVENT_TYPE_EAGER_END_OF_TURN not in events[events.index(END) + 1 :]
        assert [told.reason for told in talk.told("reply_interrupted")] == ["speech"]


async def test_stop_silences_the_robot_within_a_buffer_and_ends_the_turn(talking: Talking) -> None:
    async with talking("stop") as talk:
        talk.ask()
        await talk.say()
        await talk.hear(RATE // 2)
        await talk.say(silence=False)
        await talk.until(lambda status: status.paused or not status.playing)
        assert len(talk.speaker.play(RATE)) == 0
        await talk.fall_silent()
        ended = await talk.end()
        assert ended.outcome == dialog_pb2.TURN_OUTCOME_INTERRUPTED
        assert ended.question == "tell me a story"
        reply = "".join(text.text for text in talk.told("reply_text"))
        assert reply.startswith(ended.heard_text)
        assert 0 < len(ended.heard_text) < len(reply.strip())


async def test_a_reply_that_is_ducked_for_is_quieter_and_loses_nothing(talking: Talking) -> None:
    settings = {"orchestrator.floor.duck_volume": 0.25}
    async with talking("uh huh", **settings) as talk:
        talk.ask(interruption_policy=DUCK)
        await talk.say()
        loud = await talk.hear(RATE // 2)
        await talk.say(silence=False)
        async with asyncio.timeout(20):
            while not talk.controller.news or not talk.told("reply_ducked"):
                await talk.hear(BUFFER)
        await talk.hear(RATE // 5)
        await talk.fall_silent()
        await talk.end()
        heard, whole = talk.speaker.heard(), talk.sent()
        assert len(heard) == len(whole)
        assert np.array_equal(loud, whole[: len(loud)])
        quieter = np.flatnonzero(heard != whole)
        ducked = slice(quieter[0], quieter[-1] + 1)
        assert len(loud) <= ducked.start
        assert RATE // 5 - 2 * BUFFER < ducked.stop - ducked.start < len(whole) - ducked.start
        assert np.abs(heard[ducked] - whole[ducked] * 0.25).max() <= 1
        assert np.abs(whole[ducked].astype(np.int32)).max() > 1000


async def test_a_question_over_a_reply_that_is_not_to_be_interrupted_is_answered_after_it(
    talking: Talking,
) -> None:
    async with talking("what time is it in Berlin") as talk:
        talk.ask(interruption_policy=IGNORE)
        await talk.say()
        await talk.hear(RATE // 2)
        await talk.say()
        ended = await talk.end()
        assert ended.question == "what time is it in Berlin"
        assert ended.outcome == dialog_pb2.TURN_OUTCOME_COMPLETED
        assert not talk.told("reply_interrupted")
        assert not talk.told("reply_paused")


async def test_the_microphone_closes_before_the_answer_where_that_is_set(talking: Talking) -> None:
    settings = {"orchestrator.floor.listen_while_speaking": False}
    async with talking("what time is it in Berlin", **settings) as talk:
        talk.ask()
        await talk.say()
        await talk.hear(RATE // 2)
        await talk.until(lambda status: not status.listening)
        await talk.say()
        ended = await talk.end()
        assert ended.question == "tell me a story"
        assert ended.outcome == dialog_pb2.TURN_OUTCOME_COMPLETED


UTTERANCES = "voicemesh_asr_utterances_total"
CUT_SHORT = ("max_length", "explicit")


def _count(metric: str, *reasons: str) -> float:
    """What a counter of the services, which run in this process, stands at."""
    return sum(
        sample.value
        for family in REGISTRY.collect()
        for sample in family.samples
        if sample.name == metric and (not reasons or sample.labels["reason"] in reasons)
    )


@pytest.mark.parametrize("robot_asks_asr", [False, True])
async def test_the_robot_takes_the_floor_from_who_speaks_for_too_long(
    talking: Talking, robot_asks_asr: bool
) -> None:
    settings = {
        "orchestrator.floor.longest_user_turn_s": 1.0,
        "llm.simulated.replies": json.dumps(["Let me answer that first."]),
    }
    async with talking("and then", robot_asks_asr=robot_asks_asr, **settings) as talk:
        talk.ask()
        decided, said = _count("voicemesh_overlaps_total"), _count(UTTERANCES)
        await talk.say(silence=False)  # The answer begins although nobody has fallen silent.
        await talk.until(lambda status: status.playing)
        whole = _count(UTTERANCES) - _count(UTTERANCES, *CUT_SHORT)
        await talk.say()
        # The speaker stands still until all of it has been heard and decided: what is said
        # after the answer would be said over the next one.
        async with asyncio.timeout(20):
            while _count(UTTERANCES) - _count(UTTERANCES, *CUT_SHORT) == whole:
                await talk.stub.GetStatus(robot_pb2.GetStatusRequest())
            over = _count(UTTERANCES) - said - 1
            while _count("voicemesh_overlaps_total") - decided < over:
                await talk.stub.GetStatus(robot_pb2.GetStatusRequest())
        ended = await talk.end()
        assert ended.outcome == dialog_pb2.TURN_OUTCOME_COMPLETED
        assert talk.told("reply_started")[0].question == "tell me a story"
        assert not talk.told("reply_interrupted")
        assert not talk.told("reply_paused")
