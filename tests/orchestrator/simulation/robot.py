"""The robot's client as it is, with a microphone and a speaker that follow the script."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from dataclasses import dataclass

import numpy as np

from voicemesh.audio import Samples
from voicemesh.grpc_client import Duplex
from voicemesh.stamps import Order, order
from voicemesh.v1 import common_pb2, dialog_pb2
from voicemesh.v1.dialog_pb2_grpc import DialogServiceStub
from voicemesh_robot.clock import MonotonicClock
from voicemesh_robot.devices.device import DeviceLost, Pull
from voicemesh_robot.devices.memory import MemoryMicrophone
from voicemesh_robot.dialling.robot_conversation import RobotConversation
from voicemesh_robot.echo.evidence import NO_ECHO
from voicemesh_robot.mesh.connection import ConversationOptions
from voicemesh_robot.mesh.conversation import STAGE, Conversation
from voicemesh_robot.mesh.events import Event
from voicemesh_robot.settings import RobotSettings
from voicemesh_robot.sound.heard import Heard, HeardSilence, HeardSound
from voicemesh_robot.sound.robot import Robot
from voicemesh_robot.sound.speech_source import SpeechSource

from .network import Network
from .recogniser import RATE
from .speech import FRAME_S, Air
from .synthesiser import RATE as REPLY_RATE

BUFFER_S = 0.05
_CHUNK_FRAMES = 5
_QUIET_FRAMES = 50
_FRAME = round(RATE * FRAME_S)
_HANG_OVER_FRAMES = round(RobotSettings().hang_over_ms / 1000 / FRAME_S)
_NOTHING = np.zeros(_QUIET_FRAMES * _FRAME, dtype=np.int16)


@dataclass(frozen=True)
class Manner:
    """What kind of client it is."""

    reports: bool = True
    """Whether it reports playback."""
    pauses: bool = True
    """Whether it pauses by itself when somebody speaks."""


class ScriptedSpeechSource(SpeechSource):
    """Hears the air, a tenth of a second at a time; what is not a voice is silence."""

    def __init__(self, air: Air) -> None:
        """There is no device, no thread and no detector: the script says what is a voice."""
        self.first_sample = 0
        self.evidence = NO_ECHO
        self._air = air
        self._begun_s = asyncio.get_running_loop().time()
        self._frame = 0
        self._sound_until = 0
        self._expects_speech = False
        self.on_speech: Callable[[int], None] = lambda begin: None

    def expect_speech(self) -> None:
        self._expects_speech = True

    def expect_silence(self) -> None:
        self._expects_speech = False

    def sample_at(self, moment_s: float) -> int:
        return int((moment_s - self._begun_s) * RATE)

    def frame_now(self) -> int:
        """The frame that is recorded now."""
        return self.sample_at(asyncio.get_running_loop().time()) // _FRAME

    async def open(self) -> None:
        """It is always open."""

    def pass_time(self) -> list[Heard]:
        return []

    async def sounds(self) -> AsyncGenerator[Heard, None]:
        while True:
            await self._next_chunk()
            begin, self._frame = self._frame, self.frame_now()
            voiced = [frame for frame in range(begin, self._frame) if self._air.voiced(frame)]
            if voiced and not self._air.voiced(voiced[0] - 1):
                self.on_speech(voiced[0] * _FRAME)
            count = (self._frame - begin) * _FRAME
            if voiced:
                self._sound_until = voiced[-1] + _HANG_OVER_FRAMES
            if self._expects_speech or begin <= self._sound_until:
                yield HeardSound(begin * _FRAME, _NOTHING[:count])
            elif count:
                yield HeardSilence(begin * _FRAME, count)

    async def _next_chunk(self) -> None:
        """Wait for a tenth of a second; in silence longer, but for nothing that is said."""
        self._air.changed.clear()
        resting = not self._expects_speech and self._frame > self._sound_until
        if resting and self._air.quiet_after(self._frame):
            with suppress(TimeoutError):
                async with asyncio.timeout(_QUIET_FRAMES * FRAME_S / 2):
                    await self._air.changed.wait()
        else:
            end_s = self._begun_s + (self._frame + _CHUNK_FRAMES) * FRAME_S
            await asyncio.sleep(end_s - asyncio.get_running_loop().time() + 1e-6)


class Loudspeaker:
    """Takes a buffer every 50 ms, and notes whose samples it was given and when."""

    name = "simulated"
    rate_hertz = REPLY_RATE

    def __init__(self) -> None:
        self.robot: Robot | None = None
        self.played: dict[Order, list[Samples]] = {}
        self.last_s: dict[Order, float] = {}
        self._playing: asyncio.Task[None] | None = None

    async def open(self) -> Loudspeaker:
        return self

    def start(self, pull: Pull, lost: Callable[[DeviceLost], None]) -> None:
        del lost  # It never is.
        self._playing = asyncio.get_running_loop().create_task(self._play(pull), name="loudspeaker")

    async def _play(self, pull: Pull) -> None:
        loop = asyncio.get_running_loop()
        assert self.robot is not None
        while True:
            samples = pull(round(REPLY_RATE * BUFFER_S), BUFFER_S)
            if len(samples):
                reply = order(self.robot.speaker.stamp)
                self.played.setdefault(reply, []).append(samples)
                self.last_s[reply] = loop.time()
            await asyncio.sleep(BUFFER_S)

    async def close(self) -> None:
        if self._playing is not None:
            self._playing.cancel()
            await asyncio.wait({self._playing})


class _Options(ConversationOptions):
    def config(self) -> dialog_pb2.ConverseConfig:
        config = super().config()
        config.reports_playback = self.facts["reports"] == "yes"
        config.interruption_policy = dialog_pb2.InterruptionPolicy.Value(self.facts["policy"])
        config.ClearField("facts")
        return config


class _Conversation(Conversation):
    """A client that may not report playback."""

    reports = True

    def offer(self, request: dialog_pb2.ConverseRequest) -> bool:
        return not self.reports and request.HasField("playback") or super().offer(request)

    async def begin(self, options: ConversationOptions) -> None:
        """``open`` without the network."""
        await self._begin(options)


class SimulatedRobot:
    """Dials the orchestrator over the simulated network."""

    def __init__(self, network: Network, air: Air, manner: Manner, policy: str) -> None:
        """``policy``: by the name of its enum."""
        self._manner = manner
        self._policy = policy
        self.loudspeaker = Loudspeaker()
        settings = RobotSettings.model_validate(
            {
                "reply_rate_hertz": REPLY_RATE,
                "pause_on_speech": manner.pauses,
                "echo": {"canceller": "none"},
            }
        )
        self._robot = Robot(settings, microphone=MemoryMicrophone(), speaker=self.loudspeaker)
        self.loudspeaker.robot = self._robot
        self.source = ScriptedSpeechSource(air)
        stream: Duplex[dialog_pb2.ConverseRequest, dialog_pb2.ConverseResponse] = Duplex(
            DialogServiceStub(network.channel).Converse(), STAGE
        )
        self.conversation = _Conversation(network.channel, stream, MonotonicClock())
        self.conversation.reports = manner.reports
        self._stream = stream
        self._talking: asyncio.Task[None] | None = None
        self.told: list[tuple[float, Event]] = []
        """What the mesh said, and when it arrived."""
        self.speaks = asyncio.Event()
        """A reply is being played."""

    async def start(self) -> None:
        """Open the conversation, and listen."""
        facts = {"reports": "yes" if self._manner.reports else "no", "policy": self._policy}
        await self.conversation.begin(_Options("simulated", RATE, REPLY_RATE, facts=facts))
        talk = RobotConversation(self.conversation, self._robot, self.source, always_listening=True)
        self.source.on_speech = talk.speech_began
        await self._robot.speaker.open()
        await talk.begin_listening()
        self._talking = asyncio.create_task(talk.run(self._observe), name="robot")

    def _observe(self, event: Event) -> None:
        self.told.append((asyncio.get_running_loop().time(), event))
        match event.payload:
            case dialog_pb2.ReplyAudio():
                self.speaks.set()
            case dialog_pb2.TurnEnded():
                self.speaks.clear()

    @property
    def playing(self) -> bool:
        """Whether a reply is under way at the speaker."""
        return self._robot.speaker.playing

    async def press_button(self) -> None:
        """The user wants quiet."""
        await self.conversation.interrupt(self._robot.report())

    async def hang_up(self, with_goodbye: bool) -> None:
        """End the conversation, with a good-bye or without one."""
        assert self._talking is not None
        if not with_goodbye:
            self._stream.cancel()
        self._talking.cancel()
        await asyncio.wait({self._talking})
        await self.conversation.close()
        await self._robot.close()

    def played(self, stamp: common_pb2.Stamp) -> Samples:
        """What of a reply has been played, shape (n,), int16."""
        parts = self.loudspeaker.played.get(order(stamp), [])
        return np.concatenate([np.zeros(0, dtype=np.int16), *parts])
