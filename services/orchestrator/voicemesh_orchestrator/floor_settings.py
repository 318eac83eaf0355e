"""``[orchestrator.floor]``: who may speak when; its words are judged in ``barge_in/``."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from voicemesh.settings import Section

PolicyName = Literal["stop", "pause", "duck", "ignore"]


class FloorSettings(Section):
    """``[orchestrator.floor]``: what happens when somebody speaks while the robot does."""

    interruption_policy: PolicyName = Field(
        "pause",
        description="stop: the reply ends at the first sound. pause: it pauses until it is clear "
        "what was meant. duck: it gets quieter until then. ignore: it goes on, and what was said "
        "is answered afterwards. A command to be quiet always wins. A client may choose for its "
        "conversation.",
    )
    min_words: int = Field(
        2,
        ge=1,
        le=10,
        description="So many words over a reply interrupt it. One alone is often a noise that "
        "was taken for a word.",
    )
    min_characters: int = Field(
        2, ge=1, le=20, description="The same for Chinese, where a character counts as a word."
    )
    hard_stop_phrases: tuple[str, ...] = Field(
        (),
        max_length=100,
        description="Commands to be quiet beside the usual ones, such as the robot's own.",
    )
    backchannel_phrases: tuple[str, ...] = Field(
        (),
        max_length=100,
        description="Sounds of listening beside the usual ones: they interrupt nothing.",
    )
    resume_after_ms: int = Field(
        1_750,
        ge=200,
        le=10_000,
        description="The reply goes on when nothing was understood for so many milliseconds. "
        "Longer than a recogniser needs for two words.",
    )
    duck_volume: float = Field(
        0.3,
        ge=0,
        le=1,
        description="The volume of a reply that is ducked, as a share of the usual one: quiet "
        "enough to speak over, loud enough to follow.",
    )
    listen_while_speaking: bool = Field(
        True,
        description="Keep the microphone that was opened for a turn open while it is answered, so "
        "that the user can interrupt. Off: it is closed at the end of the turn, for robots that "
        "hear themselves. A client whose microphone is always open is heard in any case.",
    )
    longest_user_turn_s: float = Field(
        0.0,
        ge=0,
        le=120,
        description="Seconds after which the robot takes the floor from a user who does not stop "
        "speaking, and answers what was said so far. 0: never. Of no use above asr.max_turn_ms, "
        "where recognition cuts the turn; robots that stream to recognition themselves have it "
        "cut here, after 1 s at the earliest, and what the user then goes on with is heard as "
        "said over the answer.",
    )
