"""How a conversation is opened: what is asked for, and the way to the orchestrator."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import grpc
import grpc.aio

from voicemesh.audio_format import linear16
from voicemesh.errors import Unavailable
from voicemesh.grpc_client import open_channel
from voicemesh.v1 import common_pb2, dialog_pb2
from voicemesh_robot.speech_rate import SPEECH_RATE_HERTZ


@dataclass(frozen=True)
class ConversationOptions:
    """What a client asks for when it opens a conversation."""

    target: str
    """The orchestrator, as host:port."""
    input_rate_hertz: int | None = SPEECH_RATE_HERTZ
    """The rate of the audio that will be sent; None: text only."""
    reply_rate_hertz: int | None = 16_000
    """The rate of the reply audio; None: replies as text only."""
    language_codes: Sequence[str] = ()
    """BCP-47 tags, likeliest first; empty: the mesh's own."""
    reply_lead_ms: int = 0
    """How far the reply may run ahead of its playback; 0: as the orchestrator says."""
    resume_token: str = ""
    """Continues an earlier conversation; empty: a new one."""
    connect_timeout_s: float = 3.0
    """How long to wait for the connection."""
    facts: Mapping[str, str] = field(default_factory=dict)
    """Facts of the robot, for replies to use."""
    admission_timeout_s: float = 15.0
    """How long to wait for the orchestrator's first word: it opens its own streams first."""

    def config(self) -> dialog_pb2.ConverseConfig:
        """The first message of the stream."""
        return dialog_pb2.ConverseConfig(
            input_format=_format(self.input_rate_hertz),
            output_format=_format(self.reply_rate_hertz),
            language_codes=self.language_codes,
            resume_token=self.resume_token,
            reports_playback=self.reply_rate_hertz is not None,
            reply_lead_ms=self.reply_lead_ms,
            facts=self.facts,
        )


def _format(rate_hertz: int | None) -> common_pb2.AudioFormat | None:
    return None if rate_hertz is None else linear16(rate_hertz)


async def connect(target: str, timeout_s: float) -> grpc.aio.Channel:
    """A connected channel to ``target``; Unavailable as soon as it is refused."""
    channel = open_channel(target)
    try:
        connected = await asyncio.wait_for(_settled(channel), timeout_s)
    except TimeoutError:
        connected = False
    except BaseException:
        await channel.close()
        raise
    if not connected:
        await channel.close()
        raise Unavailable(
            f"orchestrator: nothing answers at {target}; start the mesh with `voicemesh up`, "
            "or name its place with --host and --port",
            stage=common_pb2.STAGE_ORCHESTRATOR,
        )
    return channel


async def _settled(channel: grpc.aio.Channel) -> bool:
    """Wait until the channel is connected (True) or its first try has failed (False)."""
    state = channel.get_state(try_to_connect=True)
    while state not in (
        grpc.ChannelConnectivity.READY,
        grpc.ChannelConnectivity.TRANSIENT_FAILURE,
    ):
        await channel.wait_for_state_change(state)
        state = channel.get_state(try_to_connect=True)
    return state == grpc.ChannelConnectivity.READY
