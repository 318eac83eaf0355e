"""Keeps a conversation open: dials, talks, and dials again when it was lost."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from contextlib import suppress

from voicemesh.aio import cancel_and_wait
from voicemesh.backoff import Backoff
from voicemesh.errors import VoiceMeshError
from voicemesh_robot.dialling.robot_conversation import Observe, RobotConversation
from voicemesh_robot.mesh.connection import ConversationOptions
from voicemesh_robot.mesh.conversation import Conversation
from voicemesh_robot.sound.robot import Robot

_FIRST_BACKOFF_S = 0.2
_LONGEST_BACKOFF_S = 5.0


class Dialler:
    """Keeps a robot's conversation with the mesh open, and dials again with back-off."""

    def __init__(
        self,
        robot: Robot,
        *,
        observe: Observe,
        report: Callable[[str], None],
        connected: Callable[[], None],
        always_listening: bool,
        patient: bool,
    ) -> None:
        """``observe`` sees every event, ``report`` gets lines for people.

        ``connected``: called whenever there is a conversation; one that listens always
        listens by then.
        ``patient``: try again for ever even where nothing has ever answered.
        """
        self._robot = robot
        self._observe = observe
        self._report = report
        self._connected = connected
        self._always = always_listening
        self._patient = patient
        self._talk: RobotConversation | None = None

    async def run(self) -> None:
        """Never returns; raises where another try would end the same way."""
        backoff = Backoff(_FIRST_BACKOFF_S, _LONGEST_BACKOFF_S)
        ever = self._patient
        clock = self._robot.clock
        while True:
            began = clock.now()
            try:
                await self._converse()
                ever = True
            except VoiceMeshError as error:
                ever = ever or self._talk is not None
                if not ever or not error.retryable:
                    raise
                self._report(f"({error}; trying again)")
            finally:
                self._talk = None
            if clock.now() - began > _LONGEST_BACKOFF_S:
                backoff.reset()
            await clock.sleep_until(clock.now() + backoff.next_s())

    async def _converse(self) -> None:
        settings = self._robot.settings
        options = ConversationOptions(
            target=settings.target,
            input_rate_hertz=self._robot.microphone.rate_hertz,
            reply_rate_hertz=settings.reply_rate_hertz,
            language_codes=settings.language_codes,
            facts=settings.facts,
        )
        async with await Conversation.open(options, self._robot.clock) as conversation:
            self._talk = await RobotConversation.open(conversation, self._robot, self._always)
            name = conversation.started.conversation_id
            self._report(f"connected to {settings.target}, conversation {name}")
            self._connected()
            await self._talk.run(self._observe)

    async def wake(self, cause: str) -> None:
        """Somebody wants to speak to the robot; nothing happens while it is not connected."""
        if self._talk is None:
            self._report("(not connected: nobody can be woken)")
            return
        try:
            await self._talk.wake(cause)
        except VoiceMeshError as error:
            self._report(f"({error})")


async def run_until(dialler: Dialler, robot: Robot, over: asyncio.Event) -> None:
    """Run until ``over`` is set, SIGINT or SIGTERM; then say good-bye and close the robot."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, over.set)
    talking = loop.create_task(dialler.run(), name="dialler")
    waiting = loop.create_task(over.wait(), name="over")
    try:
        await asyncio.wait({talking, waiting}, return_when=asyncio.FIRST_COMPLETED)
        if talking.done():
            talking.result()
    finally:
        with suppress(asyncio.CancelledError):
            await cancel_and_wait(talking, waiting)
        await robot.close()
