"""A recogniser that hears the script: turns begin, may be over, go on and end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from voicemesh.v1 import asr_pb2 as pb
from voicemesh.v1 import common_pb2

from .network import Context
from .speech import FRAME_S, Air

RATE = 16_000
_FRAME = round(RATE * FRAME_S)
_BEGIN_FRAMES = 4
_EAGER_FRAMES = 10
_MS = round(FRAME_S * 1000)

Response = pb.StreamingRecognizeResponse


class Recogniser:
    """One for all streams. It hears what comes as sound; what comes as silence is silent."""

    def __init__(self, air: Air) -> None:
        self._air = air
        self.final_pass_s = 0
        """How many seconds it takes when it is told that an utterance is over."""

    async def recognise(self, requests: AsyncIterator[Any], context: Context) -> None:
        hearing = _Hearing(self._air)
        async for request in requests:
            response = Response(stamp=request.stamp)
            match request.WhichOneof("streaming_request"):
                case "streaming_config":
                    response.started.engine = "script"
                    response.started.turn_detector.eager_wait_ms = _EAGER_FRAMES * _MS
                    await context.write(response)
                case "audio":
                    samples = len(request.audio.audio) // 2
                    hearing.hear(request.audio.first_sample, samples, sound=True)
                case "silence":
                    silence = request.silence
                    hearing.hear(silence.first_sample, silence.sample_count, sound=False)
                case "end_of_utterance":
                    for _ in range(int(self.final_pass_s)):
                        await asyncio.sleep(1)  # A virtual second.
                        beat = common_pb2.Heartbeat(sequence=1)  # It is busy, not stuck.
                        await context.write(Response(stamp=request.stamp, heartbeat=beat))
                    hearing.end(pb.TURN_REASON_EXPLICIT)
                case "heartbeat":
                    response.heartbeat.CopyFrom(request.heartbeat)
                    response.heartbeat.echo = True
                    await context.write(response)
            for event in hearing.news():
                await context.write(Response(stamp=request.stamp, turn_event=event))
            await asyncio.sleep(0)


class _Hearing:
    """The turns of one stream."""

    def __init__(self, air: Air) -> None:
        self._air = air
        self._news: list[pb.TurnEvent] = []
        self._utterance = self._revision = 0
        self._in_turn = self._eager = False
        self._voiced_run = 0
        self._frame = self._last_voiced = 0
        self._text = ""

    def news(self) -> list[pb.TurnEvent]:
        news, self._news = self._news, []
        return news

    def hear(self, first_sample: int, samples: int, sound: bool) -> None:
        for frame in range(first_sample // _FRAME, (first_sample + samples) // _FRAME):
            self._frame = frame
            self._step(sound and self._air.voiced(frame), sound)

    def _step(self, voiced: bool, sound: bool) -> None:
        self._voiced_run = self._voiced_run + 1 if voiced else 0
        if voiced:
            self._last_voiced = self._frame
        if not self._in_turn:
            if self._voiced_run >= _BEGIN_FRAMES:
                self._in_turn, self._eager, self._text = True, False, ""
                self._utterance += 1
                self._revision = 0
                self._tell(pb.TURN_EVENT_TYPE_START_OF_TURN, pb.TURN_REASON_SPEECH)
            return
        if voiced and self._eager:
            self._eager = False
            self._tell(pb.TURN_EVENT_TYPE_TURN_RESUMED, pb.TURN_REASON_SPEECH)
        silent = self._frame - self._last_voiced
        words = self._air.words_at(self._frame) if sound else []
        for word in words:
            space = "" if word.chinese or not self._text else " "
            self._text += space + word.text
            self._revision += 1
        if words and not self._eager:
            self._tell(pb.TURN_EVENT_TYPE_UPDATE, pb.TURN_REASON_SPEECH)
        if silent >= self._air.wait_after(self._last_voiced):
            self.end(pb.TURN_REASON_SILENCE if self._text else pb.TURN_REASON_NOTHING_HEARD)
        elif silent >= _EAGER_FRAMES and self._text and not self._eager:
            self._eager = True
            self._tell(pb.TURN_EVENT_TYPE_EAGER_END_OF_TURN, pb.TURN_REASON_SILENCE)

    def end(self, reason: pb.TurnReason.ValueType) -> None:
        if self._in_turn:
            self._in_turn = False
            self._tell(pb.TURN_EVENT_TYPE_END_OF_TURN, reason)

    def _tell(self, kind: pb.TurnEventType.ValueType, reason: pb.TurnReason.ValueType) -> None:
        transcript = pb.Transcript(
            utterance=self._utterance,
            revision=self._revision,
            text=self._text,
            is_final=kind == pb.TURN_EVENT_TYPE_END_OF_TURN,
        )
        self._news.append(
            pb.TurnEvent(
                type=kind,
                reason=reason,
                sample=(self._frame + 1) * _FRAME,
                last_voiced_sample=(self._last_voiced + 1) * _FRAME,
                wait_ms=(self._frame - self._last_voiced) * _MS,
                transcript=transcript,
            )
        )
