"""``[echo]``."""

from pathlib import Path
from typing import Annotated

from pydantic import Field

from voicemesh.engine_choices import EngineChoice
from voicemesh.settings import Section, ServerSettings, with_engines
from voicemesh.targets import Target


class EchoSettings(ServerSettings):
    port: int = Field(0, ge=0, le=65535, description="gRPC port.")
    metrics_port: int = Field(-1, ge=-1, le=65535, description="Prometheus port.")
    slots: int = Field(2, ge=1, description="How many streams.")
    outbox: int = Field(512, ge=1, description="Messages that may wait for a slow client.")
    engine: Annotated[str, EngineChoice("voicemesh.toy_engines")] = Field(
        "parrot", description="Which bird."
    )
    target: Target = Field("127.0.0.1:9", description="Where the other end of the room is.")
    nap_ms: int = Field(400, ge=20, le=900, description="How long it may sleep, in milliseconds.")
    song: str = Field("tweet tweet", pattern="t$", description="What it sings. Ends with a t.")
    nicknames: dict[str, str] = Field(default_factory=dict, description="What it is called too.")
    song_file: Path | None = Field(None, description="A song that it must know before it starts.")
    load_trace: Path | None = Field(None, description="A file that gets a line at every load.")
    fails_to_load: bool = Field(False, description="Whether loading ends with an error.")
    loads_forever: bool = Field(False, description="Whether loading never ends.")


def section() -> type[Section]:
    return with_engines(EchoSettings, "voicemesh.toy_engines")
