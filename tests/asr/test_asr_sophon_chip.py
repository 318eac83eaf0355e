"""Whisper's graphs on a simulated chip: exact texts, and the caches' way from step to step."""

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from voicemesh.errors import EngineError, SettingsError
from voicemesh.work_counter import WorkCounter
from voicemesh_asr.engines.redecoding.jobs import CancelledDecode
from voicemesh_asr.engines.sophon_whisper import self_test
from voicemesh_asr.engines.sophon_whisper.decoder import Decoder
from voicemesh_asr.engines.sophon_whisper.decoding import SearchOptions
from voicemesh_asr.engines.sophon_whisper.graphs import WhisperGraphs
from voicemesh_asr.engines.sophon_whisper.model_files import check_positions, read_positions
from voicemesh_asr.engines.sophon_whisper.prompt import make_prompt
from voicemesh_asr.engines.sophon_whisper.transcriber import Request, Transcriber, Transcription
from voicemesh_asr.engines.sophon_whisper.vocabulary import WhisperVocabulary
from voicemesh_asr.engines.whisper.fallback import Fallback
from voicemesh_sophon.client import Chip
from voicemesh_sophon.owner_process import OwnerProcess

ChipOwner = Callable[[str], OwnerProcess]


class OnChip:
    """A set of bmodels on a chip."""

    def __init__(
        self, tiny: Any, owner: OwnerProcess, files: tuple[Path, ...], cores: tuple[int, ...]
    ) -> None:
        self.tiny = tiny
        self.chip = Chip.open(owner.placement("asr", cores=cores))
        self.graphs = WhisperGraphs(self.chip.load(*files))
        self.vocabulary = WhisperVocabulary.read(
            tiny.vocabulary_file, self.graphs.dimensions.vocabulary
        )
        self.table = read_positions(tiny.positions_file)
        self.decoder = Decoder(self.chip, self.graphs, self.table)
        d = self.graphs.dimensions
        options = SearchOptions(rows=d.rows, pad=d.pad, positions=len(self.table), beams=d.rows)
        self.transcriber = Transcriber(self.decoder, self.vocabulary, options, Fallback())

    def close(self) -> None:
        self.chip.close()

    def transcribe(self, name: str, stamps: bool, languages: tuple[str, ...]) -> Transcription:
        request = Request(self.tiny.samples(name), name, languages, (0.0,), stamps)
        return self.transcriber.transcribe(request, WorkCounter())


@pytest.fixture(scope="module")
def bm1688(chip_owner: ChipOwner, tiny_whisper: Any) -> Iterator[OnChip]:
    files = tiny_whisper.five_files("bm1688")
    with closing(OnChip(tiny_whisper, chip_owner("bm1688"), files, (0,))) as on_chip:
        yield on_chip


def check_text(on_chip: OnChip, name: str, stamps: bool) -> None:
    """Language, text and score of the whole way from samples to text, with all beams."""
    heard = on_chip.transcribe(name, stamps, ("en", "zh"))
    expected = on_chip.tiny.expected(name)
    assert heard.text == on_chip.tiny.text(name)
    assert heard.language == on_chip.tiny.language(name)
    score = expected["avg_logprob_stamps" if stamps else "avg_logprob"]
    assert heard.windows[0].decoded.average == pytest.approx(score, abs=0.002)
    assert heard.windows[0].decoded.no_speech == pytest.approx(expected["no_speech"], abs=0.01)


def test_sizes_are_read_from_the_graphs(bm1688: OnChip) -> None:
    told = bm1688.tiny.manifest["dims"]
    d = bm1688.graphs.dimensions
    assert (d.mels, d.frames, d.audio) == (told["n_mels"], told["n_frames"], told["n_audio_ctx"])
    assert (d.state, d.heads, d.layers) == (told["n_state"], told["n_head"], told["n_text_layer"])
    assert (d.rows, d.pad, d.vocabulary) == (told["beam"], told["pad"], told["n_vocab"])


