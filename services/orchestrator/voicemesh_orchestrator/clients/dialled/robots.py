"""Robots that the orchestrator dials: what it remembers of each, and one turn at a time."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial

from voicemesh import logs
from voicemesh.aio import uninterrupted
from voicemesh.errors import InvalidArgument, Superseded
from voicemesh.targets import is_host_and_port
from voicemesh.v1 import common_pb2, operations_pb2
from voicemesh_orchestrator import metrics
from voicemesh_orchestrator.clients.dialled.robot_client import RobotClient, RobotLink
from voicemesh_orchestrator.conversation.conversation import Conversation
from voicemesh_orchestrator.history import History, Memory
from voicemesh_orchestrator.plan import ConversationPlan, plan_dialled_robot
from voicemesh_orchestrator.upstream.services import Services


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
        self.conversation: Conversation[RobotClient] | None = None
        self.used_s = time.monotonic()

    @property
    def in_use(self) -> bool:
        return self.turn.locked()


class Robots:
    """Consecutive turns on one robot are one conversation, until it has been idle for long."""

    def __init__(self, services: Services) -> None:
        """No robot is known yet."""
        self._settings = services.settings
        self._services = services
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
    ) -> AsyncIterator[Conversation[RobotClient]]:
        """The conversation with the robot at ``target``, for one turn.

        The turn before it, if it still runs, ends with Superseded. Unavailable when
        no listener answers there.
        """
        if "/" in target or not is_host_and_port(target):
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
            link = RobotLink(target, self._settings.deadlines.robot_answer_s)
            try:
                facts = await link.greet() if number == robot.asked else {}
                if number != robot.asked:
                    raise Superseded("a newer turn was asked for on this robot")
                name = robot.memory.conversation_id
                plan = plan_dialled_robot(name, language_codes, facts, self._settings)
                async with self._talking(robot, link, plan) as conversation:
                    yield conversation
            finally:
                robot.used_s = time.monotonic()
                await uninterrupted(link.close(), "hang up on the robot")

    @asynccontextmanager
    async def _talking(
        self, robot: _Robot, link: RobotLink, plan: ConversationPlan
    ) -> AsyncIterator[Conversation[RobotClient]]:
        name = robot.memory.conversation_id
        conversation = Conversation(
            robot.memory,
            plan,
            self._services,
            partial(RobotClient, link, plan.reply_format, self._settings),
        )
        robot.conversation = conversation
        with logs.bind(name), metrics.CONVERSATIONS.track_inprogress():
            try:
                yield conversation
            finally:
                robot.conversation = None
                try:
                    await uninterrupted(conversation.close(), "close conversation")
                finally:  # Also when it is cut short: the robot is left in silence.
                    await uninterrupted(conversation.client.close(), "leave the robot")
