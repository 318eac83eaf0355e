"""``[orchestrator]``: where the services are, how replies are cut and paced, how long to wait."""

from __future__ import annotations

from pydantic import Field, SecretStr

from voicemesh.settings import Section, ServerSettings
from voicemesh.targets import OptionalTarget, Target
from voicemesh_orchestrator.floor_settings import FloorSettings


class Deadlines(Section):
    """``[orchestrator.deadlines]``: how long each stage may take before the turn fails."""

    connect_s: float = Field(
        5.0,
        gt=0,
        le=60,
        description="Seconds to open a stream to a service. Covers the restart of a dead one "
        "with the loading of its engine; a large one takes longer.",
    )
    stall_s: float = Field(
        5.0,
        gt=0,
        le=60,
        description="Seconds without an answer, to heartbeats either, after which a service is "
        "stuck and its streams are lost. Services answer within tens of milliseconds, on a "
        "crowded machine within a second.",
    )
    outage_s: float = Field(
        5.0,
        gt=0,
        le=60,
        description="Seconds that whoever has spoken into a loss of speech recognition waits for "
        "it before the robot apologises. The default recogniser is back within 3.5.",
    )
    final_transcript_s: float = Field(
        5.0,
        gt=0,
        le=60,
        description="Seconds from an explicit end of utterance to the end of the turn.",
    )
    model_place_s: float = Field(
        1.0,
        ge=0,
        le=60,
        description="Seconds that a question waits for a place where the model's are all taken; "
        "then the robot says that it is busy. Longer, and people ask again into the silence. "
        "0: not at all.",
    )
    first_token_s: float = Field(
        10.0, gt=0, le=300, description="Seconds from the question to the reply's first text."
    )
    next_token_s: float = Field(
        10.0, gt=0, le=300, description="Seconds between two texts of a reply."
    )
    audio_s: float = Field(
        5.0,
        gt=0,
        le=60,
        description="Seconds from a piece to its first audio, and between two chunks of it.",
    )
    robot_answer_s: float = Field(
        5.0,
        gt=0,
        le=60,
        description="Seconds for a robot's listener to be reached, and for a robot that dialled "
        "out to answer a command.",
    )
    robot_turn_s: float = Field(
        300.0,
        gt=1,
        le=86400,
        description="Seconds for a whole turn that a controller asks for. Longer than the longest "
        "question with its answer.",
    )
    client_silence_s: float = Field(
        120.0,
        gt=1,
        le=86400,
        description="Seconds without a word from the client after which it counts as gone.",
    )


class Cutting(Section):
    """``[orchestrator.cutting]``: how a reply is cut into speakable pieces.

    Lengths are in code points of Latin text; a Chinese character counts as
    three, because it takes about as long to say as three letters.
    """

    overlap: bool = Field(
        True,
        description="Speak while the model still writes. Off: only when the reply is complete.",
    )
    min_tts_input_len: int = Field(
        6,
        ge=1,
        le=200,
        description="The shortest first piece. Short, because the listener waits for it.",
    )
    later_piece_len: int = Field(
        40,
        ge=1,
        le=500,
        description="The shortest later piece. Longer pieces sound better and nobody waits.",
    )
    longest_piece_len: int = Field(
        240,
        ge=20,
        le=1800,
        description="A piece is cut here at the latest, at a clause or a word.",
    )


class EagerSettings(Section):
    """``[orchestrator.eager]``: answers that are begun while the end of a turn is awaited."""

    enabled: bool = Field(
        True,
        description="Let model and synthesis begin at the first sign that a turn is over, on what "
        "was understood so far. Nothing of it is heard before the turn is over, and nothing if "
        "the user goes on.",
    )
    max_tries: int = Field(
        3,
        ge=1,
        le=20,
        description="Answers begun in one turn. Who pauses more often is thinking, and each costs.",
    )
    longest_speech_s: float = Field(
        10.0,
        gt=0,
        le=600,
        description="Seconds of speech after which nothing is begun early: long turns have many "
        "pauses, and their prompts cost most.",
    )


class RecorderSettings(Section):
    """``[orchestrator.recorder]``: whether conversations are recorded, and how much is kept."""

    folder: str = Field(
        "",
        description="Where every conversation is recorded, sound and text, a folder each. Empty: "
        "nothing is recorded, because what people say is their own.",
    )
    max_megabytes: float = Field(
        500.0,
        gt=0,
        le=4000,
        description="The longest recording, in MB of 1000000 bytes; it is cut there. Four hours "
        "of one direction at 16 kHz.",
    )
    max_conversations: int = Field(
        100, ge=1, le=100_000, description="Recordings that are kept; older ones are deleted."
    )
    min_free_megabytes: float = Field(
        1000.0,
        ge=0,
        description="Free space of the disk in MB below which nothing is recorded, so that the "
        "services never find it full.",
    )


