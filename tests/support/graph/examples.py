"""A node or two of every operation, and values that it takes: rows at the first axis and elsewhere."""

from dataclasses import dataclass

import torch
from torch import Tensor

from potluck.learning.graph.schema import Argument, Node, Special
from potluck.learning.graph.value import DType, Rows, Value
from support.graph.running import numbers


@dataclass(frozen=True)
class Example:
    """A node, and the values that it takes by name."""

    node: Node
    known: dict[str, Value]

    @property
    def op(self) -> str:
        return self.node.op

    def given(self, batch: int, seed: int) -> dict[str, Tensor]:
        """Random numbers for all of them; those without rows are the same for every seed."""
        public, draw = torch.Generator().manual_seed(0), torch.Generator().manual_seed(seed)
        return {name: numbers(one, batch, draw if one.rows else public, 5) for name, one in self.known.items()}


def rows(*shape: int, axis: int = 0, outer: int = 1, inner: int = 1, dtype: DType = "float32") -> Value:
    sizes = list(shape)
    sizes.insert(axis, outer * inner)
    return Value(dtype, tuple(sizes), Rows(axis, outer, inner))


def public(*shape: int, dtype: DType = "float32") -> Value:
    return Value(dtype, shape)


def v(name: str) -> Special:
    return Special(v=name)


X = v("x")
EXAMPLES: dict[str, Example] = {}


def _example(op: str, *args: Argument, many: int = 1, title: str = "", **rest: Value | Argument) -> None:
    known = {name: one for name, one in rest.items() if isinstance(one, Value)}
    kw = {name: one for name, one in rest.items() if not isinstance(one, Value)}
    out = ("y",) if many == 1 else tuple(f"y.{i}" for i in range(many))
    EXAMPLES[f"{op}{'-' if title else ''}{title}"] = Example(Node(op, args, kw, out), known)


for _word in (
    *(
        "relu",
        "silu",
        "tanh",
        "sigmoid",
        "softplus",
        "hardtanh",
        "hardswish",
        "hardsigmoid",
        "mish",
        "exp",
        "abs",
        "neg",
    ),
    *("sqrt", "rsqrt", "reciprocal", "log", "log1p", "erf", "sin", "cos"),
):
    _example(_word, X, x=rows(3, 4))
_example("elu", X, 0.5, 1, 1, x=rows(3, axis=1))
_example("leaky_relu", X, 0.2, x=rows(3))
_example("gelu", X, approximate=Special(t="tanh"), x=rows(3, inner=2))
_example("clamp", X, -0.5, None, x=rows(3))
_example("add", X, v("z"), alpha=2, x=rows(3, 4), z=rows(1, 4))
_example("add", X, v("p"), title="public", x=rows(3, 4, axis=1), p=public(4))
_example("add", X, 3, title="whole", x=rows(3, dtype="int64"))
_example("sub", X, v("z"), x=rows(3, 4, axis=2), z=rows(4, axis=1))
_example("rsub", X, 1.5, 1, x=rows(3))
_example("mul", X, v("p"), x=rows(3), p=public())
_example("div", X, v("z"), x=rows(3, 2), z=rows(3, 1))
_example("pow", X, 3.0, x=rows(3))
_example("maximum", X, v("z"), x=rows(3, 4), z=rows(1, 4))
_example("minimum", X, v("p"), x=rows(3, 4, axis=1), p=public(4))
_example("prelu", X, v("p"), x=rows(3, 4), p=public(3))
_example("prelu", X, v("p"), title="one", x=rows(3, 4, axis=1), p=public(1))
for _word in ("gt", "ge", "lt", "le"):
    _example(_word, X, 0.1, x=rows(40))
for _word in ("eq", "ne"):
    _example(_word, X, 3, x=rows(40, dtype="int64"))
