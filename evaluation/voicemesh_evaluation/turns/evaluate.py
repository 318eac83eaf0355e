"""Measures everything about turn-taking, one part after the other."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from voicemesh.errors import EngineMissing, VoiceMeshError
from voicemesh.supervisor import Mesh
from voicemesh_evaluation.turns import barge_in, echo_trials, mandarin
from voicemesh_evaluation.turns.endpointing import Endpointing
from voicemesh_evaluation.turns.figures import EARLY, ECHO, LIVE, MANDARIN, Figures
from voicemesh_evaluation.turns.late_work import discard_early_answers, read_late_work
from voicemesh_evaluation.turns.material import (
    HELD_OUT,
    SEEN,
    MaterialScript,
    Utterance,
    load_script,
    make_material,
)
from voicemesh_evaluation.turns.pictures import check, draw_scene, draw_trade_off
from voicemesh_evaluation.turns.recordings import read_folder
from voicemesh_evaluation.turns.scene import Scene, SpokenLine, act
from voicemesh_evaluation.turns.speech import RATE_HERTZ, SynthesisVoice, speak
from voicemesh_evaluation.turns.trade_off import (
    FIXED_MS,
    Point,
    adaptive_options,
    recognise_material,
    recognising_mesh,
    silence_options,
    sweep_adaptive,
    sweep_silence,
)
from voicemesh_robot.echo.choice import canceller_maker
from voicemesh_robot.echo.settings import EchoSettings

Progress = Callable[[str], None]

_ASKER = SynthesisVoice("flite", "rms")


@dataclass(frozen=True)
class Scope:
    """How much is measured."""

    material: Path | None = None
    """A folder of utterances; None: the script that ships, and everything else."""
    every: int = 1
    """Of the script's lines only every so many-th is said."""
    scales: bool = True
    """Whether the trade-off of the adaptive detector is measured too."""
    mandarin_seeds: int = 4
    barge_ins: int = 64
    """Interruptions, and as many backchannels and noises."""
    at_once: int = 3
    """Conversations at the same time; two cores have time for them."""
    early_answers: int = 6
    """Turns in which an answer is begun too early."""
    questions: int = 20
    echo_replies: int = 100
    """Replies without an interruption, and as many with one at each level."""


QUICK = Scope(
    every=7,
    scales=False,
    mandarin_seeds=1,
    barge_ins=8,
    early_answers=3,
    questions=5,
    echo_replies=6,
)


async def evaluate(scope: Scope, pictures: Path | None, progress: Progress) -> Figures:
    """All figures. ``progress`` gets a line for each part; pictures go into that folder.

    Of a folder of utterances only the ends of turns are measured.
    """
    script = load_script()
    figures = Figures()
    if pictures is not None:
        check()  # Whoever lacks something for the pictures learns it now.
    spoken, written = await _utterances(scope, script)
    if spoken:
        await _end_of_turn(figures, scope, spoken, progress)
    if written:
        _mandarin(figures, written, progress)
    if figures.adaptive is None and figures.mandarin:
        figures.adaptive, figures.fixed = figures.mandarin
        figures.mandarin = ()
    if pictures is not None and figures.points:
        title = str(scope.material or "the script that ships, English")
        draw_trade_off(figures.points, title, pictures / "trade_off.png")
    if scope.material is not None:
        why = "--material measures the ends of turns alone"
        figures.missing |= {LIVE: why, ECHO: why}
        return figures
    await _live(figures, scope, script, pictures, progress)
    await _echo(figures, scope, script, progress)
    return figures


async def _utterances(
    scope: Scope, script: MaterialScript
) -> tuple[list[Utterance], list[Utterance]]:
    """What is said to a recogniser, and what only its words stand for: Mandarin."""
    if scope.material is not None:
        found = await asyncio.to_thread(read_folder, scope.material)
        return (
            [utterance for utterance in found if not mandarin.is_chinese(utterance)],
            [utterance for utterance in found if mandarin.is_chinese(utterance)],
        )
    seeds = scope.mandarin_seeds
    return (
        [
            *await make_material(script.english[:: scope.every], SEEN),
            *await make_material(script.english_held_out[:: scope.every], HELD_OUT),
        ],
        [
            *mandarin.make_utterances(script.mandarin, seeds, SEEN),
            *mandarin.make_utterances(script.mandarin_held_out, seeds, HELD_OUT),
        ],
    )


