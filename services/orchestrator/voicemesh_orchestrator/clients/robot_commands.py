"""Commands to a robot that dialled out: sent over Converse, answered by a result."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from voicemesh.errors import Busy, DeadlineExceeded, Unavailable, VoiceMeshError, from_detail
from voicemesh.v1 import common_pb2, robot_pb2

_MOST_WAITING = 16
_ROBOT = common_pb2.STAGE_ROBOT

Result = robot_pb2.RobotCommandResult


class RobotCommands:
    """Asks a robot to do something and waits for its answer, a bounded time."""

    def __init__(self, send: Callable[[robot_pb2.RobotCommand], None], limit_s: float) -> None:
        """``send`` never waits; ``limit_s``: how long an answer may take."""
        self._send = send
        self._limit_s = limit_s
        self._waiting: dict[str, asyncio.Future[Result]] = {}
        self._count = 0
        self._closed = False

    def send(self, command: robot_pb2.RobotCommand) -> str:
        """Send ``command`` and expect nothing of it; the id that it was given."""
        self._count += 1
        command.command_id = str(self._count)
        self._send(command)
        return command.command_id

    async def ask(self, command: robot_pb2.RobotCommand) -> Result:
        """Send ``command``; its result, or the error that the robot answers with.

        DeadlineExceeded when no answer comes, Unavailable when the robot leaves.
        """
        if self._closed:
            raise _left()
        kind = command.WhichOneof("command")
        if len(self._waiting) >= _MOST_WAITING:
            raise Busy("robot: it still owes the answers to earlier commands", stage=_ROBOT)
        answer: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        command_id = self.send(command)
        self._waiting[command_id] = answer
        try:
            async with asyncio.timeout(self._limit_s):
                result = await answer
        except TimeoutError:
            raise DeadlineExceeded(
                f"robot: no answer to the command {kind} within {self._limit_s:g} s; "
                "does this client take commands?",
                stage=_ROBOT,
            ) from None
        finally:
            del self._waiting[command_id]
        error = _error_of(result)
        if error is not None:
            raise error
        return result

    def take(self, result: Result) -> None:
        """The robot answers; an answer that nobody waits for any more is dropped."""
        answer = self._waiting.get(result.command_id)
        if answer is not None and not answer.done():
            answer.set_result(result)

    def close(self) -> None:
        """The robot has left: no answer will come."""
        self._closed = True
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_exception(_left())


def _left() -> Unavailable:
    return Unavailable("robot: it left before it answered", stage=_ROBOT)


def _error_of(result: Result) -> VoiceMeshError | None:
    match result.WhichOneof("result"):
        case "error":
            detail = result.error
        case "listen" if result.listen.WhichOneof("listen_response") == "error":
            detail = result.listen.error
        case _:
            return None
    error = from_detail(detail)
    error.stage = error.stage or _ROBOT
    return error
