"""Questions in synthetic voices, for where nobody has recorded people."""

from __future__ import annotations

from pathlib import Path

import soundfile

from voicemesh_evaluation.recognition.material import Material, Recording
from voicemesh_evaluation.turns.material import load_script
from voicemesh_evaluation.turns.speech import RATE_HERTZ, VOICES, speak

GROUP = "synthetic"


async def make_material(folder: Path) -> Material:
    """The questions of `voicemesh eval turns`, voice by voice, as files in ``folder``.

    EngineMissing, with the cure, where a synthesiser is missing.
    """
    script = load_script()
    recordings = []
    for number, text in enumerate((*script.questions, *script.long_questions)):
        voice = VOICES[number % len(VOICES)]
        path = folder / f"{number:02d} {voice.label}.wav"
        soundfile.write(path, await speak(text, voice, folder), RATE_HERTZ)
        recordings.append(Recording(path, path.name, GROUP, "en", text))
    return Material(recordings, ())
