"""The text side of the sophon-llm engine: tokenizer files, templates, prompts, characters."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voicemesh.errors import InvalidArgument, SettingsError
from voicemesh_llm.engines.engine import Message, Prompt, Role
from voicemesh_llm.engines.sophon_llm.chat_template import (
    ChatTemplate,
    begins_in_thought,
    template_source,
)
from voicemesh_llm.engines.sophon_llm.detokeniser import Detokeniser
from voicemesh_llm.engines.sophon_llm.prompts import ModelPrompt, PromptWriter
from voicemesh_llm.engines.sophon_llm.tokenizer_folder import find_folder, read_folder
from voicemesh_llm.engines.sophon_llm.tokens import JsonTokens, PieceTokens, end_ids, read_tokens
from voicemesh_llm.engines.sophon_llm.visible_text import VisibleText
from voicemesh_llm.engines.sophon_llm.written import Written

ASSETS = Path(__file__).parents[1] / "sophon/assets/llm"
CONFIG = ASSETS / "config"
TOKENS = JsonTokens(CONFIG / "tokenizer.json")


def _byte_level() -> dict[int, str]:
    """How byte-level tokenizers spell each byte (GPT-2, Radford et al. 2019)."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    shifted = [byte for byte in range(256) if byte not in plain]
    return {b: chr(b) for b in plain} | {b: chr(256 + i) for i, b in enumerate(shifted)}


SPELLED = _byte_level()


def bytewise(text: str | bytes) -> list[int]:
    """One id for each byte of ``text``."""
    raw = text.encode() if isinstance(text, str) else text
    found = [TOKENS.id_of(SPELLED[byte]) for byte in raw]
    return [id for id in found if id is not None]


def said(role: Role, text: str) -> Message:
    return Message(role, (text,))


def talk(*texts: str, system: str = "Be short.") -> list[Message]:
    """System, then user and assistant in turns."""
    sides = (Role.USER, Role.ASSISTANT)
    head = [said(Role.SYSTEM, system)] if system else []
    return [*head, *(said(sides[i % 2], text) for i, text in enumerate(texts))]


# Tokenizer folder


def test_the_folder_beside_the_model_is_found_and_read(tmp_path: Path) -> None:
    model = tmp_path / "tiny.bmodel"
    (tmp_path / "config").symlink_to(CONFIG)
    folder = read_folder(find_folder(model, ""))
    assert folder.tokenizer.name == "tokenizer.json"
    assert folder.end_ids == {999}
    assert folder.special["eos_token"] == "<|im_end|>"
    assert "<|im_start|>" in folder.template
    assert folder.sampling == {}
    assert end_ids(TOKENS, folder.end_ids, folder.special["eos_token"]) == {997, 999}


def test_a_missing_tokenizer_is_told_with_the_setting(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"llm\.sophon_llm\.tokenizer"):
        find_folder(tmp_path / "m.bmodel", "")
    with pytest.raises(SettingsError, match="neither tokenizer"):
        find_folder(tmp_path / "m.bmodel", str(tmp_path))
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(SettingsError, match="is no tokenizer"):
        read_tokens(tmp_path / "tokenizer.json")
    (tmp_path / "generation_config.json").write_text("{")
    with pytest.raises(SettingsError, match=r"generation_config\.json cannot be read"):
        read_folder(tmp_path)


