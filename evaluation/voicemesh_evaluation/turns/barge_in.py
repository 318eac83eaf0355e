"""What somebody says into the robot's answer, and whether the robot stops for it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import numpy as np

from voicemesh.errors import VoiceMeshError
from voicemesh_evaluation.turns.material import HELD_OUT, SEEN, MaterialScript
from voicemesh_evaluation.turns.noises import NOISES
from voicemesh_evaluation.turns.scene import Scene, SpokenLine, act
from voicemesh_evaluation.turns.speech import VOICES, SynthesisVoice, speak

Kind = Literal["interruption", "backchannel", "noise"]

# Questions with long answers, so that there is something to interrupt.
_ASKER = SynthesisVoice("flite", "rms")
_LEAST_S, _MOST_S = 0.8, 4.0
# Of the sounds that want nothing, every so many-th is a noise.
_NOISES_EVERY = 4
_HELD_OUT_VOICES = (
    SynthesisVoice("flite", "slt", 1.1),
    SynthesisVoice("flite", "awb", 0.9),
    SynthesisVoice("flite", "kal16", 1.1),
    SynthesisVoice("flite", "rms", 0.9),
    SynthesisVoice("flite", "slt"),
    SynthesisVoice("espeak-ng", "en-gb", 0.9),
)
_SEED = 7


@dataclass(frozen=True)
class Trial:
    """What is to be said into an answer."""

    kind: Kind
    name: str
    question: SpokenLine
    reaction: SpokenLine
    after_s: float
    """How much of the answer is heard before."""
    group: str = ""
    """Which lines of the script the reaction belongs to; empty: to none."""


@dataclass(frozen=True)
class TrialResult:
    """A trial that was run."""

    trial: Trial
    scene: Scene

    @property
    def valid(self) -> bool:
        """Whether anything was said into an answer at all."""
        return len(self.scene.said) > 1

    @property
    def stopped(self) -> bool:
        """Whether the robot gave the floor away."""
        return self.scene.interrupted

    @property
    def went_on(self) -> bool:
        """Whether the answer went on, without a sample lost or repeated."""
        return not self.stopped and self.scene.went_on_exactly


async def make_trials(script: MaterialScript, count: int) -> list[Trial]:
    """``count`` real interruptions, and as many backchannels and noises together.

    Half of what is said are lines that were held out, in voices of their own.
    """
    rng = np.random.default_rng(_SEED)
    noises = count // _NOISES_EVERY
    with TemporaryDirectory() as name:
        folder = Path(name)
        questions = [
            SpokenLine(text, await speak(text, _ASKER, folder)) for text in script.long_questions
        ]
        said: list[tuple[Kind, str, SpokenLine]] = [
            *await _lines(
                "interruption", count, script.interruptions, script.interruptions_held_out, folder
            ),
            *await _lines(
                "backchannel",
                count - noises,
                script.backchannels,
                script.backchannels_held_out,
                folder,
            ),
        ]
    made = islice(cycle(NOISES), noises)
    said += [("noise", "", SpokenLine(make.__name__, make(rng))) for make in made]
    return [
        Trial(
            kind,
            f"{kind} {number:03d} {line.text}",
            questions[number % len(questions)],
            line,
            float(rng.uniform(_LEAST_S, _MOST_S)),
            group,
        )
        for number, (kind, group, line) in enumerate(said)
    ]


async def _lines(
    kind: Kind, count: int, seen: Sequence[str], held_out: Sequence[str], folder: Path
) -> list[tuple[Kind, str, SpokenLine]]:
    """Lines of both groups by turns; each time round in other voices."""
    said: list[tuple[Kind, str, SpokenLine]] = []
    for number in range(count):
        place = number // 2
        group, texts, voices = (SEEN, seen, VOICES)
        if number % 2:
            group, texts, voices = (HELD_OUT, held_out, _HELD_OUT_VOICES)
        text = texts[place % len(texts)]
        voice = voices[(place + place // len(texts)) % len(voices)]
        said.append((kind, group, SpokenLine(text, await speak(text, voice, folder), voice.label)))
    return said


async def run(target: str, trials: Sequence[Trial], at_once: int) -> BargeIn:
    """Run all trials, ``at_once`` conversations at the same time."""
    places = asyncio.Semaphore(at_once)

    async def one(trial: Trial) -> TrialResult | str:
        async with places:
            try:
                scene = await act(trial.name, target, trial.question, trial.reaction, trial.after_s)
            except VoiceMeshError as error:
                return f"{trial.name}: {error}"
            return TrialResult(trial, scene)

    found = await asyncio.gather(*(one(trial) for trial in trials))
    return BargeIn(
        [result for result in found if isinstance(result, TrialResult)],
        [result for result in found if isinstance(result, str)],
    )


@dataclass(frozen=True)
class BargeIn:
    """What came of all trials."""

    results: Sequence[TrialResult]
    failures: Sequence[str] = ()
    """Trials whose conversation was lost, and why."""

    def of(self, *kinds: Kind, group: str | None = None) -> list[TrialResult]:
        """The results that say something about these kinds, of one group or of all."""
        return [
            r
            for r in self.results
            if r.valid and r.trial.kind in kinds and group in (None, r.trial.group)
        ]

    @property
    def invalid(self) -> int:
        """Trials in which no answer came, or it was over too soon."""
        return sum(not r.valid for r in self.results)

    @property
    def stops_ms(self) -> list[float]:
        """How long the robot went on after the first sample of real interruptions."""
        stops = [r.scene.stop_ms for r in self.of("interruption")]
        return [ms for ms in stops if ms is not None]

    @property
    def taken(self) -> float | None:
        """The share of real interruptions that the robot stopped for; None: there was none."""
        return _share([r.stopped for r in self.of("interruption")])

    def ignored(self, *kinds: Kind) -> float | None:
        """The share of sounds of these kinds that the robot did not stop for."""
        return _share([not r.stopped for r in self.of(*kinds)])

    @property
    def resumed_exactly(self) -> float | None:
        """The share of answers that went on exactly, of those that paused and were not stopped."""
        rest = [r for r in self.of("backchannel", "noise") if not r.stopped]
        return _share([r.went_on for r in rest if r.scene.stop_ms is not None])

    @property
    def pauses_ms(self) -> list[float]:
        """How long answers paused for backchannels and noises."""
        pauses = [r.scene.pause_ms for r in self.of("backchannel", "noise") if not r.stopped]
        return [ms for ms in pauses if ms is not None]


def _share(values: Sequence[bool]) -> float | None:
    return sum(values) / len(values) if values else None
