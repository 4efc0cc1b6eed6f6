"""Small graphs that use weights in one way each, of shapes at random: a scene a rule, and some without one."""

from collections.abc import Callable
from dataclasses import dataclass

import msgspec
import torch
from hypothesis import strategies as st
from torch import Tensor

from potluck.learning.graph.check import check
from potluck.learning.graph.interpreter import Program, program
from potluck.learning.graph.schema import Argument, Node, Special
from support.graph.running import graph, node


@dataclass(frozen=True)
class Scene:
    """A graph whose inputs are of one row each; places: what whole numbers stay below. Running statistics are frozen,
    and above 0."""

    inputs: dict[str, tuple[str, tuple[int, ...]]]
    weights: dict[str, tuple[int, ...]]
    nodes: tuple[Node, ...]
    output: str
    places: int = 5

    def ready(self, dtype: str = "float32") -> tuple[Program, tuple[str, ...]]:
        inputs = {name: (dtype if kind == "float" else kind, shape) for name, (kind, shape) in self.inputs.items()}
        weights = {name: (dtype, shape) for name, shape in self.weights.items()}
        made = graph(inputs, self.nodes, self.output, weights)
        held = tuple(msgspec.structs.replace(one, train=one.name not in FROZEN) for one in made.weights)
        trained = tuple(name for name in self.weights if name not in FROZEN)
        return program(check(msgspec.structs.replace(made, weights=held))), trained

    def given(self, batch: int, seed: int, dtype: str = "float32") -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Weights, and inputs [batch, ...]."""
        draw = torch.Generator().manual_seed(seed)
        kind = getattr(torch, dtype)
        weights = {name: torch.randn(shape, generator=draw, dtype=kind) for name, shape in self.weights.items()}
        weights |= {name: one.abs() for name, one in weights.items() if name in FROZEN}
        inputs = {
            name: torch.randn((batch, *shape), generator=draw, dtype=kind)
            if one == "float"
            else torch.randint(0, self.places, (batch, *shape), generator=draw)
            for name, (one, shape) in self.inputs.items()
        }
        return weights, inputs


def v(name: str) -> Special:
    return Special(v=name)


def b(times: int) -> Special:
    return Special(b=times)


FROZEN = ("mean", "spread")
X, W, P = v("x"), v("w"), v("p")
few, some = st.integers(1, 4), st.integers(1, 7)
Drawn = Callable[[st.DrawFn], Scene]
SCENES: dict[str, st.SearchStrategy[Scene]] = {}


def _scene(draws: Drawn) -> Drawn:
    SCENES[draws.__name__.strip("_")] = st.composite(draws)()
    return draws


def _simple(op: str, given: tuple[int, ...], weights: dict[str, tuple[int, ...]], *args: Argument, **kw) -> Scene:
    return Scene({"x": ("float", given)}, weights, (node(op, *args, out="y", **kw),), "y")


@_scene
def linear(draw) -> Scene:
    middle, n, m = draw(st.lists(few, max_size=2)), draw(some), draw(some)
    return _simple("linear", (*middle, n), {"w": (m, n), "p": (m,)}, X, W, P)


@_scene
def linear_beside_rows(draw) -> Scene:
    """Rows along the second axis."""
    t, n, m = draw(few), draw(some), draw(some)
    nodes = (
        node("permute", X, (1, 0, 2), out="a"),
        node("linear", v("a"), W, out="c"),
        node("permute", v("c"), (1, 0, 2), out="y"),
    )
    return Scene({"x": ("float", (t, n))}, {"w": (m, n)}, nodes, "y")


@_scene
def linear_joined(draw) -> Scene:
    """Several entries of a row along the axis of rows."""
    t, n, m = draw(few), draw(some), draw(some)
    nodes = (
        node("reshape", X, (b(t), n), out="a"),
        node("addmm", P, v("a"), W, out="c"),
        node("reshape", v("c"), (b(1), t, m), out="y"),
    )
    return Scene({"x": ("float", (t, n))}, {"w": (n, m), "p": (m,)}, nodes, "y")


@_scene
def addmm(draw) -> Scene:
    n, m = draw(some), draw(some)
    return _simple("addmm", (n,), {"w": (n, m), "p": (m,)}, P, X, W)


@_scene
def matmul(draw) -> Scene:
    middle, n, m = draw(st.lists(few, max_size=2)), draw(some), draw(some)
    return _simple("matmul", (*middle, n), {"w": (n, m)}, X, W)


@_scene
def matmul_first(draw) -> Scene:
    middle, k, n, m = draw(st.lists(few, max_size=1)), draw(some), draw(few), draw(some)
    return _simple("matmul", (*middle, k, n), {"w": (m, k)}, W, X)


@_scene
def matmul_by_heads(draw) -> Scene:
    h, t, n, m = draw(few), draw(few), draw(some), draw(some)
    return _simple("matmul", (h, t, n), {"w": (h, n, m)}, X, W)


@_scene
def matmul_repeated(draw) -> Scene:
    """A weight of which each block meets the same rows: no rule knows it."""
    h, t, n, m = draw(few), draw(few), draw(some), draw(some)
    nodes = (node("matmul", X, W, out="y"),)
    return Scene({"x": ("float", (1, t, n))}, {"w": (h, n, m)}, nodes, "y")


@_scene
def embedding(draw) -> Scene:
    t, size, n = draw(some), draw(st.integers(2, 9)), draw(some)
    padding = draw(st.integers(-1, size - 1))
    nodes = (node("embedding", W, X, padding, out="y"),)
    return Scene({"x": ("int64", (t,))}, {"w": (size, n)}, nodes, "y", size)


def _convolution(axes: int, draw, *, transposed: bool = False, twice: bool = False) -> Scene:
    groups, before, after = draw(st.integers(1, 2)), draw(few), draw(few)
    kernel = tuple(draw(st.integers(1, 3)) for _ in range(axes))
    stride, spread = (tuple(draw(st.integers(1, 2)) for _ in range(axes)) for _ in range(2))
    padding = tuple(draw(st.integers(0, 1)) for _ in range(axes))
    sizes = tuple(gap * (one - 1) + 1 + draw(st.integers(0, 3)) for one, gap in zip(kernel, spread, strict=True))
    if transposed:
        sizes = tuple(draw(st.integers(2, 4)) for _ in range(axes))
        more = tuple(draw(st.integers(0, max(a, c) - 1)) for a, c in zip(stride, spread, strict=True))
        whole = [
            (size - 1) * a - 2 * p + c * (k - 1) + o + 1
            for size, a, p, c, k, o in zip(sizes, stride, padding, spread, kernel, more, strict=True)
        ]
        padding = padding if min(whole) >= 1 else (0,) * axes
        weights = {"w": (groups * before, after, *kernel), "p": (groups * after,)}
        args = (W, P, stride, padding, more, groups, spread)
    else:
        weights = {"w": (groups * after, before, *kernel), "p": (groups * after,)}
        args = (W, P, stride, padding, spread, groups)
    op = f"conv_transpose{axes}d" if transposed else f"conv{axes}d"
    if not twice:
        return _simple(op, (groups * before, *sizes), weights, X, *args)
    nodes = (
        node("reshape", X, (b(2), groups * before, *sizes), out="a"),
        node(op, v("a"), *args, out="c"),
        node("mean", v("c"), tuple(range(2, 2 + axes)), out="e"),
        node("reshape", v("e"), (b(1), 2, groups * after), out="y"),
    )
    return Scene({"x": ("float", (2, groups * before, *sizes))}, weights, nodes, "y")


SCENES["conv1d"] = st.composite(lambda draw: _convolution(1, draw))()
SCENES["conv2d"] = st.composite(lambda draw: _convolution(2, draw))()
SCENES["conv3d"] = st.composite(lambda draw: _convolution(3, draw))()
SCENES["conv_transpose1d"] = st.composite(lambda draw: _convolution(1, draw, transposed=True))()
SCENES["conv_transpose2d"] = st.composite(lambda draw: _convolution(2, draw, transposed=True))()
SCENES["conv_transpose3d"] = st.composite(lambda draw: _convolution(3, draw, transposed=True))()
SCENES["conv2d_of_frames"] = st.composite(lambda draw: _convolution(2, draw, twice=True))()


@_scene
def layer_norm(draw) -> Scene:
    middle, last = draw(st.lists(few, max_size=1)), tuple(draw(st.lists(st.integers(2, 5), min_size=1, max_size=2)))
    return _simple("layer_norm", (*middle, *last), {"w": last, "p": last}, X, last, W, P, 1e-3)


@_scene
def rms_norm(draw) -> Scene:
    t, n = draw(few), draw(some)
    return _simple("rms_norm", (t, n), {"w": (n,)}, X, (n,), W, draw(st.sampled_from([None, 1e-3])))


@_scene
def group_norm(draw) -> Scene:
    groups, width, sizes = draw(few), draw(st.integers(2, 4)), draw(st.lists(st.integers(1, 3), max_size=2))
    c = groups * width
    return _simple("group_norm", (c, *sizes), {"w": (c,), "p": (c,)}, X, groups, W, P, 1e-3)


@_scene
def instance_norm(draw) -> Scene:
    c, sizes = draw(some), draw(st.lists(st.integers(2, 3), min_size=1, max_size=2))
    args = (X, W, P, None, None, True, 0.1, 1e-3, True)
    return _simple("instance_norm", (c, *sizes), {"w": (c,), "p": (c,)}, *args)


@_scene
def batch_norm(draw) -> Scene:
    c, sizes = draw(some), draw(st.lists(st.integers(1, 3), max_size=2))
    args = (X, W, P, v("mean"), v("spread"), False, 0.1, 2.0, True)
    return _simple("batch_norm", (c, *sizes), {"w": (c,), "p": (c,), "mean": (c,), "spread": (c,)}, *args)


def _beside(draw) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The shape of one row, and one that is broadcast with it."""
    given = tuple(draw(st.lists(few, min_size=1, max_size=3)))
    kept = draw(st.integers(0, len(given)))
    wide = tuple(1 if draw(st.booleans()) else size for size in given[len(given) - kept :])
    return given, draw(st.sampled_from([wide, (1,) * (len(given) + 1 - kept) + wide]))


