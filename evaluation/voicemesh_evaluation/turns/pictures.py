"""Pictures: a conversation on a time axis, and the curve of waits against false cut-offs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from voicemesh.audio import Samples
from voicemesh.audio_format import FULL_SCALE
from voicemesh.errors import EngineMissing
from voicemesh.v1 import asr_pb2, common_pb2, dialog_pb2
from voicemesh_evaluation.turns.scene import Scene
from voicemesh_evaluation.turns.sound_booth import Sounding
from voicemesh_evaluation.turns.speech import RATE_HERTZ
from voicemesh_evaluation.turns.trade_off import Point
from voicemesh_robot.local_vad import Voice, make_local_vad

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_ROWS = ("playback", "TTS", "LLM", "mesh", "turn", "VAD", "user")
_COLOURS = {
    "user": "#2a6fb0",
    "VAD": "#7fb2de",
    "turn": "#444444",
    "mesh": "#444444",
    "LLM": "#d98324",
    "TTS": "#b04a7a",
    "playback": "#3b8f5a",
}
_HALF = 0.4
_ENVELOPE_S = 0.02
_DPI = 80
_MARKS: dict[int, tuple[str, str]] = {
    asr_pb2.TURN_EVENT_TYPE_START_OF_TURN: (">", "start"),
    asr_pb2.TURN_EVENT_TYPE_EAGER_END_OF_TURN: ("s", "eager"),
    asr_pb2.TURN_EVENT_TYPE_TURN_RESUMED: ("<", "resumed"),
    asr_pb2.TURN_EVENT_TYPE_END_OF_TURN: ("D", "end"),
}
_NEWS: dict[type, str] = {
    dialog_pb2.ReplyPaused: "pause",
    dialog_pb2.ReplyDucked: "duck",
    dialog_pb2.ReplyResumed: "resume",
    dialog_pb2.ReplyInterrupted: "stop",
}


def check() -> None:
    """EngineMissing where matplotlib is not installed."""
    _figure(1, 1)


def _figure(width: float, height: float) -> Figure:
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise EngineMissing(
            "pictures need matplotlib; pip install 'voicemesh-evaluation[pictures]', or leave out "
            "--pictures"
        ) from None
    return Figure(figsize=(width, height), dpi=_DPI, layout="constrained")


def _save(figure: Figure, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, format="png")  # By Agg: a figure without pyplot has no window.


def draw_scene(scene: Scene, path: Path) -> None:
    """Write the conversation as a PNG file; EngineMissing where matplotlib is not installed."""
    figure = _figure(10, 4)
    axes = figure.add_subplot()
    _draw_sound(axes, "user", scene.said, scene.zero_s)
    for begin_s, end_s in _voiced(scene):
        _bar(axes, "VAD", begin_s, end_s)
    _draw_events(axes, scene)
    _draw_work(axes, scene)
    _draw_sound(axes, "playback", scene.played, scene.zero_s)
    axes.set_yticks(range(len(_ROWS)), _ROWS)
    axes.set_ylim(-0.6, len(_ROWS) - 0.2)
    axes.set_xlim(0, max(1.0, scene.end_s - scene.zero_s))
    axes.set_xlabel("seconds")
    axes.set_title(scene.name, fontsize=10)
    axes.grid(axis="x", linewidth=0.3)
    _save(figure, path)


def _bar(axes: Axes, row: str, begin_s: float, end_s: float) -> None:
    y = _ROWS.index(row)
    axes.broken_barh(
        [(begin_s, max(0.01, end_s - begin_s))], (y - _HALF / 2, _HALF), color=_COLOURS[row]
    )


def _draw_sound(axes: Axes, row: str, sounds: Sequence[Sounding], zero_s: float) -> None:
    y = _ROWS.index(row)
    for sound in _joined(sounds):
        size = int(_ENVELOPE_S * RATE_HERTZ)
        count = max(1, len(sound.samples) // size)
        frames = np.resize(np.abs(sound.samples.astype(np.float64)), (count, size))
        height = np.maximum(0.02, np.sqrt(frames.max(axis=1) / FULL_SCALE) * _HALF)
        times = sound.begin_s - zero_s + np.arange(count) * _ENVELOPE_S
        axes.fill_between(times, y - height, y + height, color=_COLOURS[row], linewidth=0)
        if sound.label:
            axes.text(times[0], y + _HALF, sound.label, fontsize=8, va="bottom")


def _joined(sounds: Sequence[Sounding]) -> list[Sounding]:
    """Buffers that follow each other as one sound."""
    groups: list[list[Sounding]] = []
    for sound in sounds:
        if groups and not sound.label and sound.begin_s - groups[-1][-1].end_s < _ENVELOPE_S:
            groups[-1].append(sound)
        else:
            groups.append([sound])
    return [
        Sounding(g[0].begin_s, np.concatenate([s.samples for s in g]), g[0].label) for g in groups
    ]


def _voiced(scene: Scene) -> Iterator[tuple[float, float]]:
    """Where the robot's own detector hears speech, in seconds after the scene's zero."""
    length = int((scene.end_s - scene.zero_s + 1) * RATE_HERTZ)
    microphone: Samples = np.zeros(length, dtype=np.int16)
    for sound in scene.said:
        begin = int((sound.begin_s - scene.zero_s) * RATE_HERTZ)
        part = sound.samples[: max(0, length - begin)]
        microphone[begin : begin + len(part)] = part
    vad = make_local_vad("silero", 2)
    size = vad.frame_samples
    began: float | None = None
    for first in range(0, length - size + 1, size):
        at_s = first / RATE_HERTZ
        if vad.judge(microphone[first : first + size]) is Voice.CLEAR:
            began = at_s if began is None else began
        elif began is not None:
            yield began, at_s
            began = None


def _draw_events(axes: Axes, scene: Scene) -> None:
    turn, mesh = _ROWS.index("turn"), _ROWS.index("mesh")
    for event in scene.events:
        if event.arrived_s > scene.end_s:
            break
        at_s = event.arrived_s - scene.zero_s
        payload = event.payload
        if isinstance(payload, asr_pb2.TurnEvent):
            if payload.type not in _MARKS:
                axes.plot(at_s, turn, "|", color=_COLOURS["turn"], markersize=5, alpha=0.4)
                continue
            marker, label = _MARKS[payload.type]
            axes.plot(at_s, turn, marker, color=_COLOURS["turn"], markersize=6)
            early = payload.type == asr_pb2.TURN_EVENT_TYPE_EAGER_END_OF_TURN
            y, side = (turn - 0.45, "right") if early else (turn + 0.25, "left")
            axes.text(at_s, y, label, fontsize=7, ha=side)
        elif type(payload) in _NEWS:
            axes.plot(at_s, mesh, "o", color=_COLOURS["mesh"], markersize=5)
            axes.text(at_s, mesh + 0.2, _NEWS[type(payload)], fontsize=7)


def _draw_work(axes: Axes, scene: Scene) -> None:
    """What the orchestrator noted of the model's and the synthesis's work."""
    for event in scene.events:
        if not isinstance(event.payload, dialog_pb2.TurnEnded):
            continue
        voiced_s = _last_voiced_s(scene, event.stamp)
        if voiced_s is None:
            continue
        steps = {step.name: voiced_s + step.at_us / 1e6 for step in event.payload.timeline}
        over_s = event.arrived_s - scene.zero_s
        for row, begin, tick, end in (
            ("LLM", "question", "llm_first_token", "llm_end"),
            ("TTS", "first_piece", "tts_first_audio", "reply_sent"),
        ):
            if begin in steps:
                _bar(axes, row, steps[begin], min(over_s, steps.get(end, over_s)))
            if tick in steps:
                axes.plot(steps[tick], _ROWS.index(row), "|", color="black", markersize=12)


def _last_voiced_s(scene: Scene, stamp: common_pb2.Stamp) -> float | None:
    """When the turn's last voiced sample was recorded, after the scene's zero."""
    for event in scene.events:
        if (
            isinstance(event.payload, asr_pb2.TurnEvent)
            and event.payload.type == asr_pb2.TURN_EVENT_TYPE_END_OF_TURN
            and event.stamp.turn == stamp.turn
        ):
            return event.payload.last_voiced_sample / RATE_HERTZ
    return None


def _wait(point: Point) -> float:
    return point.endpointing.mean_wait_ms


def draw_trade_off(points: Sequence[Point], title: str, path: Path) -> None:
    """Write the curve as a PNG file: mean wait against false cut-offs."""
    figure = _figure(6, 4)
    axes = figure.add_subplot()
    for detector, style in (("silence", "o-"), ("adaptive", "s-")):
        own = sorted((p for p in points if p.detector == detector), key=_wait)
        cut_offs = [100 * p.endpointing.false_cutoff_rate for p in own]
        axes.plot([_wait(p) for p in own], cut_offs, style, label=detector)
        for p, cut_off in zip(own, cut_offs, strict=True):
            place = (_wait(p), cut_off)
            axes.annotate(p.setting, place, (4, 4), textcoords="offset points", fontsize=7)
    axes.set_xlabel("mean wait, ms")
    axes.set_ylabel("false cut-offs, % of utterances")
    axes.set_title(title, fontsize=10)
    axes.grid(linewidth=0.3)
    axes.legend()
    _save(figure, path)
