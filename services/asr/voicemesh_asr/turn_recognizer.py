"""The turns of one speaker: samples in, turn events out.

Voice activity, turn detection and recogniser in the order of the audio: a frame
is judged, the detector decides, and what it decides is carried out before the
next frame is looked at. So results depend on the audio alone, never on how fast
it arrives; while the recogniser is busy, audio waits in the transport.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable

import numpy as np

from voicemesh.audio import Samples
from voicemesh.enums import short_name
from voicemesh.errors import Busy
from voicemesh.tracing import past_span, span
from voicemesh.v1 import asr_pb2 as pb
from voicemesh.v1.common_pb2 import Stamp
from voicemesh.workers import ThreadWorker
from voicemesh_asr import metrics
from voicemesh_asr.engines.engine import Hypothesis, Phrase, RecognizerSession
from voicemesh_asr.microphone_clock import MicrophoneClock
from voicemesh_asr.stream_plan import StreamPlan
from voicemesh_asr.transcripts import TranscriptWriter
from voicemesh_asr.turn_detection.completeness.judge import CompletenessJudge, default_judge
from voicemesh_asr.turn_detection.completeness.judgement import Judgement
from voicemesh_asr.turn_detection.detector import Action, TurnDecision, TurnDetector
from voicemesh_asr.turn_detection.detectors import DETECTORS
from voicemesh_asr.turn_detection.models import TurnModels
from voicemesh_asr.turn_detection.punctuation_model import better_judgement
from voicemesh_asr.turn_detection.turn_events import turn_event
from voicemesh_asr.vad.activity import SpeechActivity
from voicemesh_asr.vad.vad import Vad

Send = Callable[[pb.TurnEvent], None]
Refuse = Callable[[Busy], None]

log = logging.getLogger(__name__)

_EMPTY: Samples = np.zeros(0, dtype=np.int16)
# Beyond pre-roll and shortest speech: a smoothing detector's own delay.
_HISTORY_SLACK_MS = 300


def _dropped(_: pb.TurnEvent | Busy) -> None:
    """Nobody takes events any more."""


def _probabilities(vad: Vad, frames: Samples) -> list[float]:
    """The judgement of each row. Zeros are sound like any other: they may stand within a word."""
    return [vad.probability(frame) for frame in frames]


class TurnRecognizer:
    """Recognises the turns of one speaker. Calls come one at a time."""

    def __init__(
        self,
        plan: StreamPlan,
        session: RecognizerSession,
        engine_rate_hertz: int,
        vad: Vad,
        vad_worker: ThreadWorker | None,
        phrases: tuple[Phrase, ...],
        turn_models: TurnModels,
        send: Send,
        refuse: Refuse,
    ) -> None:
        """``send`` takes each event as soon as it happens; it must not wait.

        ``refuse`` is told that no recogniser could be had for an utterance, which is forgotten.
        ``vad_worker`` runs the detector; None: it is cheap enough for the event loop.
        ``phrases`` are those that the session was opened with. ``turn_models``
        are asked at each pause.
        """
        self._plan = plan
        self._session = session
        self._vad = vad
        self._vad_worker = vad_worker
        self._evidence = turn_models.evidence
        self._judge = self._judge_of(phrases)
        self._next_phrases: tuple[Phrase, ...] | None = None
        self._punctuation = turn_models.punctuation
        self._turn_audio = None
        if plan.turn_detector == "adaptive":
            self._turn_audio = turn_models.turn_audio(engine_rate_hertz)
        self._send = send
        self._refuse = refuse
        self.clock = MicrophoneClock(plan.first_sample, plan.rate_hertz, engine_rate_hertz)
        self._activity = SpeechActivity(
            plan.vad.threshold, plan.vad.min_speech_ms, engine_rate_hertz, plan.trim_hangover
        )
        self._detector = TurnDetector(
            plan.waits,
            plan.rate_hertz,
            plan.vad.pre_roll_ms,
            plan.first_sample,
            plan.resume_from,
            DETECTORS[plan.turn_detector](plan.waits),
        )
        self._writer = TranscriptWriter(plan, self.clock, self._detector)
        self.stamp = Stamp()
        """The newest stamp, for traces."""
        self._position = 0
        self._partial = _EMPTY
        history_ms = plan.vad.pre_roll_ms + plan.vad.min_speech_ms + _HISTORY_SLACK_MS
        history = history_ms * engine_rate_hertz // 1000
        self._history: deque[Samples] = deque(maxlen=history // vad.frame_samples + 1)
        self._queue: list[Samples] = []
        # A turn that another replica began goes on here without a START.
        self._decoding = self._detector.in_turn
        self._turn_since_explicit_end = False
        self._final_pass_us = 0
        self._turn_began_ns = 0

    @property
    def in_turn(self) -> bool:
        """Whether a turn is under way."""
        return self._detector.in_turn

    @property
    def processed_sample(self) -> int:
        """How far the audio has been heard, on the microphone's clock."""
        return self.clock.sample(self._position)

    async def feed(self, samples: Samples) -> None:
        """More samples, at the engine's rate; what is decided on them is sent meanwhile."""
        metrics.AUDIO.inc(len(samples) / self.clock.engine_rate_hertz)
        began = time.perf_counter()
        pending = np.concatenate([self._partial, samples]) if len(self._partial) else samples
        size = self._vad.frame_samples
        count = len(pending) // size
        self._partial = pending[count * size :]
        if count == 0:
            return
        frames = pending[: count * size].reshape(count, size)
        if self._vad_worker is None:
            probabilities = _probabilities(self._vad, frames)
        else:
            probabilities = await self._vad_worker.run(_probabilities, self._vad, frames)
        for frame, probability in zip(frames, probabilities, strict=True):
            decisions = self._frame(frame, probability)
            if decisions:
                await self._carry_out(decisions)
        await self._decode()
        metrics.CHUNK.observe(time.perf_counter() - began)

    def _frame(self, frame: Samples, probability: float) -> list[TurnDecision]:
        self._position += len(frame)
        self._history.append(frame)
        if self._detector.in_turn:
            self._queue.append(frame)
        return self._detector.process(
            self.clock.activity(self._activity.process(frame, probability))
        )

    async def _carry_out(self, decisions: list[TurnDecision]) -> None:
        for decision in decisions:
            match decision.action:
                case Action.START:
                    self._begin()
                case Action.FINISH:
                    await self._finish()
                    continue
                case Action.RESUME:
                    await self._session.resume()
                    self._decoding = True
                case Action.EAGER | Action.END:
                    pass
            if decision.announced:
                self._announce(decision)
            if decision.action is Action.END:
                # Only now does the stamp name this turn: the orchestrator minted it
                # when it was told of the start.
                past_span("asr.turn", self._plan.conversation_id, self.stamp, self._turn_began_ns)
                await self._forget()

    def _begin(self) -> None:
        self._turn_since_explicit_end = True
        self._decoding = True
        wanted = self._position - self.clock.engine_sample(self._detector.begin)
        self._queue = [np.concatenate(self._history)[-wanted:]]
        self._writer.next_utterance()
        self._turn_began_ns = time.time_ns()

    async def _decode(self) -> None:
        """Let the recogniser hear what is queued; not while it waits after a final pass."""
        if not self._decoding or not self._queue:
            return
        samples = np.concatenate(self._queue)
        self._queue.clear()
        if self._turn_audio is not None:
            self._turn_audio.feed(samples)
        try:
            running = await self._session.accept(samples)
        except Busy as busy:
            await self._refused(busy)
            return
        if running is not None:
            await self._understand(running)

    async def _refused(self, busy: Busy) -> None:
        """No recogniser could be had: the utterance is lost, and who waits for it is told."""
        metrics.UTTERANCES.labels("refused").inc()
        log.info("turn refused: %s", busy)
        self._detector.discard()
        await self._forget()
        self._refuse(busy)

    async def _understand(self, running: Hypothesis) -> None:
        text = self._writer.text(running)
        self._writer.running(running)
        if text != self._detector.text or running.endpoint:
            decisions = self._detector.understand(
                text, self._judged(text, running), running.endpoint
            )
            if self._plan.interim_results and not decisions:
                self._update()
            await self._carry_out(decisions)

    def _judged(self, text: str, hypothesis: Hypothesis) -> Judgement:
        return self._judge.judge(text, hypothesis.stops_tell)

    def _update(self) -> None:
        self._send(
            pb.TurnEvent(
                type=pb.TURN_EVENT_TYPE_UPDATE,
                reason=pb.TURN_REASON_SPEECH,
                sample=self.processed_sample,
                last_voiced_sample=self._detector.last_voiced,
                transcript=self._writer.interim(self.processed_sample),
                mark=self._detector.mark,
                state=self._detector.state(),
            )
        )

    async def _finish(self) -> None:
        await self._decode()
        if not self._detector.in_turn:
            return  # It was refused, or its recogniser said that it is over.
        began = time.perf_counter()
        try:
            with span("asr.final_pass", self._plan.conversation_id, self.stamp):
                final, complete = await self._final_pass()
        except Busy as busy:
            await self._refused(busy)
            return
        took = time.perf_counter() - began
        metrics.FINAL_PASS.observe(took)
        self._final_pass_us = int(took * 1e6)
        self._decoding = False
        self._writer.final(final)
        text = self._writer.text(final)
        changed = text != self._detector.text
        judgement = await better_judgement(self._punctuation, text, self._judged(text, final))
        decisions = self._detector.finished(text, judgement, final.endpoint, complete)
        if changed and not decisions and self._plan.interim_results:
            self._update()
        await self._carry_out(decisions)

    async def _final_pass(self) -> tuple[Hypothesis, float | None]:
        """The recogniser's last word and the turn model's, at the same time."""
        if self._turn_audio is None:
            return await self._session.finish(), None
        return await asyncio.gather(self._session.finish(), self._turn_audio.complete())

    def _announce(self, decision: TurnDecision) -> None:
        self._note(decision)
        wait_s = (decision.sample - decision.last_voiced) / self._plan.rate_hertz
        ends = decision.action is Action.END
        if ends:
            reason = short_name(pb.TurnReason, decision.reason)
            metrics.UTTERANCES.labels(reason).inc()
            metrics.ENDPOINT_WAIT.labels(reason).observe(max(0.0, wait_s))
        if decision.action is Action.RESUME:
            metrics.EAGER.labels("resumed").inc()
        if decision.action is Action.EAGER:
            metrics.EAGER.labels("reported").inc()
        event = turn_event(decision)
        event.state.CopyFrom(self._detector.state())
        if decision.action in (Action.EAGER, Action.END):
            event.transcript.CopyFrom(self._writer.finished(decision.sample, is_final=ends))
            event.final_pass_us = self._final_pass_us
        self._send(event)

    def _note(self, decision: TurnDecision) -> None:
        reason = short_name(pb.TurnReason, decision.reason)
        metrics.DECISIONS.labels(decision.action.value, reason).inc()
        log.info(
            "turn %s: %s, wait %d ms, confidence %.2f, at sample %d",
            decision.action.value,
            reason,
            decision.wait_ms,
            decision.confidence,
            decision.sample,
        )

    async def _forget(self) -> None:
        self._decoding = False
        self._queue.clear()
        self._final_pass_us = 0
        if self._turn_audio is not None:
            self._turn_audio.forget()
        await self._session.reset()
        await self._take_next_phrases()

    async def end_utterance(self) -> None:
        """The speaker says that the utterance is over.

        Where no turn has been reported since the stream's start or the last such
        word, the answer is an END_OF_TURN with TURN_REASON_NOTHING_HEARD, so that
        every explicit end is answered.
        """
        if self._detector.in_turn and len(self._partial):
            self._queue.append(self._partial)
        if not self._detector.in_turn and not self._turn_since_explicit_end:
            metrics.UTTERANCES.labels("nothing_heard").inc()
            metrics.DECISIONS.labels(Action.END.value, "nothing_heard").inc()
            log.info("turn end: nothing_heard, asked for by the client")
            self._writer.next_utterance()
            self._send(self._writer.nothing_heard(self.processed_sample))
        self._turn_since_explicit_end = False
        await self._carry_out(self._detector.end(pb.TURN_REASON_EXPLICIT))

    async def discard(self) -> None:
        """Forget the turn under way without an END_OF_TURN."""
        if self._detector.discard():
            metrics.UTTERANCES.labels("discarded").inc()
            await self._forget()

    def close(self) -> None:
        """Send nothing more.

        Whoever takes the events holds this object and is held by it; letting go here frees the
        detector's network (about a megabyte) with the stream, not whenever the
        garbage collector comes by.
        """
        self._send = self._refuse = _dropped

    def _judge_of(self, phrases: tuple[Phrase, ...]) -> CompletenessJudge:
        whole = (phrase.text for phrase in phrases if not phrase.may_go_on)
        return default_judge(whole, self._evidence)

    async def set_phrases(self, phrases: tuple[Phrase, ...]) -> None:
        """Replace the likely phrases: now, or within a turn when it is over."""
        self._next_phrases = phrases
        if not self._detector.in_turn:
            await self._take_next_phrases()

    async def _take_next_phrases(self) -> None:
        if self._next_phrases is not None:
            phrases, self._next_phrases = self._next_phrases, None
            self._judge = self._judge_of(phrases)
            await self._session.set_phrases(phrases)
