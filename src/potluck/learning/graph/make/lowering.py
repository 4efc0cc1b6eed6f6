"""torch's operators, and what each becomes in a graph: one line an overload. What is not here is refused by its name.

Many of torch's operators do one thing (a view, a reshape, a flatten): a graph has one word for it, with the shape that
torch has found. What does nothing to numbers (contiguous, a cast to the same type) is left out.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from potluck.learning.graph.make.call import Call, Names
from potluck.learning.graph.make.exported import refused
from potluck.learning.graph.make.written import arguments_of
from potluck.learning.graph.op import OPS
from potluck.learning.graph.schema import Argument, Special

if TYPE_CHECKING:
    from torch.fx import Node

Lowered = Callable[[Call], Names]


def same(word: str) -> Lowered:
    """The operator as it is: those of its arguments that a graph has."""

    def lowered(call: Call) -> Names:
        op = OPS.of(word)
        args = [call.given(call.arguments[name]) for name in op.arguments]
        kw = {name: call.given(call.arguments[name]) for name in op.keywords}
        for name, value in call.arguments.items():
            if name not in arguments_of(word) and name not in _UNHEARD and value != _default(call.node, name):
                raise refused(call.node, f"has the argument {name}, which no graph has")
        return call.graph.node(call.node, word, _short(call.node, op.arguments, args), _said(call.node, kw))

    return lowered


_UNHEARD = ("cudnn_enable", "cudnn_enabled")
"""Arguments that change nothing on a processor."""


def _default(node: "Node", name: str) -> object:
    target: Any = node.target
    return next(one.default_value for one in target._schema.arguments if one.name == name)


def _short(node: "Node", names: Names, args: list[Argument]) -> list[Argument]:
    """Without those at the end that are torch's defaults."""
    target: Any = node.target
    defaults = {one.name: one.default_value for one in target._schema.arguments if one.has_default_value()}
    while args and names[len(args) - 1] in defaults and _alike(args[-1], defaults[names[len(args) - 1]]):
        args.pop()
    return args


def _said(node: "Node", kw: dict[str, Argument]) -> dict[str, Argument]:
    return {name: one for name, one in kw.items() if not _alike(one, _default(node, name))}


def _alike(given: Argument, default: object) -> bool:
    if isinstance(given, Special):
        return given.t is not None and given.t == default
    return (type(given) is type(default) and given == default) or (isinstance(given, tuple) and list(given) == default)


def alias(call: Call) -> Names:
    """Nothing: the value itself."""
    return (call.name(next(iter(call.arguments.values()))),)


def reshape(call: Call) -> Names:
    """A reshape, by whatever name."""
    return call.shaped("reshape", next(iter(call.arguments)))


def expand(call: Call) -> Names:
    """An expand, by whatever name."""
    return call.shaped("expand", "self")


def cast(call: Call) -> Names:
    """A cast, where the type changes."""
    key = next(iter(call.arguments))
    before, after = call.arguments[key].meta["val"].dtype, call.node.meta["val"].dtype
    return alias(call) if before == after else call.emit("cast", call.given(call.arguments[key]), call.given(after))


def permute(call: Call) -> Names:
    """Axes in another order."""
    rank = len(call.shape("self"))
    if "dims" in call.arguments:
        order = [one % rank for one in call.arguments["dims"]]
    else:
        names = [name for name in call.arguments if name != "self"]
        order = list(range(rank))
        if names:
            first, second = (call.axis(name, "self") for name in names)
            order[first], order[second] = order[second], order[first]
        else:
            order.reverse()
    if order == list(range(rank)):
        return alias(call)
    return call.emit("permute", call.given(call.arguments["self"]), tuple(order))


def split(call: Call) -> Names:
    """Parts along an axis, with the sizes that torch has found."""
    axis = call.axis("dim", "self")
    sizes = [one.shape[axis] for one in call.node.meta["val"]]
    value = call.given(call.arguments["self"])
    return call.emit("split", value, tuple(map(call.given, sizes)), axis, many=len(sizes))  # type: ignore[arg-type]


