"""How long to wait, and what it costs: waits against false cut-offs."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

from voicemesh.supervisor import Mesh
from voicemesh.v1 import asr_pb2 as pb
from voicemesh_evaluation.turns.endpointing import (
    Endpointing,
    UtteranceOutcome,
    recognise_utterances,
)
from voicemesh_evaluation.turns.material import Utterance

AT_ONCE = min(6, max(2, os.cpu_count() or 1))
"""Utterances that are heard at the same time: fewer than recognisers have places for, because a
speaker who has finished may still hold one when the next one begins."""
FIXED_MS = 700
FIXED_WAITS_MS = (300, 400, 500, 600, 850, 1000)
SCALES = (0.75, 1.5)
"""Of the adaptive detector's waits; the measurement at 1 is the report's own."""
# Its waits at scale 1, in milliseconds, as the service's defaults are.
_ADAPTIVE_MS = {"sentence_end": 300, "clause_end": 400, "no_mark": 700, "unfinished": 1200}


@dataclass(frozen=True)
class Point:
    """A detector's place on the curve."""

    detector: str
    setting: str
    endpointing: Endpointing


def silence_options(wait_ms: int) -> pb.TurnDetectorOptions:
    """The same silence after everything."""
    return pb.TurnDetectorOptions(name="silence", no_mark_wait_ms=wait_ms)


def adaptive_options(scale: float = 1.0) -> pb.TurnDetectorOptions:
    """The adaptive detector, as the service sets it, or with all waits scaled."""
    if scale == 1:
        return pb.TurnDetectorOptions(name="adaptive")
    waits = {f"{name}_wait_ms": round(ms * scale) for name, ms in _ADAPTIVE_MS.items()}
    return pb.TurnDetectorOptions(name="adaptive", **waits)


def recognising_mesh(engine: str = "") -> Mesh:
    """Speech recognition alone, on a free port, for ``AT_ONCE`` speakers."""
    flags = {"mesh.log_level": "warning"}
    if engine:
        flags["asr.engine"] = engine
    return Mesh(("asr",), flags=flags, ephemeral=True, report=lambda line: None)


async def recognise_material(
    mesh: Mesh, utterances: Sequence[Utterance], options: pb.TurnDetectorOptions
) -> list[UtteranceOutcome]:
    """What the recogniser of a mesh makes of the utterances."""
    return await recognise_utterances(
        mesh.services["asr"].planned.target, utterances, options, AT_ONCE
    )


async def sweep_silence(utterances: Sequence[Utterance]) -> list[Point]:
    """Fixed waits. What was said does not matter to them, so nothing is recognised."""
    points: list[Point] = []
    async with recognising_mesh("simulated") as mesh:
        for wait_ms in FIXED_WAITS_MS:
            outcomes = await recognise_material(mesh, utterances, silence_options(wait_ms))
            points.append(Point("silence", f"{wait_ms} ms", Endpointing("silence", outcomes)))
    return points


async def sweep_adaptive(mesh: Mesh, utterances: Sequence[Utterance]) -> list[Point]:
    """The adaptive detector with its waits scaled, at a recogniser that runs."""
    points: list[Point] = []
    for scale in SCALES:
        outcomes = await recognise_material(mesh, utterances, adaptive_options(scale))
        points.append(Point("adaptive", f"waits x {scale:g}", Endpointing("adaptive", outcomes)))
    return points
