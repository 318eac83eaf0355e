"""One Listen call: a robot's microphone, open for one turn and while it is answered."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import grpc.aio

from voicemesh.aio import uninterrupted, within
from voicemesh.errors import (
    DeadlineExceeded,
    Unavailable,
    VoiceMeshError,
    from_detail,
    from_rpc,
)
from voicemesh.sample_clock import SampleClock
from voicemesh.stamps import order
from voicemesh.v1 import asr_pb2, common_pb2, robot_pb2
from voicemesh_orchestrator.conversation.conversation import Conversation
from voicemesh_orchestrator.conversation.sound_input import SoundInput

if TYPE_CHECKING:  # The stubs' asynchronous types exist for type checkers only.
    from voicemesh.v1.robot_pb2_grpc import RobotListenerServiceAsyncStub

log = logging.getLogger(__name__)

_ROBOT = common_pb2.STAGE_ROBOT

_SILENCE_S = 15.0  # Three heartbeats.

Request = robot_pb2.ListenRequest
Response = robot_pb2.ListenResponse


class _Microphone(NamedTuple):
    clock: SampleClock
    sound: SoundInput


class _Gone(Unavailable):
    """The robot does not listen any more, and is not asked for anything else."""


class ListenCall:
    """Brings what a robot hears to its conversation.

    Either the robot streams to ASR itself and its turn events come over the
    call, or its sound does and is passed on to ASR from here. Such a stream to
    ASR lives as long as the microphone is open: it takes a recogniser's slot.
    """

    def __init__(
        self,
        listener: RobotListenerServiceAsyncStub,
        request: robot_pb2.ListenRequest,
        conversation: Conversation[Any],
    ) -> None:
        """Begins the call."""
        self._request = request
        self._call: grpc.aio.UnaryStreamCall[Request, Response] = listener.Listen(request)
        self._conversation = conversation
        self._microphone: _Microphone | None = None
        self._over = False

    @property
    def over(self) -> bool:
        """Whether the turn is over, or ``end`` was called."""
        return self._over

    @property
    def keeps(self) -> bool:
        """Whether it goes on after the end of a turn, to hear who interrupts."""
        return self._request.keep_listening

    @property
    def stamp(self) -> common_pb2.Stamp:
        """The turn for which the microphone was opened."""
        return self._request.stamp

    def ignore_rest(self) -> None:
        """The robot is told to close the microphone; what still comes concerns nobody."""
        self._over = True

    def end(self) -> None:
        """Close the microphone; ``run`` ends then."""
        self._over = True
        self._call.cancel()

    async def run(self) -> None:
        """Listen until the turn is over."""
        try:
            while not self._over and (response := await self._next()) is not None:
                await self._take(response)
        except grpc.aio.AioRpcError as error:
            self._lost(from_rpc(error, _ROBOT))
        except _Gone as error:
            self._lost(error)
        except VoiceMeshError as error:
            if not self._over:
                self._failed(error)
        finally:
            self._call.cancel()  # Where it has ended this is nothing.
            if self._microphone is not None:
                await uninterrupted(self._microphone.sound.close(), "close recognition")

    async def _next(self) -> Response | None:
        """What the robot says next, if only that it lives; None once ``end`` was called."""
        # The call is cancelled, never the task that reads: that leaks 10 kB in grpc.aio.
        reading = asyncio.ensure_future(self._call.read())
        try:
            spoke = await within(_SILENCE_S, reading)
        finally:
            if not reading.done():
                self._call.cancel()
                await asyncio.wait({reading})
        if self._over:
            return None
        if not spoke:
            raise _Gone(f"robot: it said nothing for {_SILENCE_S:g} s", stage=_ROBOT)
        response = reading.result()
        if response is grpc.aio.EOF:
            raise _Gone("robot: it stopped listening before the turn was over", stage=_ROBOT)
        return cast(Response, response)

    async def _take(self, response: Response) -> None:
        if order(response.stamp) < order(self._request.stamp):
            return
        match response.WhichOneof("listen_response"):
            case "turn_event":
                event = response.turn_event
                ended = event.type == asr_pb2.TURN_EVENT_TYPE_END_OF_TURN
                self._over = ended and not self.keeps
                self._conversation.user_turns.heard_until(event.sample)
                self._conversation.user_turns.on_turn_event(event)
            case "audio":
                clock, sound = await self._opened(response.audio.first_sample)
                clock.take_audio(response.audio)
                await sound.audio(response.audio)
            case "silence":
                clock, sound = await self._opened(response.silence.first_sample)
                clock.take_silence(response.silence)
                sound.silence(response.silence)
            case "error":
                raise from_detail(response.error)
            case _:
                pass  # Heartbeats and drain notices: what is under way is still served.

    async def _opened(self, first_sample: int) -> _Microphone:
        """The microphone; with its first sound recognition opens, on the robot's own count."""
        if self._microphone is None:
            config = asr_pb2.StreamingRecognitionConfig()
            config.CopyFrom(self._request.recognition)
            config.first_sample = first_sample
            turns = self._conversation.user_turns
            sound = await turns.open_recognition(config, self._request.stamp)
            clock = SampleClock(config.audio_format.sample_rate_hertz, first_sample)
            self._microphone = _Microphone(clock, sound)
        return self._microphone

    def _lost(self, error: VoiceMeshError) -> None:
        """The robot listens no more. Between turns that matters to nobody: it still speaks."""
        if self._conversation.user_turns.awaited:
            self._conversation.lost(error)
        else:
            log.info("nobody can interrupt the reply: %s", error)

    def _failed(self, error: VoiceMeshError) -> None:
        error.stage = error.stage or _ROBOT
        if not self._conversation.user_turns.awaited:
            self._lost(error)
            return
        unheard = isinstance(error, DeadlineExceeded) and error.stage == _ROBOT
        if unheard and self._conversation.requested_turns.awaits_speech:
            self._conversation.requested_turns.nobody_spoke(
                self._request.no_speech_timeout_ms / 1000
            )
        else:
            self._conversation.user_turns.recognition_failed(error)
