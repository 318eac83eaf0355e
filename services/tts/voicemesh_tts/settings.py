"""``[tts]``: the settings of the synthesis service."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from voicemesh.engine_choices import EngineChoice
from voicemesh.server.stream_patience import StreamDeadlines
from voicemesh.settings import ServerSettings, with_engines

ENGINES = "voicemesh.tts_engines"


class TtsSettings(ServerSettings):
    """``[tts]``: the synthesis service."""

    port: int = Field(50053, ge=0, le=65535, description="gRPC port; 0: any free one.")
    metrics_port: int = Field(
        9453,
        ge=-1,
        le=65535,
        description="Prometheus port; 0: any free one, -1: no metrics server.",
    )
    engine: Annotated[str, EngineChoice(ENGINES)] = Field(
        "auto",
        description="The engine; `voicemesh doctor` lists those that are installed. auto: for each "
        "language the best voice that is here.",
    )
    language: str = Field(
        "en",
        description="BCP-47 language of streams that name none: how numbers without words around "
        "them are read. Letters are always read in the language of their script.",
    )
    latin_language: str = Field(
        "en",
        description="Language of Latin letters where the stream's own language is written "
        "otherwise, such as English names in Chinese text.",
    )
    voices: dict[str, str] = Field(
        default_factory=dict,
        description='Voice by primary language, such as {zh = "espeak-yue"}; languages that are '
        "not named get the engine's first voice for them.",
    )
    max_concurrent_streams: int = Field(
        64,
        ge=1,
        le=4096,
        description="Streams at once; one more is refused at once. One stream is one conversation; "
        "the embedded engine speaks about 80 times faster than real time on two cores.",
    )
    replies_per_second: float = Field(
        5.0,
        gt=0,
        le=10_000,
        description="Replies that one stream may have begun in a second, and as many at once after "
        "a pause; a newer one waits, and those that it replaces are never begun. A conversation "
        "begins two or three a turn; a client that begins and takes back all the time would keep "
        "the voices from everybody.",
    )
    deadlines: StreamDeadlines = Field(default_factory=StreamDeadlines)
    max_waiting_pieces: int = Field(
        64,
        ge=1,
        le=1024,
        description="Pieces of a reply that may wait on a stream. Orchestrators send a few ahead.",
    )
    sentence_pause_ms: int = Field(
        320,
        ge=0,
        le=2000,
        description="Silence after a sentence, in milliseconds at speaking rate 1; what flite "
        "itself leaves there.",
    )
    clause_pause_ms: int = Field(
        160, ge=0, le=2000, description="Silence after a comma or colon, in milliseconds at rate 1."
    )
    joint_pause_ms: int = Field(
        40,
        ge=0,
        le=2000,
        description="Silence where the voice changes within a phrase, in milliseconds at rate 1. "
        "Words of two voices run into each other without it.",
    )
    unit_deadline_s: float = Field(
        10.0,
        gt=0,
        le=300,
        description="Longest wait for the first audio of a unit, in seconds, its turn in the queue "
        "included. Long enough for a dead process to be replaced.",
    )


def section() -> type[TtsSettings]:
    """The section with the settings of every installed engine."""
    return with_engines(TtsSettings, ENGINES)
