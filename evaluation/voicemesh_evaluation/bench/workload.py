"""What every conversation of a benchmark does, and what an answer takes at least.

The same for the mesh and for the floor: engines that only wait, a spoken
question, and throughout the faint noise that every microphone has.
"""

from __future__ import annotations

import json
import wave
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files

import numpy as np

RATE_HERTZ = 16_000
FRAME_MS = 20
FRAME_SAMPLES = RATE_HERTZ * FRAME_MS // 1000
VAD_MODE = 2
MIN_SPEECH_MS = 200
END_SILENCE_MS = 300
EAGER_WAIT_MS = 160
"""Eight whole frames: the default of 150 ms is over with the eighth, too."""
INTERRUPT_MS = MIN_SPEECH_MS - FRAME_MS
"""From the first voiced frame sent to the last that it takes to interrupt."""
LEAD_MS = 400
QUESTION = "What is artificial intelligence?"
REPLY = (
    "Artificial intelligence is the science of making machines think. It lets computers learn "
    "from data, understand speech, and solve problems that once needed people. You meet it every "
    "day in search, maps, phones, and tools like the one you use."
)
_MESSAGE_FRAMES = (1, 5, 6, 11)
_NOISE_PEAK = 2  # Of 32768: what a quiet converter gives without any sound.
_NOISE_FRAMES = 50


def message_samples(samples: int) -> Iterator[int]:
    """The lengths of the messages that bring a piece of ``samples``: those of the mesh.

    Its voice makes audio twenty times faster than real time, so they grow within
    milliseconds to the longest, which is repeated.
    """
    number = 0
    while samples > 0:
        frames = _MESSAGE_FRAMES[min(number, len(_MESSAGE_FRAMES) - 1)]
        length = min(samples, frames * FRAME_SAMPLES)
        yield length
        samples -= length
        number += 1


