"""The turn detector in virtual time: samples are the only clock."""

from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voicemesh.v1 import asr_pb2 as pb
from voicemesh_asr.turn_detection.completeness.judgement import Judgement
from voicemesh_asr.turn_detection.detector import Action, TurnDecision, TurnDetector
from voicemesh_asr.turn_detection.waits import Waits
from voicemesh_asr.vad.activity import Activity, FrameLabel

RATE = 16_000
FRAME = 160  # 10 ms

SENTENCE = ("what time is it", Judgement(pb.END_MARK_SENTENCE, 0.9))
CLAUSE = ("when i come", Judgement(pb.END_MARK_CLAUSE, 0.6))
PLAIN = ("big house", Judgement(pb.END_MARK_NONE, 0.5))
UNFINISHED = ("what is the", Judgement(pb.END_MARK_UNFINISHED, 0.8))
NOTHING = ("", Judgement(pb.END_MARK_NONE, 0.5))


@dataclass
class Scene:
    """A speaker whose recogniser always answers ``heard``."""

    detector: TurnDetector
    heard: tuple[str, Judgement] = SENTENCE
    now: int = 0
    onset: int | None = None
    log: list[TurnDecision] = field(default_factory=list)

    def take(self, decisions: list[TurnDecision]) -> None:
        for decision in decisions:
            self.log.append(decision)
            if decision.action is Action.FINISH:
                self.take(self.detector.finished(*self.heard))

    def sound(self, kind: FrameLabel, ms: int) -> "Scene":
        for _ in range(ms // 10):
            begin, self.now = self.now, self.now + FRAME
            if kind is FrameLabel.SILENCE:
                self.onset = None
            elif self.onset is None:
                self.onset = begin
            voiced = self.now if kind is not FrameLabel.SILENCE else begin
            onset = begin if self.onset is None else self.onset
            self.take(self.detector.process(Activity(begin, self.now, kind, onset, voiced)))
        return self

    def speech(self, ms: int) -> "Scene":
        return self.sound(FrameLabel.SPEECH, ms)

    def silence(self, ms: int) -> "Scene":
        return self.sound(FrameLabel.SILENCE, ms)

    @property
    def actions(self) -> list[Action]:
        return [d.action for d in self.log]

    @property
    def last(self) -> TurnDecision:
        return self.log[-1]


def scene(
    heard: tuple[str, Judgement] = SENTENCE, waits: Waits | None = None, pre_roll_ms: int = 0
) -> Scene:
    return Scene(TurnDetector(waits or Waits(), RATE, pre_roll_ms), heard)


@pytest.mark.parametrize(
    ("heard", "wait_ms", "reason"),
    [
        (SENTENCE, 300, pb.TURN_REASON_SILENCE_AFTER_SENTENCE),
        (CLAUSE, 400, pb.TURN_REASON_SILENCE_AFTER_CLAUSE),
        (PLAIN, 700, pb.TURN_REASON_SILENCE),
        (UNFINISHED, 1200, pb.TURN_REASON_SILENCE_AFTER_UNFINISHED),
    ],
)
def test_silence_is_waited_for_as_the_text_ends(
    heard: tuple[str, Judgement], wait_ms: int, reason: int
) -> None:
    s = scene(heard).silence(500).speech(1000).silence(wait_ms - 10)
    assert Action.END not in s.actions
    s.silence(10)
    assert s.last.action is Action.END
    assert (s.last.reason, s.last.wait_ms, s.last.mark) == (reason, wait_ms, heard[1].mark)
    assert s.last.last_voiced == 1500 * 16
    assert s.last.sample == (1500 + wait_ms) * 16


def test_an_eager_end_comes_inside_the_silence() -> None:
    s = scene().speech(500).silence(300)
    assert s.actions == [Action.START, Action.FINISH, Action.EAGER, Action.END]
    eager = s.log[2]
    assert (eager.sample, eager.wait_ms) == (650 * 16, 150)


@pytest.mark.parametrize("heard", [UNFINISHED, NOTHING])
def test_text_that_cannot_be_answered_gets_no_eager_end(heard: tuple[str, Judgement]) -> None:
    s = scene(heard).speech(500).silence(2000)
    assert s.actions == [Action.START, Action.FINISH, Action.END]


def test_speech_after_an_eager_end_resumes_the_turn() -> None:
    s = scene().speech(500).silence(200).speech(300).silence(300)
    assert s.actions == [
        *(Action.START, Action.FINISH, Action.EAGER, Action.RESUME),
        *(Action.FINISH, Action.EAGER, Action.END),
    ]
    assert s.detector.state().mean_pause_ms == 200
    assert s.detector.state().pause_count == 1


def test_a_speaker_who_was_cut_off_is_given_more_time() -> None:
    s = scene(PLAIN)
    for _ in range(4):
        s.speech(500).silence(900)
    assert s.detector.state().pause_count == 3
    assert s.detector.state().mean_pause_ms == pytest.approx(900)
    s.log.clear()
    s.speech(500).silence(900)
    assert Action.END not in s.actions
    s.silence(150)
    assert (s.last.action, s.last.wait_ms) == (Action.END, 1050)


def test_a_brisk_speaker_is_answered_sooner() -> None:
    s = scene(PLAIN)
    for _ in range(4):
        s.speech(500).silence(200)
    s.speech(500).silence(600)
    assert s.detector.state().pause_count == 4
    assert (s.last.action, s.last.wait_ms) == (Action.END, 525)


@pytest.mark.parametrize("wait_ms", [1200, 1600, 2000])
def test_the_wait_after_unfinished_text_is_what_it_is_set_to(wait_ms: int) -> None:
    s = scene(UNFINISHED, Waits(unfinished_ms=wait_ms)).speech(500).silence(wait_ms - 10)
    assert Action.END not in s.actions
    s.silence(10)
    assert (s.last.action, s.last.reason) == (Action.END, pb.TURN_REASON_SILENCE_AFTER_UNFINISHED)
    assert s.last.sample == (500 + wait_ms) * 16


def test_an_endpoint_in_the_final_pass_ends_the_turn_without_more_silence() -> None:
    s = scene(UNFINISHED).speech(500)
    for _ in range(15):
        begin, s.now = s.now, s.now + FRAME
        for decision in s.detector.process(
            Activity(begin, s.now, FrameLabel.SILENCE, begin, begin)
        ):
            assert decision.action is Action.FINISH
            s.take(s.detector.finished(*UNFINISHED, endpoint=True))
    assert (s.last.action, s.last.reason) == (Action.END, pb.TURN_REASON_MODEL)
    assert s.last.sample == 650 * 16  # The final pass comes 150 ms into the silence.


def test_going_on_much_later_is_another_turn_and_no_pause() -> None:
    s = scene(PLAIN).speech(500).silence(1100).speech(500).silence(1100)
    assert s.detector.state().pause_count == 0


def test_an_endpoint_in_the_running_text_ends_the_turn_at_once() -> None:
    s = scene().speech(500)
    s.take(s.detector.understand(*SENTENCE, endpoint=True))
    assert s.actions == [Action.START, Action.FINISH, Action.END]
    assert (s.last.reason, s.last.wait_ms) == (pb.TURN_REASON_MODEL, 0)


def test_a_pause_shorter_than_the_eager_wait_goes_unnoticed() -> None:
    assert scene().speech(300).silence(140).speech(300).actions == [Action.START]


def test_resuming_is_not_announced_where_no_eager_end_was() -> None:
    s = scene(UNFINISHED).speech(500).silence(800).speech(200)
    assert s.last.action is Action.RESUME
    assert not s.last.announced


def test_pauses_in_mid_sentence_do_not_make_the_wait_after_a_sentence_longer() -> None:
    s = scene(UNFINISHED)
    for _ in range(5):
        s.speech(500).silence(600)
    assert s.detector.state().pause_count == 0
    s.heard = SENTENCE
    s.speech(500).silence(300)
    assert (s.last.action, s.last.wait_ms) == (Action.END, 300)


def test_a_turn_does_not_end_while_a_sound_may_become_speech() -> None:
    s = scene().speech(500).silence(280).sound(FrameLabel.MAYBE, 90)
    assert Action.END not in s.actions
    s.silence(10)
    assert s.last.action is Action.END
    assert s.last.last_voiced == 500 * 16


def test_the_pre_roll_reaches_back_but_not_before_the_audio_or_the_last_turn() -> None:
    s = scene(pre_roll_ms=250).silence(100).speech(500)
    assert s.detector.begin == 0
    s.silence(300)
    ended = s.last.sample
    s.speech(100)
    assert s.detector.begin == ended
    s.silence(400).silence(1000).speech(100)
    assert s.detector.begin == s.now - 100 * 16 - 250 * 16


def test_an_explicit_end_ends_the_turn_at_once_and_the_rest_of_the_sound_is_ignored() -> None:
    s = scene().speech(500)
    s.take(s.detector.end(pb.TURN_REASON_EXPLICIT))
    assert s.actions == [Action.START, Action.FINISH, Action.END]
    assert (s.last.reason, s.last.wait_ms) == (pb.TURN_REASON_EXPLICIT, 0)
    assert s.speech(200).actions[3:] == []
    assert s.silence(50).speech(100).actions[3:] == [Action.START]


def test_an_explicit_end_after_the_final_pass_needs_no_second_one() -> None:
    s = scene(PLAIN).speech(500).silence(300)
    s.take(s.detector.end(pb.TURN_REASON_EXPLICIT))
    assert s.actions == [Action.START, Action.FINISH, Action.EAGER, Action.END]


def test_the_longest_turn_is_cut_and_the_next_begins_there() -> None:
    s = scene(waits=Waits(max_turn_ms=1000), pre_roll_ms=250).speech(1500)
    assert s.actions == [Action.START, Action.FINISH, Action.END, Action.START]
    assert s.log[2].reason == pb.TURN_REASON_MAX_LENGTH
    assert s.detector.begin == s.log[2].sample == 1000 * 16


def test_sound_without_words_ends_as_nothing_heard() -> None:
    s = scene(NOTHING).speech(300).silence(700)
    assert s.last.action is Action.END
    assert s.last.reason == pb.TURN_REASON_NOTHING_HEARD


def test_a_discarded_turn_ends_without_an_event() -> None:
    s = scene().speech(500)
    assert s.detector.discard()
    assert s.silence(2000).actions == [Action.START]
    assert not s.detector.discard()


def test_another_detector_goes_on_where_one_left_off() -> None:
    first = scene().speech(500).silence(200)
    state = first.detector.state()
    assert state.eager
    assert state.in_turn
    detector = TurnDetector(Waits(), RATE, first_sample=first.now, state=state)
    second = Scene(detector, now=first.now)
    assert second.silence(100).actions == [Action.FINISH, Action.END]
    again = Scene(TurnDetector(Waits(), RATE, first_sample=first.now, state=state), now=first.now)
    assert again.speech(50).actions == [Action.RESUME]


def test_audio_that_is_heard_a_second_time_changes_nothing() -> None:
    first = scene().speech(500)
    second = Scene(TurnDetector(Waits(), RATE, state=first.detector.state()))
    assert second.speech(200).silence(200).speech(100).actions == []
    assert second.silence(300).actions == [Action.FINISH, Action.EAGER, Action.END]
    assert second.last.last_voiced == 500 * 16


_STEPS = st.lists(
    st.tuples(
        st.sampled_from([*FrameLabel, "explicit", "discard"]),
        st.integers(1, 80).map(lambda n: n * 10),
        st.sampled_from([SENTENCE, CLAUSE, PLAIN, UNFINISHED, NOTHING]),
    ),
    max_size=25,
)


@given(_STEPS)
@settings(max_examples=200, deadline=None)
def test_events_are_well_ordered_whatever_is_heard(
    steps: list[tuple[FrameLabel | str, int, tuple[str, Judgement]]],
) -> None:
    s = scene(waits=Waits(max_turn_ms=3000), pre_roll_ms=250)
    marks: list[Action | str] = []
    for kind, ms, heard in steps:
        s.heard = heard
        before = len(s.log)
        if kind == "explicit":
            s.take(s.detector.end(pb.TURN_REASON_EXPLICIT))
        elif kind == "discard":
            if s.detector.discard():
                marks.append("discard")
        else:
            assert isinstance(kind, FrameLabel)
            s.sound(kind, ms)
        marks += [d.action for d in s.log[before:] if d.announced and d.action is not Action.FINISH]
        assert len(s.log[before:]) <= 4 * (1 + ms // 10)
    in_turn = eager = False
    for mark in marks:
        match mark:
            case Action.START:
                assert not in_turn
                in_turn, eager = True, False
            case Action.EAGER:
                assert in_turn
                assert not eager
                eager = True
            case Action.RESUME:
                assert in_turn
                assert eager
                eager = False
            case _:
                assert in_turn
                in_turn = False
    assert in_turn == s.detector.in_turn
    samples = [d.sample for d in s.log]
    assert samples == sorted(samples)
    assert all(d.last_voiced <= d.sample for d in s.log)
