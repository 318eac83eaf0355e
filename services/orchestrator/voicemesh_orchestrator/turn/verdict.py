"""What was meant by whoever spoke over a reply."""

from __future__ import annotations

from enum import Enum


class Verdict(Enum):
    """What was meant."""

    SILENT = "silent"
    """Nothing has been understood: a noise, or words that are still to come."""
    UNCLEAR = "unclear"
    """Too little to tell."""
    BACKCHANNEL = "backchannel"
    """The listener wants the robot to go on."""
    ECHO = "echo"
    """The robot hears itself."""
    INTERRUPTION = "interruption"
    """The user wants the floor."""
    HARD_STOP = "hard_stop"
    """The user wants silence."""
