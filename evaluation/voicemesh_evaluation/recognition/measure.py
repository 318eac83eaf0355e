"""Measures a running recogniser on people's recordings, one language after the other."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from voicemesh.errors import Unsupported, failure_of
from voicemesh.grpc_client import open_channel
from voicemesh.language_tags import primary_language
from voicemesh.supervisor import Mesh
from voicemesh.v1.asr_pb2_grpc import SpeechRecognizerServiceStub
from voicemesh_evaluation.process_tree import cpu_s
from voicemesh_evaluation.recognition.clip import Clip, read_clip, with_white_noise
from voicemesh_evaluation.recognition.figures import Figures, Group, SoundGroup
from voicemesh_evaluation.recognition.hearing import Heard, hear
from voicemesh_evaluation.recognition.material import Material, Recording, Sound

if TYPE_CHECKING:  # The stubs' asynchronous types exist for type checkers only.
    from voicemesh.v1.asr_pb2_grpc import SpeechRecognizerServiceAsyncStub

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Scope:
    """How it is measured."""

    noises_db: Sequence[float] = ()
    """White noise so far below the speech, each in groups of its own."""
    speakers: int = 1
    """Who speak at once; more than one: in real time."""
    real_time: bool = False
    target: str = ""
    """A service that runs; empty: one is started for each language."""
    config: Path | None = None
    flags: Mapping[str, str] = field(default_factory=dict)
    """Settings of a service that is started, as for :class:`Mesh`."""
    usual_language: str = "en"
    """BCP-47; a service that is set to it hears the sounds, which are in no language."""
    languages_set: bool = False
    """Whether the settings say which languages are spoken: then one service hears all."""

    @property
    def paced(self) -> bool:
        """Whether clips are sent at the pace at which they were said."""
        return self.real_time or self.speakers > 1


@dataclass(frozen=True)
class _Trial:
    """A clip that is to be heard, and where it counts."""

    said: Recording | Sound
    noise_db: float | None = None

    @property
    def group(self) -> str:
        """That of a recording, or the kind of a sound."""
        name = self.said.group if isinstance(self.said, Recording) else self.said.kind
        return name if self.noise_db is None else f"{name} noise {self.noise_db:g} dB"

    def clip(self) -> Clip:
        speech_s = self.said.speech_s if isinstance(self.said, Recording) else None
        clip = read_clip(self.said.path, speech_s)
        return clip if self.noise_db is None else with_white_noise(clip, self.noise_db)


@dataclass(frozen=True)
class _Service:
    """A recogniser that runs."""

    stub: SpeechRecognizerServiceAsyncStub
    pid: int | None
    """None: it is not on this machine, or not ours."""

    def cpu_s(self) -> float | None:
        return None if self.pid is None else cpu_s(self.pid)


async def measure(material: Material, scope: Scope, progress: Progress) -> Figures:
    """All figures; ``progress`` gets a line for each part."""
    figures = Figures(speakers=scope.speakers, real_time=scope.paced)
    for language, trials in _parts(material, scope, figures).items():
        progress(f"{language}: {len(trials)} clips ...")
        async with _service(scope, language) as service:
            try:
                await _hear_all(service, language, trials, figures)
            except Unsupported as error:
                figures.not_heard[language] = error.message
                figures.drop(language)
    return figures


def _parts(material: Material, scope: Scope, figures: Figures) -> dict[str, list[_Trial]]:
    """What is to be heard, by the language of who hears it, and the groups that it counts in."""
    parts: dict[str, list[_Trial]] = {}
    written = {recording.group for recording in material.recordings if recording.text is not None}
    for noise_db in (None, *scope.noises_db):
        for recording in material.recordings:
            if noise_db is not None and recording.group not in written:
                continue
            trial = _Trial(recording, noise_db)
            language = primary_language(recording.language)
            group = figures.groups.setdefault(trial.group, Group(language))
            if recording.text is None:
                group.without_text += 1
            else:
                parts.setdefault(language, []).append(trial)
    if material.sounds:
        sounds = [_Trial(sound) for sound in material.sounds]
        parts.setdefault(primary_language(scope.usual_language), []).extend(sounds)
    return parts


@asynccontextmanager
async def _service(scope: Scope, language: str) -> AsyncIterator[_Service]:
    """The one that runs, or one of our own that is set to this language."""
    if scope.target:
        async with open_channel(scope.target) as channel:
            yield _Service(SpeechRecognizerServiceStub(channel), None)
        return
    flags = {"mesh.log_level": "warning", **scope.flags}
    if not scope.languages_set:
        flags["mesh.languages"] = json.dumps([language])
    mesh = Mesh(
        ("asr",), config=scope.config, flags=flags, ephemeral=True, report=lambda event: None
    )
    async with mesh:
        asr = mesh.services["asr"]
        async with open_channel(asr.planned.target) as channel:
            yield _Service(SpeechRecognizerServiceStub(channel), asr.pid)


async def _hear_all(
    service: _Service, language: str, trials: Sequence[_Trial], figures: Figures
) -> None:
    waiting = iter(trials)

    async def speaker() -> None:
        for trial in waiting:
            clip = await asyncio.to_thread(trial.clip)
            told = language if isinstance(trial.said, Recording) else ""
            heard = await hear(service.stub, clip, told, figures.real_time)
            figures.audio_s += heard.seconds
            _count(figures, language, trial, heard)

    before_s = service.cpu_s()
    try:
        async with asyncio.TaskGroup() as speakers:
            for _ in range(figures.speakers):
                speakers.create_task(speaker())
    except BaseExceptionGroup as group:
        raise failure_of(group) from None
    after_s = service.cpu_s()
    if before_s is None or after_s is None:
        figures.cpu_s = None
    elif figures.cpu_s is not None:
        figures.cpu_s += after_s - before_s


def _count(figures: Figures, language: str, trial: _Trial, heard: Heard) -> None:
    if heard.refused:
        figures.refused += 1
        return
    figures.engines[language] = heard.engine
    figures.final_pass_ms += heard.final_pass_ms
    said = trial.said
    if isinstance(said, Sound):
        sounds = figures.no_turn.setdefault(trial.group, SoundGroup())
        sounds.clips[said.name] = bool(heard.turns)
    elif said.text is not None:
        figures.groups[trial.group].add(said.name, said.text, heard)
