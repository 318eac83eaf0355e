"""The Mandarin front end: what is read, as which sounds, in which windows."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pypinyin.constants import PHRASES_DICT, PINYIN_DICT
from pypinyin.contrib.tone_convert import to_tone3

from voicemesh.errors import EngineMissing, SettingsError
from voicemesh_tts.engines.mandarin.clauses import Clause, PhoneticText, Reader
from voicemesh_tts.engines.mandarin.latin import LatinReading
from voicemesh_tts.engines.mandarin.lexicon import BUILT_IN, Lexicon
from voicemesh_tts.engines.mandarin.pronunciation import Pronunciation
from voicemesh_tts.engines.mandarin.syllables import syllable
from voicemesh_tts.engines.sophon_vits.encoding import encode, spread
from voicemesh_tts.engines.sophon_vits.phonemes import IDS, SYMBOLS, symbol_ids
from voicemesh_tts.engines.sophon_vits.vocabulary import BertVocabulary
from voicemesh_tts.engines.sophon_vits.windows import Capacity, LaunchWindow, halves, plan
from voicemesh_tts.text.scripts import Reading
from voicemesh_tts.text.speech import SpeechText
from voicemesh_tts.text.units import joined, units

LEXICON = Lexicon.load(BUILT_IN)
CHINESE = Reading.of("zh")
PUBLISHED = Capacity(phonemes=128, tokens=64)


@cache
def vocabulary() -> BertVocabulary:
    tokens = ["[PAD]", "[UNK]", ",", *"你好我是语音助手今天气很们一起去公园散步吧"]
    with TemporaryDirectory() as folder:
        file = Path(folder) / "vocab.txt"
        file.write_text("\n".join(tokens) + "\n", encoding="utf-8")
        return BertVocabulary(file)


def reader(lexicon: Lexicon = LEXICON) -> Reader:
    return Reader(Pronunciation(lexicon.readings), LatinReading(lexicon, spell_unknown=False))


READER = reader()


def pinyin(text: str, with_reader: Reader = READER) -> str:
    """What a text sounds like; ii and iii are the vowels of zi and zhi."""
    clauses = with_reader.read(text).clauses
    sounds = [spoken.syllable for clause in clauses for spoken in clause.characters]
    return " ".join(s.initial.strip("^") + s.final + s.tone for s in sounds)


def said(script: PhoneticText) -> list[str]:
    return ["".join(b.character for b in c.characters) + c.mark for c in script.clauses]


def respelled(written: str, spell_unknown: bool = False) -> str:
    spoken = SpeechText(CHINESE).spoken(written)
    return LatinReading(LEXICON, spell_unknown).respell(spoken, CHINESE).text


# Sounds.


def test_the_inventory_has_the_order_that_the_models_are_trained_with() -> None:
    assert len(SYMBOLS) == len(IDS) == 219
    assert SYMBOLS[:9] == ("sil", "eos", "sp", "#0", "#1", "#2", "#3", "^", "b")
    assert SYMBOLS[28:31] == ("zh", "a1", "a2")
    assert SYMBOLS[-6:] == ("ve5", "vn1", "vn2", "vn3", "vn4", "vn5")
    assert (IDS["er3"], IDS["iii4"], IDS["ueng1"]) == (76, 117, 189)


def test_every_syllable_of_the_dictionaries_has_its_two_symbols() -> None:
    marked = {reading for readings in PINYIN_DICT.values() for reading in readings.split(",")}
    marked |= {reading for phrase in PHRASES_DICT.values() for part in phrase for reading in part}
    numbered = {to_tone3(s, neutral_tone_with_five=True) for s in marked}
    assert len(numbered) > 1400
    unread = {s for s in numbered if syllable(s) is None}
    assert unread == set()
    # Different syllables sound different, but for some interjections.
    sounds: dict[tuple[int, int], set[str]] = {}
    for spelling in numbered:
        found = syllable(spelling)
        assert found is not None
        sounds.setdefault(symbol_ids(found), set()).add(spelling)
    shared = {frozenset(s[:-1] for s in group) for group in sounds.values() if len(group) > 1}
    assert all(group & RARE for group in shared), shared


RARE = {"m", "n", "ng", "hm", "hng", "ê", "yo", "yai", "wong"}


@pytest.mark.parametrize(
    ("spelling", "initial", "final"),
    [
        ("zi1", "z", "ii1"),
        ("shi4", "sh", "iii4"),
        ("xi1", "x", "i1"),
        ("yue4", "^", "ve4"),
        ("jun1", "j", "vn1"),
        ("juan3", "j", "van3"),
        ("lü4", "l", "v4"),
        ("lu4", "l", "u4"),
        ("nve4", "n", "ve4"),
        ("gui4", "g", "uei4"),
        ("liu2", "l", "iou2"),
        ("dun4", "d", "uen4"),
        ("wo3", "^", "uo3"),
        ("bo1", "b", "o1"),
        ("duo1", "d", "uo1"),
        ("yong3", "^", "iong3"),
        ("ying2", "^", "ing2"),
        ("er2", "^", "er2"),
        ("a", "^", "a5"),
    ],
)
def test_a_syllable_is_an_initial_and_a_final(spelling: str, initial: str, final: str) -> None:
    found = syllable(spelling)
    assert found is not None
    assert symbol_ids(found) == (IDS[initial], IDS[final])


@pytest.mark.parametrize("spelling", ["", "5", "abc1", "hao6", "xyz"])
def test_what_is_no_syllable_has_no_sound(spelling: str) -> None:
    assert syllable(spelling) is None


@pytest.mark.parametrize(
    ("text", "sound"),
    [
        # Third tones in a row, within words and across them.
        ("你好", "ni2 hao3"),
        ("我很好", "uo3 hen2 hao3"),
        ("我想买手机", "uo2 xiang3 mai2 shou3 ji1"),
        ("它可以", "ta1 ke2 i3"),
        ("了解", "liao2 jie3"),
        ("好了", "hao3 le5"),
        # 一 and 不.
        ("一个", "i2 ge4"),
        ("一起", "i4 qi3"),
        ("一样", "i2 iang4"),
        ("第一名", "di4 i1 ming2"),
        ("统一", "tong3 i1"),
        ("一月一日", "i1 ve4 i1 riii4"),
        ("一百一十一", "i4 bai3 i1 shiii2 i1"),
        ("看一看", "kan4 i5 kan4"),
        ("不是", "bu2 shiii4"),
        ("不好", "bu4 hao3"),
        ("我不", "uo3 bu4"),
        ("好不好", "hao3 bu5 hao3"),
        # Characters with several readings.
        ("银行行长", "in2 hang2 hang2 zhang3"),
        ("重庆", "chong2 qing4"),
        ("重要", "zhong4 iao4"),
        ("音乐", "in1 ve4"),
        ("快乐", "kuai4 le4"),
        ("出差", "chu1 chai1"),
        ("我的", "uo3 de5"),
    ],
)
def test_characters_sound_as_people_say_them(text: str, sound: str) -> None:
    assert pinyin(text) == sound


def test_tones_do_not_change_across_a_mark() -> None:
    assert pinyin("你, 好") == "ni3 hao3"


# Foreign words, numbers and what cannot be said.


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        ("打开WiFi和GPS。", "打开歪法爱和记批艾斯."),
        ("我的iPhone 15 Pro Max坏了", "我的爱疯 十五 普柔 麦克斯坏了"),
        ("T恤和K歌", "替恤和剋歌"),
        ("下载App和pdf", "下载诶批批和批弟艾弗"),
        ("USB3.0接口", "优艾斯必三点零接口"),
        ("用Wi-Fi上网", "用歪法爱上网"),
        # What the lexicon does not know is left to an English voice, whole.
        ("他说 open the door 然后走了", "他说 open the door 然后走了"),
        ("我喜欢Google Maps导航", "我喜欢Google Maps导航"),
        # English sentences stay English.
        ("I live in 北京 now.", "I live in 北京 now."),
    ],
)
def test_latin_words_in_chinese_are_read_in_chinese(written: str, spoken: str) -> None:
    assert respelled(written) == spoken


def test_without_an_english_voice_unknown_words_are_spelled() -> None:
    assert respelled("他叫Bob吗", spell_unknown=True) == "他叫必欧必吗"


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        ("2024年5月17日10:30", ["二零二四年五月十七日十点三十分"]),
        ("电话13812345678", ["电话幺三八幺二三四五六七八"]),
        ("气温-5℃，湿度30%", ["气温零下五摄氏度,", "湿度百分之三十"]),
        ("重2 kg，价格¥12.5", ["重两公斤,", "价格十二点五元"]),
        ("￥3.5元，$100美元", ["三点五元,", "一百美元"]),
        ("营业时间9:00-18:00", ["营业时间九点到十八点"]),
        ("气温3℃~5℃", ["气温三摄氏度到五摄氏度"]),
        ("气温-3~5℃", ["气温负三到五摄氏度"]),
        ("请拨打12345", ["请拨打幺二三四五"]),
        ("我住302室，房间是1208", ["我住三零二室,", "房间是幺二零八"]),
        ("110报警，花了110元", ["幺幺零报警,", "花了一百一十元"]),
    ],
)
def test_numbers_reach_the_voice_as_words(written: str, spoken: list[str]) -> None:
    assert said(READER.read(respelled(written))) == spoken


def test_spans_of_respelled_words_lead_back_to_what_was_written() -> None:
    script = READER.read("我用GPS. 好")
    spans = [(b.character, b.begin, b.end) for c in script.clauses for b in c.characters]
    assert spans[0] == ("我", 0, 1)
    assert {span[1:] for span in spans[2:-1]} == {(2, 5)}
    assert spans[-1] == ("好", 7, 8)


def test_what_cannot_be_said_is_told() -> None:
    script = READER.read("你好𠮷, を和ж")
    assert said(script) == ["你好,", "和"]
    assert script.dropped == "𠮷をж" or sorted(script.dropped) == sorted("𠮷をж")


@pytest.mark.parametrize("text", ["", " ", "...", "を", "𠮷"])
def test_text_without_anything_to_say_has_no_clauses(text: str) -> None:
    assert READER.read(text).clauses == ()
    assert plan((), PUBLISHED) == []


def test_letters_have_names_that_can_be_said() -> None:
    names = {c: READER.read(c) for c in "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"}
    assert all(script.clauses and not script.dropped for script in names.values())
    assert len({tuple(said(script)) for script in names.values()}) == len(names)
    assert pinyin("W") == "da2 bu5 liou5"


def test_every_reading_of_the_built_in_lexicon_can_be_said() -> None:
    for word, reading in LEXICON.latin.items():
        script = READER.read(reading)
        assert said(script) == [reading], word


# The user's dictionary.


def test_a_user_dictionary_wins(tmp_path: Path) -> None:
    file = tmp_path / "words.txt"
    file.write_text("# 我的词\n重庆 zhong4 qing4\n\niPhone 苹果手机  # brand\n一行 yi1 hang2\n")
    lexicon = Lexicon.load(BUILT_IN, file)
    assert pinyin("去重庆", reader(lexicon)) == "qv4 zhong4 qing4"
    assert pinyin("一行人", reader(lexicon)) == "i1 hang2 ren2"
    assert said(reader(lexicon).read("iPhone")) == ["苹果手机"]


@pytest.mark.parametrize("line", ["重庆 chong2", "重庆", "重庆 chong2 qing4 le5", "重庆 cong2 q4"])
def test_a_wrong_line_of_a_dictionary_is_told_with_its_number(tmp_path: Path, line: str) -> None:
    file = tmp_path / "words.txt"
    file.write_text(f"# comment\n{line}\n")
    with pytest.raises(SettingsError, match=r"words\.txt:2: 重庆"):
        Lexicon.load(file)


@pytest.mark.parametrize("line", ["iPhone", "iPhone ai4 feng1", "iPhone 爱feng"])
def test_a_latin_word_without_a_reading_in_characters_is_told(tmp_path: Path, line: str) -> None:
    file = tmp_path / "words.txt"
    file.write_text(line)
    with pytest.raises(SettingsError, match=r"words\.txt:1: iPhone has no reading"):
        Lexicon.load(file)


def test_a_missing_dictionary_is_told(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read"):
        Lexicon.load(tmp_path / "none.txt")


# Windows.


def syllables(window: LaunchWindow) -> int:
    return len(window.characters)


@st.composite
def texts(draw: st.DrawFn) -> str:
    clause = st.text(st.sampled_from("今天气很好我们一起去公园散步吧AI"), min_size=1, max_size=90)
    clauses = draw(st.lists(clause, min_size=1, max_size=8))
    marks = draw(st.lists(st.sampled_from([", ", ". ", "; "]), min_size=8, max_size=8))
    return "".join(c + m for c, m in zip(clauses, marks, strict=False))


@settings(max_examples=60, deadline=None)
@given(texts(), st.integers(9, 200), st.integers(6, 100), st.integers(0, 30))
def test_every_window_fits_and_nothing_is_lost(
    text: str, phonemes: int, tokens: int, first: int
) -> None:
    capacity = Capacity(phonemes, tokens)
    clauses = READER.read(text).clauses
    windows = plan(clauses, capacity, first)
    assert [b for w in windows for b in w.characters] == [b for c in clauses for b in c.characters]
    for window in windows:
        assert window.characters
        encoded = encode(window, vocabulary())
        assert len(encoded.phonemes) <= phonemes
        assert len(encoded.tokens) <= tokens
        assert encoded.repeats.sum() == len(encoded.phonemes)
        assert encoded.tokens.max() < vocabulary().size
    # No two neighbours would have fitted into one, but where the first was kept short.
    for before, after in zip(windows[min(1, first) :], windows[1 + min(1, first) :], strict=False):
        assert not capacity.takes([*before.clauses, after.clauses[0]])


@settings(max_examples=40, deadline=None)
@given(texts())
def test_halves_are_smaller_and_lose_nothing(text: str) -> None:
    waiting = plan(READER.read(text).clauses, PUBLISHED)
    while waiting:
        window = waiting.pop()
        parts = halves(window)
        assert [b for part in parts for b in part.characters] == list(window.characters)
        if len(window.characters) == 1:
            assert parts == [window]
            continue
        assert len(parts) == 2
        assert all(part.characters for part in parts)
        waiting += parts


def test_windows_end_at_clauses() -> None:
    clause = "今天的天气非常好我们去公园散步吧"  # 16 characters
    windows = plan(READER.read(", ".join([clause] * 7)).clauses, PUBLISHED)
    assert [len(w.clauses) for w in windows] == [3, 3, 1]
    assert [w.mark for w in windows] == [",", ",", ""]


def test_a_long_clause_is_cut_evenly_between_words() -> None:
    (clause,) = READER.read("人工智能可以帮助我们完成很多工作" * 5).clauses  # 80 characters
    windows = plan([clause], PUBLISHED)
    assert len(windows) == 2
    assert abs(syllables(windows[0]) - 40) <= 2
    assert windows[1].characters[0].begins_word
    assert [w.mark for w in windows] == ["", ""]


def test_the_first_window_can_be_kept_short() -> None:
    clauses = READER.read("好的, 今天的天气, 非常好, 我们去公园吧.").clauses
    assert [len(w.clauses) for w in plan(clauses, PUBLISHED)] == [4]
    assert [len(w.clauses) for w in plan(clauses, PUBLISHED, first=5)] == [2, 2]


# Sentences in one launch.


def test_chinese_sentences_are_joined_into_one_unit_and_english_ones_are_not() -> None:
    text = "你好. 我是语音助手. Hello there. How are you? 今天天气很好! 再见"
    cut = units(text, CHINESE, 100)
    got = list(joined(cut, text, {"zh"}, 240))
    assert [(u.language, u.text) for u in got] == [
        ("zh", "你好. 我是语音助手."),
        ("en", "Hello there."),
        ("en", "How are you?"),
        ("zh", "今天天气很好! 再见"),
    ]
    assert [u.ending for u in got] == ["sentence", "sentence", "sentence", "none"]


@settings(max_examples=40, deadline=None)
@given(texts(), st.integers(20, 120), st.integers(0, 240))
def test_joined_units_lose_nothing_and_keep_to_the_limit(text: str, cut: int, limit: int) -> None:
    parts = list(units(text, CHINESE, cut))
    whole = list(joined(parts, text, {"zh"}, limit))
    # What is read; a mark that parted two units stands between them again.
    assert [c for u in whole for c in u.text if c.isalnum()] == [
        c for u in parts for c in u.text if c.isalnum()
    ]
    assert all(u.text == text[u.begin : u.end] for u in whole)
    assert all(u.end - u.begin <= limit or u in parts for u in whole)


# What the networks get.


def test_a_window_is_encoded_token_by_token() -> None:
    (window,) = plan(READER.read("你好, 鑫.").clauses, PUBLISHED)
    encoded = encode(window, vocabulary())
    names = [SYMBOLS[i] for i in encoded.phonemes]
    assert names == ["sil", "n", "i2", "h", "ao3", "sp", "x", "in1", "sp", "sil"]
    assert encoded.tokens.tolist() == [0, 3, 4, 2, 1, 2, 0]
    assert encoded.repeats.tolist() == [1, 2, 2, 1, 2, 1, 1]


def test_each_phoneme_gets_the_prosody_of_its_character() -> None:
    (window,) = plan(READER.read("你好.").clauses, PUBLISHED)
    vectors = np.repeat(np.arange(1, 65, dtype=np.float32)[:, None], 4, axis=1)
    out = spread(vectors, encode(window, vocabulary()), 12)
    assert out.shape == (12, 4)
    assert out[:, 0].tolist() == [1, 2, 2, 3, 3, 4, 5, 0, 0, 0, 0, 0]


def test_a_vocabulary_that_is_none_is_told(tmp_path: Path) -> None:
    file = tmp_path / "vocab.txt"
    file.write_text("hello\nworld\n")
    with pytest.raises(SettingsError, match=r"no line \[PAD\]"):
        BertVocabulary(file)
    with pytest.raises(EngineMissing, match="vocabulary_file"):
        BertVocabulary(tmp_path / "none.txt")


def test_a_clause_is_never_empty() -> None:
    assert all(isinstance(c, Clause) and c.characters for c in READER.read("., 好,,.").clauses)
