"""Measures everything about turn-taking, one part after the other."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from voicemesh.errors import EngineMissing
from voicemesh.supervisor import Mesh
from voicemesh_robot.echo.settings import EchoSettings
from voicemesh_robot.evaluation.turns import barge_in, echo_trials, mandarin
from voicemesh_robot.evaluation.turns.endpointing import Endpointing
from voicemesh_robot.evaluation.turns.figures import Figures
from voicemesh_robot.evaluation.turns.material import (
    Script,
    Utterance,
    load_script,
    make_material,
    read_folder,
)
from voicemesh_robot.evaluation.turns.pictures import draw_scene, draw_trade_off
from voicemesh_robot.evaluation.turns.scene import Line, Scene, act
from voicemesh_robot.evaluation.turns.speech import Voice, speak
from voicemesh_robot.evaluation.turns.trade_off import (
    FIXED_MS,
    Point,
    adaptive_options,
    hear,
    recognising_mesh,
    silence_options,
    sweep_adaptive,
    sweep_silence,
)

Say = Callable[[str], None]

_ASKER = Voice("flite", "rms")


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
    barge_ins: int = 48
    """Interruptions, and as many backchannels and noises."""
    at_once: int = 2
    """Conversations at the same time."""
    questions: int = 20
    echo_replies: int = 100
    """Replies without an interruption, and as many with one at each level."""


QUICK = Scope(every=7, scales=False, mandarin_seeds=1, barge_ins=6, questions=5, echo_replies=6)


async def evaluate(scope: Scope, pictures: Path | None, say: Say) -> Figures:
    """All figures. ``say`` gets a line for each part; pictures go into that folder.

    Of a folder of utterances only the ends of turns are measured.
    """
    script = load_script()
    figures = Figures()
    if scope.material is not None:
        utterances = read_folder(scope.material)
    else:
        utterances = await make_material(script.english[:: scope.every])
    await _end_of_turn(figures, scope, utterances, say)
    if pictures is not None:
        title = str(scope.material or "the script that ships, English")
        draw_trade_off(figures.points, title, pictures / "trade_off.png")
    if scope.material is not None:
        why = "because --material measures the ends of turns alone"
        figures.missing = {"everything but the ends of turns": why}
        return figures
    _mandarin(figures, scope, script, say)
    await _live(figures, scope, script, pictures, say)
    await _echo(figures, scope, script, say)
    return figures


async def _end_of_turn(
    figures: Figures, scope: Scope, utterances: list[Utterance], say: Say
) -> None:
    say(f"end of turn: {len(utterances)} utterances, default detector and fixed {FIXED_MS} ms ...")
    async with recognising_mesh() as mesh:
        found = await hear(mesh, utterances, adaptive_options())
        figures.adaptive = Endpointing("adaptive", found)
        found = await hear(mesh, utterances, silence_options(FIXED_MS))
        figures.fixed = Endpointing("silence", found)
        figures.points = [Point("adaptive", "waits x 1", figures.adaptive)]
        if scope.scales:
            say("trade-off of the default detector ...")
            figures.points += await sweep_adaptive(mesh, utterances)
    say("trade-off of fixed waits ...")
    figures.points += await sweep_silence(utterances)


def _mandarin(figures: Figures, scope: Scope, script: Script, say: Say) -> None:
    scripts = mandarin.make_scripts(script.mandarin, scope.mandarin_seeds)
    say(f"Mandarin: {len(scripts)} scripted transcripts ...")
    try:
        figures.mandarin = [mandarin.measure(scripts, name) for name in ("adaptive", "silence")]
    except EngineMissing as error:
        figures.missing["Mandarin"] = error.message


async def _live(
    figures: Figures, scope: Scope, script: Script, pictures: Path | None, say: Say
) -> None:
    flags = {
        "mesh.log_level": "warning",
        # A conversation that ends may still hold its place when the next one begins.
        "asr.pocketsphinx.workers": str(scope.at_once + 1),
    }
    trials = await barge_in.make_trials(script, scope.barge_ins)
    async with Mesh(ephemeral=True, flags=flags, report=lambda line: None) as mesh:
        say(f"response: {scope.questions} questions in real time ...")
        figures.scenes = await _questions(mesh.target, script, scope.questions)
        say(f"barge-in: {len(trials)} answers in real time, {scope.at_once} at once ...")
        figures.barge_in = await barge_in.run(mesh.target, trials, scope.at_once)
    if pictures is not None:
        say("pictures ...")
        for scene in (*figures.scenes, *(result.scene for result in figures.barge_in.results)):
            draw_scene(scene, pictures / f"{_file_name(scene.name)}.png")


async def _questions(target: str, script: Script, count: int) -> list[Scene]:
    texts = [script.questions[n % len(script.questions)] for n in range(count)]
    with TemporaryDirectory() as name:
        lines = {text: Line(text, await speak(text, _ASKER, Path(name))) for text in set(texts)}
    return [
        await act(f"question {number:02d} {text}", target, lines[text])
        for number, text in enumerate(texts)
    ]


def _file_name(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")


async def _echo(figures: Figures, scope: Scope, script: Script, say: Say) -> None:
    say(f"echo: {scope.echo_replies} replies, and as many interrupted at each level ...")
    found = await echo_trials.measure(
        script.interruptions, scope.echo_replies, EchoSettings().times()
    )
    figures.echo_replies = scope.echo_replies
    figures.self_interruptions_per_100 = found.self_interruptions_per_100
    figures.echo_interruptions_taken = found.echo_interruptions_taken
