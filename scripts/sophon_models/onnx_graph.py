"""Writes ONNX graphs node by node, for networks whose weights are computed and not trained."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

FLOAT, INT32 = TensorProto.FLOAT, TensorProto.INT32
_OPERATORS = 13  # the operator set that the compiler knows best

Port = tuple[str, int, list[int]]
"""Name, element type and shape of an input or output."""


class Graph:
    """Values are passed around by their names."""

    def __init__(self) -> None:
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []

    def constant(self, value: object, dtype: type = np.float32) -> str:
        """A constant of any shape."""
        name = f"constant_{len(self._constants)}"
        array = np.ascontiguousarray(np.asarray(value), dtype)
        self._constants.append(numpy_helper.from_array(array, name))
        return name

    def integers(self, *values: int) -> str:
        """A vector of int64, as axes and shapes are given."""
        return self.constant(values, np.int64)

    def node(self, kind: str, *inputs: str, output: str = "", **attributes: object) -> str:
        """An operator with one output."""
        index = len(self._nodes)
        output = output or f"{kind}_{index}_out"
        made = helper.make_node(kind, inputs, [output], name=f"{kind}_{index}", **attributes)
        self._nodes.append(made)
        return output

    def two(self, kind: str, *inputs: str, second: str, **attributes: object) -> str:
        """An operator with two outputs; the first is returned, the other is ``second``."""
        output = self.node(kind, *inputs, **attributes)
        self._nodes[-1].output.append(second)
        return output

    def linear(self, value: str, weight: np.ndarray, bias: np.ndarray | None = None) -> str:
        """``value @ weight + bias``."""
        product = self.node("MatMul", value, self.constant(weight))
        return product if bias is None else self.node("Add", product, self.constant(bias))

    def normalised(self, value: str) -> str:
        """Mean 0 and variance 1 over the last axis."""
        centred = self.node("Sub", value, self.node("ReduceMean", value, axes=[-1]))
        squares = self.node("Pow", centred, self.constant(2.0))
        variance = self.node("ReduceMean", squares, axes=[-1])
        deviation = self.node("Sqrt", self.node("Add", variance, self.constant(1e-5)))
        return self.node("Div", centred, deviation)

    def gelu(self, value: str) -> str:
        """``x * (1 + erf(x / sqrt(2))) / 2``."""
        error = self.node("Erf", self.node("Div", value, self.constant(np.sqrt(2.0))))
        share = self.node("Add", error, self.constant(1.0))
        return self.node("Mul", self.node("Mul", value, share), self.constant(0.5))

    def save(self, path: Path, inputs: Sequence[Port], outputs: Sequence[Port]) -> None:
        """Checks the graph and writes it."""
        graph = helper.make_graph(
            self._nodes,
            path.stem,
            [helper.make_tensor_value_info(*port) for port in inputs],
            [helper.make_tensor_value_info(*port) for port in outputs],
            self._constants,
        )
        opset = helper.make_opsetid("", _OPERATORS)
        model = helper.make_model(graph, opset_imports=[opset], ir_version=8)
        onnx.checker.check_model(model)
        onnx.save(model, str(path))
