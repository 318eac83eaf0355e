"""The turn detector: a state machine without clocks, tasks or audio.

Time is the sample index of the frames that it is shown; it never waits. It is
told what is heard (:meth:`TurnDetector.process`), what the recogniser understood
(:meth:`understand`, :meth:`finished`), and answers with decisions in the order
in which they are to be carried out:

    idle ──START──▶ speaking ──FINISH──▶ finishing ──(EAGER)──▶ waiting ──END──▶ idle
                       ▲                                           │
                       └───────────────── RESUME ──────────────────┘

FINISH comes after ``eager_ms`` of silence and asks for the recogniser's final
pass; whoever carries it out answers with :meth:`finished`. Its strategies then
say how much silence ends the turn. An unfinished or empty text gets no EAGER:
work begun on it would be thrown away.

The turn never ends while a sound may be the beginning of more speech (at most
the shortest speech long): it is either proven, and the turn resumes, or not, and
the turn ends a moment later.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from voicemesh.v1 import asr_pb2 as pb
from voicemesh_asr.turn_detection.completeness.judgement import Judgement
from voicemesh_asr.turn_detection.detectors import adaptive
from voicemesh_asr.turn_detection.pauses import Pauses
from voicemesh_asr.turn_detection.strategies.strategy import FirstOpinion, SilentTurn, WaitVerdict
from voicemesh_asr.turn_detection.waits import Waits
from voicemesh_asr.vad.activity import Activity, FrameLabel


class Action(Enum):
    """What is to be done."""

    START = "start"
    FINISH = "finish"
    EAGER = "eager"
    RESUME = "resume"
    END = "end"


@dataclass(frozen=True)
class TurnDecision:
    """Something to carry out; all but FINISH may be events for the client."""

    action: Action
    reason: pb.TurnReason.ValueType
    sample: int
    """Where the detector decided."""
    last_voiced: int
    """The sample after the last voiced one."""
    mark: pb.EndMark.ValueType
    """What the text ends with."""
    wait_ms: int = 0
    """The silence that was waited for."""
    confidence: float = 0.0
    """0 to 1."""
    announced: bool = True
    """False: nothing for the client (a RESUME before any EAGER)."""


_NOT_JUDGED = Judgement(pb.END_MARK_UNSPECIFIED, 0.0)
_NO_VERDICT = WaitVerdict(0, pb.TURN_REASON_UNSPECIFIED, finished=False)
# Who goes on this soon after a turn's end was cut off; the gap was a pause.
_CUT_OFF_MS = 1000


class TurnDetector:
    """Follows one speaker. All samples are on one clock, such as the microphone's."""

    def __init__(
        self,
        waits: Waits,
        rate_hertz: int,
        pre_roll_ms: int = 0,
        first_sample: int = 0,
        state: pb.TurnDetectorState | None = None,
        strategies: FirstOpinion | None = None,
    ) -> None:
        """``state`` is where another detector left off; ``first_sample`` comes next.

        ``strategies`` say how much silence ends a turn; by default the adaptive ones.
        """
        state = state or pb.TurnDetectorState()
        self._waits = waits
        self._strategies = strategies or adaptive(waits)
        self._rate = rate_hertz
        self._pre_roll = self._samples(pre_roll_ms)
        self._now = self._earliest = first_sample
        self.in_turn = state.in_turn
        self.begin = state.turn_begin_sample
        self.last_voiced = state.last_voiced_sample
        self.text = state.text
        self._judgement = Judgement(state.mark, 0.0)
        self._eager = state.eager
        self._eager_count = state.eager_count
        self._pauses = Pauses(state.mean_pause_ms, state.pause_count)
        self._verdict = _NO_VERDICT
        self._ended_by_silence = False
        self._finished = False
        self._forced = pb.TURN_REASON_UNSPECIFIED
        self._deaf_until_silence = False

    def _samples(self, milliseconds: int) -> int:
        return milliseconds * self._rate // 1000

    @property
    def mark(self) -> pb.EndMark.ValueType:
        """What the text ends with."""
        return self._judgement.mark

    @property
    def silence_ms(self) -> int:
        """The silence since the last voiced sample, in milliseconds."""
        return max(0, self._now - self.last_voiced) * 1000 // self._rate

    def state(self) -> pb.TurnDetectorState:
        """Everything that another detector needs to go on from here."""
        return pb.TurnDetectorState(
            in_turn=self.in_turn,
            turn_begin_sample=self.begin,
            last_voiced_sample=self.last_voiced,
            text=self.text,
            mark=self.mark,
            eager=self._eager,
            eager_count=self._eager_count,
            mean_pause_ms=self._pauses.mean_ms,
            pause_count=self._pauses.count,
        )

    def process(self, activity: Activity) -> list[TurnDecision]:
        """The next judged frame: what is to be done now."""
        self._now = activity.end
        if activity.label is FrameLabel.SILENCE:
            self._deaf_until_silence = False
        if self._deaf_until_silence or (self.in_turn and activity.end <= self.last_voiced):
            return []  # Belongs to what is over, or is audio that is heard a second time.
        decisions: list[TurnDecision] = []
        if activity.label is FrameLabel.SPEECH:
            decisions += self._speech(activity)
        if not self.in_turn:
            return decisions
        if self._now - self.begin >= self._samples(self._waits.max_turn_ms):
            return decisions + self.end(pb.TURN_REASON_MAX_LENGTH)
        if activity.label is FrameLabel.SILENCE:
            decisions += self._silence()
        return decisions

    def _speech(self, activity: Activity) -> list[TurnDecision]:
        decisions: list[TurnDecision] = []
        if not self.in_turn:
            decisions.append(self._start(activity))
        elif self._finished or self._eager:
            decisions.append(self._resume(activity.onset))
        self.last_voiced = max(self.last_voiced, activity.voiced_end)
        return decisions

    def _start(self, activity: Activity) -> TurnDecision:
        if self._ended_by_silence and self._pause_ms(activity.onset) <= _CUT_OFF_MS:
            self._pauses = self._pauses.with_pause(self._pause_ms(activity.onset))
        self._ended_by_silence = False
        self.in_turn = True
        self.begin = max(self._earliest, activity.onset - self._pre_roll)
        self.last_voiced = max(activity.voiced_end, activity.onset)
        self.text = ""
        self._judgement = _NOT_JUDGED
        self._eager_count = 0
        return self._decide(Action.START, pb.TURN_REASON_SPEECH)

    def _pause_ms(self, onset: int) -> float:
        return max(0, onset - self.last_voiced) * 1000 / self._rate

    def _resume(self, onset: int) -> TurnDecision:
        announced = self._eager
        if announced:
            # Pauses after "what is the" tell nothing of those that look like an end.
            self._pauses = self._pauses.with_pause(self._pause_ms(onset))
        self._finished = self._eager = False
        return self._decide(Action.RESUME, pb.TURN_REASON_SPEECH, announced=announced)

    def _silence(self) -> list[TurnDecision]:
        if not self._finished:
            if self.silence_ms < self._waits.eager_ms:
                return []
            return [self._decide(Action.FINISH, pb.TURN_REASON_SILENCE)]
        if self.silence_ms < self._verdict.wait_ms:
            return []
        self._ended_by_silence = bool(self.text)
        return [self._end(self._verdict.reason, self._verdict.wait_ms)]

    def understand(
        self, text: str, judgement: Judgement, endpoint: bool = False
    ) -> list[TurnDecision]:
        """The running text of the turn; ``endpoint``: its recogniser says that it is over."""
        self.text, self._judgement = text, judgement
        return self.end(pb.TURN_REASON_MODEL) if endpoint else []

    def finished(
        self,
        text: str,
        judgement: Judgement,
        endpoint: bool = False,
        complete: float | None = None,
    ) -> list[TurnDecision]:
        """The text of the final pass that FINISH asked for.

        ``endpoint``: the recogniser says that it is over. ``complete``: how likely an
        audio model thinks so, 0 to 1.
        """
        self.text, self._judgement = text, judgement
        self._finished = True
        turn = SilentTurn(text, judgement, endpoint, complete, self._pauses)
        self._verdict = verdict = self._strategies.verdict(turn)
        if self._forced:
            return [self._end(self._forced, 0)]
        decisions: list[TurnDecision] = []
        if text and not self._eager and verdict.finished:
            self._eager = True
            self._eager_count += 1
            wait_ms = self._waits.eager_ms
            decisions.append(self._decide(Action.EAGER, verdict.reason, wait_ms=wait_ms))
        return decisions + self._silence()

    def end(self, reason: pb.TurnReason.ValueType) -> list[TurnDecision]:
        """The turn under way is over now, whatever was heard; nothing outside a turn."""
        self._deaf_until_silence = reason != pb.TURN_REASON_MAX_LENGTH
        if not self.in_turn:
            return []
        if self._finished:
            return [self._end(reason, 0)]
        self._forced = reason
        return [self._decide(Action.FINISH, reason)]

    def discard(self) -> bool:
        """Forget the turn under way without an END; whether there was one."""
        was_in_turn = self.in_turn
        self._deaf_until_silence = True
        self._ended_by_silence = False
        self._idle()
        return was_in_turn

    def _end(self, reason: pb.TurnReason.ValueType, wait_ms: int) -> TurnDecision:
        if not self.text:
            reason = pb.TURN_REASON_NOTHING_HEARD
        decision = self._decide(Action.END, reason, wait_ms=wait_ms)
        self._idle()
        return decision

    def _idle(self) -> None:
        self.in_turn = self._finished = self._eager = False
        self._forced = pb.TURN_REASON_UNSPECIFIED
        self._earliest = self._now

    def _decide(
        self,
        action: Action,
        reason: pb.TurnReason.ValueType,
        wait_ms: int = 0,
        announced: bool = True,
    ) -> TurnDecision:
        judged = action in (Action.EAGER, Action.END)
        return TurnDecision(
            action,
            reason,
            self._now,
            self.last_voiced,
            self.mark,
            wait_ms,
            self._verdict.confidence if judged else 1.0,
            announced,
        )
