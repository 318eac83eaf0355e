"""Robots that the orchestrator dials: what it remembers of each, and one turn at a time."""

from __future__ import annotations

import asyncio
import re
import time
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from voicemesh import logs
from voicemesh.aio import uninterrupted
from voicemesh.audio import linear16
from voicemesh.errors import InvalidArgument, Superseded
from voicemesh.v1 import common_pb2, dialog_pb2, operations_pb2
from voicemesh_orchestrator import metrics
from voicemesh_orchestrator.clients.dialled.robot_client import RobotClient
from voicemesh_orchestrator.conversation.conversation import Conversation
from voicemesh_orchestrator.history import History, Memory
from voicemesh_orchestrator.settings import OrchestratorSettings
from voicemesh_orchestrator.upstream.services import Services

# What the recognisers work with and the default voices speak: nothing is resampled.
_RATE_HERTZ = 16_000
_TARGET = re.compile(r"[^\s/]+:\d{1,5}")


class _Robot:
    """One robot and the conversation with it."""

    def __init__(self, max_exchanges: int) -> None:
        # A robot remembers the newest stamp; a later conversation needs a later
        # epoch, also after a restart of this process.
        epoch = time.time_ns() // 1_000_000
        self.memory = Memory(
            uuid.uuid4().hex[:12], History(max_exchanges), common_pb2.Stamp(epoch=epoch)
        )
        self.turn = asyncio.Lock()
        self.asked = 0
        self.conversation: Conversation | None = None
        self.used_s = time.monotonic()

    @property
    def in_use(self) -> bool:
        return self.turn.locked()


class Robots:
    """Consecutive turns on one robot are one conversation, until it has been idle for long."""

    def __init__(self, settings: OrchestratorSettings, stubs: Services) -> None:
        """No robot is known yet."""
        self._settings = settings
        self._stubs = stubs
        self._robots: dict[str, _Robot] = {}

    def live_turns(self) -> Sequence[operations_pb2.LiveTurn]:
        """What robots are doing for controllers now."""
        return [
            robot.conversation.live_turn()
            for robot in self._robots.values()
            if robot.conversation is not None
        ]

    def _recall(self, target: str) -> _Robot:
        now = time.monotonic()
        idle = sorted(
            (robot.used_s, name) for name, robot in self._robots.items() if not robot.in_use
        )
        excess = len(self._robots) + (target not in self._robots) - self._settings.max_robots
        for number, (used_s, name) in enumerate(idle):
            if now - used_s > self._settings.robot_idle_s or (number < excess and name != target):
                del self._robots[name]
        if target not in self._robots:
            self._robots[target] = _Robot(self._settings.max_exchanges)
        return self._robots[target]

    @asynccontextmanager
    async def conversation(
        self, target: str, language_codes: Sequence[str]
    ) -> AsyncIterator[Conversation]:
        """The conversation with the robot at ``target``, for one turn.

        The turn before it, if it still runs, ends with Superseded. Unavailable when
        no listener answers there.
        """
        if not _TARGET.fullmatch(target):
            raise InvalidArgument(
                f"{target!r} is no address; name the robot's listener as host:port",
                field="robot_target",
            )
        robot = self._recall(target)
        robot.asked += 1
        number = robot.asked
        if robot.conversation is not None:
            robot.conversation.supersede()
        async with robot.turn:
            robot.used_s = time.monotonic()
            face = RobotClient(target, linear16(_RATE_HERTZ), self._settings, self._stubs)
            try:
                facts = await face.greet() if number == robot.asked else {}
                if number != robot.asked:
                    raise Superseded("a newer turn was asked for on this robot")
                config = dialog_pb2.ConverseConfig(
                    input_format=linear16(_RATE_HERTZ),
                    output_format=linear16(_RATE_HERTZ),
                    language_codes=language_codes,
                    reports_playback=True,
                    facts=facts,
                )
                async with self._talking(robot, face, config) as conversation:
                    yield conversation
            finally:
                robot.used_s = time.monotonic()
                await uninterrupted(face.close(), "leave the robot")

    @asynccontextmanager
    async def _talking(
        self, robot: _Robot, face: RobotClient, config: dialog_pb2.ConverseConfig
    ) -> AsyncIterator[Conversation]:
        name = robot.memory.conversation_id
        conversation = Conversation(
            robot.memory,
            config,
            self._settings,
            self._stubs.llm,
            self._stubs.synthesis(name, config, self._settings),
            face,
        )
        face.attach(conversation)
        robot.conversation = conversation
        with logs.bind(name), metrics.CONVERSATIONS.track_inprogress():
            try:
                yield conversation
            finally:
                robot.conversation = None
                await uninterrupted(conversation.close(), "close conversation")
