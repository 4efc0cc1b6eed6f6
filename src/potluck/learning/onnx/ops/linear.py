"""Products of matrices, and tables of vectors."""

from collections.abc import Mapping

from potluck.learning.onnx.call import Call, Say


def _linear(call: Call) -> tuple[str]:
    made = call.writer.add("MatMul", (call.name("input"), call.writer.turned(call.name("weight"), (1, 0))))
    return (call.writer.add("Add", (made, call.name("bias"))) if call.has("bias") else made,)


def _addmm(call: Call) -> tuple[str]:
    made = call.writer.add("MatMul", (call.name("mat1"), call.name("mat2")))
    return (call.writer.add("Add", (made, call.name("self"))),)


def _embedding(call: Call) -> tuple[str]:
    return (call.writer.add("Gather", (call.name("weight"), call.name("indices")), {"axis": 0}),)


SAID: Mapping[str, Say] = {
    "linear": _linear,
    "matmul": lambda call: (call.writer.add("MatMul", (call.name("self"), call.name("other"))),),
    "addmm": _addmm,
    "embedding": _embedding,
}
