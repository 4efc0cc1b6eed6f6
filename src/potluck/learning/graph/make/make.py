"""A torch module as the bytes of a graph's file, compared with the module itself before anybody gets them."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from potluck.core.errors import GraphError
from potluck.core.slices import digest_of
from potluck.learning.graph.file import Network, parsed, written
from potluck.learning.graph.interpreter import Program, forward, program, tensors
from potluck.learning.graph.make.exported import InputShape, as_written, examples, exported, raised
from potluck.learning.graph.make.reduction import numbers, reduced
from potluck.learning.graph.schema import Graph
from potluck.learning.graph.steps import torch
from potluck.learning.graph.tensors import Array, digest, kind_of, packed, unpacked

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module

_Content = tuple[str, tuple[int, ...], str]
BATCHES = ((4, 1.0), (7, 1.0), (1, 1.0), (4, 1000.0))
"""Batches that are compared: rows, and how large their numbers are. Limits and clips are seen in large ones."""


def made(module: "Module", inputs: Mapping[str, InputShape], base: bytes | None = None) -> tuple[bytes, Network]:
    """The file's bytes, and what the strict reader makes of them.

    inputs: in the order of the module's own arguments. base: a safetensors file; frozen weights that it holds are left
    out of the graph's file. Raises GraphError: the module does what no graph may do, or the graph does not compute the
    same bits.
    """
    with as_written(module):
        graph, arrays = reduced(module, exported(module, inputs), dict(inputs))
        held: dict[str, Array] = {}
        if base is not None:
            held = unpacked(base, "base", notes=True)
            graph, arrays = _without(graph, arrays, held, digest_of(base))
        data = written(graph, arrays)
        network = parsed(data, "graph", held or None)
        _compare(module, inputs, network)
    return data, network


def frozen(module: "Module") -> bytes:
    """A safetensors file of a module's frozen weights. Raises GraphError: it has none."""
    held = {name: numbers(one) for name, one in module.named_parameters() if not one.requires_grad}
    if not held:
        raise GraphError("the module has no frozen weight", hint="freeze them: p.requires_grad_(False)")
    return packed(held)


def _without(
    graph: Graph, arrays: dict[str, Array], base: Mapping[str, Array], digest_of_base: str
) -> tuple[Graph, dict[str, Array]]:
    """The graph without frozen weights that the base holds, under whatever name. Raises GraphError: it holds none."""
    content = {one.name: _content(arrays[one.name]) for one in graph.weights if not one.train}
    free: dict[_Content, list[str]] = {}
    for key, array in base.items():
        free.setdefault(_content(array), []).append(key)
    keys = dict[str, str]()
    # Weights of the same numbers, as of fresh layer norms, are tensors apart: each has that of its own name, if any.
    for name in sorted(content, key=lambda name: name not in free.get(content[name], ())):
        some = free.get(content[name])
        if some:
            keys[name] = some.pop(some.index(name) if name in some else 0)
    left = {name: array for name, array in arrays.items() if name not in keys}
    weights = [msgspec.structs.replace(one, tensor=keys.get(one.name, one.tensor)) for one in graph.weights]
    if len(left) == len(arrays):
        raise GraphError("the base holds no frozen weight of the module", hint="freeze them: p.requires_grad_(False)")
    return msgspec.structs.replace(graph, base=digest_of_base, weights=tuple(weights)), left


def _content(array: Array) -> _Content:
    return kind_of(array), tuple(array.shape), digest(array)


def _compare(module: "Module", inputs: Mapping[str, InputShape], network: Network) -> None:
    """Raises GraphError: outputs or gradients differ in a bit from the module's own."""
    ready, held = program(network.checked), tensors(network)
    below = network.checked.below
    if module.training:
        _same(module, ready, held, inputs, examples(inputs, BATCHES[0][0], below, 1), train=True)
    module.eval()
    for batch, scale in BATCHES:
        rows = [one * scale if one.is_floating_point() else one for one in examples(inputs, batch, below, batch)]
        _same(module, ready, held, inputs, rows, train=False)


def _same(
    module: "Module",
    ready: Program,
    held: Mapping[str, "Tensor"],
    inputs: Mapping[str, InputShape],
    rows: list["Tensor"],
    *,
    train: bool,
) -> None:
    loaded = torch()
    parameters = dict(module.named_parameters(remove_duplicate=False))
    trained = [one.name for one in ready.graph.weights if one.train]
    found: list[list[Array]] = []
    given = dict(zip(inputs, rows, strict=True))
    for of_graph in (False, True):
        weights = [held[name] if of_graph else parameters[name] for name in trained]
        with loaded.random.fork_rng(devices=[]):  # dropout draws the same for both
            loaded.manual_seed(1)
            output: Any = forward(ready, held, given, train=train) if of_graph else _output(module, rows)
            if not isinstance(output, loaded.Tensor):
                raise GraphError(f"the module gives a {type(output).__name__}", hint="let it give one tensor")
            # Ones alone would not see what a sum over the output cancels.
            draw = loaded.Generator().manual_seed(2)
            along = loaded.randn(output.shape, dtype=output.dtype, generator=draw)
            grads: Any = [loaded.zeros_like(one) for one in weights]
            if weights and output.requires_grad:  # a comparison lets no gradient through
                grads = loaded.autograd.grad(output, weights, along, materialize_grads=True)
        found.append([_plain(numbers(one)) for one in (output, *grads)])
    for name, ours, theirs in zip(("its output", *trained), found[1], found[0], strict=True):
        if ours.shape != theirs.shape or ours.tobytes() != theirs.tobytes():
            what = (
                "the graph gives another output than the module"
                if name == "its output"
                else (f"the graph gives {name} another gradient than the module")
            )
            hint = "no branches on data, no changes in place of a view, nothing beside tensors"
            raise GraphError(f"{what} ({'training' if train else 'not training'})", hint=hint)


def _output(module: "Module", rows: list["Tensor"]) -> object:
    try:
        return module(*(one.clone() for one in rows))
    except (Exception, SystemExit) as error:  # the module is code of its author's
        raise raised(error) from None


def _plain(array: Array) -> Array:
    """With one spelling of what is no number: which of many torch gives says nothing."""
    if np.issubdtype(array.dtype, np.floating):
        array[np.isnan(array)] = np.nan
    return array
