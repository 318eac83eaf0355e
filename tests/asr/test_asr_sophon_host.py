"""What Whisper needs beside the chip: spectrum, vocabulary, prompts, rules, settings, files."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydantic import ValidationError

from voicemesh.audio import Samples
from voicemesh.errors import InvalidArgument, SettingsError
from voicemesh_asr.engines.sophon_whisper.logit_filters import LogitFilters, log_softmax
from voicemesh_asr.engines.sophon_whisper.model_files import check, check_files, read_positions
from voicemesh_asr.engines.sophon_whisper.prompt import (
    MASKED,
    first_mask,
    first_positions,
    first_tokens,
    make_prompt,
    new_tokens,
    step_mask,
)
from voicemesh_asr.engines.sophon_whisper.settings import SophonWhisperSettings
from voicemesh_asr.engines.sophon_whisper.vocabulary import WhisperVocabulary, pieces
from voicemesh_asr.engines.sophon_whisper.windows import cut
from voicemesh_asr.mel_spectrum import log_mel, mel_filters

Doubles = NDArray[np.float64]


@pytest.fixture(scope="module")
def vocabulary(tiny_whisper: Any) -> WhisperVocabulary:
    return WhisperVocabulary.read(
        tiny_whisper.vocabulary_file, tiny_whisper.manifest["dims"]["n_vocab"]
    )


# The spectrum


def triangle(frequency: float, low: float, middle: float, high: float) -> float:
    if low < frequency <= middle:
        return (frequency - low) / (middle - low)
    if middle < frequency < high:
        return (high - frequency) / (high - middle)
    return 0.0


def plain_filters(mels: int) -> Doubles:
    """The filter bank from its definition, one weight at a time."""

    def hertz(mel: float) -> float:
        return mel * 200 / 3 if mel < 15 else float(1000 * 6.4 ** ((mel - 15) / 27))

    highest = 15 + 27 * np.log(8) / np.log(6.4)
    corners = [hertz(mel) for mel in np.linspace(0, highest, mels + 2)]
    bank = np.zeros((mels, 201))
    for row in range(mels):
        low, middle, high = corners[row : row + 3]
        for k in range(201):
            bank[row, k] = triangle(k * 40.0, low, middle, high) * 2 / (high - low)
    return bank


def plain_log_mel(samples: Samples, mels: int, frames: int) -> Doubles:
    """The spectrum from its definition: a discrete Fourier transform as a matrix, in doubles."""
    window = np.zeros(frames * 160)
    window[: len(samples)] = samples / 32768
    padded = np.concatenate([window[200:0:-1], window, window[-2:-202:-1]])
    n, k = np.arange(400), np.arange(201)
    transform = np.exp(-2j * np.pi * np.outer(n, k) / 400)
    hann = np.sin(np.pi * n / 400) ** 2
    cuts = np.stack([padded[t * 160 : t * 160 + 400] for t in range(frames)])
    power = np.abs((cuts * hann) @ transform) ** 2
    bands = np.log10(np.maximum(power @ plain_filters(mels).T, 1e-10)).T
    return np.asarray((np.maximum(bands, bands.max() - 8) + 4) / 4)


@pytest.mark.parametrize("mels", [80, 128])
def test_filters_are_slaney_triangles_of_equal_area(mels: int) -> None:
    np.testing.assert_allclose(mel_filters(mels), plain_filters(mels), atol=1e-8)


@pytest.mark.parametrize("seconds", [0.0, 0.001, 0.9, 3.99, 4.0])
def test_spectrum_of_noise_is_the_defined_one(seconds: float) -> None:
    noise = np.random.default_rng(3).normal(0, 2000, int(seconds * 16_000)).astype(np.int16)
    spectrum = log_mel(noise, 80, 400)
    assert spectrum.shape == (80, 400)
    assert spectrum.dtype == np.float32
    np.testing.assert_allclose(spectrum, plain_log_mel(noise, 80, 400), atol=1e-4)


def test_spectrum_of_speech_is_the_defined_one(tiny_whisper: Any) -> None:
    speech = tiny_whisper.samples("14_zh.wav")
    np.testing.assert_allclose(log_mel(speech, 80, 400), plain_log_mel(speech, 80, 400), atol=1e-4)


def test_more_than_a_window_is_refused() -> None:
    with pytest.raises(ValueError, match="64001 samples are more than a window of 64000"):
        log_mel(np.zeros(64_001, np.int16), 80, 400)


# The vocabulary


def test_special_tokens_are_counted_from_the_ranks(
    vocabulary: WhisperVocabulary, tiny_whisper: Any
) -> None:
    ids = tiny_whisper.manifest["ids"]
    assert vocabulary.end_of_text == ids["eot"]
    assert vocabulary.start_of_transcript == ids["sot"]
    assert vocabulary.language("en") == ids["en"]
    assert vocabulary.language("zh") == ids["zh"]
    assert vocabulary.transcribe == ids["transcribe"]
    assert vocabulary.translate == ids["translate"]
    assert vocabulary.start_of_previous == ids["sot_prev"]
    assert vocabulary.no_speech == ids["no_speech"]
    assert vocabulary.no_stamps == ids["no_timestamps"]
    assert vocabulary.first_stamp == ids["timestamp_begin"]
    assert vocabulary.unsaid == ids["suppressed"]


def test_ids_of_the_published_models() -> None:
    """99 languages over 50257 ranks, as everybody knows them, and 100 in large-v3."""
    tokens = [bytes((byte,)) for byte in range(256)]
    tokens += [b"\xff" + rank.to_bytes(3) for rank in range(50257 - 256)]
    multilingual = WhisperVocabulary(tokens, 51865)
    assert multilingual.end_of_text == 50257
    assert multilingual.transcribe == 50359
    assert multilingual.first_stamp == 50364
    large = WhisperVocabulary(tokens, 51866)
    assert large.languages[-1] == "yue"
    assert large.first_stamp == 50365


def test_text_is_spelt_as_the_model_spells_it(
    vocabulary: WhisperVocabulary, tiny_whisper: Any
) -> None:
    for wav in tiny_whisper.manifest["wavs"]:
        if wav["kind"].startswith("trained"):
            spelt = wav["text"] if wav["language"] == "zh" else f" {wav['text']}"
            assert vocabulary.encode(spelt) == wav["torch"]["tokens"]
            assert vocabulary.decode(wav["torch"]["tokens"]) == spelt


@given(text=st.text(max_size=40))
@settings(max_examples=200, deadline=None)
def test_any_text_comes_back(vocabulary: WhisperVocabulary, text: str) -> None:
    assert vocabulary.decode(vocabulary.encode(text)) == text


def test_an_incomplete_character_is_held_back(vocabulary: WhisperVocabulary) -> None:
    tokens = list("灯 ok 🙂".encode())
    assert vocabulary.decode(tokens) == "灯 ok 🙂"
    for missing in (1, 2, 3):
        assert vocabulary.decode(tokens[:-missing]) == "灯 ok "
    assert vocabulary.decode([0xE7, ord("a")]) == "\ufffda"


def test_tokens_never_reach_over_a_word_a_number_or_a_sign() -> None:
    found = list(pieces("the light's 10  ²lights, 你好!\n\n ok "))
    assert found == [
        *("the", " light", "'s", " 10", " ", " ²", "lights", ",", " 你好", "!", "\n\n"),
        *(" ok", " "),
    ]


@pytest.mark.parametrize(
    ("content", "wrong"),
    [
        ("AA== 0\nAQ== x\n", "cannot be read"),
        ("???? 0\n", "cannot be read"),
        ("AA== 0\nAQ== 2\n", "ranks are missing or double"),
        ("AA== 0\nAQ== 1\n", "lacks the token of byte 2"),
    ],
)
def test_a_wrong_rank_file_is_told(tmp_path: Path, content: str, wrong: str) -> None:
    file = tmp_path / "ranks.tiktoken"
    file.write_text(content)
    with pytest.raises(SettingsError, match=wrong) as told:
        WhisperVocabulary.read(file, 2000)
    assert str(file) in str(told.value)
    assert "multilingual.tiktoken" in str(told.value)


def test_ranks_of_another_model_are_told(tiny_whisper: Any) -> None:
    with pytest.raises(SettingsError, match="392 ranks, which does not fit a model of 51865"):
        WhisperVocabulary.read(tiny_whisper.vocabulary_file, 51865)


# Prompts and masks


def test_the_prompt_is_aligned_to_the_right(vocabulary: WhisperVocabulary) -> None:
    v = vocabulary
    prompt = make_prompt(v, 64, v.language("zh"), stamps=False, previous=v.encode(" stop"))
    kept = v.encode(" stop")
    control = [v.start_of_transcript, v.language("zh"), v.transcribe, v.no_stamps]
    assert list(prompt.tokens) == [v.start_of_previous, *kept, *control]
    assert prompt.transcript_at == 1 + len(kept)
    length = len(prompt.tokens)
    tokens = first_tokens(prompt, 5, 64)
    assert (tokens[:, : 64 - length] == 0).all()
    assert (tokens[:, 64 - length :] == prompt.tokens).all()
    table = np.arange(448, dtype=np.float32)[:, None]
    positions = first_positions(table, length, 64)
    assert (positions[: 64 - length] == 0).all()
    assert positions[64 - length :, 0].tolist() == list(range(length))


def test_masks_let_the_past_through_and_nothing_else() -> None:
    mask = first_mask(3, rows=2, heads=4, pad=5)
    assert mask.shape == (2, 5, 4, 5)
    m = MASKED
    expected = [[0] * 5, [0] * 5, [m, m, 0, m, m], [m, m, 0, 0, m], [m, m, 0, 0, 0]]
    for row in range(2):
        for head in range(4):
            assert mask[row, :, head].tolist() == expected
    step = step_mask(4, rows=2, heads=4, pad=5)
    assert step.shape == (2, 1, 4, 5)
    assert (step == np.array([m, 0, 0, 0, 0], np.float32)).all()


def test_earlier_text_is_shortened_to_half_of_the_pad(vocabulary: WhisperVocabulary) -> None:
    earlier = list(range(300))
    for pad, kept in ((64, 31), (128, 63), (448, 223)):
        prompt = make_prompt(vocabulary, pad, 0, previous=earlier)
        assert list(prompt.tokens[1 : 1 + kept]) == earlier[-kept:]
        assert prompt.transcript_at == 1 + kept


@pytest.mark.parametrize(("pad", "room"), [(64, 61), (128, 125), (448, 224)])
def test_new_tokens_are_bounded_by_pad_and_table(
    vocabulary: WhisperVocabulary, pad: int, room: int
) -> None:
    assert new_tokens(make_prompt(vocabulary, pad, 0), pad, 448) == room


def test_a_prompt_that_fills_the_pad_is_refused(vocabulary: WhisperVocabulary) -> None:
    prompt = make_prompt(vocabulary, 448, 0, previous=list(range(223)))
    with pytest.raises(InvalidArgument, match="prompt of 227 tokens leaves no room in .* 128"):
        new_tokens(prompt, 128, 448)


# Rules on logits


def allowed(
    vocabulary: WhisperVocabulary, sequence: tuple[int, ...], stamps: bool = True
) -> set[int]:
    """What may follow where no token is likelier than another, but for the text."""
    logits = np.zeros((1, vocabulary.size), np.float32)
    logits[:, : vocabulary.end_of_text + 1] = 20.0
    LogitFilters(vocabulary, stamps).apply(logits, [sequence])
    return set(np.flatnonzero(np.isfinite(logits[0])).tolist())


def test_the_first_token_is_no_blank_and_no_end(vocabulary: WhisperVocabulary) -> None:
    first = allowed(vocabulary, (), stamps=False)
    assert vocabulary.encode(" ")[0] not in first
    assert vocabulary.end_of_text not in first
    assert vocabulary.end_of_text in allowed(vocabulary, (65,), stamps=False)


def test_unsaid_signs_never_come(vocabulary: WhisperVocabulary) -> None:
    for stamps in (False, True):
        assert not allowed(vocabulary, (65,), stamps) & set(vocabulary.unsaid)


def test_the_first_stamp_is_within_a_second(vocabulary: WhisperVocabulary) -> None:
    first = vocabulary.first_stamp
    assert allowed(vocabulary, ()) == set(range(first, first + 51))


def test_stamps_come_in_pairs_and_never_go_back(vocabulary: WhisperVocabulary) -> None:
    text, stamp, end = 65, vocabulary.first_stamp + 40, vocabulary.end_of_text
    stamps = set(range(vocabulary.first_stamp, vocabulary.size))
    assert not allowed(vocabulary, (stamp,)) & stamps, "text follows the stamp that begins it"
    assert allowed(vocabulary, (stamp, text)) & stamps == set(range(stamp + 1, vocabulary.size))
    closing = allowed(vocabulary, (stamp, text, stamp + 5))
    assert min(closing) == end
    assert closing & stamps == set(range(stamp + 5, vocabulary.size))
    assert not allowed(vocabulary, (stamp, text, stamp + 5, stamp + 5)) & stamps


def test_a_stamp_comes_when_all_together_outweigh_any_text(vocabulary: WhisperVocabulary) -> None:
    logits = np.full((1, vocabulary.size), -5.0, np.float32)
    logits[0, 65] = 3.0
    logits[0, vocabulary.first_stamp :] = -4.0  # each far less likely, 1501 of them likelier
    LogitFilters(vocabulary, stamps=True).apply(logits, [(vocabulary.first_stamp, 66)])
    assert not np.isfinite(logits[0, 65])
    assert np.isfinite(logits[0, vocabulary.first_stamp + 1 :]).all()


@given(values=st.lists(st.floats(-30, 30, width=32), min_size=2, max_size=8))
def test_log_softmax_is_a_distribution(values: list[float]) -> None:
    logits = np.array([values], np.float32)
    logits[0, 0] = -np.inf
    normed = log_softmax(logits)
    assert np.exp(normed.astype(np.float64)).sum() == pytest.approx(1, abs=1e-5)
    assert np.isneginf(normed[0, 0])


# Segments of a window


def test_a_window_is_cut_at_its_last_pair_of_stamps(vocabulary: WhisperVocabulary) -> None:
    v = vocabulary

    def stamp(seconds: float) -> int:
        return v.first_stamp + round(seconds / 0.02)

    one, two, three = v.encode(" one"), v.encode(" two"), v.encode(" three")
    paired = [stamp(0.2), *one, stamp(1.0), stamp(1.2), *two, stamp(2.0), stamp(2.2), *three]
    found = cut(paired, v, begin=16_000, length=64_000)
    assert [segment.text for segment in found.segments] == [" one", " two"]
    assert [(s.begin, s.end) for s in found.segments] == [(19_200, 32_000), (35_200, 48_000)]
    assert found.advance == 32_000, "three is decoded again"

    closed = cut([*paired, stamp(3.0)], v, begin=0, length=64_000)
    assert [segment.text for segment in closed.segments] == [" one", " two", " three"]
    assert closed.advance == 64_000
    unfinished = cut([*paired, stamp(3.0)], v, begin=0, length=64_000, finished=False)
    assert unfinished.advance == 48_000

    plain = cut(one, v, begin=0, length=5000)
    assert (plain.advance, plain.closed) == (5000, False)
    nothing = cut([stamp(0.0), stamp(0.02), stamp(0.02)], v, begin=0, length=5000)
    assert nothing.segments == ()
    assert nothing.advance == 5000, "a cut at the very begin would go on for ever"


# Settings and files


@pytest.mark.parametrize(
    ("setting", "value", "wrong"),
    [
        ("languages", ["en", "tlh"], "Whisper does not know 'tlh'"),
        ("languages", [], "at least 1"),
        ("temperatures", [0.4, 0.2], "must rise"),
        ("task", "summarize", "transcribe"),
        ("interim_every_ms", 5, "greater than or equal to 100"),
        ("model_file", "x", "Extra inputs"),
    ],
)
def test_wrong_settings_are_told(setting: str, value: object, wrong: str) -> None:
    with pytest.raises(ValidationError, match=wrong):
        SophonWhisperSettings.model_validate({setting: value})


def tiny_settings(tiny: Any, **changed: object) -> SophonWhisperSettings:
    values = {
        "model_files": tiny.five_files("bm1688"),
        "positions_file": tiny.positions_file,
        "vocabulary_file": tiny.vocabulary_file,
    }
    return SophonWhisperSettings.model_validate(values | changed)


@pytest.mark.parametrize(
    ("name", "value", "field"),
    [
        ("model_files", (), "model_files"),
        ("model_files", ("/nowhere/whisper.bmodel",), "model_files"),
        ("interim_model_files", ("/nowhere/greedy.bmodel",), "interim_model_files"),
        ("positions_file", None, "positions_file"),
        ("vocabulary_file", "/nowhere/multilingual.tiktoken", "vocabulary_file"),
    ],
)
def test_missing_files_are_named_with_their_cure(
    tiny_whisper: Any, name: str, value: Any, field: str
) -> None:
    config = tiny_settings(tiny_whisper, **{name: value})
    with pytest.raises(SettingsError, match="fetch_models") as told:
        check_files(config)
    assert told.value.field == f"asr.sophon_whisper.{field}"
    if value:
        assert str(value if isinstance(value, str) else value[0]) in str(told.value)
    assert not check(config).usable


def test_the_files_of_the_tiny_model_are_usable(tiny_whisper: Any) -> None:
    probe = check(tiny_settings(tiny_whisper))
    assert probe.usable
    assert probe.reason.startswith("5 bmodels: state 64, 2 layers, 5 beams, 64 pad, ")


def test_a_damaged_position_table_is_told(tmp_path: Path, tiny_whisper: Any) -> None:
    cut_off = tmp_path / "cut.npz"
    cut_off.write_bytes(tiny_whisper.positions_file.read_bytes()[:5000])
    other = tmp_path / "other.npz"
    np.savez(other, something=np.zeros(3))
    flat = tmp_path / "flat.npz"
    np.savez(flat, positional_embedding=np.zeros(3))
    for file, wrong in ((cut_off, "cannot be read"), (other, "cannot be read"), (flat, "1 dim")):
        with pytest.raises(SettingsError, match=wrong) as told:
            read_positions(file)
        assert str(file) in str(told.value)
