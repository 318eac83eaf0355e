"""A parrot that is here and a dodo that is not."""

from pydantic import Field, SecretStr

from voicemesh.registry import EngineSpec, Probe
from voicemesh.settings import Section


class Parrot(Section):
    volume: int = Field(3, ge=1, le=5, description="How loud, 1 to 5.")
    words: list[str] = Field(default_factory=list, description="What it has learnt.")
    password: SecretStr = Field(SecretStr(""), description="What it must not say.")


class Dodo(Section):
    pass


PARROT = EngineSpec(
    "parrot",
    "repeats everything",
    "MIT",
    Parrot,
    factory=lambda config: config,
    probe=lambda: Probe(True, "it sits here"),
    tags=frozenset({"default"}),
)
DODO = EngineSpec(
    "dodo",
    "cannot fly",
    "MIT",
    Dodo,
    factory=lambda config: config,
    probe=lambda: Probe(False, "it is extinct", "choose another bird"),
)
