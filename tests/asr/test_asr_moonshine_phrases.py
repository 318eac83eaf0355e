"""Moonshine with expected phrases, and with what is no speech: the real network."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from voicemesh.models.store import ModelStore
from voicemesh.work_counter import WorkCounter
from voicemesh_asr.engines.engine import Phrase
from voicemesh_asr.engines.moonshine.engine import revisions
from voicemesh_asr.engines.moonshine.network import Encoded, MoonshineNetwork
from voicemesh_asr.engines.moonshine.phrase_search import PhraseSearch
from voicemesh_asr.engines.moonshine.phrase_tree import build
from voicemesh_asr.engines.moonshine.settings import MODEL, MoonshineSettings
from voicemesh_asr.engines.moonshine.transcriber import LANGUAGE, MoonshineTranscriber
from voicemesh_asr.engines.pocketsphinx.contest import TextContest
from voicemesh_asr.engines.redecoding.laughter import is_laughter
from voicemesh_asr.engines.redecoding.phrase_likeness import likeness, plain
from voicemesh_asr.engines.redecoding.repetition import loop_begin
from voicemesh_asr.engines.redecoding.speech_rate import (
    is_too_fast,
    is_too_slow,
    letters,
    sounding_s,
    spoken_s,
)
from voicemesh_asr.engines.redecoding.spelled_alike import SpelledAlike
from voicemesh_asr.engines.redecoding.sure_voice import has_sure_voice
from voicemesh_asr.engines.redecoding.transcription import Request, text_of
from voicemesh_asr.vad.silero_network import shared_network

Speech = Callable[..., NDArray[np.int16]]
RATE = 16_000
PHRASES = tuple(
    Phrase(text)
    for text in (
        *("what is the moon", "what is a neural network", "how does a battery work", "okay", "why"),
        *("stop", "please stop", "really", "oh my goodness", "quiet", "exactly", "that's right"),
    )
)


@pytest.fixture(scope="module")
def network(models: ModelStore) -> MoonshineNetwork:
    return MoonshineNetwork.load(models.find(MODEL))


def heard(
    network: MoonshineNetwork,
    samples: NDArray[np.int16],
    phrases: tuple[Phrase, ...] = PHRASES,
    is_final: bool = True,
    phrase_margin: float = 6.0,
) -> str:
    config = MoonshineSettings(phrase_margin=phrase_margin)
    transcriber = MoonshineTranscriber(network, revisions(config))
    request = Request(samples, 0, 0, (LANGUAGE,), phrases=phrases)
    return text_of(transcriber.transcribe(request, is_final, WorkCounter()).segments).strip()


def in_quiet(clip: NDArray[np.int16]) -> NDArray[np.int16]:
    """As the voice activity detector cuts it out: a little silence before and after."""
    return np.pad(clip, (RATE // 4, RATE // 4))


def test_expected_questions_are_heard_word_for_word(
    network: MoonshineNetwork, flite_speech: Speech
) -> None:
    said = [phrase.text for phrase in PHRASES if len(phrase.text.split()) > 3]
    clips = [
        (text, in_quiet(flite_speech(text, voice)))
        for text in said
        for voice in ("awb", "kal16", "rms")
    ]

    def right(phrases: tuple[Phrase, ...], phrase_margin: float = 6.0) -> int:
        texts = (heard(network, clip, phrases, phrase_margin=phrase_margin) for _, clip in clips)
        return sum(plain(a) == plain(b) for a, (b, _) in zip(texts, clips, strict=True))

    assert right(PHRASES) == len(clips)
    assert right(()) == right(PHRASES, phrase_margin=0) < len(clips)


def test_what_is_not_expected_is_not_forced_into_a_phrase(
    network: MoonshineNetwork, flite_speech: Speech
) -> None:
    for said in ("what is the room like", "where is the kitchen", "no", "how does a radio work"):
        samples = in_quiet(flite_speech(said, "rms"))
        assert heard(network, samples) == heard(network, samples, ())


SOUNDS = ("oh sure", "oh wow", "oh my goodness", "um hum", "uh huh", "right right", "go on", "yeah")
COMMANDS = ("stop", "wait", "no", "what", "hello", "pardon", "thank you", "hang on")


def hinted(boost: float) -> tuple[Phrase, ...]:
    """As conversations hint them."""
    sounds = tuple(Phrase(text, boost, may_go_on=True) for text in SOUNDS)
    return sounds + tuple(Phrase(text, may_go_on=True) for text in COMMANDS)


def test_a_phrase_with_a_boost_is_heard_where_other_words_sound_better(
    network: MoonshineNetwork, flite_speech: Speech
) -> None:
    samples = in_quiet(flite_speech("oh sure", "slt"))
    unexpected = heard(network, samples, ())
    assert TextContest().winner(samples, [unexpected, "oh sure"]) == unexpected
    assert heard(network, samples, hinted(0)) == unexpected
    assert heard(network, samples, hinted(5)) == "Oh, sure."


def test_a_sound_is_heard_in_the_letters_in_which_the_network_writes_it(
    network: MoonshineNetwork, flite_speech: Speech
) -> None:
    for voice in ("rms", "awb", "kal16"):
        text = heard(network, in_quiet(flite_speech("um hum", voice)), hinted(5))
        assert plain(text) == "mmhmm"


def test_commands_are_no_sounds_of_listening(
    network: MoonshineNetwork, flite_speech: Speech
) -> None:
    for said in ("stop", "wait", "no", "hang on", "that was hard", "what about mars"):
        for voice in ("rms", "slt", "kal16"):
            text = heard(network, in_quiet(flite_speech(said, voice)), hinted(5))
            assert plain(text) not in {plain(sound) for sound in SOUNDS}, (said, voice)


def test_an_interjection_stays_where_an_expected_word_sounds_better(
    network: MoonshineNetwork, flite_speech: Speech
) -> None:
    samples = in_quiet(flite_speech("huh"))
    assert TextContest().winner(samples, ["Huh?", "hello"]) == "hello"
    assert heard(network, samples, hinted(5)) == "Huh?"


def test_a_longer_text_is_not_cut_down_to_a_phrase_that_it_begins_with(
    network: MoonshineNetwork, flite_speech: Speech
) -> None:
    text = heard(network, in_quiet(flite_speech("please stop the music at once", "rms")))
    assert len(text.split()) >= 5


def test_the_search_finds_the_phrase_that_was_said_first_and_stays_above_its_bound(
    network: MoonshineNetwork, flite_speech: Speech
) -> None:
    tree = build(PHRASES, network.tokenizer)
    encoded = network.encode(in_quiet(flite_speech("please stop", "rms")))
    found = PhraseSearch(tree, network.tokenizer).find(network, encoded, least=-12.0)
    assert found[0].phrase == "please stop"
    assert plain(network.text(found[0].decoded)) == plain("please stop")
    assert [f.log_probability for f in found] == sorted(
        (f.log_probability for f in found), reverse=True
    )
    assert all(f.log_probability >= -12.0 for f in found)
    assert not PhraseSearch(tree, network.tokenizer).find(network, encoded, least=0.0)


def test_of_texts_that_are_alike_the_one_that_was_said_sounds_best(flite_speech: Speech) -> None:
    contest = TextContest()
    for said, like_it in (("bye", "why"), ("express please", "exactly"), ("stop", "stuck")):
        samples = in_quiet(flite_speech(said, "rms"))
        assert contest.winner(samples, [like_it, said]) == said
        assert contest.winner(samples, [said, like_it]) == said
    assert contest.winner(samples, ["Stop!", "stuck"]) == "Stop!"


def test_a_word_that_nobody_can_pronounce_takes_no_part(flite_speech: Speech) -> None:
    contest, samples = TextContest(), in_quiet(flite_speech("stop", "rms"))
    assert contest.winner(samples, ["Stoppelchen!", "stop"]) is None
    assert contest.winner(samples, ["...", "stop"]) is None
    assert contest.winner(samples, ["stuck", "stoppelchen", "stop"]) == "stop"
    assert contest.winner(np.zeros(0, np.int16), ["stuck", "stop"]) is None


def test_a_phrase_is_heard_for_a_text_that_is_spelt_like_it_and_sounds_worse(
    flite_speech: Speech,
) -> None:
    hints = SpelledAlike(TextContest(), 0.34)
    samples = in_quiet(flite_speech("what is the moon", "rms"))
    assert hints.phrase(" What is the room?", samples, PHRASES) == "what is the moon"
    assert hints.phrase("What is a mooon?", samples, PHRASES) == "what is the moon"
    assert hints.phrase("What is the moon?", samples, PHRASES) is None
    assert hints.phrase("Where is the kitchen?", samples, PHRASES) is None
    assert hints.phrase("...", samples, PHRASES) is None
    other = in_quiet(flite_speech("what is the room", "rms"))
    assert hints.phrase("What is the room?", other, PHRASES) is None


def test_short_words_are_speech(network: MoonshineNetwork, flite_speech: Speech) -> None:
    for said in ("no", "yes", "stop", "quit"):
        assert heard(network, in_quiet(flite_speech(said, "rms")), ())


def test_of_a_long_text_that_is_sure_no_evidence_is_asked(
    network: MoonshineNetwork, flite_speech: Speech, monkeypatch: pytest.MonkeyPatch
) -> None:
    encode, in_silence = network.encode, list[bool]()

    def counted(*given: Any, **options: Any) -> Encoded:
        in_silence.append(options.get("in_silence", True))
        return encode(*given, **options)

    monkeypatch.setattr(network, "encode", counted)
    line = "what is artificial intelligence"
    assert plain(heard(network, in_quiet(flite_speech(line, "rms")), ())) == plain(line)
    assert in_silence == [True]
    assert heard(network, in_quiet(flite_speech("stop", "rms")), ())
    assert in_silence[1:3] == [True, False]


def noises() -> dict[str, NDArray[np.int16]]:
    rng = np.random.default_rng(11)
    times = np.arange(RATE) / RATE
    overtones = np.arange(1, 8)[:, None]
    hum = (np.sin(2 * np.pi * 50 * overtones * times) / overtones).sum(axis=0)
    tone = (np.sin(2 * np.pi * 330 * overtones * times) / overtones**2).sum(axis=0)
    bang = rng.standard_normal(RATE // 4) * np.exp(-np.arange(RATE // 4) / 800)
    sounds = {
        "silence": np.zeros(RATE),
        "white noise": rng.standard_normal(RATE) * 1000,
        "hum": hum * 3000,
        "tone": tone * np.exp(-times * 2) * 6000,
        "bang": np.pad(bang, (RATE // 4, RATE // 4)) * 12_000,
    }
    return {name: sound.astype(np.int16) for name, sound in sounds.items()}


@pytest.mark.parametrize("name", list(noises()))
def test_what_is_no_speech_is_no_text(network: MoonshineNetwork, name: str) -> None:
    for is_final in (False, True):
        assert heard(network, noises()[name], is_final=is_final) == ""


def whispered(clip: NDArray[np.int16]) -> NDArray[np.int16]:
    """The clip without a voice: its spectrum in time, smoothed, filled with noise."""
    rng, size, window = np.random.default_rng(1), 512, np.hanning(512)
    sound = np.pad(clip.astype(np.float64), size)
    whisper = np.zeros(len(sound))
    for begin in range(0, len(sound) - size, size // 4):
        levels = np.abs(np.fft.rfft(sound[begin : begin + size] * window))
        levels = np.convolve(levels, np.full(9, 1 / 9), "same")
        phases = np.exp(2j * np.pi * rng.uniform(size=len(levels)))
        whisper[begin : begin + size] += np.fft.irfft(levels * phases) * window
    return (whisper * 0.3).astype(np.int16)


@pytest.mark.parametrize("voice", ["rms", "kal16"])
def test_who_whispers_is_heard(network: MoonshineNetwork, flite_speech: Speech, voice: str) -> None:
    line = "what is the weather like in london"
    assert plain(heard(network, in_quiet(whispered(flite_speech(line, voice))), ())) == plain(line)


def test_sounds_of_a_voice_that_says_nothing_are_no_text(
    network: MoonshineNetwork, flite_speech: Speech
) -> None:
    babble = in_quiet(flite_speech("what is the weather like in london")[::-1])
    written = network.text(network.decode(network.encode(babble)))
    assert spoken_s(written) > 2, "the network makes a sentence of it"
    assert not is_too_fast(written, babble, RATE)
    assert heard(network, babble, ()) == ""


def test_voice_is_sure_in_speech_and_not_in_noise(flite_speech: Speech) -> None:
    speech = flite_speech("what is the weather like in london")
    seconds, voice = len(speech) / RATE, shared_network()
    assert has_sure_voice(voice, speech, 0.7 * seconds)
    assert not has_sure_voice(voice, speech, seconds + 0.1)
    assert has_sure_voice(voice, noises()["hum"], -0.1)
    for sound in noises().values():
        assert not has_sure_voice(voice, sound, 0.1)


@pytest.mark.parametrize(
    "text", ["Ha ha ha.", "Ah, ah, ah, ah.", "Ahahaha!", "Heh, heh, heh", "Ho, ho, ho.", "哈哈哈。"]
)
def test_laughter_is_known_where_it_is_written_down(text: str) -> None:
    assert is_laughter(text)


@pytest.mark.parametrize(
    "text", ["Ha ha.", "Uh-uh, uh-uh.", "Oh, oh, oh.", "Hey, hey, hey!", "No ha ha ha.", "Aha.", ""]
)
def test_other_short_words_are_no_laughter(text: str) -> None:
    assert not is_laughter(text)


def test_a_loop_is_cut_to_what_is_said_once() -> None:
    its_true = ("it", "'s", "true", ".")
    assert loop_begin((*its_true * 3, "it")) == len(its_true)
    assert loop_begin(("oh", ",", *its_true, *its_true[:3]), spoken=False) == 6
    assert loop_begin(("oh", ",", *its_true, *its_true[:3])) is None
    assert loop_begin(("no", ",") * 3) is None  # That is said by people.
    assert loop_begin(()) is None


def test_likeness_is_that_of_the_letters() -> None:
    assert likeness("Stop!", "stop").distance == 0
    assert likeness("Stuck,", "stop").distance == pytest.approx(3 / 5)
    assert likeness("Sure, yeah.", "sure").length_ratio == 2
    assert likeness("Bye.", "why").distance == 1


def test_a_text_fits_into_the_sound_that_it_is_said_to_be() -> None:
    noise = np.random.default_rng(1).standard_normal(2 * RATE) * 1000
    sound = noise.astype(np.int16)
    assert sounding_s(sound, RATE) == pytest.approx(2, abs=0.05)
    assert sounding_s(np.pad(sound, RATE) + np.int16(500), RATE) == pytest.approx(2, abs=0.1)
    assert sounding_s(sound[:0], RATE) == 0
    question = "Where is the kitchen?"
    assert is_too_slow("Montreal,", sound, RATE)
    assert not is_too_slow(question, sound, RATE)
    assert not is_too_slow("Um.", sound[: RATE // 2], RATE)
    assert is_too_fast(question, sound[: RATE // 2], RATE)
    assert not is_too_fast(question, sound, RATE)
    assert letters("42") == letters("four two") + 1
    assert letters("你好吗?") == 3 * 3
    assert spoken_s(question) == pytest.approx(17 / 16)
