"""Mandarin turns: transcripts with times drive the turn detector itself.

No recogniser for Mandarin is small enough to be at hand everywhere. The room that
detects turns announces a function that plays words with times to its detectors,
under the entry-point group ``voicemesh.turn_scripts``.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from voicemesh.errors import EngineMissing
from voicemesh.registry import installed
from voicemesh.v1 import asr_pb2 as pb
from voicemesh_robot.evaluation.turns.endpointing import Decision, Endpointing, Outcome
from voicemesh_robot.evaluation.turns.material import PAUSES_MS, Utterance, parts_of
from voicemesh_robot.evaluation.turns.speech import RATE_HERTZ

TURN_SCRIPTS = "voicemesh.turn_scripts"
_LEAD = RATE_HERTZ // 2
# Seconds that a character takes, from brisk to slow speakers.
_PACES_S = (0.16, 0.24)

Words = list[tuple[str, int, int]]


def make_words(line: str, pauses_ms: Sequence[int], character_s: float) -> Words:
    """The characters of a line of the script, with first sample and the sample after the last.

    ``pauses_ms`` stand at the bars, one each.
    """
    words: Words = []
    position = _LEAD
    length = int(character_s * RATE_HERTZ)
    for part, pause_ms in zip(parts_of(line), [*pauses_ms, 0], strict=True):
        for character in part.replace(" ", ""):
            words.append((character, position, position + length))
            position += length
        position += pause_ms * RATE_HERTZ // 1000
    return words


def make_scripts(lines: Sequence[str], seeds: int) -> list[tuple[str, Words]]:
    """Every line as a whole and with pauses, at ``seeds`` speeds; each with its name."""
    scripts: list[tuple[str, Words]] = []
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        for number, line in enumerate(lines):
            bars = len(parts_of(line)) - 1
            pace_s = float(rng.uniform(*_PACES_S))
            chosen = [int(pause) for pause in rng.choice(PAUSES_MS, bars)]
            name = f"{number:02d} zh {seed}"
            scripts += [
                (name, make_words(line, [0] * bars, pace_s)),
                (f"{name} {'+'.join(map(str, chosen))} ms", make_words(line, chosen, pace_s)),
            ]
    return scripts


def measure(scripts: Sequence[tuple[str, Words]], detector: str) -> Endpointing:
    """What the detector of that name makes of each; EngineMissing where none is installed."""
    players = installed(TURN_SCRIPTS)
    if not players:
        raise EngineMissing(
            f"nothing installed announces {TURN_SCRIPTS}; install voicemesh-asr to measure Mandarin"
        )
    play = next(iter(players.values()))
    return Endpointing(
        detector, [_outcome(name, words, play(words, detector)) for name, words in scripts]
    )


def _outcome(name: str, words: Words, events: Sequence[pb.TurnEvent]) -> Outcome:
    pauses = tuple(
        (end, begin)
        for (_, _, end), (_, begin, _) in zip(words, words[1:], strict=False)
        if begin > end
    )
    text = "".join(word for word, _, _ in words)
    silent = np.zeros(0, dtype=np.int16)
    utterance = Utterance(name, text, silent, words[0][1], words[-1][2], pauses)
    ends = [
        Decision(event.sample, event.reason, event.transcript.text)
        for event in events
        if event.type == pb.TURN_EVENT_TYPE_END_OF_TURN and event.transcript.text
    ]
    eager = [e.sample for e in events if e.type == pb.TURN_EVENT_TYPE_EAGER_END_OF_TURN]
    return Outcome(utterance, ends, eager)
