"""How tests run files of ONNX: by onnxruntime, another project's program."""

from collections.abc import Mapping

import numpy as np
import onnxruntime

from potluck.learning.graph.value import Value
from potluck.learning.onnx.writer import IR, OPSET, Writer


def session(content: bytes) -> onnxruntime.InferenceSession:
    """A file, ready to run on one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def file(writer: Writer, inputs: Mapping[str, Value], outputs: Mapping[str, Value]) -> bytes:
    """What a writer holds, as a file whose shapes the package onnx follows too."""
    helper = writer.package.helper

    def shaped(name: str, one: Value) -> object:
        sizes = [None if one.rows and axis == one.rows.axis else size for axis, size in enumerate(one.shape)]
        return helper.make_tensor_value_info(name, writer.type_of(one.dtype), sizes)

    given, made = ([shaped(*pair) for pair in some.items()] for some in (inputs, outputs))
    graph = helper.make_graph(writer.nodes, "test", given, made, writer.held)
    whole = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR)
    writer.package.checker.check_model(whole, full_check=True)
    return whole.SerializeToString()


def run(content: bytes, given: Mapping[str, np.ndarray]) -> list[np.ndarray]:
    """What a file makes of its inputs; of others nothing is given."""
    ready = session(content)
    return ready.run(None, {one.name: given[one.name] for one in ready.get_inputs()})