def test_the_forms_of_configuration_files_are_all_understood(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").symlink_to(CONFIG / "tokenizer.json")

    def write(name: str, content: Any) -> None:
        (tmp_path / name).write_text(json.dumps(content))

    named = [{"name": "tool_use", "template": "T"}, {"name": "default", "template": "D"}]
    write("tokenizer_config.json", {"eos_token": {"content": "</s>"}, "chat_template": named})
    write("generation_config.json", {"eos_token_id": [1, 2], "do_sample": True, "top_k": 20})
    write("config.json", {"eos_token_id": 3})
    folder = read_folder(tmp_path)
    assert folder.template == "D"
    assert folder.special == {"eos_token": "</s>"}
    assert folder.end_ids == {1, 2, 3}
    assert folder.sampling == {"top_k": 20.0}
    write("chat_template.json", {"chat_template": "J"})
    assert read_folder(tmp_path).template == "J"
    (tmp_path / "chat_template.jinja").write_text("F")
    assert read_folder(tmp_path).template == "F"


# Templates


@pytest.mark.parametrize(
    ("name", "special", "expected"),
    [
        (
            "chatml",
            {},
            "<|im_start|>system\nBe short.<|im_end|>\n<|im_start|>user\nHi!<|im_end|>\n"
            "<|im_start|>assistant\nHello.<|im_end|>\n<|im_start|>user\n你好<|im_end|>\n"
            "<|im_start|>assistant\n",
        ),
        (
            "llama3",
            {"bos_token": "<|begin_of_text|>"},
            "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\nBe short.<|eot_id|>"
            "<|start_header_id|>user<|end_header_id|>\n\nHi!<|eot_id|>"
            "<|start_header_id|>assistant<|end_header_id|>\n\nHello.<|eot_id|>"
            "<|start_header_id|>user<|end_header_id|>\n\n你好<|eot_id|>"
            "<|start_header_id|>assistant<|end_header_id|>\n\n",
        ),
        ("minicpm", {"bos_token": "<s>"}, "<s>Be short.<用户>Hi!<AI>Hello.<用户>你好<AI>"),
    ],
)
def test_built_in_templates_write_what_the_models_were_trained_on(
    name: str, special: dict[str, str], expected: str
) -> None:
    template = ChatTemplate(template_source(name, ""), special)
    assert template.write(talk("Hi!", "Hello.", "你好")) == expected


def test_the_published_template_counts_and_a_missing_one_is_told(tmp_path: Path) -> None:
    published = read_folder(CONFIG).template
    template = ChatTemplate(template_source("", published), {})
    chatml = ChatTemplate(template_source("chatml", ""), {})
    assert template.write(talk("Hi!")) == chatml.write(talk("Hi!"))
    with pytest.raises(SettingsError, match="chatml, llama3, minicpm"):
        template_source("", "")
    with pytest.raises(SettingsError, match="cannot be read"):
        template_source(str(tmp_path / "none.jinja"), published)
    with pytest.raises(SettingsError, match="cannot be read"):
        ChatTemplate("{% for %}", {})


def test_templates_find_what_publishers_use() -> None:
    source = (
        "{%- if enable_thinking is defined and enable_thinking is false %}no{% endif -%}"
        "{%- for m in messages %}{% if loop.index > 1 %}{% break %}{% endif %}"
        "{{ m | tojson }}{% endfor %}{{ strftime_now('%Y') | length }}"
    )
    template = ChatTemplate(source, {}, {"enable_thinking": False})
    assert template.write([said(Role.USER, "你")]) == 'no{"role": "user", "content": "你"}4'


def test_a_template_without_a_system_role_gets_it_in_the_question() -> None:
    source = (
        "{% if messages[0].role == 'system' %}{{ raise_exception('no system') }}{% endif %}"
        "{% for m in messages %}[{{ m.role }}:{{ m.content }}]{% endfor %}"
    )
    assert ChatTemplate(source, {}).write(talk("Hi!")) == "[user:Be short.\n\nHi!]"
    with pytest.raises(SettingsError, match="never"):
        ChatTemplate("{{ raise_exception('never') }}", {}).write(talk("Hi!"))


def test_a_template_cannot_reach_out_of_its_sandbox() -> None:
    source = "{{ messages.__class__.__mro__[1].__subclasses__() }}"
    with pytest.raises(SettingsError, match="unsafe"):
        ChatTemplate(source, {}).write(talk("Hi!"))


def test_an_interrupted_reply_says_so() -> None:
    heard = Message(Role.ASSISTANT, ("The sky",), interrupted=True)
    text = ChatTemplate(template_source("chatml", ""), {}).write(
        [said(Role.USER, "Why?"), heard, said(Role.USER, "Go on.")]
    )
    assert "The sky — (interrupted here)<|im_end|>" in text


# Prompts


def writer(longest: int = 200, sequence: int = 256) -> PromptWriter:
    template = ChatTemplate(template_source("chatml", ""), {})
    return PromptWriter(template, TOKENS, longest, sequence)


def test_the_oldest_exchanges_go_and_the_system_prompt_stays() -> None:
    turns = [f"{word} number {i}" for i in range(9) for word in ("question", "answer")]
    prompt = Prompt(messages=tuple(talk(*turns, "last question")))
    whole = writer(10_000, 20_000).write(prompt, 100, Written())
    fitted = writer(120, 256).write(prompt, 40, Written())
    assert whole.dropped == 0
    assert len(whole.ids) > 120 >= len(fitted.ids)
    assert fitted.text.startswith("<|im_start|>system\nBe short.<|im_end|>\n<|im_start|>user\nques")
    assert fitted.text.endswith("last question<|im_end|>\n<|im_start|>assistant\n")
    assert fitted.dropped % 2 == 0
    assert fitted.dropped > 0
    # One exchange more would not have fitted.
    longer = writer(len(fitted.ids), 256).write(prompt, 40, Written())
    assert longer.dropped == fitted.dropped
    # Room for the reply counts as well.
    assert writer(200, 256).write(prompt, 156, Written()).dropped > fitted.dropped


def test_a_question_that_is_too_long_is_refused_with_the_numbers() -> None:
    prompt = Prompt(messages=tuple(talk("why " * 300)))
    with pytest.raises(InvalidArgument, match=r"tokens long, but 156 fit.* 256 .*longer") as raised:
        writer(200, 256).write(prompt, 100, Written())
    assert raised.value.field == "generation.messages"


def test_what_the_model_wrote_keeps_its_own_ids() -> None:
    asked = writer().write(Prompt(messages=tuple(talk("Hi!"))), 50, Written())
    letters = bytewise("Hello")  # Not how the tokenizer would cut it.
    before = Written(asked.text + "Hello", (*asked.ids, *letters))
    again = Prompt(messages=tuple(talk("Hi!", "Hello", "And?")))
    continued = writer().write(again, 50, before)
    assert continued.ids[: len(before.ids)] == list(before.ids)
    assert TOKENS.decode(continued.ids) == TOKENS.decode(TOKENS.encode(continued.text))
    changed = Prompt(messages=tuple(talk("Hi!", "Hello there", "And?")))
    assert writer().write(changed, 50, before).ids == TOKENS.encode(
        writer().write(changed, 50, Written()).text
    )


# Characters


@given(text=st.text(min_size=1, max_size=40), data=st.data())
def test_no_character_is_ever_split(text: str, data: st.DataObject) -> None:
    """The text's bytes as ids, joined to larger tokens at places that hypothesis chooses."""
    ids: list[int] = []
    rest = text
    while rest:
        piece = rest[: data.draw(st.integers(1, len(rest)))]
        rest = rest[len(piece) :]
        if data.draw(st.booleans()):
            ids += TOKENS.encode(piece)
        else:
            ids += bytewise(piece)
    text = TOKENS.decode(ids)
    detokeniser = Detokeniser(TOKENS.decode)
    given_out = [detokeniser.process(id) for id in ids]
    assert "".join(given_out) + detokeniser.finish() == text
    if "\ufffd" not in text:
        assert not any("\ufffd" in piece for piece in given_out)


def test_an_emoji_comes_whole_and_the_rest_at_once() -> None:
    detokeniser = Detokeniser(TOKENS.decode)
    given_out = [detokeniser.process(id) for id in bytewise("a😊好")]
    assert given_out == ["a", "", "", "", "😊", "", "", "好"]


def test_half_a_character_at_the_end_is_not_lost() -> None:
    detokeniser = Detokeniser(TOKENS.decode)
    assert detokeniser.process(bytewise(b"\xe4")[0]) == ""
    assert detokeniser.finish() == "\ufffd"
    assert detokeniser.finish() == ""


# What is spoken


def spoken(text: str, prompt_end: str = "", stop: tuple[str, ...] = ()) -> tuple[str, bool]:
    speech = VisibleText(TOKENS, ModelPrompt("x" + prompt_end, [1], 0), stop)
    heard = ""
    for token in TOKENS.encode(text):
        heard += speech.process(token)
        if speech.stopped:
            break
    return heard + speech.finish(), speech.stopped


@pytest.mark.parametrize(
    ("text", "prompt_end", "heard"),
    [
        ("<think>hm, 想</think>\n\nYes.", "", "Yes."),
        ("hm, no</think>Yes.", "<think>\n", "Yes."),
        ("Yes <thin", "", "Yes <thin"),
    ],
)
def test_thoughts_are_not_spoken(text: str, prompt_end: str, heard: str) -> None:
    assert begins_in_thought("x" + prompt_end) is bool(prompt_end)
    assert spoken(text, prompt_end) == (heard, False)


def test_a_stop_string_ends_the_text_across_tokens() -> None:
    assert spoken("The sky is blue.\nUser: why", stop=("\nUser:",)) == ("The sky is blue.", True)
    assert spoken("The sky\nUs", stop=("\nUser:",)) == ("The sky\nUs", False)
    # A stop string within thoughts is none.
    assert spoken("<think>END</think>Yes", stop=("END",)) == ("Yes", False)


# SentencePiece


@pytest.fixture(scope="module")
def pieces(tmp_path_factory: pytest.TempPathFactory) -> PieceTokens:
    import sentencepiece

    folder = tmp_path_factory.mktemp("pieces")
    corpus = folder / "corpus.txt"
    corpus.write_text("hello world how are you\n你好世界 今天天气怎么样\n" * 20)
    sentencepiece.SentencePieceTrainer.train(
        input=str(corpus),
        model_prefix=str(folder / "tokenizer"),
        model_type="bpe",
        vocab_size=330,
        byte_fallback=True,
        character_coverage=1.0,
        minloglevel=2,
    )
    tokens = read_tokens(folder / "tokenizer.model")
    assert isinstance(tokens, PieceTokens)
    return tokens


def test_sentencepiece_folders_work_as_well(pieces: PieceTokens) -> None:
    ids = pieces.encode("<s>hello world</s>")
    assert (ids[0], ids[-1]) == (pieces.id_of("<s>"), pieces.id_of("</s>"))
    assert pieces.decode(ids) == "hello world"
    assert end_ids(pieces, frozenset(), None) == {pieces.id_of("</s>")}
    assert pieces.id_of("<|im_end|>") is None
    assert pieces.size == 330


@pytest.mark.parametrize("text", ["hello how are you", "你好 😊 world", "😊😊", "今天 hello"])
def test_sentencepiece_text_comes_whole_with_its_spaces(pieces: PieceTokens, text: str) -> None:
    detokeniser = Detokeniser(pieces.decode)
    given_out = [detokeniser.process(id) for id in pieces.encode(text)]
    assert "".join(given_out) + detokeniser.finish() == text
    assert not any("\ufffd" in piece for piece in given_out)
