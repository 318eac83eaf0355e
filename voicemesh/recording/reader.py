"""Reads a recording, whole or broken off."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from google.protobuf import json_format

from voicemesh.audio import Samples
from voicemesh.errors import InvalidArgument, NotFound
from voicemesh.recording.growing_wav import HEADER_BYTES
from voicemesh.recording.layout import CONFIG, EVENTS, MICROPHONE, About, reply_file
from voicemesh.v1 import common_pb2, dialog_pb2


@dataclass(frozen=True)
class Note:
    """A word of the recorder's own."""

    text: str


@dataclass(frozen=True)
class Recorded:
    """A message of the recorded conversation."""

    at_ms: float
    """When, in milliseconds since it began."""
    message: dialog_pb2.ConverseRequest | dialog_pb2.ConverseResponse | Note


class Recording:
    """A recorded conversation. Its audio is read from the disk as it is asked for."""

    def __init__(self, folder: Path) -> None:
        """Open ``folder``; NotFound or InvalidArgument in a sentence where it is no recording."""
        self.folder = folder
        try:
            content = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
            self.about = About.from_json(content)
            """What is known of the conversation."""
        except FileNotFoundError:
            raise NotFound(
                f"{folder} is no recording: it has no {CONFIG}; name one that the recorder made"
            ) from None
        except (OSError, ValueError, KeyError, TypeError) as error:
            # ValueError is the base of what JSON and protobuf raise.
            raise InvalidArgument(f"{folder / CONFIG} cannot be read ({error})") from None
        except json_format.ParseError as error:
            raise InvalidArgument(f"{folder / CONFIG} cannot be read ({error})") from None
        self.complete = False
        """Whether the recorder saw the end; known once all events were read."""
        self._newest_reply: tuple[str, Samples] = ("", np.zeros(0, dtype=np.int16))

    def events(self) -> Iterator[Recorded]:
        """Every message in its order.

        A line that was only begun, and audio that never reached the disk, are left
        out: there the recording ends.
        """
        microphone = self._samples(MICROPHONE)
        try:
            file = (self.folder / EVENTS).open(encoding="utf-8", errors="replace")
        except OSError as error:
            raise InvalidArgument(f"{self.folder / EVENTS} cannot be read ({error})") from None
        with file:
            for line in file:
                try:
                    event = json.loads(line)
                    if (event["from"], event["kind"]) == ("recorder", "end"):
                        self.complete = True
                        return
                    message = self._message(event, microphone)
                    at_ms = float(event["at_ms"])
                except (ValueError, KeyError, TypeError, json_format.ParseError):
                    return  # Only the last line can be broken: it was being written.
                if message is None:
                    return
                yield Recorded(at_ms, message)

    def _message(
        self, event: dict[str, Any], microphone: Samples
    ) -> dialog_pb2.ConverseRequest | dialog_pb2.ConverseResponse | Note | None:
        """The message of a line; None where its audio is missing."""
        kind = event["kind"]
        match event["from"], kind:
            case "client", "audio":
                chunk = _chunk(event, microphone)
                return None if chunk is None else dialog_pb2.ConverseRequest(audio=chunk)
            case "client", "silence":
                return dialog_pb2.ConverseRequest(
                    silence=common_pb2.SilenceChunk(
                        first_sample=event["first_sample"], sample_count=event["sample_count"]
                    )
                )
            case "mesh", "reply_audio":
                stamp = json_format.ParseDict(event["stamp"], common_pb2.Stamp())
                chunk = _chunk(event, self._reply(stamp))
                if chunk is None:
                    return None
                span = json_format.ParseDict(event["span"], common_pb2.TextSpan())
                audio = dialog_pb2.ReplyAudio(chunk=chunk, span=span)
                return dialog_pb2.ConverseResponse(stamp=stamp, reply_audio=audio)
            case "client", _:
                return _parse(event, dialog_pb2.ConverseRequest())
            case "mesh", _:
                return _parse(event, dialog_pb2.ConverseResponse())
            case _:
                return Note(event["text"])

    def _reply(self, stamp: common_pb2.Stamp) -> Samples:
        """The samples of a reply; most chunks belong to the one before."""
        name = reply_file(stamp)
        if self._newest_reply[0] != name:
            self._newest_reply = (name, self._samples(name))
        return self._newest_reply[1]

    def _samples(self, name: str) -> Samples:
        """The samples of a file of this recording; the header's sizes may be old."""
        path = self.folder / name
        count = (path.stat().st_size - HEADER_BYTES) // 2 if path.is_file() else 0
        if count <= 0:
            return np.zeros(0, dtype=np.int16)
        return np.memmap(path, dtype="<i2", mode="r", offset=HEADER_BYTES, shape=(count,))


def _chunk(event: dict[str, Any], samples: Samples) -> common_pb2.AudioChunk | None:
    first, count = int(event["first_sample"]), int(event["sample_count"])
    found = samples[first : first + count]
    if len(found) < count:
        return None
    return common_pb2.AudioChunk(audio=found.tobytes(), first_sample=first)


Parsed = dialog_pb2.ConverseRequest | dialog_pb2.ConverseResponse


def _parse(event: dict[str, Any], into: Parsed) -> Parsed:
    content = {"stamp": event["stamp"]}
    if event["kind"]:
        content[event["kind"]] = event["message"]
    parsed: Parsed = json_format.ParseDict(content, into, ignore_unknown_fields=True)
    return parsed