@dataclass(frozen=True)
class Workload:
    """The scripted engines and the pattern of the load."""

    conversations: int = 1
    turns: int = 1
    pattern: str = "mixed"
    """``turns``: hear each reply to its end. ``barge-in``: speak over each. ``mixed``: over
    every second one, the first among them, if another question follows it.
    """
    eager: bool = True
    """Whether an answer is begun before the end of the turn."""
    spread_s: float = 8.0
    """The conversations begin within so many seconds."""
    pause_s: float = 0.5
    """Between the end of a reply and the next question."""
    interrupt_s: float = 1.0
    """How far into a reply the next question begins, with ``barge-in``."""
    question: str = QUESTION
    reply: str = REPLY
    asr_final_ms: int = 0
    first_token_ms: int = 50
    token_ms: int = 20
    """From one word of the reply to the next."""
    first_chunk_ms: int = 30
    """From a piece of text to its first audio."""
    seconds_per_character: float = 0.06
    realtime_factor: int = 20

    def start_s(self, index: int) -> float:
        """When conversation ``index`` begins, its frames' phase included."""
        share = index / max(1, self.conversations)
        return share * (self.spread_s + FRAME_MS / 1000)

    @property
    def sentences(self) -> Sequence[str]:
        """The pieces of the reply: each is cut at its full stop."""
        return [part.rstrip(".") + "." for part in self.reply.split(". ")]

    @property
    def piece_ready_ms(self) -> Sequence[int]:
        """When each piece is written, in milliseconds after the end of the turn."""
        words = np.cumsum([len(sentence.split()) for sentence in self.sentences])
        return [
            self.asr_final_ms + self.first_token_ms + self.token_ms * (int(count) - 1)
            for count in words
        ]

    @property
    def piece_samples(self) -> Sequence[int]:
        """The length of each piece's audio."""
        return [round(len(s) * self.seconds_per_character * RATE_HERTZ) for s in self.sentences]

    @property
    def thinking_ms(self) -> int:
        """What is understood to the first audio of its answer: model and voice."""
        return self.piece_ready_ms[0] + self.first_chunk_ms

    @property
    def waiting_path_ms(self) -> int:
        """Last voiced frame to first reply audio where nothing begins before the turn's end."""
        return END_SILENCE_MS + self.thinking_ms

    @property
    def critical_path_ms(self) -> int:
        """The same by the policy in force, when nothing but waits and engines takes time."""
        if not self.eager:
            return self.waiting_path_ms
        return max(END_SILENCE_MS, EAGER_WAIT_MS + self.thinking_ms)

    def speaks_over(self, asked: int) -> bool:
        """Whether the reply to question number ``asked``, from 1, is spoken over."""
        if self.pattern == "mixed":
            return asked % 2 == 1 and asked < self.turns
        return self.pattern == "barge-in"

    @cached_property
    def settings(self) -> Mapping[str, str]:
        """What a mesh is started with to play this script."""
        room = str(max(64, self.conversations))
        return {
            "mesh.log_level": "warning",
            "orchestrator.max_conversations": room,
            "orchestrator.reply_lead_ms": str(LEAD_MS),
            "asr.engine": "simulated",
            "asr.vad": "webrtc",
            "asr.webrtc.aggressiveness": str(VAD_MODE),
            "asr.min_speech_ms": str(MIN_SPEECH_MS),
            "asr.sentence_end_wait_ms": str(END_SILENCE_MS),
            "asr.trim_hangover": "false",
            "asr.simulated.texts": json.dumps([self.question]),
            "asr.simulated.final_delay_ms": str(self.asr_final_ms),
            "asr.simulated.workers": room,
            "llm.engine": "simulated",
            "llm.max_concurrent_streams": room,
            "llm.simulated.replies": json.dumps([self.reply], ensure_ascii=False),
            "llm.simulated.first_token_ms": str(self.first_token_ms),
            "llm.simulated.tokens_per_second": str(1000 / self.token_ms),
            "tts.engine": "simulated",
            "tts.max_concurrent_streams": room,
            "tts.sentence_pause_ms": "0",
            "tts.clause_pause_ms": "0",
            "tts.joint_pause_ms": "0",
            "tts.simulated.first_chunk_ms": str(self.first_chunk_ms),
            "tts.simulated.seconds_per_character": str(self.seconds_per_character),
            "tts.simulated.realtime_factor": str(self.realtime_factor),
            "tts.simulated.chunk_ms": str(FRAME_MS),
        }


@dataclass(frozen=True)
class BenchScript:
    """The frames that a conversation sends."""

    silence: Sequence[bytes]
    """Frames to be sent over and over while nothing is said."""
    question: Sequence[bytes]
    first_voiced: int
    """The index of the question's first voiced frame."""
    last_voiced: int


def load_script() -> BenchScript:
    """The question's frames, judged beforehand by the detector that the servers use."""
    import webrtcvad

    noise = np.random.default_rng(1).integers(
        -_NOISE_PEAK, _NOISE_PEAK + 1, _NOISE_FRAMES * FRAME_SAMPLES, dtype=np.int16
    )
    silence = _frames(noise.tobytes())
    resource = files("voicemesh_evaluation") / "bench" / "question.wav"
    with resource.open("rb") as opened, wave.open(opened) as clip:
        spoken = np.frombuffer(clip.readframes(clip.getnframes()), dtype="<i2")
    # A clip that was synthesised is silent between its words, as no microphone is.
    question = _frames((spoken + np.resize(noise, len(spoken))).astype("<i2").tobytes())
    vad = webrtcvad.Vad(VAD_MODE)
    for frame in silence:
        vad.is_speech(frame, RATE_HERTZ)
    judged = [vad.is_speech(frame, RATE_HERTZ) for frame in question]
    voiced = [index for index, is_voiced in enumerate(judged) if is_voiced]
    return BenchScript(silence, question, voiced[0], voiced[-1])


def _frames(audio: bytes) -> list[bytes]:
    """Whole frames; what is left over at the end is dropped."""
    size = FRAME_SAMPLES * 2
    return [audio[begin : begin + size] for begin in range(0, len(audio) - size + 1, size)]
