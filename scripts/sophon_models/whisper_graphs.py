"""Writes the graphs of a trained network: ``python whisper_graphs.py MODEL FOLDER``.

MODEL is the folder that ``whisper_training.py`` made. Seven ONNX files: the five of the
demo's form with a file for each graph, and the two that its form in one file has instead
of the loop. Beside them the position table as the demo ships it.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from torch import nn
from whisper_network import (
    Encoder,
    LanguageDecoder,
    LoopDecoder,
    MainDecoder,
    PostDecoder,
    Rearrange,
    Shape,
    Whisper,
    names,
)

from voicemesh_asr.engines.sophon_whisper.vocabulary import WhisperVocabulary

VOCABULARY_SIZE = 2000
_OPERATORS = 15


def _graphs(network: Whisper, no_speech: int) -> dict[str, tuple[nn.Module, list, list, list]]:
    """Each graph's module, example inputs, and the names of its inputs and outputs."""
    shape = network.shape
    layers, beam, pad, state = shape.layers, shape.beam, shape.pad, shape.state
    heard = shape.frames // 2
    own = names("self_attn_kcache_in", layers) + names("self_attn_vcache_in", layers)
    sound = names("cross_attn_kcache_in", layers) + names("cross_attn_vcache_in", layers)
    made = names("self_attn_kcache_out", layers) + names("self_attn_vcache_out", layers)

    def tokens(*sizes: int) -> torch.Tensor:
        return torch.zeros(*sizes, dtype=torch.int32)

    features, index = torch.randn(1, heard, state), torch.arange(beam, dtype=torch.int32)
    caches = [torch.randn(beam, pad, state) for _ in own]
    caches += [torch.randn(1, heard, state) for _ in sound]
    step = [tokens(beam, 1), torch.randn(1, state), torch.zeros(beam, 1, shape.heads, pad)]
    step_names = ["tokens_input", "positional_embedding_input", "mask"]
    prompt = [tokens(beam, pad), features, torch.randn(pad, state)]
    prompt.append(torch.zeros(beam, pad, shape.heads, pad))
    prompt_names = ["tokens_input", "audio_features", "positional_embedding_input", "mask"]
    rows = [torch.randn(beam, 1, state) for _ in range(2)]
    return {
        "encoder": (
            Encoder(network), [torch.randn(1, shape.mels, shape.frames)], ["mel"],
            ["audio_features"],
        ),
        "logits_decoder": (
            LanguageDecoder(network), [tokens(1, 1), features], ["tokens", "audio_features"],
            ["logits"],
        ),
        "decoder_main_with_kvcache": (
            MainDecoder(network), prompt, prompt_names, ["x", *own, *sound],
        ),
        "decoder_post": (
            PostDecoder(network, no_speech), rows, ["x_sot", "x_last"],
            ["logits", "no_speech_probs"],
        ),
        "decoder_loop_with_kvcache_and_rearrange": (
            LoopDecoder(network, True), [*step, index, *caches],
            [*step_names, "rearrange_index", *own, *sound], ["logits", *made],
        ),
        "decoder_loop_with_kvcache": (
            LoopDecoder(network, False), [*step, *caches], [*step_names, *own, *sound],
            ["logits", *made],
        ),
        "kvcache_rearrange": (
            Rearrange(), [caches[0], index], ["kvcache", "index"], ["kvcache_out"],
        ),
    }  # fmt: skip


def export(model: Path, folder: Path) -> None:
    """Writes all of them."""
    vocabulary = WhisperVocabulary.read(model / "vocabulary.tiktoken", VOCABULARY_SIZE)
    network = Whisper(Shape(), VOCABULARY_SIZE).eval()
    network.load_state_dict(torch.load(model / "weights.pt"))
    folder.mkdir(parents=True, exist_ok=True)
    tag = network.shape.tag
    with torch.no_grad():
        for name, (part, inputs, given, made) in _graphs(network, vocabulary.no_speech).items():
            torch.onnx.export(
                part.eval(), tuple(inputs), str(folder / f"{name}_{tag}.onnx"),
                input_names=given, output_names=made, opset_version=_OPERATORS, dynamo=False,
            )  # fmt: skip
    positions = network.positions.detach().numpy().astype(np.float32)
    table = folder / f"positional_embedding_{network.shape.name}.npz"
    np.savez(table, positional_embedding=positions)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("folder", type=Path)
    options = parser.parse_args()
    export(options.model, options.folder)
