"""One whole conversation in virtual time: a script, a seed, and everything real between them."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from voicemesh.v1 import dialog_pb2 as pb
from voicemesh.v1.asr_pb2_grpc import SpeechRecognizerServiceStub
from voicemesh.v1.llm_pb2_grpc import LanguageModelServiceStub
from voicemesh.v1.tts_pb2_grpc import SpeechSynthesizerServiceStub
from voicemesh_orchestrator.clients.converse_stream import ConverseStream
from voicemesh_orchestrator.settings import OrchestratorSettings
from voicemesh_orchestrator.upstream.send_ticks import SendTicks
from voicemesh_orchestrator.upstream.services import Services

from .language_model import LanguageModel
from .network import Context, Network
from .recogniser import Recogniser
from .robot import Manner, SimulatedRobot
from .speech import FRAME_S, Air
from .synthesiser import Synthesiser
from .virtual_time import VirtualTimeLoop, run_in_virtual_time

ASR = "/voicemesh.v1.SpeechRecognizerService/StreamingRecognize"
LLM = "/voicemesh.v1.LanguageModelService/Generate"
TTS = "/voicemesh.v1.SpeechSynthesizerService/StreamingSynthesize"
DIALOG = "/voicemesh.v1.DialogService/Converse"

SETTLES_S = 60.0
"""By then everything has been said that was to be said; every deadline is shorter."""
# What was said so long ago has been recognised and told, if the network is slow, too.
_ON_THE_WAY_FRAMES = 40
_OF_AN_ANSWER_S = 0.8
_LINGERS_S = 10.0  # Good-byes, a heartbeat, the last messages that are on their way.

Leaving = Literal["at rest", "early", "gone"]
"""How a client goes: when everything is over, with a good-bye in the middle, or without one."""

SETTINGS = OrchestratorSettings(microphone_coalescing_ms=0)


class Stuck(AssertionError):
    """The conversation does not come to rest."""


@dataclass(frozen=True)
class Circumstances:
    """What does not depend on what the user does."""

    seed: int = 0
    longest_delay_ms: int = 40
    policy: str = "INTERRUPTION_POLICY_PAUSE_THEN_DECIDE"
    manner: Manner = Manner()


@dataclass
class Wire:
    """The observer of a conversation: what the orchestrator said, and when."""

    said_at: list[tuple[float, pb.ConverseResponse]] = field(default_factory=list)
    keeps = False

    def heard(self, request: pb.ConverseRequest) -> None:
        """See Observer."""

    def said(self, response: pb.ConverseResponse) -> None:
        """See Observer."""
        kept = pb.ConverseResponse()
        kept.CopyFrom(response)
        self.said_at.append((asyncio.get_running_loop().time(), kept))

    def over(self) -> None:
        """See Observer."""

    def of(self, kind: str) -> list[pb.ConverseResponse]:
        """What was said of a kind."""
        return [r for _, r in self.said_at if r.WhichOneof("converse_response") == kind]


class World:
    """The user's hands on the simulation while it runs, and its record afterwards."""

    def __init__(self, circumstances: Circumstances, answer: Callable[[str], str]) -> None:
        """Call within the loop."""
        self.circumstances = circumstances
        seed = circumstances.seed
        self.network = Network(seed, circumstances.longest_delay_ms / 1000)
        self.air = Air()
        self.model = LanguageModel(seed + 1, answer)
        self.wire = Wire()
        self.recogniser = Recogniser(self.air)
        self.network.serve(ASR, self.recogniser.recognise)
        self.network.serve(LLM, self.model.generate)
        self.synthesiser = Synthesiser(seed + 2)
        self.network.serve(TTS, self.synthesiser.synthesise)
        self.network.serve(DIALOG, self._converse)
        self._converses: list[ConverseStream] = []
        self.robot = SimulatedRobot(
            self.network, self.air, circumstances.manner, circumstances.policy
        )
        self._helpers: set[asyncio.Task[None]] = set()
        self.leaving: Leaving = "at rest"
        self.left_s = math.inf
        """When the client began to leave: it plays on, but listens to nothing any more."""
        self.said: list[str] = []
        """What the user has said."""
        self.lost_words = False
        """Whether recognition died with words that it had not told yet."""
        self.typed = False
        """Whether the user has typed anything."""
        self.most_tasks = 0
        self.left_over: list[str] = []
        """Tasks, timers and streams that were still there long after the end."""
        self.complaints: list[str] = []
        """Errors in the log, which are always a mistake of the program."""

    async def _converse(self, requests: AsyncIterator[Any], context: Context) -> None:
        services = Services(
            SETTINGS,
            SpeechRecognizerServiceStub(self.network.channel),
            LanguageModelServiceStub(self.network.channel),
            SpeechSynthesizerServiceStub(self.network.channel),
            SendTicks(0.1),
        )
        live = ConverseStream(services, pb.DialogCapabilities(), [lambda *_: self.wire])
        opening = await live.first(requests)
        self._converses.append(live)
        await live.run(opening, requests, context)  # type: ignore[arg-type]  # gRPC is simulated.

    # What the user does.

    async def say(self, text: str, *, pause_s: float = 0.0, late: bool = False) -> None:
        """Say something, beginning now; returns when it has been said."""
        self.said.append(text)
        pause = round(pause_s / FRAME_S)
        await self._until(self.air.say(self._now(), text, pause=pause, late=late))

    async def make_noise(self, seconds: float) -> None:
        """Cough."""
        await self._until(self.air.noise(self._now(), round(seconds / FRAME_S)))

    async def press_button(self) -> None:
        """Want quiet, without a word."""
        await self.robot.press_button()

    async def type(self, text: str) -> None:
        """Type a question."""
        self.typed = True
        await self.robot.conversation.send_text(text)

    def _now(self) -> int:
        return self.robot.source.frame_now() + 1

    async def _until(self, frame: int) -> None:
        await asyncio.sleep(max(0, frame - self.robot.source.frame_now()) * FRAME_S)

    async def heard_of_reply(self, seconds: float) -> None:
        """Wait until a reply has been playing for that long; not for ever."""
        try:
            async with asyncio.timeout(6):
                await self.robot.speaks.wait()
        except TimeoutError:
            return
        await asyncio.sleep(seconds)

    def kill(self, path: str, after_s: float, outage_s: float) -> None:
        """A replica dies later on, and is back after an outage."""

        async def die() -> None:
            await asyncio.sleep(after_s)
            if path == LLM:  # Its streams are so short that it would hardly ever die in one.
                self.network.begun(path).clear()
                await self.network.begun(path).wait()
                await asyncio.sleep(after_s % _OF_AN_ANSWER_S)
            now = self.robot.source.frame_now()
            spoken = any(self.air.voiced(frame) for frame in range(now - _ON_THE_WAY_FRAMES, now))
            self.lost_words = self.lost_words or (path == ASR and spoken)
            await self.network.kill(path, outage_s)

        self._helpers.add(asyncio.create_task(die(), name="fate"))

    async def at_rest(self) -> None:
        """Wait until nobody speaks, thinks or plays; Stuck where that does not come."""
        loop = asyncio.get_running_loop()
        until_s = loop.time() + SETTLES_S
        quiet = 0
        while quiet < 5:  # What has just been said may still be on its way.
            self.most_tasks = max(self.most_tasks, len(asyncio.all_tasks()))
            conversation = self._converses[0].conversation if self._converses else None
            phase = conversation.live_turn().phase if conversation is not None else "unborn"
            quiet = quiet + 1 if phase == "idle" and not self.robot.playing else 0
            if loop.time() > until_s:
                raise Stuck(f"after {SETTLES_S:g} s the conversation is still {phase}")
            await asyncio.sleep(0.2)