class ProactiveSettings(Section):
    """``[orchestrator.proactive]``: what the robot says without being asked. Off by default."""

    greeting: str = Field(
        "", max_length=2000, description="Said when a conversation begins. Empty: nothing."
    )
    silence_prompt: str = Field(
        "",
        max_length=2000,
        description="Said once when nobody has spoken for silence_prompt_after_s. Empty: nothing.",
    )
    silence_prompt_after_s: float = Field(
        30.0, gt=0, le=86_400, description="Seconds of silence before silence_prompt."
    )
    goodbye: str = Field(
        "", max_length=2000, description="Said before the robot falls asleep. Empty: nothing."
    )
    sleep_after_s: float = Field(
        0.0,
        ge=0,
        le=86_400,
        description="Seconds of silence after which the robot is told to fall asleep. 0: never.",
    )


class OrchestratorSettings(ServerSettings):
    """``[orchestrator]``: the orchestrator."""

    port: int = Field(50050, ge=0, le=65535, description="gRPC port; 0: any free one.")
    metrics_port: int = Field(
        9450, ge=-1, le=65535, description="Prometheus port; 0: any free one, -1: none."
    )
    asr_target: Target = Field("127.0.0.1:50051", description="Where speech recognition is.")
    llm_target: Target = Field("127.0.0.1:50052", description="Where the language model is.")
    tts_target: Target = Field("127.0.0.1:50053", description="Where speech synthesis is.")
    max_conversations: int = Field(
        64,
        ge=1,
        le=10000,
        description="Conversations at once; one more is refused. About one core's worth.",
    )
    max_exchanges: int = Field(
        10, ge=0, le=1000, description="Question-and-answer pairs that the model is shown."
    )
    reply_lead_ms: int = Field(
        400,
        ge=60,
        le=600_000,
        description="How far reply audio runs ahead of play-out, in milliseconds. Enough for a "
        "network's hiccups, little enough that an interruption wastes nothing.",
    )
    synthesis_ahead_ms: int = Field(
        6_000,
        ge=500,
        le=60_000,
        description="How much synthesised audio may wait to be sent, in milliseconds. Hides the "
        "synthesis of the next piece; more is wasted when the user interrupts.",
    )
    microphone_coalescing_ms: int = Field(
        100,
        ge=0,
        le=200,
        description="With more than 8 conversations silence, and speech within a turn, go to ASR "
        "in messages of this length, in milliseconds, because messages are what costs. What may "
        "begin or end a turn goes at once, and so does the audio of few conversations. 0: always "
        "at once.",
    )
    outage_buffer_s: float = Field(
        8.0,
        ge=0,
        le=60,
        description="How much of the microphone's sound, in seconds, is kept for a recogniser that "
        "is lost. Twice the restart of the default one on a busy machine of two cores (4 s): "
        "what is said meanwhile is understood when it is back.",
    )
    robot_asr_target: OptionalTarget = Field(
        "",
        description="Where robots reach speech recognition: their listeners then stream to it "
        "themselves. Empty: their sound comes back to the orchestrator, which passes it on.",
    )
    robot_asr_ticket: SecretStr = Field(
        SecretStr(""),
        description="A secret that robots show to speech recognition as metadata "
        "`voicemesh-asr-ticket`, for the proxy that guards it where it is reached from outside. "
        "Empty: none is shown.",
    )
    no_speech_timeout_ms: int = Field(
        8_000,
        ge=100,
        le=600_000,
        description="How long a robot that was told to listen waits for speech, in milliseconds.",
    )
    robot_idle_s: float = Field(
        600.0,
        gt=0,
        le=86_400,
        description="Seconds after which the conversation with a robot is forgotten that nobody "
        "has asked for a turn.",
    )
    max_robots: int = Field(
        256,
        ge=1,
        le=10_000,
        description="Conversations with robots that are remembered; the longest idle is forgotten "
        "for a new one.",
    )
    deadlines: Deadlines = Field(default_factory=Deadlines)
    cutting: Cutting = Field(default_factory=Cutting)
    eager: EagerSettings = Field(default_factory=EagerSettings)
    floor: FloorSettings = Field(default_factory=FloorSettings)
    proactive: ProactiveSettings = Field(default_factory=ProactiveSettings)
    recorder: RecorderSettings = Field(default_factory=RecorderSettings)
