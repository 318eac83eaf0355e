"""Opens a voice's network so that it tells its durations too."""

from __future__ import annotations

from pathlib import Path

import onnxruntime

from voicemesh.errors import EngineError

# Fields of onnx.proto3 on the way to the name of an output, all of wire type 2.
_MODEL_GRAPH, _GRAPH_OUTPUT, _VALUE_NAME = 7, 12, 1


def open_session(model: Path, threads: int, durations: str = "") -> onnxruntime.InferenceSession:
    """A session on the processor, with ``durations`` added to what the network gives out.

    ``durations`` names a tensor within the graph. A network without it is opened as it is:
    who asks looks at the outputs. EngineError when the file is no network.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4  # what goes wrong is raised
    # The arena keeps what the longest text needed, and is no faster here.
    options.enable_cpu_mem_arena = False
    providers = ["CPUExecutionProvider"]
    try:
        network = model.read_bytes()
        if durations:
            try:
                extended = network + _output(durations)
                return onnxruntime.InferenceSession(extended, options, providers=providers)
            except Exception:  # onnxruntime's errors have no common class: it says more below
                pass
        return onnxruntime.InferenceSession(network, options, providers=providers)
    except Exception as error:
        raise EngineError(f"{model} cannot be opened: {error}") from error


def _output(name: str) -> bytes:
    """Appended to a model, this adds an output: Protobuf merges messages that follow."""
    return _message(_MODEL_GRAPH, _message(_GRAPH_OUTPUT, _message(_VALUE_NAME, name.encode())))


def _message(field: int, content: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(content)) + content


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)
