"""Writes a recording, message by message. Everything here blocks while the disk does."""

from __future__ import annotations

import json
import math
from contextlib import suppress
from pathlib import Path
from typing import Any

from google.protobuf import json_format
from google.protobuf.message import Message

from voicemesh.recording.growing_wav import GrowingWav
from voicemesh.recording.layout import CONFIG, EVENTS, MICROPHONE, About, reply_file
from voicemesh.v1 import common_pb2, dialog_pb2

_FLUSH_MS = 1000.0


def _json(message: Message) -> dict[str, Any]:
    return json_format.MessageToDict(message, preserving_proto_field_name=True)


def _line(event: dict[str, Any]) -> str:
    event = event | {"at_ms": round(event["at_ms"], 3)}
    return f"{json.dumps(event, ensure_ascii=False)}\n"


class RecordingFull(Exception):
    """What comes would exceed the recording's limit; nothing of it has been written."""


class RecordingWriter:
    """One recording. Times are milliseconds since the conversation began.

    OSError where the disk refuses; what was flushed before can still be read.
    RecordingFull where a message does not fit any more.
    """

    def __init__(self, folder: Path, about: About, most_bytes: float = math.inf) -> None:
        """Make ``folder``, for its owner's eyes only; FileExistsError where it exists.

        ``most_bytes``: of sound and events together, silence counted as if it took room.
        """
        folder.mkdir(mode=0o700, parents=True)
        text = json.dumps(about.as_json(), indent=2, ensure_ascii=False)
        (folder / CONFIG).write_text(f"{text}\n", encoding="utf-8")
        self._folder = folder
        self._reply_rate = about.config.output_format.sample_rate_hertz
        self._events = (folder / EVENTS).open("x", encoding="utf-8")
        self._microphone: GrowingWav | None = None
        if about.config.HasField("input_format"):
            self._microphone = GrowingWav(
                folder / MICROPHONE, about.config.input_format.sample_rate_hertz
            )
        self._reply: GrowingWav | None = None
        self._reply_stamp: common_pb2.Stamp | None = None
        self._flushed_ms = 0.0
        self._most_bytes = most_bytes
        self.size = 0
        """The bytes written so far, about."""

    def request(self, at_ms: float, request: dialog_pb2.ConverseRequest) -> None:
        """What the client said."""
        kind = request.WhichOneof("converse_request") or ""
        event: dict[str, Any] = {"at_ms": at_ms, "from": "client", "kind": kind}
        match kind:
            case "audio":
                chunk = request.audio
                count = len(chunk.audio) // 2
                event |= {"first_sample": chunk.first_sample, "sample_count": count}
                self._write_sound(
                    event, count, self._microphone_at(chunk.first_sample), chunk.audio
                )
            case "silence":
                first, count = request.silence.first_sample, request.silence.sample_count
                event |= {"first_sample": first, "sample_count": count}
                self._write_sound(event, count, self._microphone_at(first), None)
            case _:
                event |= {"stamp": _json(request.stamp)}
                if kind:
                    event |= {"message": _json(getattr(request, kind))}
                self._write(event)

    def _microphone_at(self, first_sample: int) -> GrowingWav | None:
        """The microphone's file, for as long as it follows its clock."""
        microphone = self._microphone
        if microphone is None or first_sample != microphone.samples:
            return None
        return microphone

    def response(self, at_ms: float, response: dialog_pb2.ConverseResponse) -> None:
        """What the mesh said."""
        kind = response.WhichOneof("converse_response") or ""
        event: dict[str, Any] = {
            "at_ms": at_ms,
            "from": "mesh",
            "kind": kind,
            "stamp": _json(response.stamp),
        }
        if kind == "reply_audio":
            chunk = response.reply_audio.chunk
            count = len(chunk.audio) // 2
            event |= {
                "first_sample": chunk.first_sample,
                "sample_count": count,
                "span": _json(response.reply_audio.span),
            }
            wav = self._reply_at(response.stamp, chunk.first_sample)
            self._write_sound(event, count, wav, chunk.audio)
            return
        if kind:
            event |= {"message": _json(getattr(response, kind))}
        self._write(event)

    def _reply_at(self, stamp: common_pb2.Stamp, first_sample: int) -> GrowingWav | None:
        """The file of that reply, for as long as it follows its clock."""
        if self._reply is None or stamp != self._reply_stamp:
            if self._reply is not None:
                self._reply.close()
            self._reply = GrowingWav(self._folder / reply_file(stamp), self._reply_rate)
            self._reply_stamp = stamp
        return self._reply if first_sample == self._reply.samples else None

    def note(self, at_ms: float, text: str) -> None:
        """A word of the recorder's own, such as why it stops: also where nothing else fits."""
        self._put(at_ms, _line({"at_ms": at_ms, "from": "recorder", "kind": "note", "text": text}))

    def end(self, at_ms: float) -> None:
        """The conversation is over, and all of it has been recorded."""
        self._put(at_ms, _line({"at_ms": at_ms, "from": "recorder", "kind": "end"}))

    def _write_sound(
        self, event: dict[str, Any], count: int, wav: GrowingWav | None, audio: bytes | None
    ) -> None:
        """An event of ``count`` samples, silence where ``audio`` is None, and the samples."""
        line = _line(event)
        size = 0 if wav is None else count * 2
        self._check_room(line, size)
        if wav is not None and audio is None:
            wav.append_silence(count)
        elif wav is not None and audio is not None:
            wav.append(audio[: count * 2])
        self.size += size
        self._put(event["at_ms"], line, is_sound=True)

    def _write(self, event: dict[str, Any]) -> None:
        line = _line(event)
        self._check_room(line)
        self._put(event["at_ms"], line)

    def _check_room(self, line: str, sound_bytes: int = 0) -> None:
        if self.size + len(line.encode()) + sound_bytes > self._most_bytes:
            raise RecordingFull

    def _put(self, at_ms: float, line: str, is_sound: bool = False) -> None:
        self._events.write(line)
        self.size += len(line.encode())
        if not is_sound or at_ms - self._flushed_ms >= _FLUSH_MS:
            self._flushed_ms = at_ms
            self.flush()

    def flush(self) -> None:
        """Hand everything to the operating system: sound first, so that no event lacks its."""
        for wav in (self._microphone, self._reply):
            if wav is not None:
                wav.flush()
        self._events.flush()

    def close(self) -> None:
        """Close the files; what a full disk does not take is lost."""
        for file in (self._microphone, self._reply, self._events):
            if file is not None:
                with suppress(OSError):
                    file.close()
