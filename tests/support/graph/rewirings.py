"""Graphs that are still graphs but for a change or two: other operations, axes, shapes and values, nodes in between.

Bytes at random are refused for their spelling. These are spelt as they should be and name nothing that is not there,
so that whether rows stay apart, and what a graph costs, is what decides.
"""

import json
import struct
from collections.abc import Iterator
from random import Random
from typing import Any

import msgspec

from potluck.learning.graph.file import MAGIC, Network
from potluck.learning.graph.op import OPS
from potluck.learning.graph.schema import encoded
from potluck.learning.graph.tensors import packed
from potluck.learning.graph.value import Value

Header = Any
Known = dict[str, Value]


def rewired(random: Random, network: Network) -> bytes:
    """One file, rewired in one to three places; what nothing uses any more is left out."""
    header = json.loads(encoded(network.graph))
    for turn in range(random.choice((1, 1, 2, 3))):
        random.choice(CHANGES)(random, header, dict(network.checked.values), turn)
    if random.random() < 0.9:
        _tidied(header)
    held = {one["tensor"]: network.tensors[one["name"]] for one in header["weights"] + header["constants"]}
    text = msgspec.json.encode(header)
    return MAGIC + struct.pack("<Q", len(text)) + text + packed(held)


def _another_operation(random: Random, header: Header, known: Known, turn: int) -> None:
    """One that takes as many arguments."""
    node = random.choice(header["nodes"])
    many = len(node["args"])
    words = [word for word, op in OPS.entries.items() if op.required <= many <= len(op.arguments)]
    node["op"] = random.choice(words or [node["op"]])


