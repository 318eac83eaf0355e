"""What `voicemesh eval turns` measures with: material, noises, figures, report, pictures."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from prometheus_client.samples import Sample

from voicemesh.supervisor import Mesh
from voicemesh.v1 import asr_pb2, common_pb2, dialog_pb2
from voicemesh_evaluation.turns.barge_in import BargeIn, Trial, TrialResult, make_trials
from voicemesh_evaluation.turns.endpointing import (
    Decision,
    Endpointing,
    UtteranceOutcome,
    recognise_utterances,
)
from voicemesh_evaluation.turns.figures import ECHO, Figures
from voicemesh_evaluation.turns.late_work import CancelledWork, LateWork, read_late_work
from voicemesh_evaluation.turns.mandarin import make_utterances, make_words, measure
from voicemesh_evaluation.turns.material import (
    HELD_OUT,
    NOISES_DB,
    SEEN,
    Utterance,
    load_script,
    make_material,
    parts_of,
    with_noise,
)
from voicemesh_evaluation.turns.noises import NOISES
from voicemesh_evaluation.turns.pictures import draw_scene, draw_trade_off
from voicemesh_evaluation.turns.report import report
from voicemesh_evaluation.turns.scene import Scene, SpokenLine, act
from voicemesh_evaluation.turns.sound_booth import Sounding
from voicemesh_evaluation.turns.speech import RATE_HERTZ, trimmed
from voicemesh_evaluation.turns.trade_off import Point, adaptive_options, silence_options
from voicemesh_robot.mesh.events import Event, Payload

Speech = Callable[..., NDArray[np.int16]]
Serving = Callable[..., AbstractAsyncContextManager[str]]

SILENT = np.zeros(0, dtype=np.int16)
LINES = ("what is | artificial intelligence", "tell me about | mars")


async def test_pauses_stand_exactly_where_they_were_put() -> None:
    whole, paused, _, second = await make_material(LINES)
    assert whole.pauses == ()
    ((begin, end),) = paused.pauses
    assert (end - begin, paused.longest_pause_ms) == (16 * 200, 200)
    assert not paused.samples[begin:end].any()
    assert paused.samples[begin - 160 : begin].any()
    assert paused.samples[end : end + 160].any()
    assert not paused.samples[paused.end_sample :].any()
    assert second.longest_pause_ms == 300
    assert second.noise_db == NOISES_DB[1] == 30.0
    assert whole.text == "what is artificial intelligence"


def test_noise_is_as_far_below_the_speech_as_was_asked_for(flite_speech: Speech) -> None:
    speech = trimmed(flite_speech("what is the moon"))
    silence = np.zeros(32_000, dtype=np.int16)
    noise = with_noise(silence, speech, 15.0).astype(np.float64)
    level = np.sqrt((speech.astype(np.float64) ** 2).mean())
    assert 20 * np.log10(level / np.sqrt((noise**2).mean())) == pytest.approx(15.0, abs=0.3)


def test_speech_is_cut_at_its_first_and_last_sound(flite_speech: Speech) -> None:
    speech = flite_speech("what is the moon")
    padded = np.concatenate([np.zeros(8000, np.int16), speech, np.zeros(9000, np.int16)])
    cut = trimmed(padded)
    assert len(cut) < len(speech)
    assert cut[:160].any()
    assert cut[-160:].any()


def test_the_script_has_a_pause_in_every_line_to_pause_in() -> None:
    script = load_script()
    seen = (*script.english, *script.mandarin)
    held_out = (*script.english_held_out, *script.mandarin_held_out)
    assert all(len(parts_of(line)) > 1 for line in (*seen, *held_out))
    assert not set(seen) & set(held_out)
    assert set(script.long_questions) <= {
        *script.questions,
        "what is a robot",
        "what is a computer",
    }


def test_no_two_noises_are_alike_and_none_is_clipped() -> None:
    for make in NOISES:
        first, second = make(np.random.default_rng(1)), make(np.random.default_rng(2))
        assert not np.array_equal(first, second)
        assert 2_000 < np.abs(first).max() < 20_000
        assert len(first) < 2 * RATE_HERTZ


async def test_reactions_are_of_all_kinds_and_half_of_the_lines_are_held_out() -> None:
    script = load_script()
    assert not {*script.backchannels} & {*script.backchannels_held_out}
    assert not {*script.interruptions} & {*script.interruptions_held_out}
    trials = await make_trials(script, 16)
    kinds = Counter(trial.kind for trial in trials)
    assert kinds == {"interruption": 16, "backchannel": 12, "noise": 4}
    for kind in ("interruption", "backchannel"):
        seen, held_out = (
            [t.reaction for t in trials if t.kind == kind and t.group == group]
            for group in (SEEN, HELD_OUT)
        )
        assert len(seen) == len(held_out)
        assert not {line.voice for line in seen} & {line.voice for line in held_out}
    assert len({trial.question.text for trial in trials}) == len(script.long_questions)
    assert len({trial.after_s for trial in trials}) == len(trials)


def test_mandarin_characters_follow_each_other_but_for_the_pauses() -> None:
    words = make_words("你好 | 吗", [300], 0.2)
    assert words == (("你", 8000, 11200), ("好", 11200, 14400), ("吗", 19200, 22400))


def test_scripted_mandarin_drives_the_real_detectors() -> None:
    utterances = make_utterances(load_script().mandarin[:4], seeds=1)
    adaptive, silence = (measure(utterances, name) for name in ("adaptive", "silence"))
    assert len(adaptive.outcomes) == 8
    assert adaptive.mean_wait_ms < silence.mean_wait_ms
    assert 700 <= silence.mean_wait_ms < 780
    assert adaptive.missed_rate == 0


def outcome(*ends: int, eager: tuple[int, ...] = ()) -> UtteranceOutcome:
    utterance = Utterance("x", "x", SILENT, 8000, 32_000, ((16_000, 24_000),))
    decisions = [Decision(end, asr_pb2.TURN_REASON_SILENCE, "x") for end in ends]
    return UtteranceOutcome(utterance, decisions, eager)


def test_figures_tell_cut_offs_waits_and_missed_ends_apart() -> None:
    good, cut, missed = outcome(36_800), outcome(22_000, 40_000, eager=(19_000,)), outcome()
    found = Endpointing("adaptive", [good, cut, missed])
    assert found.false_cutoff_rate == found.missed_rate == pytest.approx(1 / 3)
    assert found.mean_wait_ms == pytest.approx(400)
    assert found.median_complete_wait_ms == pytest.approx(300)
    assert found.premature_eager_rate == pytest.approx(1 / 3)


def event(payload: Payload, at_s: float) -> Event:
    return Event(common_pb2.Stamp(epoch=1, turn=1), at_s, payload)


def scene(heard: list[tuple[float, int, int]], stopped_s: float | None = None) -> Scene:
    """A reply of 32000 samples from second 3 on; ``heard``: moment, first sample, count."""
    reply = np.arange(1, 32_001, dtype=np.int16)
    question = np.full(16_000, 3000, dtype=np.int16)
    chunk = common_pb2.AudioChunk(audio=reply.tobytes())
    end = asr_pb2.TurnEvent(
        type=asr_pb2.TURN_EVENT_TYPE_END_OF_TURN, last_voiced_sample=24_000, wait_ms=300
    )
    steps = [
        dialog_pb2.StageTime(name=name, at_us=at)
        for name, at in (("question", 150_000), ("llm_first_token", 160_000), ("llm_end", 200_000))
    ]
    events = [
        event(end, 2.35),
        event(dialog_pb2.ReplyAudio(chunk=chunk), 2.36),
        event(dialog_pb2.TurnEnded(timeline=steps), 5.0),
    ]
    if stopped_s is not None:
        events.insert(2, event(dialog_pb2.ReplyInterrupted(reason="speech"), stopped_s))
    said = [Sounding(1.0, question, "what"), Sounding(3.5, question[:8000], "stop")]
    played = [Sounding(at, reply[first : first + count]) for at, first, count in heard]
    return Scene("a scene", 0.0, said, played, events, end_s=5.0)


def test_a_reply_that_pauses_and_goes_on_is_measured_to_the_sample() -> None:
    paused = scene([(3.0, 0, 9600), (4.1, 9600, 22_400)])
    assert paused.stop_ms == pytest.approx(100)
    assert paused.pause_ms == pytest.approx(500)
    assert paused.went_on_exactly
    assert not scene([(3.0, 0, 9600), (4.1, 9601, 22_399)]).went_on_exactly
    assert not scene([(3.0, 0, 9600), (4.1, 9500, 22_500)]).went_on_exactly


def test_the_response_counts_from_the_last_voiced_sample() -> None:
    answered = scene([(3.0, 0, 9600)], stopped_s=3.7)
    assert answered.voice_to_voice_ms == pytest.approx(360)
    assert answered.configured_silence_ms == 300
    assert answered.interrupted
    assert answered.stop_ms == pytest.approx(100)


def test_what_comes_after_the_scene_does_not_count() -> None:
    late = scene([(3.0, 0, 9600), (4.1, 9600, 22_400)], stopped_s=5.2)
    assert not late.interrupted
    heard = asr_pb2.TurnEvent(
        type=asr_pb2.TURN_EVENT_TYPE_UPDATE, transcript=asr_pb2.Transcript(text="stop")
    )
    late.events.insert(2, event(heard, 4.0))
    assert late.understood == "stop"


@pytest.mark.asyncio(loop_scope="session")
async def test_a_scene_tells_that_somebody_interrupted(mesh: Mesh, flite_speech: Speech) -> None:
    question = SpokenLine("question", trimmed(flite_speech("what is artificial intelligence")))
    interruption = SpokenLine("interruption", trimmed(flite_speech("what is the moon")))
    seen = await act("scene", mesh.target, question, interruption)
    assert [sounding.label for sounding in seen.said] == ["question", "interruption"]
    assert seen.heard_as_one
    assert seen.voice_to_voice_ms is not None
    assert seen.interrupted
    assert seen.stop_ms is not None
    _, silent_s = seen.stretches()[0]  # Then the next answer may begin.
    heard = np.concatenate([block.samples for block in seen.played if block.end_s <= silent_s])
    assert np.array_equal(heard, seen.received[: len(heard)])


def buckets(engine: str, *counts: int) -> list[Sample]:
    """Cancelled replies of an engine of which 0, 1, 2 or more things were made afterwards."""
    bounds = ("0.0", "1.0", "2.0", "+Inf")
    return [
        Sample("late_bucket", {"engine": engine, "le": bound}, float(count))
        for bound, count in zip(bounds, counts, strict=True)
    ]


def test_the_most_that_was_made_after_a_cancel_is_told_over_all_engines() -> None:
    little, more = buckets("a", 3, 5, 5, 5), buckets("b", 0, 1, 2, 2)
    assert CancelledWork.of(little, "late") == CancelledWork(5, 1)
    assert CancelledWork.of([*little, *more], "late") == CancelledWork(7, 2)
    assert CancelledWork.of(buckets("a", 0, 0, 0, 1), "late") == CancelledWork(1, np.inf)
    assert CancelledWork.of(little, "other") == CancelledWork() == CancelledWork.of([], "late")


@pytest.mark.asyncio(loop_scope="session")
async def test_services_tell_what_was_made_of_a_reply_that_was_stopped(
    mesh: Mesh, flite_speech: Speech
) -> None:
    before = await read_late_work(mesh)
    question = SpokenLine("question", trimmed(flite_speech("what is artificial intelligence")))
    await act("scene", mesh.target, question)  # It stops the reply at its end.
    async with asyncio.timeout(20):
        while (late := await read_late_work(mesh)).chunks.replies == before.chunks.replies:
            pass
    assert late.chunks.most <= 1


def test_work_after_a_cancel_has_bars_once_a_reply_was_cancelled() -> None:
    late = LateWork(CancelledWork(2, 3.0), CancelledWork(), discarded=2)
    rows = [row for row in Figures(late_work=late).bars() if "after its cancel" in row[0]]
    assert [(value, met) for _, value, _, met in rows] == [(3.0, False), (None, None)]
    assert "2 of the answers" in "\n".join(report(Figures(late_work=late)))


KEYS = {
    *("mean_wait_ms", "median_complete_wait_ms", "fixed_mean_wait_ms", "false_cutoff_rate"),
    *("fixed_false_cutoff_rate", "barge_in_stop_ms", "true_interruptions_taken"),
    *("backchannels_ignored", "self_interruptions_per_100", "echo_interruptions_taken"),
    *("after_silence_ms", "voice_to_voice_ms"),
}


def test_what_was_not_measured_is_null_with_its_reason() -> None:
    empty = json.loads(Figures(missing={ECHO: "no time"}).as_json())
    assert empty.keys() == KEYS | {"not_measured"}
    assert empty["mean_wait_ms"] is None
    assert empty["barge_in_stop_ms"] == {"p50": None, "p95": None}
    assert empty["echo_interruptions_taken"] == {"-12": None, "-6": None, "0": None}
    assert empty["not_measured"].keys() == KEYS
    assert empty["not_measured"]["echo_interruptions_taken"] == "no time"
    assert empty["not_measured"]["mean_wait_ms"] == "nothing came of it"


def test_the_json_has_the_figures_and_nothing_else_where_all_was_measured() -> None:
    line = SpokenLine("stop", SILENT)
    trials = [
        TrialResult(Trial("interruption", "a", line, line, 1.0), scene([(3.0, 0, 9600)], 3.7)),
        TrialResult(
            Trial("noise", "b", line, line, 1.0), scene([(3.0, 0, 9600), (4.1, 9600, 22_400)])
        ),
    ]
    adaptive = Endpointing("adaptive", [outcome(36_800)])
    fixed = Endpointing("silence", [outcome(43_200)])
    figures = Figures(
        adaptive=adaptive,
        fixed=fixed,
        points=[Point("adaptive", "waits x 1", adaptive), Point("silence", "700 ms", fixed)],
        barge_in=BargeIn(trials),
        scenes=[trials[0].scene],
        self_interruptions_per_100=0.0,
        echo_interruptions_taken={"-12": 1.0, "-6": 0.9, "0": 0.5},
    )
    full = json.loads(figures.as_json())
    assert full.keys() == KEYS
    assert full["mean_wait_ms"] == 300
    assert full["fixed_mean_wait_ms"] == 700
    assert full["true_interruptions_taken"] == full["backchannels_ignored"] == 1.0
    assert full["voice_to_voice_ms"]["p50"] == pytest.approx(360, abs=0.1)
    assert full["after_silence_ms"]["p50"] == pytest.approx(60, abs=0.1)
    missed = [name for name, _, _, met in figures.bars() if met is False]
    assert missed == ["interruptions taken, echo 0 dB"]
    text = "\n".join(report(figures))
    assert "| missed |" in text
    assert "at the exact sample in 100.0 %" in text


def test_pictures_are_drawn(tmp_path: Path) -> None:
    draw_scene(scene([(3.0, 0, 9600), (4.1, 9600, 22_400)]), tmp_path / "a" / "scene.png")
    points = [Point("silence", "700 ms", Endpointing("silence", [outcome(43_200)]))]
    draw_trade_off(points, "few", tmp_path / "curve.png")
    for path in (tmp_path / "a" / "scene.png", tmp_path / "curve.png"):
        assert path.read_bytes().startswith(b"\x89PNG")


async def test_a_recogniser_ends_whole_questions_sooner_than_fixed_silence(
    serving: Serving,
) -> None:
    utterances = (await make_material(LINES[:1]))[:2]
    async with serving("asr") as target:
        adaptive = Endpointing(
            "adaptive", await recognise_utterances(target, utterances, adaptive_options())
        )
        fixed = Endpointing(
            "silence", await recognise_utterances(target, utterances, silence_options(700))
        )
    assert adaptive.false_cutoff_rate == fixed.false_cutoff_rate == 0
    assert adaptive.mean_wait_ms < 500
    assert 700 <= fixed.mean_wait_ms < 800
