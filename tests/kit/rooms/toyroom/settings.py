"""``[echo]``."""

from pathlib import Path

from pydantic import Field

from voicemesh.settings import Section, ServerSettings, with_engines


class EchoSettings(ServerSettings):
    port: int = Field(0, ge=0, le=65535, description="gRPC port.")
    metrics_port: int = Field(-1, ge=-1, le=65535, description="Prometheus port.")
    slots: int = Field(2, ge=1, description="How many streams.")
    outbox: int = Field(512, ge=1, description="Messages that may wait for a slow client.")
    engine: str = Field("parrot", description="Which bird.")
    load_trace: Path | None = Field(None, description="A file that gets a line at every load.")
    fails_to_load: bool = Field(False, description="Whether loading ends with an error.")
    loads_forever: bool = Field(False, description="Whether loading never ends.")


def section() -> type[Section]:
    return with_engines(EchoSettings, "voicemesh.toy_engines")
