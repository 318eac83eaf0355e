"""What a conversation needs of whoever it talks to."""

from __future__ import annotations

from typing import Protocol

from voicemesh.v1 import dialog_pb2, robot_pb2


class Client(Protocol):
    """A client over Converse, or a robot's listener that the orchestrator has dialled."""

    def send(self, event: dialog_pb2.ConverseResponse) -> None:
        """News of the conversation, reply audio among it. Never waits."""

    async def listen(self, request: robot_pb2.ListenRequest) -> None:
        """Have the microphone opened for one turn; raises why it cannot be."""

    def close_microphone(self) -> None:
        """What ``listen`` began is not wanted any more. Never waits."""

    async def settled(self) -> None:
        """Wait until the speaker has fallen silent after the last reply, within bounds."""
