"""Robots on one chip or several, in virtual time: published stage times, the owner's own rules.

The engines are as they are in the services: one recognition, one reply, one synthesis at a
time, each request a list of launches that hold cores of a chip by ``TurnQueue``. A prompt
is read layer by layer, a token is one request of all layers, a piece of speech two launches.
"""

from __future__ import annotations

import heapq
import math
import random
from collections import deque
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from itertools import count

from voicemesh_evaluation.chips.profiles import EAGER_MS, SILENCE_MS, Profile
from voicemesh_sophon.chip_owner.turn_queue import Turn, TurnQueue
from voicemesh_sophon.chip_owner.wire import PRIORITIES

LAYERS = 32
DECODER_STEPS = 20
"""Of a recogniser, for a question of two seconds."""
ENCODER_SHARE = 0.4
"""Of a recogniser's time; the rest are its decoder's steps."""
TTS_HOST_SHARE = 0.33
"""Of a synthesis: 46 and 70 of 348 ms on a BM1684X are no launches."""
PIECES = 3
"""Of a reply, each as long as the first."""
SPEECH_MS = 2500.0
"""How long a piece is heard."""
INTERIM_MS = 600.0
"""While somebody speaks, what has been said so far is recognised so often."""
QUESTION_MS = 2000.0
NOTICED_MS = 300.0
"""How long somebody speaks over a reply before it is broken off."""

Resume = Callable[[], None]
Wait = Callable[[Resume], None]
"""Has a process go on when what it waits for is over."""
Process = Generator[Wait, None, None]


class VirtualTime:
    """Processes that wait for each other and for times, in milliseconds."""

    def __init__(self) -> None:
        self.now = 0.0
        self._events: list[tuple[float, int, Resume]] = []
        self._order = count()

    def after(self, delay_ms: float) -> Wait:
        return lambda resume: heapq.heappush(
            self._events, (self.now + delay_ms, next(self._order), resume)
        )

    def start(self, process: Process) -> None:
        def resume() -> None:
            wait = next(process, None)
            if wait is not None:
                wait(resume)

        resume()

    def run(self) -> None:
        while self._events:
            self.now, _, resume = heapq.heappop(self._events)
            resume()


class VirtualChip:
    """Launches that take their time, in the order that the owner's rules give them."""

    def __init__(self, time: VirtualTime) -> None:
        self._time = time
        self._queue = TurnQueue()
        self._granted: dict[Turn, Resume] = {}

    def request(self, service: str, cores: frozenset[int], launches: Sequence[float]) -> Process:
        """The launches of one request, one after the other."""
        turn: Turn | None = None
        for launch_ms in launches:
            if turn is None or not self._queue.goes_on(turn, cores):
                if turn is not None:
                    self._go(self._queue.leave(turn))
                turn = Turn(PRIORITIES.index(service), cores, service, loading=False)
                yield self._enter(turn)
            yield self._time.after(launch_ms)
        if turn is not None:
            self._go(self._queue.leave(turn))

    def _enter(self, turn: Turn) -> Wait:
        def wait(resume: Resume) -> None:
            self._granted[turn] = resume
            self._go(self._queue.enter(turn))

        return wait

    def _go(self, granted: list[Turn]) -> None:
        for turn in granted:
            self._time.after(0)(self._granted.pop(turn))


class Engine:
    """A service's engine: one job at a time, others in the order they came."""

    def __init__(self, chip: VirtualChip, service: str, cores: frozenset[int]) -> None:
        self._chip, self._service, self._cores = chip, service, cores
        self._busy = False
        self._waiting: deque[Resume] = deque()

    def hold(self, resume: Resume) -> None:
        if self._busy:
            self._waiting.append(resume)
        else:
            self._busy = True
            resume()

    def release(self) -> None:
        if self._waiting:
            self._waiting.popleft()()
        else:
            self._busy = False

    def request(self, *launches: float) -> Process:
        yield from self._chip.request(self._service, self._cores, launches)


@dataclass
class Heard:
    """What the people at the robots found."""

    first_audio_ms: list[float] = field(default_factory=list)
    """After the last voiced sample of each question."""
    tokens_after_cancel: list[int] = field(default_factory=list)
    """Of each reply that was discarded: those that the language model still ended."""


