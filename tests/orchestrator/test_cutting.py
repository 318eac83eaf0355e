"""Replies are cut where a speaker would breathe, and nowhere else."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voicemesh_orchestrator.settings import Cutting
from voicemesh_orchestrator.text.cutting import PieceCutter

SHORT = Cutting(min_tts_input_len=1, later_piece_len=1)


def cut(text: str, settings: Cutting = SHORT, step: int = 1) -> list[str]:
    cutter = PieceCutter(settings)
    pieces = []
    for first in range(0, len(text), step):
        pieces += cutter.process(text[first : first + step])
    return [piece.text.strip() for piece in [*pieces, *cutter.finish()]]


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("It is warm. It rains!", ["It is warm.", "It rains!"]),
        ("Pi is 3.14 or so. Yes.", ["Pi is 3.14 or so.", "Yes."]),
        ("Dr. Smith is here. He waits.", ["Dr. Smith is here.", "He waits."]),
        ("Use tools, e.g. a hammer. Good.", ["Use tools,", "e.g. a hammer.", "Good."]),
        ("1. Open it.\n2. Close it.", ["1. Open it.", "2. Close it."]),
        ("The answer is 42. Really.", ["The answer is 42.", "Really."]),
        ("Meet at 10:30 sharp. Do.", ["Meet at 10:30 sharp.", "Do."]),
        ("See voicemesh.toml there. Fine.", ["See voicemesh.toml there.", "Fine."]),
        ("J. R. Smith wrote it. Yes.", ["J. R. Smith wrote it.", "Yes."]),
        ('He said "stop." Then he left.', ['He said "stop."', "Then he left."]),
        ("今天天气很好。我们去公园吧！", ["今天天气很好。", "我们去公园吧！"]),
        ("是的，没问题。好的？", ["是的，", "没问题。", "好的？"]),
        ("“你好！”他说。再见。", ["“你好！”", "他说。", "再见。"]),
        ("Wait... what? Yes.", ["Wait...", "what?", "Yes."]),
        ("no mark at all", ["no mark at all"]),
        ("Cost 1,000 coins. Ok.", ["Cost 1,000 coins.", "Ok."]),
    ],
)
def test_sentences_end_where_a_reader_would_end_them(text: str, pieces: list[str]) -> None:
    assert cut(text, step=len(text)) == pieces


@pytest.mark.parametrize("step", [1, 2, 3, 7, 1000])
def test_decimals_and_abbreviations_survive_any_chunking(step: int) -> None:
    text = "Dr. Smith has 3.14 apples. He eats them."
    assert cut(text, step=step) == ["Dr. Smith has 3.14 apples.", "He eats them."]


def test_the_first_piece_is_a_clause_and_later_ones_are_sentences() -> None:
    settings = Cutting(min_tts_input_len=6, later_piece_len=20)
    text = "Sure thing, I can do that. It is easy, really, and quick. Now watch this one."
    assert cut(text, settings) == [
        "Sure thing,",
        "I can do that. It is easy, really, and quick.",
        "Now watch this one.",
    ]


def test_a_first_clause_shorter_than_the_minimum_waits_for_more() -> None:
    assert cut("Oh, yes it is. Fine.", Cutting(min_tts_input_len=6)) == ["Oh, yes it is.", "Fine."]


def test_chinese_counts_by_spoken_length() -> None:
    settings = Cutting(min_tts_input_len=6, later_piece_len=30)
    text = "好的，我来回答。人工智能是让机器思考的科学。它很有用。"
    assert cut(text, settings) == ["好的，", "我来回答。人工智能是让机器思考的科学。", "它很有用。"]


def test_a_full_stop_after_a_word_is_spoken_without_waiting_for_the_next_token() -> None:
    cutter = PieceCutter(Cutting())
    cutter.process("Artificial intelligence is the science of")
    assert [p.text for p in cutter.process(" thinking.")] != []


def test_a_text_without_marks_is_cut_at_a_word() -> None:
    settings = Cutting(longest_piece_len=40)
    pieces = cut("word " * 40, settings)
    assert all(len(piece) <= 40 for piece in pieces)
    assert " ".join(pieces) == ("word " * 40).strip()


def test_code_blocks_are_not_spoken() -> None:
    text = "Run this. ```python\nprint('a. b')\n``` Then look."
    for step in (1, 2, 5, 100):
        assert cut(text, step=step) == ["Run this.", "Then look."]


def test_an_open_code_block_is_dropped_at_the_end() -> None:
    assert cut("Look: ```x = 1. y = 2.") == ["Look:"]


def test_without_overlap_nothing_is_cut_before_the_end() -> None:
    cutter = PieceCutter(Cutting(overlap=False))
    assert cutter.process("One sentence. And another one that is longer.") == []
    assert cutter.finish() != []


@given(st.text(alphabet="ab .,!?。，1:\n”", max_size=300), st.integers(1, 9))
def test_pieces_hold_the_whole_text_in_order(text: str, step: int) -> None:
    cutter = PieceCutter(Cutting(min_tts_input_len=3, later_piece_len=10, longest_piece_len=30))
    pieces = []
    for first in range(0, len(text), step):
        pieces += cutter.process(text[first : first + step])
    pieces += cutter.finish()
    joined = "".join(piece.text for piece in pieces)
    assert re.sub(r"\s", "", joined) == re.sub(r"\s", "", text)
    for piece in pieces:
        assert text[piece.first_char : piece.first_char + len(piece.text)] == piece.text
        assert piece.text.strip()