Script = Callable[[World], Awaitable[None]]


class _Complaints(logging.Handler):
    """Collects errors of the log."""

    def __init__(self, into: list[str]) -> None:
        super().__init__(logging.ERROR)
        self._into = into

    def emit(self, record: logging.LogRecord) -> None:
        self._into.append(self.format(record))


async def _live(
    circumstances: Circumstances, script: Script, answer: Callable[[str], str], leaving: Leaving
) -> World:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualTimeLoop)
    world = World(circumstances, answer)
    world.leaving = leaving
    complaints = _Complaints(world.complaints)
    logging.getLogger().addHandler(complaints)
    loop.set_exception_handler(lambda _, context: world.complaints.append(repr(context)))
    try:
        await world.robot.start()
        await script(world)
        if leaving == "at rest":
            await world.at_rest()
        world.left_s = loop.time()
        await world.robot.hang_up(with_goodbye=leaving != "gone")
        for helper in world._helpers:
            helper.cancel()
        await asyncio.sleep(_LINGERS_S)
    finally:
        logging.getLogger().removeHandler(complaints)
    here = asyncio.current_task()
    world.left_over += [f"task {task}" for task in asyncio.all_tasks() if task is not here]
    world.left_over += [f"timer {timer}" for timer in loop.timers()]
    world.left_over += [f"stream {call.path}" for call in world.network.calls]
    return world


def live(
    circumstances: Circumstances,
    script: Script,
    answer: Callable[[str], str],
    leaving: Leaving = "at rest",
) -> World:
    """Run a conversation from its first to its last moment; what became of it.

    ``leaving``: how the client goes when the script ends.
    """
    return run_in_virtual_time(_live(circumstances, script, answer, leaving))
