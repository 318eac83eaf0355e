"""Writes a recording, message by message. Everything here blocks while the disk does."""

from __future__ import annotations

import json
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


class RecordingWriter:
    """One recording. Times are milliseconds since the conversation began.

    OSError where the disk refuses; what was flushed before can still be read.
    """

    def __init__(self, folder: Path, about: About) -> None:
        """Make ``folder``, for its owner's eyes only; FileExistsError where it exists."""
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
        self.size = 0
        """The bytes written so far, about."""

    def request(self, at_ms: float, request: dialog_pb2.ConverseRequest) -> None:
        """What the client said."""
        kind = request.WhichOneof("converse_request") or ""
        event: dict[str, Any] = {"at_ms": at_ms, "from": "client", "kind": kind}
        match kind:
            case "audio":
                count = len(request.audio.audio) // 2
                self._heard(request.audio.first_sample, count, request.audio.audio)
                event |= {"first_sample": request.audio.first_sample, "sample_count": count}
            case "silence":
                silence = request.silence
                self._heard(silence.first_sample, silence.sample_count, None)
                event |= {
                    "first_sample": silence.first_sample,
                    "sample_count": silence.sample_count,
                }
            case _:
                event |= {"stamp": _json(request.stamp)}
                if kind:
                    event |= {"message": _json(getattr(request, kind))}
        self._write(event, is_sound=kind in ("audio", "silence"))

    def _heard(self, first_sample: int, count: int, audio: bytes | None) -> None:
        """Sound of the microphone, for as long as its file follows its clock."""
        microphone = self._microphone
        if microphone is None or first_sample != microphone.samples:
            return
        if audio is None:
            microphone.append_silence(count)
        else:
            microphone.append(audio[: count * 2])
        self.size += count * 2

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
            self._spoken(response.stamp, chunk)
            event |= {
                "first_sample": chunk.first_sample,
                "sample_count": len(chunk.audio) // 2,
                "span": _json(response.reply_audio.span),
            }
        elif kind:
            event |= {"message": _json(getattr(response, kind))}
        self._write(event, is_sound=kind == "reply_audio")

    def _spoken(self, stamp: common_pb2.Stamp, chunk: common_pb2.AudioChunk) -> None:
        if self._reply is None or stamp != self._reply_stamp:
            if self._reply is not None:
                self._reply.close()
            self._reply = GrowingWav(self._folder / reply_file(stamp), self._reply_rate)
            self._reply_stamp = stamp
        if chunk.first_sample == self._reply.samples:
            self._reply.append(chunk.audio)
            self.size += len(chunk.audio)

    def note(self, at_ms: float, text: str) -> None:
        """A word of the recorder's own, such as why it stops."""
        self._write({"at_ms": at_ms, "from": "recorder", "kind": "note", "text": text})

    def end(self, at_ms: float) -> None:
        """The conversation is over, and all of it has been recorded."""
        self._write({"at_ms": at_ms, "from": "recorder", "kind": "end"})

    def _write(self, event: dict[str, Any], is_sound: bool = False) -> None:
        at_ms = event["at_ms"] = round(event["at_ms"], 3)
        line = f"{json.dumps(event, ensure_ascii=False)}\n"
        self._events.write(line)
        self.size += len(line)
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