_example("where", v("c"), X, v("p"), c=rows(40, dtype="bool"), x=rows(40), p=public())
_example("cast", X, Special(d="float64"), x=rows(9, dtype="int64"))
_example("dropout", X, 0.5, True, x=rows(5))
_example("linear", X, v("w"), v("p"), x=rows(3, 4, axis=1), w=public(5, 4), p=public(5))
_example("linear", X, v("w"), title="first", x=rows(4), w=public(5, 4))
_example("addmm", v("p"), X, v("w"), x=rows(4), w=public(4, 5), p=public(5))
_example("matmul", X, v("z"), x=rows(2, 3, 4), z=rows(2, 4, 5))
_example("matmul", X, v("w"), title="first", x=rows(4), w=public(4, 5))
_example("matmul", v("w"), X, title="last", x=rows(4, axis=1), w=public(5, 4))
_example("matmul", X, v("w"), title="repeated", x=rows(2, 3, 4, inner=3), w=public(2, 4, 5))
_example("matmul", X, v("w"), title="free", x=rows(2, 4, axis=1), w=public(2, 4, 5))
_example("embedding", v("w"), X, 0, x=rows(16, dtype="int64"), w=public(5, 3))
for _axes in (1, 2, 3):
    _sizes = (7, 6, 5)[:_axes]
    _kernel = (3,) * _axes
    _conv = {"x": rows(4, *_sizes, inner=2), "w": public(6, 2, *_kernel), "p": public(6)}
    _example(f"conv{_axes}d", X, v("w"), v("p"), (2,), (1,) * _axes, (2,), 2, **_conv)
    _back = {"x": rows(4, *_sizes), "w": public(4, 3, *_kernel), "p": public(6)}
    _example(f"conv_transpose{_axes}d", X, v("w"), v("p"), (2,) * _axes, (1,), (1,), 2, (2,), **_back)
    _example(f"max_pool{_axes}d", X, (3,), (2,), (1,), (1,), True, x=rows(2, *_sizes))
    _example(f"avg_pool{_axes}d", X, (2,) * _axes, (), (1,), True, False, x=rows(2, *_sizes))
    _example(f"adaptive_avg_pool{_axes}d", X, (2,) * _axes, x=rows(2, *_sizes))
_norm = {"x": rows(4, 3), "p": public(4), "q": public(4)}
_example("layer_norm", X, (3, 2), v("p"), None, 1e-6, x=rows(4, 3, 2, axis=1), p=public(3, 2))
_example("rms_norm", X, (4,), v("p"), 1e-6, x=rows(3, 4), p=public(4))
_example("group_norm", X, 2, v("p"), v("q"), 1e-5, **_norm)
_example("instance_norm", X, v("p"), v("q"), None, None, True, 0.1, 1e-5, True, **_norm)
_statistics = {"m": public(4), "s": public(4)}
_example("batch_norm", X, v("p"), v("q"), v("m"), v("s"), False, 0.1, 10.0, True, **_norm, **_statistics)
_example("upsample_bilinear2d", X, None, False, (2.0, 1.5), x=rows(2, 3, 4))
_example("upsample_nearest2d", X, (5, 7), None, x=rows(2, 3, 4))
_example("upsample_linear1d", X, (7,), True, None, x=rows(2, 3))
_example("upsample_trilinear3d", X, None, False, (2.0, 1.5, 2.0), x=rows(2, 3, 4, 2))
_example("upsample_nearest1d", X, None, (2.5,), x=rows(2, 3))
_example("upsample_nearest3d", X, (5, 7, 2), None, x=rows(2, 3, 4, 3))
_example("reshape", X, (3, Special(b=8)), x=rows(3, 4, axis=1, inner=2))
_example("reshape", X, (Special(b=6),), title="joined", x=rows(2, 3, axis=1))
_example("reshape", X, (2, Special(b=1), 3), title="parted", x=rows(outer=2, inner=3))
_example("permute", X, (2, 0, 1), x=rows(3, 4))
_example("expand", X, (2, Special(b=1), 3), x=rows(1))
_example("select", X, 1, 2, x=rows(3, 4))
_example("slice", X, 0, 1, 6, 2, x=rows(7, axis=1))
_example("split", X, (1, 2), 1, many=2, x=rows(3, 4))
_example("unbind", X, 0, many=3, x=rows(3, 4, axis=1))
_example("cat", (X, v("z")), 1, x=rows(3, 4), z=rows(2, 4))
_example("pad", X, (1, 2), 0.5, x=rows(3, 4))
_example("mean", X, (1, 2), True, x=rows(3, 4))
_example("sum", X, (0,), x=rows(3, 4, axis=1))
_example("amax", X, (1,), x=rows(3, 4))
_example("amin", X, (0, 1), True, x=rows(3, 4, axis=2))
_example("var", X, (1,), x=rows(3, 4))
_example("var", X, (2, 1), title="whole", correction=0, keepdim=True, x=rows(3, 4))
_example("linalg_vector_norm", X, 2, (1, 2), True, x=rows(3, 4))
_example("glu", X, 1, x=rows(6, 2))
_example("softmax", X, 0, x=rows(3, axis=1))
_example("log_softmax", X, 0, x=rows(3, axis=1))
_heads = {"x": rows(2, 5, 4), "k": rows(2, 6, 4), "u": rows(2, 6, 3)}
_attend = ("scaled_dot_product_attention", X, v("k"), v("u"))
_example(*_attend, v("mask"), 0.0, scale=0.3, **_heads, mask=rows(1, 1, 6))
_example(*_attend, None, 0.1, True, title="causal", **_heads)
_example(*_attend, v("mask"), title="public", **_heads, mask=public(5, 6, dtype="bool"))