class MixedLoad:
    """Robots that share a recogniser, a language model and a voice."""

    def __init__(self, profile: Profile, cores: dict[str, frozenset[int]], shared: bool) -> None:
        """``shared``: all on one chip; else each service has a chip of its own."""
        self.time = VirtualTime()
        one = VirtualChip(self.time)
        self._engines = {
            service: Engine(one if shared else VirtualChip(self.time), service, cores[service])
            for service in PRIORITIES
        }
        self._profile = profile
        self.heard = Heard()

    def run(self, robots: int, questions: int, seed: int) -> Heard:
        """Of the replies a third is broken off, and a third is begun too early."""
        for number in range(robots):
            self.time.start(self._conversation(random.Random(seed + number), questions))
        self.time.run()
        return self.heard

    def _conversation(self, chance: random.Random, questions: int) -> Process:
        for _ in range(questions):
            yield from self._speak_a_question()
            if chance.random() < 1 / 3:  # A pause that looked like the end.
                early = _Reply(self.time.now)
                yield from self._recognise()
                self.time.start(self._generate(early))
                yield self.time.after(chance.uniform(0, 800))
                early.wanted = False
                yield from self._speak_a_question()
            reply = _Reply(self.time.now)
            yield from self._recognise()
            self.time.start(self._generate(reply))
            yield reply.first_audio.wait
            self.heard.first_audio_ms.append(max(SILENCE_MS, self.time.now - reply.asked))
            if chance.random() < 1 / 3:
                yield self.time.after(chance.uniform(0, SPEECH_MS))
                self.time.start(self._break_off(reply))
            else:
                yield reply.over.wait
                yield self.time.after(chance.uniform(SPEECH_MS, 3 * SPEECH_MS))

    def _break_off(self, reply: _Reply) -> Process:
        yield self.time.after(NOTICED_MS)
        reply.wanted = False

    def _speak_a_question(self) -> Process:
        """Recognition goes along; its last pass is given up at the end of the question."""
        ends = self.time.now + QUESTION_MS
        while self.time.now + INTERIM_MS < ends:
            yield self.time.after(INTERIM_MS)
            said = 1 - (ends - self.time.now) / QUESTION_MS
            self.time.start(self._pass(said, until=ends))
        yield self.time.after(ends - self.time.now)

    def _recognise(self) -> Process:
        yield self.time.after(EAGER_MS)
        yield from self._pass(1.0, until=math.inf)

    def _pass(self, share: float, until: float) -> Process:
        """The recogniser hears a share of a question, and ends with a step when time is up."""
        engine, profile = self._engines["asr"], self._profile
        yield engine.hold
        if profile.asr_final is not None:
            chip_ms = profile.asr_final.value * share
            yield from engine.request(chip_ms * ENCODER_SHARE)
            for _ in range(DECODER_STEPS):
                if self.time.now < until:
                    yield from engine.request(chip_ms * (1 - ENCODER_SHARE) / DECODER_STEPS)
        elif profile.asr_per_second is not None:
            yield from engine.request(profile.asr_per_second.value * INTERIM_MS / 1000)
        engine.release()

    def _generate(self, reply: _Reply) -> Process:
        engine, profile = self._engines["llm"], self._profile
        yield engine.hold
        for _ in range(LAYERS):
            if reply.wanted:
                yield from engine.request(profile.llm_first_token.value / LAYERS)
        layer_ms = 1000 / profile.llm_tokens_per_second.value / LAYERS
        late = 0
        for piece in range(PIECES):
            for _ in range(profile.first_piece_tokens):
                if reply.wanted:
                    yield from engine.request(*[layer_ms] * LAYERS)
                    late += not reply.wanted
            if reply.wanted:
                self.time.start(self._speak(reply, last=piece == PIECES - 1))
        engine.release()
        if not reply.wanted:
            self.heard.tokens_after_cancel.append(late)

    def _speak(self, reply: _Reply, last: bool) -> Process:
        engine, sentence_ms = self._engines["tts"], self._profile.tts_sentence.value
        yield engine.hold
        if reply.wanted:
            yield self.time.after(sentence_ms * TTS_HOST_SHARE)
            chip_ms = sentence_ms * (1 - TTS_HOST_SHARE)
            yield from engine.request(chip_ms * 0.1, chip_ms * 0.9)
            reply.first_audio.set()
        engine.release()
        if last:
            reply.over.set()


class _Moment:
    """Something that happens once."""

    def __init__(self) -> None:
        self._happened = False
        self._waiting: list[Resume] = []

    def wait(self, resume: Resume) -> None:
        if self._happened:
            resume()
        else:
            self._waiting.append(resume)

    def set(self) -> None:
        self._happened = True
        waiting, self._waiting = self._waiting, []
        for resume in waiting:
            resume()


class _Reply:
    def __init__(self, asked: float) -> None:
        self.asked = asked
        self.wanted = True
        self.first_audio = _Moment()
        self.over = _Moment()
