"""Settings of the simulated voice."""

from __future__ import annotations

from pydantic import Field

from voicemesh.settings import Section


class SimulatedSettings(Section):
    """``[tts.simulated]``: how long speech lasts, and how long a real voice would take."""

    languages: tuple[str, ...] = Field(
        ("en", "zh"), min_length=1, description="Primary BCP-47 languages that it speaks."
    )
    sample_rate_hertz: int = Field(
        16_000, ge=8_000, le=48_000, description="The voice's own rate, in hertz."
    )
    first_chunk_ms: float = Field(
        30.0,
        ge=0,
        le=60_000,
        description="Milliseconds from a unit of text to its first audio. 30: a small streaming "
        "voice.",
    )
    realtime_factor: float = Field(
        20.0,
        gt=0,
        le=10_000,
        description="How many times faster than it plays the audio after the first chunk is made. "
        "20: a small voice; below 1 units begin later, by the ratio, and pause between each other.",
    )
    seconds_per_character: float = Field(
        0.06,
        gt=0,
        le=2,
        description="Seconds of audio per character of text at speaking rate 1. 0.06: English at "
        "an easy pace; Chinese takes about 0.2.",
    )
    chunk_ms: int = Field(
        20,
        ge=1,
        le=60_000,
        description="Milliseconds of audio in each chunk that the voice gives out. Longer than a "
        "unit of text: a voice that does not stream.",
    )
    tone_hertz: int = Field(
        400,
        ge=1,
        le=4_000,
        description="The tone that stands for speech, in whole hertz, so that it repeats every "
        "second. 400: easy to find in a recording.",
    )
    jobs_at_once: int = Field(
        0,
        ge=0,
        le=4096,
        description="Units that the device speaks at once; others wait. 0: no limit. A TPU core "
        "takes one.",
    )
