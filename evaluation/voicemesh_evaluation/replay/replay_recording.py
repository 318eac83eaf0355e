"""Records a replay, so that it can be replayed and compared in its turn."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import count
from pathlib import Path

from voicemesh.errors import InvalidArgument
from voicemesh.recording import About, RecordingWriter
from voicemesh.v1 import common_pb2, dialog_pb2
from voicemesh.workers import ThreadWorker
from voicemesh_robot.mesh.events import Event

_KINDS = {
    field.message_type.full_name: field.name
    for field in dialog_pb2.ConverseResponse.DESCRIPTOR.oneofs_by_name["converse_response"].fields
    if field.message_type is not None
}
"""The name of each kind of response by the type of its message."""


def folder_beside(recording: Path) -> Path:
    """A new folder next to a recording, named after it."""
    whole = recording.resolve()
    names = (whole.with_name(f"{whole.name}-replay-{number}") for number in count(1))
    return next(path for path in names if not path.exists())


class ReplayRecording:
    """A recording of what the replaying client says and is told, written in a thread."""

    def __init__(self, folder: Path, config: dialog_pb2.ConverseConfig, target: str) -> None:
        """InvalidArgument where ``folder`` cannot be made."""
        about = About(
            conversation_id="replay",
            started=datetime.now(UTC).isoformat(timespec="milliseconds"),
            config=config,
            settings={"robot": {"target": target}},
        )
        try:
            self._writer = RecordingWriter(folder, about)
        except OSError as error:
            raise InvalidArgument(
                f"the replay cannot be recorded in {folder} ({error.strerror})",
                stage=common_pb2.STAGE_CLIENT,
            ) from None
        self._thread = ThreadWorker("replay recording")
        self._ended_ms = 0.0
        self._failure: OSError | None = None

    async def take(self, at_ms: float, said: dialog_pb2.ConverseRequest | Event) -> None:
        """Record a message."""
        self._ended_ms = at_ms
        try:
            if isinstance(said, Event):
                kind = _KINDS[said.payload.DESCRIPTOR.full_name]
                response = dialog_pb2.ConverseResponse(stamp=said.stamp)
                getattr(response, kind).CopyFrom(said.payload)
                await self._thread.run(self._writer.response, at_ms, response)
            else:
                await self._thread.run(self._writer.request, at_ms, said)
        except OSError as error:
            self._failure = error

    async def close(self) -> None:
        """Complete the files; InvalidArgument where the disk did not take all of it."""
        try:
            await self._thread.run(self._writer.end, self._ended_ms)
        except OSError as error:
            self._failure = error
        await self._thread.run(self._writer.close)
        self._thread.close()
        if self._failure is not None:
            raise InvalidArgument(
                f"the replay's recording is not whole ({self._failure}); make room on the disk",
                stage=common_pb2.STAGE_CLIENT,
            )
