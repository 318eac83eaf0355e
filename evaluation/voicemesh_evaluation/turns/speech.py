"""Speech for the material: flite and espeak-ng, at 16 kHz, without silence around it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from voicemesh.audio import Samples, StreamResampler
from voicemesh.errors import EngineMissing

RATE_HERTZ = 16_000

# Sound this far below the loudest frame is silence, in dB: what trims a voice's own margins.
_SILENT_DB = 40.0
_FRAME = RATE_HERTZ // 100


@dataclass(frozen=True)
class SynthesisVoice:
    """A voice of one of the two synthesisers."""

    program: str
    """flite or espeak-ng."""
    name: str
    pace: float = 1.0
    """How fast it speaks; 1: its own pace."""

    @property
    def label(self) -> str:
        """For reports."""
        pace = "" if self.pace == 1 else f" x{self.pace:g}"
        return f"{self.program} {self.name}{pace}"

    def command(self, text: str, path: Path) -> list[str]:
        """The command that writes ``text`` as a WAV file."""
        if self.program == "flite":
            stretch = f"duration_stretch={1 / self.pace:.3f}"
            return ["flite", "-voice", self.name, "--setf", stretch, "-t", text, "-o", str(path)]
        words_a_minute = round(175 * self.pace)
        return ["espeak-ng", "-v", self.name, "-s", str(words_a_minute), "-w", str(path), text]


VOICES = (
    SynthesisVoice("flite", "rms"),
    SynthesisVoice("flite", "kal16"),
    SynthesisVoice("flite", "slt", 0.9),
    SynthesisVoice("flite", "rms", 1.15),
    SynthesisVoice("flite", "awb"),
    SynthesisVoice("espeak-ng", "en-us", 0.85),
)


async def speak(text: str, voice: SynthesisVoice, folder: Path) -> Samples:
    """``text`` in that voice: mono int16 at 16 kHz, trimmed; EngineMissing names the cure."""
    path = folder / "speech.wav"
    try:
        program = await asyncio.create_subprocess_exec(
            *voice.command(text, path), stderr=asyncio.subprocess.DEVNULL
        )
    except FileNotFoundError:
        raise EngineMissing(
            f"the {voice.program} command is missing; apt-get install {voice.program}"
        ) from None
    if await program.wait() != 0:
        raise EngineMissing(f"{voice.program} has no voice {voice.name}, or cannot say {text!r}")
    return await asyncio.to_thread(_read, path)


def _read(path: Path) -> Samples:
    samples, rate = soundfile.read(path, dtype="int16", always_2d=True)
    resampler = StreamResampler(rate, RATE_HERTZ)
    mono = samples[:, 0]
    return trimmed(np.concatenate([resampler.process(mono), resampler.finish()]))


def trimmed(samples: Samples) -> Samples:
    """``samples`` without the silence at both ends."""
    count = len(samples) // _FRAME
    frames = samples[: count * _FRAME].reshape(count, _FRAME).astype(np.float64)
    level = np.sqrt((frames**2).mean(axis=1))
    loud = np.flatnonzero(level > level.max(initial=1.0) * 10 ** (-_SILENT_DB / 20))
    if not len(loud):
        return samples[:0]
    return samples[loud[0] * _FRAME : (loud[-1] + 1) * _FRAME]
