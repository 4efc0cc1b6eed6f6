"""The table of torch's operators that a module may use, a line each, and hints for some that none may."""

from potluck.learning.graph.make import choices, lowering, moved
from potluck.learning.graph.make.lowering import Lowered, along, joined, same
from potluck.learning.graph.op import OPS

_ELSEWHERE = (
    *("reshape", "permute", "expand", "select", "slice", "split", "unbind", "cat", "pad", "mean", "sum", "softmax"),
    *("add", "sub", "mul", "div", "matmul", "cast", "dropout", "maximum", "minimum"),
    *("amax", "amin", "var", "linalg_vector_norm", "glu", "log_softmax"),
)
"""Operations that stand for several operators of torch, below."""
OPERATORS: dict[str, Lowered] = {OPS.of(word).run: same(word) for word in OPS.words() if word not in _ELSEWHERE}
"""By torch's name and overload."""
for _names, _lowered in (
    ("contiguous.default clone.default alias.default lift_fresh_copy.default lift_fresh.default", lowering.alias),
    (
        "view.default reshape.default _unsafe_view.default flatten.using_ints unflatten.int view_as.default",
        lowering.reshape,
    ),
    ("unsqueeze.default squeeze.default squeeze.dim squeeze.dims reshape_as.default", lowering.reshape),
    ("expand.default expand_as.default broadcast_to.default", lowering.expand),
    ("to.dtype to.dtype_layout to.device to.other _to_copy.default type_as.default", lowering.cast),
    ("permute.default transpose.int swapaxes.default t.default numpy_T.default", lowering.permute),
    ("split.Tensor split_with_sizes.default split.sizes chunk.default", lowering.split),
    ("unbind.int", lowering.unbind),
    ("select.int", lowering.select),
    ("slice.Tensor", lowering.cut),
    ("cat.default concat.default", along("cat", "tensors")),
    ("mean.dim", along("mean", "self")),
    ("sum.dim_IntList", along("sum", "self")),
    ("amax.default", along("amax", "self")),
    ("amin.default", along("amin", "self")),
    ("var.correction var.dim", lowering.spread),
    ("linalg_vector_norm.default", lowering.length),
    ("softmax.int", along("softmax", "self")),
    ("log_softmax.int", along("log_softmax", "self")),
    ("glu.default", along("glu", "self")),
    ("maximum.default max.other", joined("maximum")),
    ("minimum.default min.other", joined("minimum")),
    ("stack.default", moved.stacked),
    ("repeat.default tile.default", moved.repeated),
    ("repeat_interleave.self_int", moved.stretched),
    ("movedim.int movedim.intlist moveaxis.int moveaxis.intlist", moved.axes_moved),
    ("pixel_shuffle.default", moved.pixels),
    ("einsum.default", moved.einsum),
    (
        "adaptive_max_pool1d.default adaptive_max_pool2d.default adaptive_max_pool3d.default",
        lowering.largest_of_bins,
    ),
    ("add.Tensor add.Scalar", joined("add")),
    ("sub.Tensor sub.Scalar", joined("sub")),
    ("mul.Tensor mul.Scalar", joined("mul")),
    ("div.Tensor div.Scalar true_divide.Tensor", joined("div")),
    ("matmul.default mm.default bmm.default", lowering.matmul),
    ("dropout.default", lowering.dropout),
    ("masked_fill.Scalar masked_fill.Tensor", choices.masked_fill),
    ("where.Scalar where.ScalarSelf where.ScalarOther", choices.where),
    ("zeros_like.default", choices.like(0)),
    ("ones_like.default", choices.like(1)),
    ("bitwise_not.default logical_not.default", choices.negated),
    ("bitwise_and.Tensor __and__.Tensor logical_and.default", choices.both),
    ("bitwise_or.Tensor __or__.Tensor logical_or.default", choices.either),
    ("clamp_min.default", lowering.clamp_min),
    ("pad.default constant_pad_nd.default", lowering.padded),
    ("square.default", lowering.square),
    ("index.Tensor", lowering.looked_up),
    ("roll.default", lowering.roll),
    ("relu6.default", lowering.relu6),
    ("conv1d.padding conv2d.padding conv3d.padding", lowering.convolution),
):
    OPERATORS.update(dict.fromkeys(_names.split(), _lowered))
HINTS = {
    "mean": "name the axes, such as x.mean(1): a mean over all of them mixes rows",
    "sum": "name the axes, such as x.sum(1): a sum over all of them mixes rows",
    "detach": "freeze parameters with requires_grad_(False) instead",
    "lstm": "recurrent layers are in no graph: use convolutions or attention",
    "gru": "recurrent layers are in no graph: use convolutions or attention",
    "feature_dropout": "use plain dropout",
    "zeros": "expand a buffer of the module to the batch; recurrent layers are in no graph",
    "ones": "expand a buffer of the module to the batch",
    "arange": "make it a buffer of the module",
    "max": "x.amax(axis) gives the largest entries along an axis",
    "min": "x.amin(axis) gives the smallest entries along an axis",
    "std": "write it as torch.sqrt(x.var(axis) + eps)",
    "new_zeros": "expand a buffer of the module to the batch",
    "rnn_tanh": "recurrent layers are in no graph: use convolutions or attention",
    "cumsum": "multiply by a triangle of ones, a buffer of the module: x @ torch.ones(n, n).triu()",
    "log_sigmoid": "write it as -torch.nn.functional.softplus(-x)",
    "logsumexp": "with m = x.amax(axis, keepdim=True): m + torch.log(torch.exp(x - m).sum(axis, keepdim=True))",
    "baddbmm": "write it as beta * x + alpha * (a @ b)",
    "_weight_norm": 'fold it into the weight: nn.utils.parametrize.remove_parametrizations(layer, "weight")',
    "diff": "give positions, and a mask of four axes, as buffers of the module",
}
"""By torch's name, what to write instead."""
