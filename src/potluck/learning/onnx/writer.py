"""A file of ONNX as it grows: nodes and numbers, each under a name of its own.

Reference: the ONNX specification, operators of version 20 of the set, https://onnx.ai/onnx/operators.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from potluck.core.errors import UsageError
from potluck.learning.graph.tensors import Array
from potluck.learning.graph.value import DType

OPSET = 20
"""The version of ONNX's operators that files are written in."""
IR = 9
"""The version of the file's own form that came with it."""
INSTALL = "pip install 'potluck[onnx]'"


def onnx() -> Any:  # its types need those of protobuf, which are not installed
    """The package onnx. Raises UsageError: it is missing."""
    try:
        import onnx as loaded
    except ImportError:
        raise UsageError("the package onnx is missing", hint=INSTALL) from None
    return loaded


@dataclass(slots=True)
class Writer:
    """package: onnx; batch: the name of an input, whose first axis is the rows of the batch."""

    package: Any
    batch: str
    nodes: list[Any] = field(default_factory=list)
    held: list[Any] = field(default_factory=list)

    def add(self, op: str, inputs: Sequence[str], attributes: Mapping[str, object] | None = None, of: str = "") -> str:
        """A node that makes one value; gives its name. An input without a name is left out. of: the set of
        operators."""
        return self.many(op, inputs, 1, attributes, of)[0]

    def many(
        self,
        op: str,
        inputs: Sequence[str],
        count: int,
        attributes: Mapping[str, object] | None = None,
        of: str = "",
    ) -> tuple[str, ...]:
        """A node that makes so many. No name of a graph has a slash: these are new."""
        place = len(self.nodes)
        out = tuple(f"{op}/{place}/{i}" for i in range(count))
        self.nodes.append(self.package.helper.make_node(op, inputs, out, domain=of, **(attributes or {})))
        return out

    def hold(self, name: str, array: Array) -> str:
        """Numbers under a name."""
        whole = np.ascontiguousarray(array, array.dtype.newbyteorder("=")).reshape(array.shape)
        self.held.append(self.package.numpy_helper.from_array(whole, name))
        return name

    def constant(self, array: Array) -> str:
        """Numbers that have no name in the graph."""
        return self.hold(f"constant/{len(self.held)}", array)

    def number(self, value: float, kind: DType) -> str:
        """One number of a type."""
        return self.constant(np.array(value, kind))

    def whole(self, *values: int) -> str:
        """A list of whole numbers: axes, or a shape."""
        return self.constant(np.array(values, np.int64))

    def of_batch(self, times: int) -> str:
        """How many rows the batch has, times a number: a list of one."""
        rows = self.add("Shape", (self.batch,), {"start": 0, "end": 1})
        return rows if times == 1 else self.add("Mul", (rows, self.whole(times)))

    def shaped(self, name: str, shape: Sequence[int]) -> str:
        """The value in another shape; -1: as long as what is left."""
        return self.add("Reshape", (name, self.whole(*shape)))

    def cast(self, name: str, kind: DType) -> str:
        """The value with entries of another type."""
        return self.add("Cast", (name,), {"to": self.type_of(kind)})

    def type_of(self, kind: DType) -> int:
        """ONNX's number of a type."""
        found: int = self.package.helper.np_dtype_to_tensor_dtype(np.dtype(kind))
        return found

    def along(self, name: str, rank: int, axis: int, matrix: Array) -> str:
        """A matrix [before, after] applied along one axis of a value."""
        order = [one for one in range(rank) if one != axis] + [axis]
        moved = self.add("MatMul", (self.turned(name, order), self.constant(matrix)))
        return self.turned(moved, [order.index(one) for one in range(rank)])

    def turned(self, name: str, order: Sequence[int]) -> str:
        """The value with its axes in another order."""
        if list(order) == sorted(order):
            return name
        return self.add("Transpose", (name,), {"perm": list(order)})
