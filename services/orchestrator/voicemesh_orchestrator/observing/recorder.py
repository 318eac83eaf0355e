"""Records conversations into a folder each, where the settings ask for it."""

from __future__ import annotations

import logging
import os
import re
import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from voicemesh.errors import SettingsError
from voicemesh.recording import CONFIG, About, RecordingFull, RecordingWriter
from voicemesh.v1 import dialog_pb2
from voicemesh_orchestrator.observing.disk_writer import DiskWriter
from voicemesh_orchestrator.settings import OrchestratorSettings, RecorderSettings

log = logging.getLogger(__name__)

_WAITING_BYTES = 16_000_000  # Of all conversations: seconds of a disk that stands still.
_CLOSE_S = 5.0
_SPACE_CHECKED_EVERY_BYTES = 1_000_000
_MB = 1_000_000
_NAME = re.compile(r"\d{8}T\d{6}\.\d{3}Z-[0-9a-f]{12}")


class Recorder:
    """Makes a recording of every conversation; see ``voicemesh.recording`` for its files."""

    def __init__(self, settings: OrchestratorSettings) -> None:
        """SettingsError when the folder cannot be used."""
        self._settings = settings
        self._limits = settings.recorder
        self._folder = Path(self._limits.folder).expanduser()
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise _unusable(self._folder, error.strerror or str(error)) from None
        if not os.access(self._folder, os.W_OK | os.X_OK):
            raise _unusable(self._folder, "it may not be written")
        self._disk = DiskWriter(_WAITING_BYTES)
        self._live: set[str] = set()  # Single operations on it need no lock.
        log.warning("every conversation is recorded in %s", self._folder)

    def watch(
        self, conversation_id: str, config: dialog_pb2.ConverseConfig
    ) -> RecordedConversation:
        """Begin to record a conversation."""
        now = datetime.now(UTC)
        about = About(
            conversation_id=conversation_id,
            started=now.isoformat(timespec="milliseconds"),
            config=config,
            settings={"orchestrator": self._settings.model_dump(mode="json")},
        )
        name = f"{now:%Y%m%dT%H%M%S}.{now.microsecond // 1000:03d}Z-{conversation_id}"
        folder = self._folder / name
        log.info("this conversation is recorded in %s", folder)
        self._live.add(name)
        self._disk.put(self._forget_oldest)
        forget = partial(self._live.discard, name)
        return RecordedConversation(folder, about, self._limits, self._disk, forget)

    def _forget_oldest(self) -> None:
        """Delete the oldest recordings beyond the limit; runs in the writer's thread."""
        try:
            # Names begin with their time; what the recorder has not made is not its own.
            kept = sorted(
                path
                for path in self._folder.iterdir()
                if _NAME.fullmatch(path.name) and (path / CONFIG).is_file()
            )
            for path in kept[: max(0, len(kept) + 1 - self._limits.max_conversations)]:
                if path.name not in self._live:
                    shutil.rmtree(path)
        except OSError as error:
            log.warning("old recordings cannot be deleted: %s", error)

    def close(self) -> None:
        """Wait until what is recorded has been written, a little; blocks."""
        self._disk.close(_CLOSE_S)


def _unusable(folder: Path, reason: str) -> SettingsError:
    field = "orchestrator.recorder.folder"
    return SettingsError(
        f"recordings cannot be kept in {folder} ({reason}); set {field} to another folder, "
        "or to nothing",
        field=field,
    )


class RecordedConversation:
    """An observer that records. Whatever goes wrong cuts the recording, never the conversation."""

    keeps = True

    def __init__(
        self,
        folder: Path,
        about: About,
        limits: RecorderSettings,
        disk: DiskWriter,
        forget: Callable[[], None],
    ) -> None:
        """``forget`` is called when the recording is over, in the writer's thread."""
        self._folder = folder
        self._limits = limits
        self._disk = disk
        self._forget = forget
        self._began_s = time.monotonic()
        self._too_slow = False
        # What follows belongs to the writer's thread.
        self._writer: RecordingWriter | None = None
        self._space_checked_at = 0
        disk.put(partial(self._open, about))

    # On the event loop.

    def heard(self, request: dialog_pb2.ConverseRequest) -> None:
        """Record what the client said."""
        self._put(self._write_request, request.SerializeToString())

    def said(self, response: dialog_pb2.ConverseResponse) -> None:
        """Record what the client is told."""
        self._put(self._write_response, response.SerializeToString())

    def _put(self, write: Callable[[float, bytes], None], message: bytes) -> None:
        # Serialised at once, because the messages may change after this.
        if self._too_slow:
            return
        if not self._disk.put(partial(write, self._now_ms(), message), len(message) or 1):
            self._too_slow = True
            self._disk.put(partial(self._cut, self._now_ms(), "the disk is too slow"))

    def over(self) -> None:
        """The recording is complete."""
        self._disk.put(partial(self._end, self._now_ms()))

    def _now_ms(self) -> float:
        return (time.monotonic() - self._began_s) * 1000

    # In the writer's thread.

    def _open(self, about: About) -> None:
        if self._lacks_space():
            log.warning("a conversation is not recorded: %s", self._no_space())
            self._forget()
            return
        try:
            most_bytes = self._limits.max_megabytes * _MB
            self._writer = RecordingWriter(self._folder, about, most_bytes)
        except OSError as error:
            log.warning("a conversation is not recorded: %s", error)
            self._forget()

    def _write_request(self, at_ms: float, message: bytes) -> None:
        request = dialog_pb2.ConverseRequest.FromString(message)
        self._write(at_ms, len(message), lambda writer: writer.request(at_ms, request))

    def _write_response(self, at_ms: float, message: bytes) -> None:
        response = dialog_pb2.ConverseResponse.FromString(message)
        self._write(at_ms, len(message), lambda writer: writer.response(at_ms, response))

    def _write(self, at_ms: float, coming: int, write: Callable[[RecordingWriter], None]) -> None:
        """``coming``: about how many bytes are written. Every bound holds before they are."""
        if self._writer is None:
            return
        if self._writer.size + coming > self._space_checked_at + _SPACE_CHECKED_EVERY_BYTES:
            self._space_checked_at = self._writer.size
            if self._lacks_space():
                self._cut(at_ms, self._no_space())
                return
        try:
            write(self._writer)
        except RecordingFull:
            limit = self._limits.max_megabytes
            self._cut(at_ms, f"it has reached orchestrator.recorder.max_megabytes ({limit:g})")
        except OSError as error:
            self._cut(at_ms, f"the disk refuses it ({error.strerror or error})")

    def _lacks_space(self) -> bool:
        """Whether less is free than is to be left."""
        # Its own folder may not have been made yet.
        free = shutil.disk_usage(self._folder.parent).free
        return free < self._limits.min_free_megabytes * _MB

    def _no_space(self) -> str:
        limit = self._limits.min_free_megabytes
        return f"less than orchestrator.recorder.min_free_megabytes ({limit:g}) is free"

    def _cut(self, at_ms: float, reason: str) -> None:
        if self._writer is None:
            return
        log.warning("the recording in %s is cut: %s", self._folder, reason)
        with suppress(OSError):  # A full disk has no room for a note either.
            self._writer.note(at_ms, f"the recording is cut here: {reason}")
        self._close()

    def _end(self, at_ms: float) -> None:
        if self._writer is None:
            return
        try:
            self._writer.end(at_ms)
        except OSError as error:
            log.warning("the recording in %s has no end: %s", self._folder, error)
        self._close()

    def _close(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None
            self._forget()
