"""Graphs at random, of nodes whose arguments often fit and often do not: what the rules take is run, and looked at."""

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random

import torch
from torch import Tensor

from potluck.core.errors import GraphError
from potluck.learning.graph.check import made_by
from potluck.learning.graph.op import OPS
from potluck.learning.graph.schema import Argument, Node, Special
from potluck.learning.graph.value import Misfit, Rows, Value
from support.graph.running import numbers, of_row, run_node, same, with_other_rows

BATCH = 4
GIVEN = {
    "x": Value("float32", (1, 4, 6), Rows(0)),
    "y": Value("float32", (1, 4), Rows(0)),
    "i": Value("int64", (1, 4), Rows(0)),
    "image": Value("float32", (1, 4, 4, 4), Rows(0)),
    "w": Value("float32", (4, 4)),
    "u": Value("float32", (6, 4)),
    "p": Value("float32", (4,)),
    "one": Value("float32", (1, 1, 4)),
    "kernel": Value("float32", (4, 4, 3)),
    "kernels": Value("float32", (4, 2, 3, 3)),
}
"""Values before the first node; the size of the batch is among the sizes of what is public."""
_VALUES = {
    *("self", "other", "input", "weight", "bias", "mat1", "mat2", "indices", "condition", "query", "key", "value"),
    *("attn_mask", "running_mean", "running_var"),
}
_LISTS = {
    *("stride", "padding", "dilation", "output_padding", "kernel_size", "output_size", "normalized_shape"),
    *("pad", "split_sizes"),
}
_FLAGS = {
    *("train", "training", "use_input_stats", "keepdim", "is_causal", "ceil_mode", "count_include_pad"),
    "align_corners",
}


@dataclass(frozen=True)
class Made:
    """Nodes that the rules take, and every value by name."""

    nodes: tuple[Node, ...]
    known: Mapping[str, Value]


def drawn(seed: int, most: int = 10) -> Made:
    """A graph of at most so many nodes; half of the tries build on what was made last."""
    random, known, nodes = Random(seed), dict(GIVEN), []
    words = OPS.words()
    for _ in range(60):
        word = random.choice(words)
        node = _node(random, word, known, f"v{len(nodes)}")
        try:
            _, _, made = made_by(node, known)
        except Misfit as misfit:
            parts = _parts(misfit)
            if not 1 < parts <= 8:
                continue
            node = Node(node.op, node.args, node.kw, tuple(f"{node.out[0]}.{i}" for i in range(parts)))
            _, _, made = made_by(node, known)
        if all(one.size <= 4_000 for one in made):
            nodes.append(node)
            known.update(zip(node.out, made, strict=True))
        if len(nodes) == most:
            break
    return Made(tuple(nodes), known)


def _parts(misfit: Misfit) -> int:
    """How many values a node makes that names one."""
    words = misfit.what.split()
    return int(words[1]) if misfit.what.startswith("makes ") and words[2] == "values," else 0


def _node(random: Random, word: str, known: dict[str, Value], out: str) -> Node:
    op = OPS.of(word)
    names = list(known)
    late = names[len(GIVEN) :]

    def value() -> Special:
        return Special(v=random.choice(late if late and random.random() < 0.6 else names))

    args: list[Argument] = []
    for place, name in enumerate(op.arguments):
        if place >= op.required and random.random() < 0.5:
            break
        if name == "tensors":
            args.append(tuple(value() for _ in range(random.randint(1, 3))))
        elif name in _VALUES:
            args.append(value())
        elif name in ("shape", "size"):
            args.append(_shape(random, known, args))
        else:
            args.append(_number(random, word, name, known, args))
    return Node(word, tuple(args), {}, (out,))


def _number(random: Random, word: str, name: str, known: dict[str, Value], args: list[Argument]) -> Argument:
    """An argument that is no value."""
    if name in _LISTS:
        return tuple(random.choice((1, 1, 2, 3, 4)) for _ in range(random.randint(1, 3)))
    if name in _FLAGS:
        return random.random() < 0.5
    if name == "dims":
        first = args[0]
        rank = known[first.v].rank if isinstance(first, Special) and first.v else 2
        return tuple(random.sample(range(rank), rank))
    if name == "dim" and word in ("mean", "sum"):
        return tuple(random.sample(range(3), random.randint(1, 2)))
    if name == "dtype":
        return Special(d=random.choice(("float32", "float64")))
    if name in ("dim", "index", "start", "groups", "num_groups"):
        return random.randint(0, 3)
    if name in ("end", "step"):
        return random.randint(1, 4)
    return random.choice((None, 0.5, 1, 2))


def _shape(random: Random, known: dict[str, Value], args: list[Argument]) -> tuple[Special | int, ...]:
    """The value's own sizes, joined, parted, moved, or with the axis of rows elsewhere."""
    first = args[0]
    value = known[first.v] if isinstance(first, Special) and first.v else GIVEN["x"]
    sizes = list(value.shape)
    for _ in range(random.randint(0, 3)):
        what = random.random()
        if what < 0.4 and len(sizes) > 1:
            i = random.randrange(len(sizes) - 1)
            sizes[i : i + 2] = [sizes[i] * sizes[i + 1]]
        elif what < 0.7:
            i = random.randrange(len(sizes) + 1)
            sizes.insert(i, 1)
        elif sizes:
            i = random.randrange(len(sizes))
            if sizes[i] % 2 == 0:
                sizes[i : i + 1] = random.choice(([2, sizes[i] // 2], [sizes[i] // 2, 2]))
    axis = random.randrange(len(sizes)) if sizes and random.random() < 0.9 else -1
    return tuple(Special(b=size) if i == axis else size for i, size in enumerate(sizes))


def violations(made: Made, seed: int) -> list[str]:
    """Values of which a row changes in a bit when other rows are replaced and put in another order, or whose shape is
    another than was found."""
    public, draw = torch.Generator().manual_seed(0), torch.Generator().manual_seed(seed)
    row = seed % BATCH
    first = {name: numbers(one, BATCH, draw if one.rows else public, 4) for name, one in GIVEN.items()}
    second: dict[str, Tensor] = {}
    order = torch.randperm(BATCH, generator=draw)
    for name, one in GIVEN.items():
        other = numbers(one, BATCH, draw, 4)
        second[name] = with_other_rows(first[name], other, row, order) if one.rows else first[name]
    found = []
    for node in made.nodes:
        try:
            before, after = run_node(node, first, BATCH), run_node(node, second, BATCH)
        except GraphError:
            break  # what torch does not run is refused before it runs, on its device without memory
        first.update(zip(node.out, before, strict=True))
        second.update(zip(node.out, after, strict=True))
        for name in node.out:
            value = made.known[name]
            if tuple(first[name].shape) != value.of_batch(BATCH):
                return [f"{name} has another shape: {node}"]
            if value.rows is None:
                kept = same(first[name], second[name])
            else:
                kept = same(of_row(first[name], value, BATCH, row), of_row(second[name], value, BATCH, row))
            found += [] if kept else [f"{name}: {node}"]
    return found
