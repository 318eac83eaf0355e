"""The owner over the vendor's simulator: real bmodels, through the client."""

from __future__ import annotations

import shutil
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from voicemesh.errors import EngineError
from voicemesh_sophon.client import Chip, Launch, Net, Read, Write, to_bfloat16
from voicemesh_sophon.owner_process import OwnerProcess

HISTORY = {
    "bm1688": "llm/bm1688/tiny-assistant_w4bf16_seq512_2core_history.bmodel",
    "bm1684x": "llm/bm1684x/tiny-assistant_w4f16_seq512_history.bmodel",
}
VOICE = {
    "bm1688": (
        "vits/bm1688/bert_f16_1core.bmodel",
        "vits/bm1688/vits_chinese_128_bm1688_f16_1core.bmodel",
    ),
    "bm1688 2 cores": (
        "vits/bm1688/bert_f16_2core.bmodel",
        "vits/bm1688/vits_chinese_128_bm1688_f16_2core.bmodel",
    ),
    "bm1684x": ("vits/bm1684x/bert_f16_1core.bmodel", "vits/bm1684x/vits_chinese_128_f16.bmodel"),
}
LONG = pytest.mark.long


def _io(chip: Chip, net: Net) -> Launch:
    return Launch(
        net,
        [chip.tensor(slot.shape, slot.dtype) for slot in net.inputs],
        [chip.tensor(slot.shape, slot.dtype) for slot in net.outputs],
    )


def _spoken(path: Path) -> NDArray[np.int16]:
    with wave.open(str(path)) as file:
        return np.frombuffer(file.readframes(file.getnframes()), np.int16)


@pytest.mark.parametrize(
    ("which", "cores"),
    [
        ("bm1688", (0,)),
        pytest.param("bm1688", (1,), marks=LONG),
        pytest.param("bm1688 2 cores", (0, 1), marks=LONG),
        pytest.param("bm1684x", (0,), marks=LONG),
    ],
)
def test_a_sentence_sounds_as_its_model_says_it(
    chip_owner: Any, assets: Path, which: str, cores: tuple[int, ...]
) -> None:
    owner: OwnerProcess = chip_owner(which.partition(" ")[0])
    chip = Chip.open(owner.placement("tts", cores))
    try:
        model = chip.load(*(assets / name for name in VOICE[which]))
        bert, vits = _io(chip, model.nets["bert"]), _io(chip, model.nets["vits_chinese"])
        expected = np.load(assets / "vits/expected/hello.npz")
        ids = expected["input_ids"].astype(np.int32)
        count = int(expected["n_tokens"])
        mask = (np.arange(64) < count).astype(np.int32)[None]
        (vectors,) = chip.run(
            [
                Write(bert.inputs[0], ids),
                Write(bert.inputs[1], mask),
                Write(bert.inputs[2], np.zeros((1, 64), np.int32)),
                bert,
                Read(bert.outputs[0]),
            ]
        )
        near = np.corrcoef(vectors[0, :count].ravel(), expected["char_embeds"].ravel())[0, 1]
        assert near > 0.99
        prosody = np.zeros((1, 128, 256), np.float32)
        rows = np.repeat(vectors[0, :count], expected["rep"], axis=0)
        prosody[0, : len(rows)] = rows
        sound, frames = chip.run(
            [
                Write(vits.inputs[0], expected["x"].astype(np.int32)),
                Write(vits.inputs[1], prosody),
                vits,
                *(Read(output) for output in vits.outputs),
            ]
        )
        assert frames[0] == pytest.approx(float(expected["y_max"]))
        spoken = _spoken(assets / "vits/expected/hello.wav")
        length = min(len(spoken), len(sound))
        assert np.corrcoef(sound[:length], spoken[:length])[0, 1] > 0.99
    finally:
        chip.close()