def unbind(call: Call) -> Names:
    """Each index of an axis."""
    many = len(call.node.meta["val"])
    return call.emit("unbind", call.given(call.arguments["self"]), call.axis("dim", "self"), many=many)


def select(call: Call) -> Names:
    """One index of an axis."""
    axis, index = call.axis("dim", "self"), call.arguments["index"]
    size = call.shape("self")[axis]
    if isinstance(index, int) and isinstance(size, int):
        index %= size
    return call.emit("select", call.given(call.arguments["self"]), axis, call.given(index))


def cut(call: Call) -> Names:
    """A slice, unless it is the whole axis."""
    axis, step = call.axis("dim", "self"), call.arguments["step"]
    if str(call.shape("self")[axis]) == str(call.node.meta["val"].shape[axis]) and step == 1:
        return alias(call)
    size = call.shape("self")[axis]
    start, end = call.arguments["start"] or 0, call.arguments["end"]
    if isinstance(size, int) and isinstance(start, int) and isinstance(end, int | None):
        start, end, step = slice(start, end, step).indices(size)
    value = call.given(call.arguments["self"])
    return call.emit("slice", value, axis, call.given(start), call.given(end), call.given(step))


def along(word: str, of: str) -> Lowered:
    """An operation along axes that are named. of: the argument whose axes they are."""

    def lowered(call: Call) -> Names:
        raw = call.arguments["dim"]
        held = call.arguments[of]
        rank = len((held[0] if isinstance(held, list | tuple) else held).meta["val"].shape)
        if call.arguments.get("dtype") is not None:
            raise refused(call.node, "changes the dtype", "cast before it")
        axes: Argument = tuple(one % rank for one in raw) if isinstance(raw, list | tuple) else call.given(raw)
        if isinstance(axes, int):
            axes %= rank
        more = (call.arguments["keepdim"],) if call.arguments.get("keepdim") else ()
        return call.emit(word, call.given(held), axes, *more)

    return lowered


def _axes(call: Call) -> tuple[int, ...]:
    raw, rank = call.arguments["dim"], len(call.shape("self"))
    return tuple(one % rank for one in (raw if isinstance(raw, list | tuple) else [] if raw is None else [raw]))


def spread(call: Call) -> Names:
    """A variance along axes that are named."""
    found = call.arguments.get("correction", int(call.arguments.get("unbiased", True)))
    more: dict[str, Argument] = {} if found in (1, None) else {"correction": found}
    if call.arguments["keepdim"]:
        more["keepdim"] = True
    return call.graph.node(call.node, "var", [call.given(call.arguments["self"]), _axes(call)], more)


def length(call: Call) -> Names:
    """The root of added squares along axes that are named."""
    if call.arguments["dtype"] is not None:
        raise refused(call.node, "changes the dtype", "cast before it")
    more = (call.arguments["keepdim"],) if call.arguments["keepdim"] else ()
    value = call.given(call.arguments["self"])
    return call.emit("linalg_vector_norm", value, call.given(call.arguments["ord"]), _axes(call), *more)


