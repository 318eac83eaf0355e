"""Settings of the simulated recogniser."""

from __future__ import annotations

from pydantic import Field

from voicemesh.settings import Section


class SimulatedSettings(Section):
    """``[asr.simulated]``: what is heard, and how long a real engine would take."""

    texts: tuple[str, ...] = Field(
        ("What is artificial intelligence?",),
        min_length=1,
        description="What the utterances of a speaker say, one after the other and over again. "
        "The default is the question of `voicemesh bench`.",
    )
    languages: tuple[str, ...] = Field(
        ("en", "zh"),
        min_length=1,
        description="BCP-47 languages that are heard. Those that the mesh itself judges by rules.",
    )
    final_delay_ms: float = Field(
        0.0,
        ge=0,
        le=60_000,
        description="Milliseconds that the final pass takes. 0: what a mesh adds is then seen "
        "alone.",
    )
    final_delay_ms_per_second: float = Field(
        0.0,
        ge=0,
        le=60_000,
        description="Milliseconds that each second of the utterance adds to the final pass, for "
        "models that transcribe the whole utterance at its end. 0: a streaming model.",
    )
    realtime_factor: float = Field(
        0.0,
        ge=0,
        le=10,
        description="Seconds of work on each second of audio as it comes in. 0: none; from 1 on "
        "the engine falls behind.",
    )
    interim_every_ms: int = Field(
        0,
        ge=0,
        le=10_000,
        description="Audio in milliseconds between two running texts. 0: finals only, as models "
        "that are not streaming.",
    )
    jobs_at_once: int = Field(
        0,
        ge=0,
        le=4096,
        description="Passes that the device works on at once; others wait. 0: no limit. A TPU "
        "core takes one.",
    )
    workers: int = Field(
        64,
        ge=1,
        le=4096,
        description="Utterances that are heard at once; one more waits. As many as the "
        "orchestrator takes conversations.",
    )
