"""Attention and softmax: a row attends to itself."""

from potluck.learning.graph.bound import Bound
from potluck.learning.graph.op import Cost, Op, Outputs, floating
from potluck.learning.graph.value import Misfit, Value, broadcast


def _softmax(bound: Bound) -> Outputs:
    value = floating(bound.value("self"), "self")
    bound.axis("dim", value)
    return (value,)


def _attention(bound: Bound) -> Outputs:
    query, key, value = (floating(bound.value(name), name) for name in ("query", "key", "value"))
    mask = bound.maybe("attn_mask")
    if not 0 <= bound.number("dropout_p", 0.0) < 1:
        raise Misfit("dropout_p has to be at least 0 and below 1")
    if bound.flag("is_causal", False) and mask is not None:
        raise Misfit("takes a mask or is_causal, not both")
    scale = bound.maybe_number("scale")
    if scale is not None and scale <= 0:
        raise Misfit("scale has to be above 0")
    if bound.flag("enable_gqa", False):
        raise Misfit("enable_gqa is not taken", "expand keys and values to the heads of queries")
    if not query.rank == key.rank == value.rank or not 3 <= query.rank <= 5:
        raise Misfit("query, key and value have to have as many axes, 3 to 5")
    if not query.dtype == key.dtype == value.dtype:
        raise Misfit("query, key and value have to have one dtype")
    if query.shape[-1] != key.shape[-1] or key.shape[-2] != value.shape[-2]:
        raise Misfit("query, key and value do not fit")
    if any(one.rows and one.rows.axis >= one.rank - 2 for one in (query, key, value)):
        raise Misfit("mixes rows: it attends along the axis of rows")
    if len({one.shape[:-2] for one in (query, key, value)}) > 1 or len({one.rows for one in (query, key, value)}) > 1:
        raise Misfit("query, key and value have to have the same axes before the last two", "expand them first")
    scores = Value(query.dtype, (*query.shape[:-1], key.shape[-2]), query.rows)
    if mask is not None:
        _masked(mask, scores)
    return (query.with_shape((*query.shape[:-1], value.shape[-1])),)


def _masked(mask: Value, scores: Value) -> None:
    if mask.dtype not in ("bool", scores.dtype):
        raise Misfit(f"attn_mask has to be bool or {scores.dtype}")
    if mask.rank < 2:
        raise Misfit("attn_mask has to have 2 axes or more")
    if broadcast((scores, mask)) != (scores.shape, scores.rows):
        raise Misfit("attn_mask does not fit the scores")


def _cost(bound: Bound, out: Outputs) -> Cost:
    query, key = bound.value("query"), bound.value("key")
    scores = query.size // query.shape[-1] * key.shape[-2]
    return Cost(2 * scores * (query.shape[-1] + out[0].shape[-1]) + 8 * scores, kept=4 * scores + query.size + key.size)


SOFTMAX = Op("softmax.int", ("self", "dim"), 2, _softmax)
LOG_SOFTMAX = Op("log_softmax.int", ("self", "dim"), 2, _softmax)
SCALED_DOT_PRODUCT_ATTENTION = Op(
    "scaled_dot_product_attention.default",
    ("query", "key", "value", "attn_mask", "dropout_p", "is_causal"),
    3,
    _attention,
    _cost,
    keywords=("scale", "enable_gqa"),
    evaluating=("dropout_p", 0.0),
)
