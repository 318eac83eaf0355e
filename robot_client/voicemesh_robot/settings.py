"""``[robot]``: the settings of the client and of the listener on the robot."""

from __future__ import annotations

from pydantic import Field

from voicemesh.settings import ServerSettings
from voicemesh.targets import Target
from voicemesh_robot.echo.settings import EchoSettings
from voicemesh_robot.local_vad import VadType


class RobotSettings(ServerSettings):
    """``[robot]``: how the client talks to the mesh, and how the robot listens and speaks."""

    port: int = Field(50054, ge=0, le=65535, description="gRPC port of the listener; 0: any free.")
    metrics_port: int = Field(
        9454, ge=-1, le=65535, description="Prometheus port; 0: any free one, -1: none."
    )

    target: Target = Field(
        "127.0.0.1:50050",
        description="The orchestrator, as host:port. The default is a mesh on this machine.",
    )
    language_codes: tuple[str, ...] = Field(
        (), description="BCP-47 tags of the languages spoken to it; empty: the mesh's own."
    )
    reply_rate_hertz: int = Field(
        24_000,
        ge=8_000,
        le=48_000,
        description="Sample rate of the replies, in hertz. That of the default voices, so that "
        "nothing is resampled on the way, and they are heard with all that they have.",
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
        description="The longest time in seconds, once the question is said, in which nothing "
        "comes of its turn. A long reply that goes on coming is no reason to give up.",
    )
    quiet_after_s: float = Field(
        5.0,
        gt=0,
        le=60,
        description="Silence after a file in which no speech was noticed before the turn counts "
        "as unheard. Longer than every wait of the turn detector, and as long as the mesh waits "
        "for a recogniser that was lost (orchestrator.deadlines.outage_s).",
    )
    microphone: str = Field(
        "",
        description="The microphone: an index or a part of the name as `voicemesh devices` "
        "prints it, `none`, or an audio file; empty: the system's default.",
    )
    speaker: str = Field(
        "",
        description="The speaker: an index or a part of its name, `none`, or a WAV file that is "
        "written; empty: the system's default.",
    )
    speaker_buffer_ms: int = Field(
        40,
        ge=10,
        le=200,
        description="Length of one buffer of the speaker in ms; the device holds two. Replies "
        "pause and stop with the next one. At 20 a busy machine fills them too late, which tears "
        "holes into the replies (see voicemesh_robot_speaker_underruns_total).",
    )
    capture_rate_hertz: int = Field(
        0,
        ge=0,
        le=192_000,
        description="Rate at which the microphone is opened, in hertz; 0: 16000 where the device "
        "can, else its own. It is resampled to 16000.",
    )
    chunk_duration_ms: int = Field(
        20,
        ge=10,
        le=500,
        description="Speech is sent in messages of at least this length in ms. 20 costs the least "
        "delay; more costs the network less.",
    )
    vad_type: VadType = Field(
        "silero",
        description="The robot's own voice activity detector: silero holds in noise, webrtc is "
        "nearly free, none sends everything.",
    )
    vad_level: int = Field(
        2,
        ge=0,
        le=3,
        description="How readily sound is taken for noise, 0 to 3. 2 suits silero; webrtc wants 3 "
        "where a fan runs.",
    )
    pre_roll_ms: int = Field(
        250,
        ge=0,
        le=1_000,
        description="Sound in ms before the detected beginning of speech that is sent with it. "
        "Detectors miss up to 80 ms of a soft beginning.",
    )
    hang_over_ms: int = Field(
        450,
        ge=0,
        le=5_000,
        description="How long sound is sent after the last speech, in ms. Covers the mesh's waits "
        "after a sentence and a clause, so that it judges them by the true sound.",
    )
    pause_on_speech: bool = Field(
        True,
        description="Pause playback at once when the user begins to speak, before the mesh has "
        "decided. Switch it off where the robot still hears itself, see [robot.echo].",
    )
    resume_after_ms: int = Field(
        900,
        ge=100,
        le=10_000,
        description="How long such a pause lasts in ms when the mesh does not stop the reply. "
        "Longer than the mesh takes to notice speech.",
    )
    echo: EchoSettings = Field(
        default_factory=EchoSettings, description="The robot's own voice in its microphone."
    )
    facts: dict[str, str] = Field(
        default_factory=dict,
        description="Facts of the robot for replies to use, such as its battery.",
    )