@_scene
def add(draw) -> Scene:
    given, wide = _beside(draw)
    return _simple("add", given, {"w": wide}, X, W, alpha=draw(st.sampled_from([1, -2])))


@_scene
def sub(draw) -> Scene:
    given, wide = _beside(draw)
    first, second = draw(st.sampled_from([(X, W), (W, X)]))
    return _simple("sub", given, {"w": wide}, first, second)


@_scene
def mul(draw) -> Scene:
    given, wide = _beside(draw)
    first, second = draw(st.sampled_from([(X, W), (W, X)]))
    return _simple("mul", given, {"w": wide}, first, second)


@_scene
def div(draw) -> Scene:
    """By something away from 0: a weight, or rows."""
    given, wide = _beside(draw)
    top, below = draw(st.sampled_from([(X, W), (W, X)]))
    nodes = (
        node("mul", below, below, out="a"),
        node("add", v("a"), 1.0, out="e"),
        node("div", top, v("e"), out="y"),
    )
    return Scene({"x": ("float", given)}, {"w": wide}, nodes, "y")


@_scene
def expand(draw) -> Scene:
    """A token for the class, before others."""
    t, n = draw(few), draw(some)
    nodes = (node("expand", W, (b(1), 2, n), out="a"), node("cat", (v("a"), X), 1, out="y"))
    return Scene({"x": ("float", (t, n))}, {"w": (1, n)}, nodes, "y")