@pytest.mark.parametrize(
    ("name", "stamps"), [("00_what_is_artificial_intelligence.wav", False), ("13_zh.wav", True)]
)
def test_speech_gives_its_exact_text(bm1688: OnChip, name: str, stamps: bool) -> None:
    check_text(bm1688, name, stamps)


@pytest.mark.long
def test_a_recording_longer_than_the_window_is_cut_at_its_stamps(bm1688: OnChip) -> None:
    name = "long_4_sentences.wav"
    heard = bm1688.transcribe(name, True, ("en",))
    assert heard.text == bm1688.tiny.text(name)
    assert len(heard.windows) == 2
    # Beams that do not go on from their sources would be noticed here: they score -0.553.
    score = bm1688.tiny.expected(name)["avg_logprob_stamps"]
    assert heard.windows[0].decoded.average == pytest.approx(score, abs=0.002)
    ends = [segment.end for segment in heard.segments]
    assert ends == sorted(ends)
    assert ends[-1] > bm1688.transcriber.window


@pytest.mark.long
def test_silence_gives_no_text(bm1688: OnChip) -> None:
    heard = bm1688.transcribe("silence.wav", False, ("en",))
    assert heard.windows[0].decoded.text, "the model has an idea, which must be dropped"
    assert heard.text == ""
    assert heard.confidence == 0.0


class Briefly(WorkCounter):
    """Nobody wants more than the first token."""

    def spend(self, count: int = 1) -> None:
        super().spend(count)
        self.cancel()


def test_a_decode_ends_between_two_steps_when_nobody_wants_it(bm1688: OnChip) -> None:
    """What was encoded for it serves the next decode of the same audio."""
    name = "03_stop.wav"
    counter = Briefly()
    request = Request(bm1688.tiny.samples(name), name, ("en",), (0.0,), True)
    with pytest.raises(CancelledDecode):
        bm1688.transcriber.transcribe(request, counter)
    assert (counter.made, counter.late) == (1, 0)
    again = bm1688.transcribe(name, False, ("en",))
    assert again.text == "Stop."
    assert again.windows[0].encode_s == 0


@pytest.mark.parametrize("in_place", [False, True])
@pytest.mark.parametrize(
    "sources", [[4, 4, 0, 2, 1], [0, 0, 0, 0, 0], [1, 2, 3, 4, 0], [0, 1, 2, 3, 4], [3, 3, 3, 1, 1]]
)
def test_rows_go_on_from_the_rows_that_they_are_told_to(
    bm1688: OnChip, sources: list[int], in_place: bool
) -> None:
    caches = self_test.row_caches(bm1688.decoder)
    _, *after = bm1688.decoder.step_caches(caches, np.array(sources, np.int32), in_place)
    assert len(after) == 2 * bm1688.graphs.dimensions.layers
    for old, new in zip(caches, after, strict=True):
        np.testing.assert_array_equal(new[:, :-1], old[sources][:, 1:])


@pytest.mark.long
def test_caches_in_place_and_in_two_sets_give_the_same(bm1688: OnChip) -> None:
    """Which of the two an engine takes is found out at load; texts must not tell."""
    name = "04_what_time_is_it.wav"
    texts = {}
    for in_place in (False, True):
        bm1688.decoder.in_place = in_place
        decoded = bm1688.transcribe(name, False, ("en",)).windows[0].decoded
        texts[in_place] = (decoded.tokens, decoded.average)
    bm1688.decoder.in_place = False
    assert texts[False] == texts[True]
    assert bm1688.vocabulary.decode(texts[False][0]).strip() == bm1688.tiny.text(name)
    assert self_test.updates_in_place(bm1688.decoder)


