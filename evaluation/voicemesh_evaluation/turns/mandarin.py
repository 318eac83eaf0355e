"""Mandarin turns: transcripts with times drive the turn detector itself.

No recogniser for Mandarin is small enough to be at hand everywhere. The room that
detects turns announces a function that plays words with times to its detectors,
under the entry-point group ``voicemesh.turn_scripts``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from voicemesh.errors import EngineMissing
from voicemesh.registry import installed
from voicemesh.v1 import asr_pb2 as pb
from voicemesh.writing import has_han
from voicemesh_evaluation.turns.endpointing import Decision, Endpointing, UtteranceOutcome
from voicemesh_evaluation.turns.material import PAUSES_MS, Utterance, Words, parts_of
from voicemesh_evaluation.turns.speech import RATE_HERTZ

TURN_SCRIPTS = "voicemesh.turn_scripts"
_LEAD = RATE_HERTZ // 2
# Seconds that a character takes, from brisk to slow speakers.
_PACES_S = (0.16, 0.24)


def is_chinese(utterance: Utterance) -> bool:
    """Whether its text is written in Chinese characters."""
    return has_han(utterance.text)


def make_words(line: str, pauses_ms: Sequence[int], character_s: float) -> Words:
    """The characters of a line of the script, with first sample and the sample after the last.

    ``pauses_ms`` stand at the bars, one each.
    """
    words: list[tuple[str, int, int]] = []
    position = _LEAD
    length = int(character_s * RATE_HERTZ)
    for part, pause_ms in zip(parts_of(line), [*pauses_ms, 0], strict=True):
        for character in part.replace(" ", ""):
            words.append((character, position, position + length))
            position += length
        position += pause_ms * RATE_HERTZ // 1000
    return tuple(words)


def make_utterances(lines: Sequence[str], seeds: int, group: str = "") -> list[Utterance]:
    """Every line as a whole and with pauses, at ``seeds`` speeds; without sound."""
    utterances: list[Utterance] = []
    silent = np.zeros(0, dtype=np.int16)
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        for number, line in enumerate(lines):
            bars = len(parts_of(line)) - 1
            pace_s = float(rng.uniform(*_PACES_S))
            chosen = [int(pause) for pause in rng.choice(PAUSES_MS, bars)]
            name = f"{number:02d} zh {seed}"
            text = "".join(parts_of(line))
            for label, pauses_ms in (
                (name, [0] * bars),
                (f"{name} {'+'.join(map(str, chosen))} ms", chosen),
            ):
                words = make_words(line, pauses_ms, pace_s)
                utterances.append(
                    replace(Utterance.of_words(label, text, words, silent), group=group)
                )
    return utterances


def measure(utterances: Sequence[Utterance], detector: str) -> Endpointing:
    """What the detector of that name makes of their words; EngineMissing where none is installed.

    Their sound is not heard.
    """
    players = installed(TURN_SCRIPTS)
    if not players:
        raise EngineMissing(
            f"nothing installed announces {TURN_SCRIPTS}; install voicemesh-asr to measure Mandarin"
        )
    play = next(iter(players.values()))
    return Endpointing(detector, [_outcome(u, play(u.words, detector)) for u in utterances])


def _outcome(utterance: Utterance, events: Sequence[pb.TurnEvent]) -> UtteranceOutcome:
    ends = [
        Decision(event.sample, event.reason, event.transcript.text)
        for event in events
        if event.type == pb.TURN_EVENT_TYPE_END_OF_TURN and event.transcript.text
    ]
    eager = [e.sample for e in events if e.type == pb.TURN_EVENT_TYPE_EAGER_END_OF_TURN]
    return UtteranceOutcome(utterance, ends, eager)
