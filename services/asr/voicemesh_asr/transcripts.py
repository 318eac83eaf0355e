"""Transcripts of one stream as they cross the wire."""

from __future__ import annotations

from voicemesh.v1 import asr_pb2 as pb
from voicemesh_asr.engines.engine import Hypothesis
from voicemesh_asr.microphone_clock import MicrophoneClock
from voicemesh_asr.stream_plan import StreamPlan
from voicemesh_asr.turn_detection.detector import TurnDetector


class TranscriptWriter:
    """Counts utterances and revisions; puts words onto the microphone's clock."""

    def __init__(self, plan: StreamPlan, clock: MicrophoneClock, detector: TurnDetector) -> None:
        """The turn's text and begin are read from ``detector``."""
        self._plan = plan
        self._clock = clock
        self._detector = detector
        self._utterance = 0
        self._revision = 0
        self._newest = Hypothesis("")
        self._prefix = ""
        state = plan.resume_from
        if state is not None and state.in_turn:
            self._utterance = 1
            # What another replica heard before our first sample stays.
            if state.turn_begin_sample < plan.first_sample:
                self._prefix = state.text

    def next_utterance(self) -> None:
        """Another turn begins."""
        self._utterance += 1
        self._revision = 0
        self._newest = Hypothesis("")
        self._prefix = ""

    def text(self, hypothesis: Hypothesis) -> str:
        """The whole turn's text."""
        return f"{self._prefix} {hypothesis.text}".strip()

    def running(self, hypothesis: Hypothesis) -> None:
        """The utterance so far has been understood anew."""
        self._newest = hypothesis

    def final(self, hypothesis: Hypothesis) -> None:
        """The final pass has run."""
        self._newest = hypothesis

    def _transcript(self, end_sample: int) -> pb.Transcript:
        self._revision += 1
        return pb.Transcript(
            utterance=self._utterance,
            revision=self._revision,
            text=self._detector.text,
            stability=self._newest.stability,
            language_code=self._newest.language_code or self._plan.language_code,
            begin_sample=self._detector.begin,
            end_sample=end_sample,
        )

    def interim(self, end_sample: int) -> pb.Transcript:
        """The running text up to ``end_sample``."""
        return self._transcript(end_sample)

    def finished(self, end_sample: int, is_final: bool) -> pb.Transcript:
        """The text of the final pass."""
        transcript = self._transcript(end_sample)
        transcript.stability = 1.0
        transcript.is_final = is_final
        transcript.confidence = self._newest.confidence
        if self._plan.word_times:
            transcript.words.extend(self._words())
        return transcript

    def _words(self) -> list[pb.Word]:
        begin = max(self._detector.begin, self._plan.first_sample)
        rate = self._plan.rate_hertz
        return [
            pb.Word(
                word=word.text,
                begin_sample=begin + round(word.begin_s * rate),
                end_sample=begin + round(word.end_s * rate),
                confidence=word.confidence,
            )
            for word in self._newest.words
        ]

    def nothing_heard(self, sample: int) -> pb.TurnEvent:
        """The answer to an explicit end after which no speech has been heard."""
        return pb.TurnEvent(
            type=pb.TURN_EVENT_TYPE_END_OF_TURN,
            reason=pb.TURN_REASON_NOTHING_HEARD,
            sample=sample,
            last_voiced_sample=self._detector.last_voiced,
            confidence=1.0,
            transcript=pb.Transcript(
                utterance=self._utterance,
                revision=1,
                is_final=True,
                stability=1.0,
                language_code=self._plan.language_code,
                begin_sample=sample,
                end_sample=sample,
            ),
            state=self._detector.state(),
        )
