"""Opens a voice's network so that it tells how long each sound lasts."""

from __future__ import annotations

import mmap
from pathlib import Path

import onnxruntime

from voicemesh.errors import EngineError

# Fields of onnx.proto3 on the way to the name of an output.
_MODEL_GRAPH, _GRAPH_OUTPUT, _VALUE_NAME = 7, 12, 1


def open_session(model: Path, threads: int, durations: str) -> onnxruntime.InferenceSession:
    """A session on the processor that gives out the tensor ``durations`` as well.

    It is within the network; a few bytes behind the file make it an output, because
    Protobuf merges a message with one of its kind that follows. EngineError when the file
    is no network, or one without this tensor.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4  # what goes wrong is raised
    # The arena keeps what the longest text needed, and is no faster here.
    options.enable_cpu_mem_arena = False
    # Threads that spin for work cost half as much again, and are as fast.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    output = _message(_GRAPH_OUTPUT, _message(_VALUE_NAME, durations.encode()))
    try:
        with (
            model.open("rb") as file,
            mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as network,
        ):
            extended = b"".join([network, _message(_MODEL_GRAPH, output)])
        return onnxruntime.InferenceSession(extended, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's own errors have no common class
        raise EngineError(f"{model} cannot be opened: {error}") from error


def _message(field: int, content: bytes) -> bytes:
    """A field of a message that holds a message or a text."""
    return _varint(field << 3 | 2) + _varint(len(content)) + content


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)