async def _end_of_turn(
    figures: Figures, scope: Scope, utterances: list[Utterance], progress: Progress
) -> None:
    progress(
        f"end of turn: {len(utterances)} utterances, default detector and fixed {FIXED_MS} ms ..."
    )
    async with recognising_mesh() as mesh:
        found = await recognise_material(mesh, utterances, adaptive_options())
        figures.adaptive = Endpointing("adaptive", found)
        found = await recognise_material(mesh, utterances, silence_options(FIXED_MS))
        figures.fixed = Endpointing("silence", found)
        figures.points = [
            Point("adaptive", "waits x 1", figures.adaptive),
            Point("silence", f"{FIXED_MS} ms", figures.fixed),
        ]
        if scope.scales:
            progress("trade-off of the default detector ...")
            figures.points += await sweep_adaptive(mesh, utterances)
    progress("trade-off of fixed waits ...")
    figures.points += await sweep_silence(utterances)
    figures.points.sort(key=lambda point: (point.detector, point.endpointing.mean_wait_ms))


def _mandarin(figures: Figures, utterances: list[Utterance], progress: Progress) -> None:
    progress(f"Mandarin: {len(utterances)} transcripts with times ...")
    try:
        figures.mandarin = [mandarin.measure(utterances, name) for name in ("adaptive", "silence")]
    except EngineMissing as error:
        figures.missing[MANDARIN] = error.message


async def _live(
    figures: Figures,
    scope: Scope,
    script: MaterialScript,
    pictures: Path | None,
    progress: Progress,
) -> None:
    flags = {"mesh.log_level": "warning"}
    trials = await barge_in.make_trials(script, scope.barge_ins)
    async with Mesh(ephemeral=True, flags=flags, report=lambda line: None) as mesh:
        progress(f"response: {scope.questions} questions in real time ...")
        figures.scenes = await _questions(mesh.target, script, scope.questions)
        progress(f"barge-in: {len(trials)} answers in real time, {scope.at_once} at once ...")
        figures.barge_in = await barge_in.run(mesh.target, trials, scope.at_once)
        figures.late_work = await read_late_work(mesh)
    progress(f"discarded work: {scope.early_answers} answers that are begun too early ...")
    try:
        questions = script.long_questions[: scope.early_answers]
        figures.late_work += await discard_early_answers(questions, scope.at_once)
    except VoiceMeshError as error:
        figures.missing[EARLY] = error.message
    if pictures is not None:
        progress("pictures ...")
        for scene in (*figures.scenes, *(result.scene for result in figures.barge_in.results)):
            draw_scene(scene, pictures / f"{_file_name(scene.name)}.png")


async def _questions(target: str, script: MaterialScript, count: int) -> list[Scene]:
    texts = [script.questions[n % len(script.questions)] for n in range(count)]
    with TemporaryDirectory() as name:
        lines = {
            text: SpokenLine(text, await speak(text, _ASKER, Path(name))) for text in set(texts)
        }
    return [
        await act(f"question {number:02d} {text}", target, lines[text])
        for number, text in enumerate(texts)
    ]


def _file_name(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")


async def _echo(figures: Figures, scope: Scope, script: MaterialScript, progress: Progress) -> None:
    progress(f"echo: {scope.echo_replies} replies, and as many interrupted at each level ...")
    found = await echo_trials.measure(
        script.interruptions,
        scope.echo_replies,
        canceller_maker("builtin", RATE_HERTZ, EchoSettings().times()),
    )
    figures.echo_replies = scope.echo_replies
    figures.self_interruptions_per_100 = found.self_interruptions_per_100
    figures.echo_interruptions_taken = found.echo_interruptions_taken
    figures.echo_noticed_ms = found.noticed_ms
