"""What ``voicemesh doctor`` says about a robot's sound."""

from __future__ import annotations

from voicemesh.check import Check
from voicemesh.registry import probe_import
from voicemesh.settings import Settings


def sound_checks(settings: Settings) -> list[Check]:
    """Whether sound cards can be used here."""
    probe = probe_import("pyaudio", "PyAudio", "voicemesh-robot[audio]")
    if probe.usable:
        return [Check("sound cards", "ok", f"{probe.reason}; `voicemesh devices` lists them")]
    cure = f"apt-get install portaudio19-dev gcc python3-dev, then {probe.cure}"
    return [Check("sound cards", "warn", f"{probe.reason}: only files can be heard", cure)]