@pytest.mark.parametrize("which", ["bm1688", pytest.param("bm1684x", marks=LONG)])
def test_a_cache_written_in_place_row_by_row_is_that_of_the_whole_prompt(
    chip_owner: Any, assets: Path, which: str
) -> None:
    """Dynamic prefill against decoding token by token, in the runtime's own memory."""
    chip = Chip.open(chip_owner(which).placement("llm"))
    try:
        nets = chip.load(assets / HISTORY[which], own_io=True).nets
        prefill, decode = nets["block_0"], nets["block_cache_0"]
        dtype = decode.inputs[0].dtype
        _, rows, heads, dim = decode.inputs[3].shape
        width = heads * dim
        hidden = decode.inputs[0].shape[-1]
        k, v = decode.input_tensor(3), decode.input_tensor(4)
        length = 5
        prompt = chip.tensor((1, prefill.inputs[0].shape[1], hidden), dtype)
        positions = chip.tensor(prefill.inputs[1].shape, "int32")
        out = chip.tensor(prompt.shape, dtype)
        values = np.random.default_rng(7).standard_normal(prompt.shape).astype(np.float32)
        stored = to_bfloat16(values) if dtype == "bfloat16" else values.astype(np.float16)
        inputs = [prompt.view((1, length, hidden)), positions.view((1, length))]
        chip.run(
            [
                Write(prompt, stored),
                Write(positions, np.arange(positions.size, dtype=np.int32)),
                Write(k, np.zeros(k.shape, stored.dtype)),
                Write(v, np.zeros(v.shape, stored.dtype)),
            ]
        )
        end = rows - length  # Where there is no room for the largest shape behind the view.
        whole = []
        for row in (0, end):
            places = [t.view((1, length, heads, dim), row * width) for t in (k, v)]
            whole.append(
                chip.run(
                    [
                        Launch(prefill, inputs, [out.view((1, length, hidden)), *places]),
                        *(Read(place) for place in places),
                    ]
                )
            )
        assert all(np.array_equal(*pair) for pair in zip(*whole, strict=True))
        assert np.any(whole[0][0])

        blocked = np.float32(-10000)
        for position in range(length):
            mask = np.full(rows + 1, blocked, np.float32)
            mask[:position], mask[-1] = 0, 0
            places = [t.view((1, 1, heads, dim), position * width) for t in (k, v)]
            chip.run(
                [
                    Write(
                        decode.input_tensor(2),
                        to_bfloat16(mask) if dtype == "bfloat16" else mask.astype(np.float16),
                    ),
                    Launch(
                        decode,
                        [
                            prompt.view((1, 1, hidden), position * hidden),
                            positions.view((1, 1), position),
                            *(decode.input_tensor(2), k, v),
                        ],
                        [out.view((1, 1, hidden)), *places],
                    ),
                ]
            )
        (again,) = chip.run([Read(k.view((1, length, heads, dim)))])
        assert np.array_equal(again, whole[0][0])
    finally:
        chip.close()


def test_own_memory_is_for_models_that_were_loaded_for_it(chip_owner: Any, assets: Path) -> None:
    chip = Chip.open(chip_owner("bm1688").placement("llm"))
    try:
        net = chip.load(assets / VOICE["bm1688"][0]).nets["bert"]
        with pytest.raises(EngineError, match="own_io=True"):
            net.input_tensor(0)
        with pytest.raises(EngineError, match="is one file, not 2"):
            chip.load(*(assets / name for name in VOICE["bm1688"]), own_io=True)
    finally:
        chip.close()


def test_files_that_cannot_be_loaded_are_named_with_the_cure_and_the_next_one_works(
    chip_owner: Any, assets: Path, tmp_path: Path
) -> None:
    owner: OwnerProcess = chip_owner("bm1688")
    good = assets / VOICE["bm1688"][0]
    cut = tmp_path / "cut.bmodel"
    cut.write_bytes(good.read_bytes()[:-1000])
    text = tmp_path / "text.bmodel"
    text.write_text("not found")
    for file, message in (
        (tmp_path / "missing.bmodel", "missing.bmodel cannot be read .*check the path"),
        (cut, "cut.bmodel is cut short: .*fetch it again"),
        (text, "text.bmodel .*is no bmodel"),
        (
            assets / VOICE["bm1684x"][0],
            "was compiled for BM1684X, but this chip is a BM1688; fetch",
        ),
    ):
        chip = Chip.open(owner.placement("tts", (0,)))
        try:
            with pytest.raises(EngineError, match=message):
                chip.load(file)
            chip.run([_io(chip, chip.load(good).nets["bert"])])
        finally:
            chip.close()


def test_two_files_with_a_network_of_one_name_are_refused(
    chip_owner: Any, assets: Path, tmp_path: Path
) -> None:
    good = assets / VOICE["bm1688"][0]
    twin = Path(shutil.copy(good, tmp_path / "twin.bmodel"))
    chip = Chip.open(chip_owner("bm1688").placement("tts", (0,)))
    try:
        with pytest.raises(EngineError, match="two networks are named bert"):
            chip.load(good, twin)
    finally:
        chip.close()