@_scene
def prelu(draw) -> Scene:
    c, t = draw(some), draw(few)
    return _simple("prelu", (c, t), {"w": (draw(st.sampled_from([1, c])),)}, X, W)


@_scene
def where(draw) -> Scene:
    given, wide = _beside(draw)
    nodes = (node("gt", X, 0.0, out="c"), node("where", v("c"), X, W, out="y"))
    return Scene({"x": ("float", given)}, {"w": wide}, nodes, "y")


@_scene
def attention_with_a_bias_that_trains(draw) -> Scene:
    h, t, n = draw(few), draw(few), draw(few)
    nodes = (node("scaled_dot_product_attention", X, v("k"), v("u"), W, out="y"),)
    return Scene(dict.fromkeys("xku", ("float", (h, t, n))), {"w": (h, t, t)}, nodes, "y")


@_scene
def tied_layers(draw) -> Scene:
    n, t = draw(some), draw(few)
    nodes = (
        node("linear", X, W, out="a"),
        node("tanh", v("a"), out="c"),
        node("linear", v("c"), W, out="e"),
        node("matmul", v("e"), W, out="y"),
    )
    return Scene({"x": ("float", (t, n))}, {"w": (n, n)}, nodes, "y")


@_scene
def tied_table_and_head(draw) -> Scene:
    t, size, n = draw(some), draw(st.integers(2, 9)), draw(some)
    nodes = (
        node("embedding", W, X, draw(st.integers(-1, size - 1)), out="a"),
        node("tanh", v("a"), out="c"),
        node("linear", v("c"), W, out="y"),
    )
    return Scene({"x": ("int64", (t,))}, {"w": (size, n)}, nodes, "y", size)


@_scene
def two_tables(draw) -> Scene:
    """One table, looked up twice."""
    t, size, n = draw(few), draw(st.integers(2, 9)), draw(some)
    nodes = (
        node("embedding", W, X, out="a"),
        node("embedding", W, v("z"), out="c"),
        node("mul", v("a"), v("c"), out="y"),
    )
    return Scene({"x": ("int64", (t,)), "z": ("int64", (t,))}, {"w": (size, n)}, nodes, "y", size)


@_scene
def transposed_and_cut(draw) -> Scene:
    """Values that are made of a weight alone: a transpose, and a part of it beside the whole."""
    n, m, t = draw(some), draw(some), draw(few)
    nodes = (
        node("permute", W, (1, 0), out="a"),
        node("slice", W, 0, 0, 1, 1, out="c"),
        node("matmul", X, v("a"), out="e"),
        node("linear", X, v("c"), out="f"),
        node("mul", v("e"), v("f"), out="y"),
    )
    return Scene({"x": ("float", (t, n))}, {"w": (m, n)}, nodes, "y")


@_scene
def low_rank_product(draw) -> Scene:
    """Two factors whose product is the weight; one of them is used elsewhere, too."""
    n, m, r = draw(some), draw(some), draw(st.integers(1, 2))
    nodes = (
        node("matmul", v("u"), W, out="a"),
        node("tanh", v("a"), out="c"),
        node("linear", X, v("c"), out="e"),
        node("linear", X, W, out="f"),
        node("sum", v("f"), (1,), True, out="g"),
        node("mul", v("e"), v("g"), out="y"),
    )
    return Scene({"x": ("float", (n,))}, {"u": (m, r), "w": (r, n)}, nodes, "y")
