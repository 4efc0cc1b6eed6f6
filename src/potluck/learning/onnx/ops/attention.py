"""Softmax, and attention written out: scores, mask, softmax, values."""

from collections.abc import Mapping
from math import sqrt

import numpy as np

from potluck.learning.onnx.call import Call, Say


def _softmax(call: Call) -> tuple[str]:
    return (call.writer.add("Softmax", (call.name("self"),), {"axis": call.bound.axis("dim", call.value("self"))}),)


def _log_softmax(call: Call) -> tuple[str]:
    return (call.writer.add("LogSoftmax", (call.name("self"),), {"axis": call.bound.axis("dim", call.value("self"))}),)


def _attention(call: Call) -> tuple[str]:
    writer, query, key = call.writer, call.value("query"), call.value("key")
    scale = call.bound.maybe_number("scale")
    factor = writer.number(1 / sqrt(query.shape[-1]) if scale is None else scale, query.dtype)
    order = [*range(key.rank - 2), key.rank - 1, key.rank - 2]
    scores = writer.add("MatMul", (call.name("query"), writer.turned(call.name("key"), order)))
    scores = writer.add("Mul", (scores, factor))
    axis = {"axis": -1}
    if call.bound.flag("is_causal", False):
        seen = np.tril(np.ones((query.shape[-2], key.shape[-2]), np.bool_))
        scores = writer.add("Where", (writer.constant(seen), scores, writer.number(-np.inf, query.dtype)))
        weights = writer.add("Softmax", (scores,), axis)
    elif call.has("attn_mask"):
        weights = _masked(call, scores)
    else:
        weights = writer.add("Softmax", (scores,), axis)
    return (writer.add("MatMul", (weights, call.name("value"))),)


def _masked(call: Call, scores: str) -> str:
    """Weights under a mask; what may look at nothing gets zeros, as torch has it."""
    writer, kind, mask = call.writer, call.value("query").dtype, call.name("attn_mask")
    never = writer.number(-np.inf, kind)
    if call.value("attn_mask").dtype == "bool":
        scores = writer.add("Where", (mask, scores, never))
    else:
        scores = writer.add("Add", (scores, mask))
    most = writer.add("ReduceMax", (scores, writer.whole(-1)), {"keepdims": 1})
    blind, zero = writer.add("Equal", (most, never)), writer.number(0.0, kind)
    weights = writer.add("Softmax", (writer.add("Where", (blind, zero, scores)),), {"axis": -1})
    return writer.add("Where", (blind, zero, weights))


SAID: Mapping[str, Say] = {
    "softmax": _softmax,
    "log_softmax": _log_softmax,
    "scaled_dot_product_attention": _attention,
}