def largest_of_bins(call: Call) -> Names:
    """The largest entries of bins, where all are of one width."""
    word = str(call.node.target).split(".")[1].removeprefix("adaptive_")
    made = [int(one) for one in call.arguments["output_size"]]
    before = [*call.shape("self")][-len(made) :]
    if any(size % many for size, many in zip(before, made, strict=True)):
        raise refused(call.node, "makes bins of unequal widths", "let output_size divide the sizes")
    widths = tuple(size // many for size, many in zip(before, made, strict=True))
    return call.emit(word, call.given(call.arguments["self"]), widths)


def joined(word: str) -> Lowered:
    """Two operands, brought to the type that torch computes in."""

    def lowered(call: Call) -> Names:
        want = call.node.meta["val"].dtype
        args = []
        for key in ("self", "other"):
            raw = call.arguments[key]
            given = call.given(raw)
            if hasattr(raw, "meta") and raw.meta["val"].dtype != want:
                given = Special(v=call.emit("cast", given, call.given(want))[0])
            args.append(given)
        alpha = call.arguments.get("alpha", 1)
        return call.graph.node(call.node, word, args, {} if alpha == 1 else {"alpha": call.given(alpha)})

    return lowered


def matmul(call: Call) -> Names:
    """A product of matrices, by whatever name."""
    first, second = (call.given(one) for one in list(call.arguments.values())[:2])
    return call.emit("matmul", first, second)


def dropout(call: Call) -> Names:
    """Dropout: whoever runs the graph says whether it trains. In a part that does not train while the rest does, it is
    left out."""
    if call.graph.training and not call.arguments["train"]:
        return alias(call)
    return call.emit("dropout", call.given(next(iter(call.arguments.values()))), call.given(call.arguments["p"]), True)


def clamp_min(call: Call) -> Names:
    """A clamp from below."""
    return call.emit("clamp", call.given(call.arguments["self"]), call.given(call.arguments["min"]))


def padded(call: Call) -> Names:
    """Padding by a constant."""
    if call.arguments.get("mode", "constant") != "constant":
        raise refused(call.node, f"pads by {call.arguments['mode']}", "pad by a constant")
    value = call.arguments["value"] or 0
    return call.emit("pad", call.given(call.arguments["self"]), call.given(call.arguments["pad"]), call.given(value))


def looked_up(call: Call) -> Names:
    """Vectors of a table by their places, where that is what an index says."""
    places = call.arguments["indices"]
    if len(places) != 1 or str(places[0].meta["val"].dtype) != "torch.int64" or len(call.shape("self")) != 2:
        raise refused(
            call.node, "is no operation that graphs may use", "index a table of two axes by whole numbers alone"
        )
    return call.emit("embedding", call.given(call.arguments["self"]), call.given(places[0]))


def roll(call: Call) -> Names:
    """Entries moved along axes that are named: the end of each axis before its beginning."""
    value, shape = call.given(call.arguments["self"]), call.shape("self")
    for shift, dim in zip(call.arguments["shifts"], call.arguments["dims"], strict=False):
        axis, size = dim % len(shape), shape[dim]
        if not isinstance(size, int):
            raise refused(call.node, "mixes rows: it moves entries along the axis of rows")
        if shift % size:
            first = size - shift % size
            parts = [call.emit("slice", value, axis, start, end) for start, end in ((first, size), (0, first))]
            value = Special(v=call.emit("cat", tuple(Special(v=name) for (name,) in parts), axis)[0])
    if not call.arguments["dims"]:
        raise refused(call.node, "mixes rows: it moves entries across all axes", "name the axes")
    return (str(value.v),) if isinstance(value, Special) else alias(call)


def square(call: Call) -> Names:
    """The second power."""
    return call.emit("pow", call.given(call.arguments["self"]), 2)


def relu6(call: Call) -> Names:
    """Between 0 and 6."""
    return call.emit("hardtanh", call.given(call.arguments["self"]), 0, 6)


def convolution(call: Call) -> Names:
    """A convolution whose padding is a word, where the same number on both sides says it."""
    word, weight = str(call.node.target).split(".")[1], call.shape("weight")
    spread = call.arguments["dilation"]
    spread = [*spread] * (len(weight) - 2) if len(spread) == 1 else spread
    wide = [gap * (size - 1) for gap, size in zip(spread, weight[2:], strict=True)]
    if call.arguments["padding"] == "same" and any(one % 2 for one in wide):
        raise refused(call.node, "pads more on one side", "use an odd kernel, or pad before it")
    pads = tuple(one // 2 if call.arguments["padding"] == "same" else 0 for one in wide)
    names = ("input", "weight", "bias", "stride")
    first = [call.given(call.arguments[name]) for name in names]
    return call.emit(word, *first, pads, tuple(spread), call.given(call.arguments["groups"]))
