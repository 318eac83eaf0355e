"""Compiles ONNX graphs to the bmodels of the tests: ``python compile_models.py --help``.

Runs where tpu_mlir is installed (Python 3.10); uses its command line tools and nothing
of ours. The program of the chip that the compiler puts into each file is removed.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import tempfile
from pathlib import Path

import onnx

CHIPS = {"bm1688": (1, 2), "bm1684x": (1,)}
"""The chips, and for how many cores there can be files."""

_FIVE = (
    "encoder",
    "logits_decoder",
    "decoder_main_with_kvcache",
    "decoder_post",
    "decoder_loop_with_kvcache_and_rearrange",
)
_SIX = (*_FIVE[:4], "decoder_loop_with_kvcache", "kvcache_rearrange")


def run(folder: Path, *command: object) -> None:
    """One tool; its output is shown where it fails."""
    words = [str(word) for word in command]
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(words)}\n{(done.stdout + done.stderr)[-3000:]}")


def compiled(
    graph: Path, name: str, chip: str, cores: int, kind: str, target: Path, half_io: bool = False
) -> Path:
    """``graph`` as a bmodel for ``cores`` cores; ``half_io``: inputs and outputs are float16."""
    inputs = onnx.load(str(graph)).graph.input
    shapes = [[size.dim_value for size in port.type.tensor_type.shape.dim] for port in inputs]
    floats = [port.type.tensor_type.elem_type == onnx.TensorProto.FLOAT for port in inputs]
    types = ",".join("float32" if is_float else "int32" for is_float in floats)
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        run(
            folder, "model_transform", "--model_name", name, "--model_def", graph.resolve(),
            "--input_shapes", str(shapes).replace(" ", ""), "--input_types", f"[{types}]",
            "--mlir", "graph.mlir",
        )  # fmt: skip
        run(
            folder, "model_deploy", "--mlir", "graph.mlir", "--quantize", kind,
            "--processor", chip, "--num_core", cores, "--skip_validation", "--model", "out.bmodel",
            *(["--quant_input", "--quant_output"] if half_io else []),
        )  # fmt: skip
        run(folder, "model_tool", "--kernel_remove", "out.bmodel")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(folder / "out.bmodel", target)
    print(target, target.stat().st_size)
    return target


def combined(parts: list[Path], target: Path) -> None:
    """Several bmodels as one file."""
    files = [part.resolve() for part in parts]
    run(target.parent, "model_tool", "--combine", *files, "-o", target.name)
    print(target, target.stat().st_size)


def whisper(graphs: Path, chip: str, cores: int, out: Path) -> None:
    """The demo's file for each graph, and both forms with all graphs in one file."""
    label = {"bm1688": "bm1688", "bm1684x": "1684x"}[chip]
    suffix = "" if cores == 1 else f"_{cores}core"
    tag = next(graphs.glob("encoder_*.onnx")).stem[len("encoder_") :]
    with tempfile.TemporaryDirectory() as made:
        files = {
            name: compiled(
                graphs / f"{name}_{tag}.onnx", f"{name}_{tag}", chip, cores, "F16",
                Path(made) / f"all_quant_{name}_{tag}_{label}_f16{suffix}.bmodel", half_io=True,
            )
            for name in dict.fromkeys(_FIVE + _SIX)
        }  # fmt: skip
        out.mkdir(parents=True, exist_ok=True)
        for name in _FIVE:
            shutil.copy(files[name], out)
        end = f"{tag.split('_')[0]}_{label.replace('bm', '')}_f16{suffix}.bmodel"
        combined([files[name] for name in _SIX], out / f"bmwhisper_{end}")
        combined([files[name] for name in _FIVE], out / f"whisper5_{end}")


def voice(graphs: Path, chip: str, cores: int, out: Path) -> None:
    """The voice in float16, its prosody in float16 and float32, and both in one file."""
    name = (
        f"vits_chinese_128_bm1688_f16_{cores}core" if chip == "bm1688" else "vits_chinese_128_f16"
    )
    speech = compiled(
        graphs / "vits.onnx", "vits_chinese", chip, cores, "F16", out / f"{name}.bmodel"
    )
    bert = graphs / "bert.onnx"
    compiled(bert, "bert", chip, cores, "F16", out / f"bert_f16_{cores}core.bmodel")
    if cores == 1:
        exact = out / f"bert_{chip.replace('bm', '')}_f32.bmodel"
        compiled(bert, "bert", chip, 1, "F32", exact)
        combined([exact, speech], out / f"tts_{chip}.bmodel")


def penalty_head(graphs: Path, chip: str, cores: int, out: Path) -> None:
    """The sampling head of 2024, to be combined with the graphs of ``llm_convert``."""
    graph = graphs / "penalty_sample_head.onnx"
    compiled(graph, graph.stem, chip, cores, "F32", out / f"{graph.stem}.bmodel")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    what = {"whisper": whisper, "voice": voice, "penalty-head": penalty_head}
    parser.add_argument("what", choices=what)
    parser.add_argument("graphs", type=Path, help="the folder of the ONNX files")
    parser.add_argument("out", type=Path, help="the folder for the bmodels")
    parser.add_argument("--chip", choices=CHIPS, required=True)
    parser.add_argument("--cores", type=int, default=1)
    options = parser.parse_args()
    if options.cores not in CHIPS[options.chip]:
        parser.error(f"a {options.chip} has {max(CHIPS[options.chip])} cores")
    what[options.what](options.graphs, options.chip, options.cores, options.out)
