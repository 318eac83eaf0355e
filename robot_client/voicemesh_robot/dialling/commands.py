"""What the orchestrator commands over a conversation that the robot dialled."""

from __future__ import annotations

from typing import Protocol

from voicemesh.errors import InternalError, ProtocolViolation, VoiceMeshError
from voicemesh.v1 import common_pb2, robot_pb2
from voicemesh_robot.sound.robot import Robot, checked_volume

Command = robot_pb2.RobotCommand
Result = robot_pb2.RobotCommandResult


class MicrophoneControl(Protocol):
    """Opens and closes the microphone of the conversation, as commands ask."""

    async def begin_listening(self, keep: bool = False) -> None:
        """Open the microphone; DeviceLost where it is not there.

        ``keep``: not only for one turn, but until it is to end.
        """
        ...

    def end_listening(self) -> None:
        """Close it, unless it is always open."""
        ...

    def sample_now(self) -> int:
        """The microphone's sample of this moment, on the conversation's count."""
        ...


async def carry_out(command: Command, robot: Robot, microphone: MicrophoneControl) -> Result:
    """Do what ``command`` says; what goes wrong stands in the result."""
    result = Result(command_id=command.command_id)
    try:
        await _carry_out(command, robot, microphone, result)
    except VoiceMeshError as error:
        result.error.CopyFrom(error.detail(common_pb2.STAGE_ROBOT))
    except Exception as error:  # The orchestrator waits for an answer, whatever happened.
        detail = InternalError(f"the robot failed: {error}").detail(common_pb2.STAGE_ROBOT)
        result.error.CopyFrom(detail)
    return result


async def _carry_out(
    command: Command, robot: Robot, microphone: MicrophoneControl, result: Result
) -> None:
    match command.WhichOneof("command"):
        case "listen":
            await microphone.begin_listening(command.listen.keep_listening)
            result.listen.stamp.CopyFrom(command.listen.stamp)
        case "pause":
            robot.pause()
            result.pause.playback.CopyFrom(robot.report(microphone.sample_now()))
        case "duck":
            robot.duck(checked_volume(command.duck))
            result.duck.playback.CopyFrom(robot.report(microphone.sample_now()))
        case "resume":
            robot.resume()
            result.resume.playback.CopyFrom(robot.report(microphone.sample_now()))
        case "stop":
            if command.stop.listening:
                microphone.end_listening()
            ended = robot.report if command.stop.keep_playing else robot.stop
            result.stop.playback.CopyFrom(ended(microphone.sample_now()))
        case "get_status":
            result.status.CopyFrom(robot.status())
            result.status.listening = robot.microphone.is_open
            result.status.playback.microphone_sample = microphone.sample_now()
        case _:
            raise ProtocolViolation("the command is empty, or of a newer version", field="command")
