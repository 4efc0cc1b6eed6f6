"""Normalisation within one row, and with fixed statistics. What normalises over a batch mixes rows and is refused."""

from potluck.learning.graph.bound import Bound
from potluck.learning.graph.op import Cost, Op, Outputs, batch_first, floating, public
from potluck.learning.graph.value import Misfit, Value


def _layer_norm(bound: Bound) -> Outputs:
    value, shape = floating(bound.value("input")), bound.wholes("normalized_shape", 1)
    _last_axes(value, shape)
    public(bound.maybe("weight"), shape, value, "weight")
    public(bound.maybe("bias"), shape, value, "bias")
    _eps(bound)
    return (value,)


def _rms_norm(bound: Bound) -> Outputs:
    value, shape = floating(bound.value("input")), bound.wholes("normalized_shape", 1)
    _last_axes(value, shape)
    public(bound.maybe("weight"), shape, value, "weight")
    _eps(bound)
    return (value,)


def _last_axes(value: Value, shape: tuple[int, ...]) -> None:
    if not shape or len(shape) > value.rank or value.shape[value.rank - len(shape) :] != shape:
        raise Misfit("normalized_shape has to be the last axes of its input")
    if value.rows and value.rows.axis >= value.rank - len(shape):
        raise Misfit("mixes rows: it normalises over the axis of rows")


def _group_norm(bound: Bound) -> Outputs:
    value, groups = _channels(bound), bound.whole("num_groups", 1)
    if value.shape[1] % groups:
        raise Misfit("num_groups has to divide the channels")
    _affine(bound, value)
    _eps(bound)
    return (value,)


def _instance_norm(bound: Bound) -> Outputs:
    value = _channels(bound)
    _affine(bound, value)
    bound.absent("running_mean")
    bound.absent("running_var")
    bound.fixed("use_input_stats", True, "each row is normalised by itself")
    bound.number("momentum")
    bound.flag("cudnn_enabled", True)
    _eps(bound)
    return (value,)


def _batch_norm(bound: Bound) -> Outputs:
    value = _channels(bound)
    _affine(bound, value)
    why = "it mixes rows, for statistics of a batch would enter every row of it"
    bound.fixed("training", False, why, "use GroupNorm, or call eval() on the module to freeze its statistics")
    for name in ("running_mean", "running_var"):
        public(bound.value(name), (value.shape[1],), value, name)
    bound.number("momentum")
    bound.flag("cudnn_enabled", True)
    _eps(bound)
    return (value,)


def _channels(bound: Bound) -> Value:
    value = floating(bound.value("input"))
    if not 2 <= value.rank <= 5:
        raise Misfit("input has to have rows, channels, and at most 3 axes more")
    return batch_first(value, value.rank)


def _affine(bound: Bound, value: Value) -> None:
    for name in ("weight", "bias"):
        public(bound.maybe(name), (value.shape[1],), value, name)


def _eps(bound: Bound) -> None:
    if bound.number("eps", 1e-5) < 0:
        raise Misfit("eps has to be at least 0")


def _cost(bound: Bound, out: Outputs) -> Cost:
    return Cost(10 * out[0].size, kept=2 * out[0].size)


LAYER_NORM = Op("layer_norm.default", ("input", "normalized_shape", "weight", "bias", "eps"), 2, _layer_norm, _cost)
RMS_NORM = Op("rms_norm.default", ("input", "normalized_shape", "weight", "eps"), 2, _rms_norm, _cost)
GROUP_NORM = Op("group_norm.default", ("input", "num_groups", "weight", "bias", "eps"), 2, _group_norm, _cost)
_STATISTICS = ("input", "weight", "bias", "running_mean", "running_var")
_LAST = ("momentum", "eps", "cudnn_enabled")
INSTANCE_NORM = Op("instance_norm.default", (*_STATISTICS, "use_input_stats", *_LAST), 9, _instance_norm, _cost)
BATCH_NORM = Op("batch_norm.default", (*_STATISTICS, "training", *_LAST), 9, _batch_norm, _cost)