def _another_number(random: Random, header: Header, known: Known, turn: int) -> None:
    """An axis, a stride, a size, a flag."""
    places = [(holder, key) for node in header["nodes"] for holder, key in _plain(node)]
    if places:
        holder, key = random.choice(places)
        old = holder[key]
        if isinstance(old, bool):
            holder[key] = not old
        elif isinstance(old, int):
            holder[key] = random.choice((0, 0, 1, 2, 3, -1, old + 1, old - 1, 2 * old, old // 2, 2**20))
        else:
            holder[key] = random.choice((0, 1, 2, True))


def _another_shape(random: Random, header: Header, known: Known, turn: int) -> None:
    """Its sizes in another order, joined or parted, with the rows of the batch elsewhere or taken twice."""
    shapes = [node["args"][1] for node in header["nodes"] if node["op"] in ("reshape", "expand")]
    shapes = [one for one in shapes if isinstance(one, list) and one]
    if not shapes:
        return _between(random, header, known, turn)
    shape = random.choice(shapes)
    _moved(random, shape)
    return None


def _another_value(random: Random, header: Header, known: Known, turn: int) -> None:
    """One that stands above, mostly of the same shape."""
    i = random.randrange(len(header["nodes"]))
    names = list(_names(header["nodes"][i]))
    above = [name for name in known if name in _above(header, i)]
    if names and above:
        one = random.choice(names)
        same = [name for name in above if known[name].shape == known[one["v"]].shape] if one["v"] in known else []
        one["v"] = random.choice(same if same and random.random() < 0.7 else above)


def _another_result(random: Random, header: Header, known: Known, turn: int) -> None:
    """Results that change places, a name that two nodes make, or an earlier value as the output."""
    node = random.choice(header["nodes"])
    several = [one["out"] for one in header["nodes"] if len(one["out"]) > 1]
    what = random.random()
    if several and what < 0.4:
        out = random.choice(several)
        out.reverse() if random.random() < 0.5 else out.pop()
    elif what < 0.6:
        node["out"] = list(random.choice(header["nodes"])["out"])
    else:
        header["output"] = random.choice(node["out"])


def _another_size(random: Random, header: Header, known: Known, turn: int) -> None:
    """An input that is longer, shorter, or of another type."""
    one = random.choice(header["inputs"])
    if len(one["shape"]) > 1 and random.random() < 0.8:
        i = random.randrange(1, len(one["shape"]))
        one["shape"][i] = random.choice((1, 2 * one["shape"][i], one["shape"][i] + 1, 2**12))
    else:
        one["dtype"] = random.choice(("float32", "float64", "int64", "bool"))


def _between(random: Random, header: Header, known: Known, turn: int) -> None:
    """A node, or a few, between a value and whatever takes it: many that mix rows, some that do not."""
    name = random.choice([name for name in known if known[name].rows])
    new, rank = f"new{turn}", known[name].rank
    nodes = _mixers(random, name, known[name], new) if rank else []
    begin = next((i + 1 for i, node in enumerate(header["nodes"]) if name in node["out"]), 0)
    for node in header["nodes"][begin:]:
        for one in _names(node):
            if one["v"] == name:
                one["v"] = new
    if header["output"] == name:
        header["output"] = new
    header["nodes"][begin:begin] = nodes


CHANGES = (
    _another_operation,
    _another_number,
    _another_shape,
    _another_value,
    _another_result,
    _another_size,
    _between,
    _between,
    _between,
)


def _mixers(random: Random, name: str, value: Value, new: str) -> list[Header]:
    """What is put between: nodes that take `name` and make `new`."""
    axis = random.choice((0, 0, random.randrange(value.rank)))
    v, half, other = {"v": name}, {"v": f"{new}.a"}, {"v": f"{new}.b"}
    order = random.sample(range(value.rank), value.rank)
    back = [order.index(i) for i in range(value.rank)]
    sizes: list[Any] = [
        {"b": size} if value.rows and i == value.rows.axis else size for i, size in enumerate(value.shape)
    ]
    shape = list(sizes)
    _moved(random, shape)
    over = [random.randint(0, 1) for _ in range(2 * value.rank)]

    def node(op: str, *args: object, out: str = new) -> Header:
        return {"op": op, "args": list(args), "kw": {}, "out": [out]}

    first = {"op": "split", "args": [v, [1, value.shape[axis] - 1], axis], "kw": {}, "out": [f"{new}.a", f"{new}.b"]}
    return random.choice(
        [
            [node("softmax", v, axis)],
            [node("mean", v, [axis], True, out=f"{new}.a"), node("sub", v, half)],
            [node("sum", v, [axis], True, out=f"{new}.a"), node("div", v, half)],
            [node("permute", v, order)],
            [node("permute", v, order, out=f"{new}.a"), node("reshape", half, sizes)],
            [node("permute", v, order, out=f"{new}.a"), node("permute", half, back)],
            [node("reshape", v, shape)],
            [node("reshape", v, shape, out=f"{new}.a"), node("reshape", half, sizes)],
            [
                node("reshape", v, shape, out=f"{new}.a"),
                node("softmax", half, axis, out=f"{new}.b"),
                node("reshape", other, sizes),
            ],
            [node("select", v, axis, 0, out=f"{new}.a"), node("add", v, half)],
            [node("slice", v, axis, 0, 1, out=f"{new}.a"), node("mul", v, half)],
            [first, node("cat", [other, half], axis)],
            [node("cat", [v, v], axis, out=f"{new}.a"), node("slice", half, axis, 1, 1 + value.shape[axis])],
            [
                node("permute", v, order, out=f"{new}.a"),
                node("matmul", v, half, out=f"{new}.b"),
                node("matmul", other, v),
            ],
            [node("scaled_dot_product_attention", v, v, v)],
            [
                node("permute", v, order, out=f"{new}.a"),
                node("layer_norm", half, [value.shape[order[-1]]], out=f"{new}.b"),
                node("permute", other, back),
            ],
            [node("pad", v, over, out=f"{new}.a"), node("slice", half, axis, 0, value.shape[axis])],
            [node("expand", v, [{"b": 1}, *sizes], out=f"{new}.a"), node("mean", half, [axis])],
            [node("group_norm", v, 1)],
            [node("relu", v)],
        ]
    )


def _moved(random: Random, shape: list[Any]) -> None:
    what = random.random()
    i, j = random.randrange(len(shape)), random.randrange(len(shape))
    if what < 0.3:
        shape[i], shape[j] = shape[j], shape[i]
    elif what < 0.5 and len(shape) > 1:
        one, two = shape[max(i, 1) - 1], shape[max(i, 1)]
        sizes = [one["b"] if isinstance(one, dict) else one, two["b"] if isinstance(two, dict) else two]
        whole = sizes[0] * sizes[1]
        shape[max(i, 1) - 1 : max(i, 1) + 1] = [{"b": whole} if dict in (type(one), type(two)) else whole]
    elif what < 0.7 and type(shape[i]) is int:
        shape[i : i + 1] = [2, shape[i] // 2]
    elif what < 0.8:
        shape.insert(i, 1)
    elif what < 0.9:
        shape[i] = {"b": shape[i]} if type(shape[i]) is int else shape[i]["b"]
    else:
        shape[i] = random.choice((-1, 0, 1, 2**20, {"b": 2}))


def _plain(node: Header) -> Iterator[tuple[Any, Any]]:
    """Where a node's arguments hold numbers, flags and nothing."""
    for holder in (node["args"], node["kw"], *(one for one in node["args"] if isinstance(one, list))):
        pairs = holder.items() if isinstance(holder, dict) else enumerate(holder)
        for key, one in pairs:
            if not isinstance(one, dict | list):
                yield holder, key


def _names(node: Header) -> Iterator[Any]:
    """The arguments of a node that name values."""
    for one in (*node["args"], *node["kw"].values()):
        for part in one if isinstance(one, list) else (one,):
            if isinstance(part, dict) and "v" in part:
                yield part


def _above(header: Header, end: int) -> set[str]:
    given = {one["name"] for one in header["inputs"] + header["weights"] + header["constants"]}
    return given | {name for node in header["nodes"][:end] for name in node["out"]}


def _tidied(header: Header) -> None:
    """Leave out nodes and tensors that lead nowhere, so that a graph is not refused for them; inputs stay, if any."""
    used, kept = {header["output"]}, []
    for node in reversed(header["nodes"]):
        if used & set(node["out"]):
            used |= {one["v"] for one in _names(node)}
            kept.append(node)
    header["nodes"] = kept[::-1]
    for what in ("weights", "constants", "inputs"):
        header[what] = [one for one in header[what] if one["name"] in used]
