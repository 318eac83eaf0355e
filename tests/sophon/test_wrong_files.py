"""``voicemesh plan`` refuses files that no engine could load: the true reason, without a chip."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from voicemesh.cli import main
from voicemesh_sophon.chip_owner.bmodel_file import NetEntry, SlotEntry, read_bmodel
from voicemesh_sophon.client import read_model
from voicemesh_sophon.models.bmodel_writer import write_bmodel

Nets = dict[str, NetEntry]
SE9 = "[[cards]]\nchip = 'BM1688'\nmemory_mb = 8192\n"
STATIC = "llm/bm1688/tiny-assistant_f16_seq256_2core_static.bmodel"
HISTORY = "llm/bm1688/tiny-assistant_w4bf16_seq512_2core_history.bmodel"
JOINT = "llm/bm1688/tiny-assistant_bf16_seq256_1core_kv32.bmodel"
WHISPER = "whisper/bm1688/all_quant_{}_nano_5beam_64pad_bm1688_f16.bmodel"
WHISPER_PARTS = (
    *("encoder", "logits_decoder", "decoder_main_with_kvcache", "decoder_post"),
    "decoder_loop_with_kvcache_and_rearrange",
)
BERT = "vits/bm1688/bert_f16_1core.bmodel"
VITS = "vits/bm1688/vits_chinese_128_bm1688_f16_1core.bmodel"


def _nets(file: Path) -> Nets:
    return {net.name: net for net in read_bmodel(str(file)).nets}


def _slot(name: str, dtype: str, *shape: int) -> SlotEntry:
    return SlotEntry(name, dtype, (shape,))


def _with_inputs(net: NetEntry, *slots: SlotEntry) -> NetEntry:
    return replace(net, input_slots=slots)


# What becomes of the nets of a real file in the forms that are not here. The forms are those
# of llm_convert's releases and of LLM-TPU's demos.


def _later_layer(nets: Nets) -> None:
    block = nets["block_kv_1"]
    states = replace(block.input_slots[0], stages=((1, 128, 256),))
    nets["block_kv_1"] = _with_inputs(block, states, *block.input_slots[1:])


def _later_step(nets: Nets) -> None:
    step = nets["block_cache_1"]
    caches = [replace(slot, stages=((1, 256, 4, 32),)) for slot in step.input_slots[3:]]
    nets["block_cache_1"] = _with_inputs(step, *step.input_slots[:3], *caches)


def _gap(nets: Nets) -> None:
    nets["block_2"] = replace(nets["block_1"], name="block_2")
    nets["block_cache_2"] = replace(nets["block_cache_1"], name="block_cache_2")
    del nets["block_1"]


def _sound(nets: Nets) -> None:
    """Qwen3-ASR: a language model and a net for each second of sound."""
    frames = _slot("input_states", "float32", 1, 1, 128, 100)
    states = _slot("output_states", "float16", 1, 13, 128)
    nets["audio"] = replace(
        nets["lm_head"], name="audio", input_slots=(frames,), output_slots=(states,)
    )


def _three_rows(nets: Nets) -> None:
    """The text part of Qwen2.5-VL."""
    for name in ("block_0", "block_1"):
        states, positions, *rest = nets[name].input_slots
        rows = replace(positions, stages=((3, 256),))
        nets[name] = _with_inputs(nets[name], states, rows, *rest)


def _linear_attention(nets: Nets) -> None:
    """Qwen3.5: most layers have a state instead of a cache."""
    states = nets["block_0"].input_slots[0]
    state = _slot("recurrent_states", "float16", 1, 2, 32, 32)
    nets["block_0"] = _with_inputs(nets["block_0"], states, state)


def _batch(nets: Nets) -> None:
    """``llm_convert -b 4``."""
    for name in ("block_cache_0", "block_cache_1"):
        states, *rest = nets[name].input_slots
        nets[name] = _with_inputs(nets[name], replace(states, stages=((4, 1, 128),)), *rest)


def _two_chips(nets: Nets) -> None:
    """``llm_convert --num_device 2``: each net has the tensors of both."""
    for name in ("block_0", "block_1", "block_cache_0", "block_cache_1"):
        nets[name] = _with_inputs(nets[name], *nets[name].input_slots * 2)


def _other_history(nets: Nets) -> None:
    """A history that is no part of the cache: of a model with other heads."""
    for name in ("block_0", "block_1"):
        block = nets[name]
        wide = [replace(slot, stages=((1, 32, 4, 32),)) for slot in block.input_slots[3:]]
        nets[name] = _with_inputs(block, *block.input_slots[:3], *wide)


def _narrow_mask(nets: Nets) -> None:
    """A mask without columns for the history."""
    for name in ("block_0", "block_1"):
        states, positions, mask, *caches = nets[name].input_slots
        narrow = replace(mask, stages=((1, 1, 16, 16),))
        nets[name] = _with_inputs(nets[name], states, positions, narrow, *caches)


def _shared_prompt(nets: Nets, dynamic: bool) -> None:
    """``--share_prompt``: nets for a beginning that is read once, as long as the history."""
    for index in (0, 1):
        block = nets[f"block_{index}"]
        states, positions, mask = (
            replace(slot, stages=(shape,))
            for slot, shape in zip(
                block.input_slots, ((1, 32, 128), (1, 32), (1, 1, 32, 32)), strict=False
            )
        )
        rows = [replace(slot, stages=((1, 32, 2, 32),)) for slot in block.output_slots[1:]]
        name = f"block_prompt_{index}"
        nets[name] = replace(
            _with_inputs(block, states, positions, mask),
            name=name,
            dynamic=dynamic,
            output_slots=(states, *rows),
        )
    embedding = nets["embedding"]
    nets["embedding"] = replace(
        _with_inputs(embedding, _slot("input_ids", "int32", 1, 32)),
        output_slots=(replace(embedding.output_slots[0], stages=((1, 32, 128),)),),
    )


def _share_prompt(nets: Nets) -> None:
    _shared_prompt(nets, dynamic=True)


def _static_share_prompt(nets: Nets) -> None:
    _shared_prompt(nets, dynamic=False)


def _pipeline_part(nets: Nets) -> None:
    for name in ("embedding", "embedding_cache", "lm_head"):
        del nets[name]


def _table_in_a_file(nets: Nets) -> None:
    """``--embedding_disk``."""
    del nets["embedding"], nets["embedding_cache"]


def _other_head(nets: Nets) -> None:
    head = nets["lm_head"]
    nets["lm_head"] = _with_inputs(head, _slot("hidden_states", "float16", 1, 256))


@dataclass(frozen=True)
class Wrong:
    """A kind of wrong files: what they are made of, and what is to be said of them."""

    kind: str
    setting: str
    files: Sequence[str]
    says: str
    change: Callable[[Nets], None] | None = None


LLM = "llm.sophon_llm.model"
ASR = "asr.sophon_whisper.model_files"
TTS = "tts.sophon_vits.model_files"
PARTS = [WHISPER.format(part) for part in WHISPER_PARTS]
KINDS = [
    Wrong("a BERT as LLM", LLM, [BERT], "is no language model: it has no block_0, only bert"),
    Wrong("one of five Whisper files as LLM", LLM, [PARTS[0]], "but of a Whisper recogniser"),
    Wrong(
        "a later history layer of another width", LLM, [HISTORY],
        "block_kv_1 differs from block_kv_0: its inputs are bfloat16 [1, 128, 256]", _later_layer,
    ),
    Wrong(
        "a later step with more heads", LLM, [STATIC],
        "block_cache_1 differs from block_cache_0", _later_step,
    ),
    Wrong("a layer missing in the middle", LLM, [STATIC], "block_1 is missing, though", _gap),
    Wrong("an audio LLM as text LLM", LLM, [STATIC], "is made for sound (net audio)", _sound),
    Wrong("three rows of positions", LLM, [STATIC], "three rows of positions", _three_rows),
    Wrong("linear attention", LLM, [STATIC], "mixes in linear attention", _linear_attention),
    Wrong("several requests at once", LLM, [STATIC], "answers 4 requests at once", _batch),
    Wrong("split over two chips", LLM, [STATIC], "is split over 2 chips", _two_chips),
    Wrong("with history on two chips", LLM, [JOINT], "is split over 2 chips", _two_chips),
    Wrong("a history of other heads", LLM, [JOINT], "which is no part of the", _other_history),
    Wrong("a mask without history", LLM, [JOINT], "16 columns instead of 32 for", _narrow_mask),
    Wrong("dynamic share-prompt", LLM, [JOINT], "is a dynamic share-prompt build", _share_prompt),
    Wrong("a part of a pipeline", LLM, [STATIC], "without embedding and lm_head", _pipeline_part),
    Wrong("the table in a file", LLM, [STATIC], "the table was exported", _table_in_a_file),
    Wrong("another model's head", LLM, [STATIC], "lm_head has states of 256, but", _other_head),
    Wrong("one of five Whisper files", ASR, PARTS[:1], "decoder_main_with_kvcache is missing"),
    Wrong("Whisper files of two sets", ASR, [*PARTS, PARTS[0].replace("f16.", "f16_2core.")],
          "two networks are named encoder"),
    Wrong("a language model as recogniser", ASR, [STATIC], "the graph encoder is missing"),
    Wrong("a voice without its BERT", TTS, [VITS], "one net with 3 inputs for the prosody"),
    Wrong("a BERT without its voice", TTS, [BERT], "one net with 2 inputs for the voice"),
]  # fmt: skip
ENGINES = {"llm": "sophon-llm", "asr": "sophon-whisper", "tts": "sophon-vits"}


def _plan(tmp_path: Path, flags: dict[str, str]) -> tuple[int, list[dict[str, str]]]:
    inventory, report = tmp_path / "inventory.toml", tmp_path / "plan.json"
    inventory.write_text(SE9)
    settings = [f"--set={path}={value}" for path, value in flags.items()]
    status = main(["plan", *settings, "--inventory", str(inventory), "--json", str(report)])
    return status, json.loads(report.read_text())["findings"]


def _flags(assets: Path, setting: str, files: Sequence[Path]) -> dict[str, str]:
    service = setting.partition(".")[0]
    named = str(files[0]) if service == "llm" else json.dumps([str(file) for file in files])
    return {
        f"{service}.engine": ENGINES[service],
        setting: named,
        "llm.sophon_llm.tokenizer": str(assets / "llm/config"),
        "asr.sophon_whisper.positions_file": str(next((assets / "whisper").glob("tables/*.npz"))),
        "asr.sophon_whisper.vocabulary_file": str(assets / "whisper/tables/vocab_nano.tiktoken"),
        "tts.sophon_vits.vocabulary_file": str(assets / "vits/vocab.txt"),
    }


@pytest.mark.parametrize("wrong", KINDS, ids=lambda wrong: wrong.kind)
def test_a_wrong_file_is_refused_with_the_true_reason(
    assets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrong: Wrong
) -> None:
    monkeypatch.chdir(tmp_path)
    files = [assets / file for file in wrong.files]
    if wrong.change is not None:
        nets = _nets(files[0])
        wrong.change(nets)
        files = [write_bmodel(tmp_path / "model.bmodel", "BM1688", [*nets.values()])]
    status, findings = _plan(tmp_path, _flags(assets, wrong.setting, files))
    (refused,) = [finding for finding in findings if finding["severity"] == "fail"]
    assert status == 1
    assert files[0].name in refused["text"]
    assert wrong.says in refused["text"]
    assert ";" in refused["text"]  # The cure.


@pytest.mark.parametrize(
    ("setting", "files"),
    [(LLM, [STATIC]), (LLM, [HISTORY]), (LLM, [JOINT]), (ASR, PARTS), (TTS, [BERT, VITS])],
)
def test_the_same_files_unchanged_are_taken(
    assets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, setting: str, files: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    copies = []
    for file in files:  # Written anew, so that the writer's files are good ones.
        nets = _nets(assets / file).values()
        copies.append(write_bmodel(tmp_path / Path(file).name, "BM1688", [*nets]))
        assert _nets(copies[-1]) == _nets(assets / file)
    status, findings = _plan(tmp_path, _flags(assets, setting, copies))
    assert (status, findings) == (0, [])


def test_a_static_share_prompt_build_is_taken(
    assets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    nets = _nets(assets / JOINT)
    _static_share_prompt(nets)
    file = write_bmodel(tmp_path / "model.bmodel", "BM1688", [*nets.values()])
    assert _plan(tmp_path, _flags(assets, LLM, [file])) == (0, [])


def test_nets_are_read_from_files_as_a_chip_gives_them(assets: Path) -> None:
    model = read_model(assets / BERT, assets / VITS)
    assert list(model.nets) == ["bert", "vits_chinese"]
    (ids, *_), (vectors,) = model.nets["bert"].inputs, model.nets["bert"].outputs
    assert (ids.dtype, ids.shape, vectors.shape) == ("int32", (1, 64), (1, 64, 256))


@pytest.mark.parametrize("named", ["folder", "pattern", "list"])
def test_a_folder_or_a_pattern_stands_for_the_bmodels_in_it(
    assets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: str
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "whisper"
    folder.mkdir()
    (folder / "readme.txt").touch()
    for part in PARTS:
        (folder / Path(part).name).symlink_to(assets / part)
    names = {"folder": "whisper", "pattern": "whi*/*_nano_5beam*.bmodel", "list": '["whisper"]'}
    flags = _flags(assets, ASR, [folder]) | {ASR: names[named]}
    status, findings = _plan(tmp_path, flags)
    assert (status, findings) == (0, [])
    report = json.loads((tmp_path / "plan.json").read_text())
    planned = [Path(model["path"]).name for model in report["services"]["asr"]["models"]]
    assert planned == sorted(Path(part).name for part in PARTS)


@pytest.mark.parametrize(
    ("named", "says"),
    [("nothing*.bmodel", "nothing*.bmodel cannot be read"), ("empty", "names no bmodel")],
)
def test_what_stands_for_no_file_is_told_as_it_was_named(
    assets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: str, says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    status, findings = _plan(tmp_path, _flags(assets, ASR, []) | {ASR: named})
    (refused,) = [finding for finding in findings if finding["severity"] == "fail"]
    assert status == 1
    assert says in refused["text"]


def test_a_folder_with_one_language_model_stands_for_it(
    assets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model.bmodel").symlink_to(assets / STATIC)
    assert _plan(tmp_path, _flags(assets, LLM, [tmp_path])) == (0, [])
    (tmp_path / "other.bmodel").symlink_to(assets / HISTORY)
    status, (refused,) = _plan(tmp_path, _flags(assets, LLM, [tmp_path]))
    assert status == 1
    assert "stands for 2 bmodels; set llm.sophon_llm.model to one" in refused["text"]
