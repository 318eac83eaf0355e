"""``[robot.echo]``: the robot's own voice in its microphone."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from voicemesh.settings import Section
from voicemesh_robot.echo.cancelling import CancellerName, EchoTimes
from voicemesh_robot.echo.device_clock import SLACK_S

CANCELLING_NAMES = ("echo-cancel", "echo_cancel", "echocancel", "aec", "speakerphone")
"""Parts of the names of microphones that cancel echo themselves."""


class EchoSettings(Section):
    """``[robot.echo]``: how the robot keeps from hearing itself."""

    canceller: Literal["auto", "builtin", "webrtc", "none"] = Field(
        "auto",
        description="builtin: take what the speaker plays out of the microphone; webrtc: the same "
        "by the canceller of WebRTC (pip install 'voicemesh-robot[aec]'); none: something else "
        "does, or a headset is worn; auto: builtin, unless the microphone is a file or its name "
        "tells that it cancels echo (echo-cancel, aec, speakerphone).",
    )
    delay_ms: float | None = Field(
        None,
        ge=-100,
        le=1_000,
        description="The delay in ms from play-out to the microphone, as `voicemesh doctor "
        "--audio` prints it; it is tried first, which spares the very first reply the search. "
        "Not set: it is searched for. A wrong one does no harm.",
    )
    longest_delay_ms: int = Field(
        500,
        ge=50,
        le=1_000,
        description="The longest time in ms from play-out to the microphone that is looked for. "
        "Sound servers and USB take 50 to 300, Bluetooth up to 400.",
    )
    tail_ms: int = Field(
        200,
        ge=50,
        le=400,
        description="How much of the room's reverberation is learnt, in ms. More costs processor "
        "time and learns more slowly; furnished rooms have faded by 20 dB after 200.",
    )
    search_ms: int = Field(
        900,
        ge=200,
        le=10_000,
        description="Sound in ms that resembles nothing that was played, after which the "
        "microphone counts as one that does not hear the speaker (a headset). Until then, or until "
        "the echo is found, what is heard during the very first reply is held back.",
    )
    threshold_db: float = Field(
        4.5,
        ge=0,
        le=20,
        description="By how many dB beyond its usual variation (3 dB) the user must stand out of "
        "what is left of the echo, on average over the bands of speech; bands that do not count as "
        "0. Less hears softer interruptions, and the robot itself.",
    )
    hold_ms: int = Field(
        200,
        ge=0,
        le=1_000,
        description="How long in ms the user is still listened to after standing out: soft "
        "consonants and gaps between words do not.",
    )

    def times(self) -> EchoTimes:
        """The same for the canceller."""
        return EchoTimes(
            longest_delay_ms=self.longest_delay_ms,
            delay_ms=None if self.delay_ms is None else self.delay_ms + 1000 * SLACK_S,
            tail_ms=self.tail_ms,
            search_ms=self.search_ms,
            hold_ms=self.hold_ms,
            threshold_db=self.threshold_db,
        )

    def chosen_for(self, microphone: str, is_file: bool) -> CancellerName | None:
        """The canceller to be used with a microphone of this name; None: none."""
        if self.canceller == "auto":
            cancels = any(part in microphone.lower() for part in CANCELLING_NAMES)
            return None if is_file or cancels else "builtin"
        return None if self.canceller == "none" else self.canceller