def test_a_sequence_ends_where_the_pad_is_full(bm1688: OnChip) -> None:
    d, v = bm1688.graphs.dimensions, bm1688.vocabulary
    words = v.encode(" turn on the light" * 40)
    prompt = make_prompt(v, d.pad, v.language("en"), previous=words)
    assert len(prompt.tokens) == d.pad // 2 + 3
    bm1688.decoder.begin(prompt)
    rows = np.arange(d.rows, dtype=np.int32)
    token = np.full(d.rows, words[0], np.int32)
    for _ in range(d.pad - len(prompt.tokens)):
        assert bm1688.decoder.step(token, rows).shape == (d.rows, d.vocabulary)
    with pytest.raises(EngineError, match="64 tokens fills the model's 64.*larger pad"):
        bm1688.decoder.step(token, rows)


def test_two_cores(chip_owner: ChipOwner, tiny_whisper: Any) -> None:
    files = tiny_whisper.five_files("bm1688", cores=2)
    with closing(OnChip(tiny_whisper, chip_owner("bm1688"), files, (0, 1))) as on_chip:
        check_text(on_chip, "06_set_a_timer_for_ten_minutes.wav", True)
        assert self_test.updates_in_place(on_chip.decoder)


def test_six_graphs_in_one_file(chip_owner: ChipOwner, tiny_whisper: Any) -> None:
    files = tiny_whisper.one_file("bm1688", 6)
    with closing(OnChip(tiny_whisper, chip_owner("bm1688"), files, ())) as on_chip:
        assert on_chip.graphs.reorder is not None
        assert not on_chip.graphs.loop_reorders
        check_text(on_chip, "05_play_some_music.wav", True)
        self_test.check_reordering(on_chip.decoder)
        assert self_test.updates_in_place(on_chip.decoder)


@pytest.mark.long
def test_six_graphs_in_place_and_without_the_one_for_the_language(
    chip_owner: ChipOwner, tiny_whisper: Any
) -> None:
    """The graph that finds the language is not in every file of that form."""
    files = tiny_whisper.one_file("bm1688", 6)
    with closing(OnChip(tiny_whisper, chip_owner("bm1688"), files, ())) as on_chip:
        on_chip.decoder.settle(True)
        on_chip.graphs.language = None
        check_text(on_chip, "12_zh.wav", False)
        check_text(on_chip, "04_what_time_is_it.wav", True)


def test_a_missing_graph_is_named_with_the_files(chip_owner: ChipOwner, tiny_whisper: Any) -> None:
    files = [f for f in tiny_whisper.five_files("bm1688") if "decoder_post" not in f.name]
    with (
        closing(Chip.open(chip_owner("bm1688").placement("asr"))) as chip,
        pytest.raises(EngineError, match=r"all_quant_.*: the graph decoder_post is missing"),
    ):
        WhisperGraphs(chip.load(*files))


def test_a_position_table_of_another_size_is_told(bm1688: OnChip, tmp_path: Path) -> None:
    path = tmp_path / "positional_embedding_small.npz"
    np.savez(path, positional_embedding=np.zeros((448, 768), np.float32))
    with pytest.raises(SettingsError, match="state 768, but the bmodels have 64") as told:
        check_positions(read_positions(path), path, bm1688.graphs.dimensions)
    assert told.value.field == "asr.sophon_whisper.positions_file"


@pytest.mark.long
def test_all_speech_gives_its_exact_text(bm1688: OnChip) -> None:
    for wav in bm1688.tiny.manifest["wavs"]:
        if wav["kind"].startswith(("trained", "speed")):
            for stamps in (False, True):
                check_text(bm1688, wav["wav"], stamps)


@pytest.mark.long
def test_five_graphs_in_one_file_on_a_bm1684x(chip_owner: ChipOwner, tiny_whisper: Any) -> None:
    files = tiny_whisper.one_file("bm1684x", 5)
    with closing(OnChip(tiny_whisper, chip_owner("bm1684x"), files, ())) as on_chip:
        check_text(on_chip, "03_stop_170wpm.wav", True)
        check_text(on_chip, "13_zh.wav", False)
        self_test.check_reordering(on_chip.decoder)
        on_chip.decoder.settle(self_test.updates_in_place(on_chip.decoder))
        check_text(on_chip, "00_what_is_artificial_intelligence.wav", True)
