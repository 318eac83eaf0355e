"""``[robot]``: the settings of the client."""

from __future__ import annotations

from pydantic import Field

from voicemesh.settings import Section


class RobotSettings(Section):
    """``[robot]``: how the client talks to the mesh."""

    target: str = Field(
        "127.0.0.1:50050",
        pattern=r"^.+:\d+$",
        description="The orchestrator, as host:port. The default is a mesh on this machine.",
    )
    language_codes: tuple[str, ...] = Field(
        (), description="BCP-47 tags of the languages spoken to it; empty: the mesh's own."
    )
    reply_rate_hertz: int = Field(
        16_000,
        ge=8_000,
        le=48_000,
        description="Sample rate of the replies, in hertz. That of the default voices, so that "
        "nothing is resampled on the way.",
    )
    silence_chunk_ms: int = Field(
        160,
        ge=20,
        le=10_000,
        description="Length of silence that is described as one message while nobody is expected "
        "to speak. A message less often costs the mesh less; the end of speech never waits for it.",
    )
    playback_report_ms: int = Field(
        100,
        ge=20,
        le=2_000,
        description="How often the playback clock is reported while a reply plays. Shorter than "
        "the orchestrator's lead, so that the reply never runs dry.",
    )
    connect_timeout_s: float = Field(
        10.0,
        gt=0,
        le=300,
        description="How long a lost mesh is tried again before a turn fails. Services are back "
        "within 5 s under `voicemesh up`.",
    )
    turn_timeout_s: float = Field(
        60.0,
        gt=0,
        le=3_600,
        description="The longest time from the end of a question to the end of its turn.",
    )
    quiet_after_s: float = Field(
        3.0,
        gt=0,
        le=60,
        description="Silence after a file in which no speech was noticed before the turn counts "
        "as unheard. Longer than every wait of the turn detector.",
    )
