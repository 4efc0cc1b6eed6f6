"""How tests run graphs: made of a module, built by hand, and looked at row by row."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from potluck.learning.graph.file import Network
from potluck.learning.graph.interpreter import Program, program, tensors
from potluck.learning.graph.make.make import made
from potluck.learning.graph.schema import Argument, Constant, Graph, Input, Node, Weight
from potluck.learning.graph.steps import run_step, step_of
from potluck.learning.graph.value import Value
from support.graph.modules import CASES, Case

_MADE: dict[str, tuple[bytes, Network]] = {}


def case(name: str) -> Case:
    """The case of a name."""
    return next(one for one in CASES if one.name == name)


def network(name: str) -> Network:
    """The graph of a case, made once."""
    return file(name)[1]


def file(name: str) -> tuple[bytes, Network]:
    """Its file's bytes beside it."""
    if name not in _MADE:
        one = case(name)
        _MADE[name] = made(one.make(), one.inputs)
    return _MADE[name]


def graph(
    inputs: Mapping[str, tuple[str, Sequence[int]]],
    nodes: Sequence[Node],
    output: str,
    weights: Mapping[str, tuple[str, Sequence[int]]] | None = None,
    constants: Mapping[str, tuple[str, Sequence[int]]] | None = None,
) -> Graph:
    """A graph by hand: types and shapes of one row by name, nodes, and the output."""
    return Graph(
        format="potluck graph",
        version=1,
        base=None,
        inputs=tuple(Input(name, kind, ("b", *shape)) for name, (kind, shape) in inputs.items()),
        weights=tuple(Weight(name, name, kind, tuple(shape), True) for name, (kind, shape) in (weights or {}).items()),
        constants=tuple(Constant(name, name, kind, tuple(shape)) for name, (kind, shape) in (constants or {}).items()),
        nodes=tuple(nodes),
        output=output,
    )


def node(op: str, *args: Argument, out: str | tuple[str, ...], **kw: Argument) -> Node:
    """A node."""
    return Node(op, args, kw, (out,) if isinstance(out, str) else out)


def numbers(value: Value, batch: int, draw: torch.Generator, most: int = 2) -> Tensor:
    """Random numbers of a value's type and shape; whole ones are below `most`."""
    shape = value.of_batch(batch)
    if value.dtype.startswith("float"):
        return torch.randn(shape, generator=draw, dtype=getattr(torch, value.dtype))
    return torch.randint(0, 2 if value.dtype == "bool" else most, shape, generator=draw).to(getattr(torch, value.dtype))


def of_row(tensor: Tensor, value: Value, batch: int, row: int) -> Tensor:
    """The entries that belong to one row."""
    assert value.rows is not None
    length = value.rows.outer * value.rows.inner * batch
    places = [i for i in range(length) if i // value.rows.inner % batch == row]
    return tensor.index_select(value.rows.axis, torch.tensor(places))


def with_other_rows(tensor: Tensor, other: Tensor, row: int, order: Tensor) -> Tensor:
    """An input whose other rows are those of another one, in another order."""
    changed = other[order].clone()
    changed[row] = tensor[row]
    return changed


def same(first: Tensor, second: Tensor) -> bool:
    """Whether two tensors are equal in every bit."""
    return first.shape == second.shape and first.dtype == second.dtype and _bytes(first) == _bytes(second)


def _bytes(tensor: Tensor) -> bytes:
    return tensor.detach().contiguous().numpy().tobytes()


def run_node(one: Node, given: Mapping[str, Tensor], batch: int) -> list[Tensor]:
    """What torch makes of one node, not training."""
    values = dict(given)
    run_step(step_of(one, one.op), values, batch, train=False)
    return [values[name] for name in one.out]


def ready(made_by: Network) -> tuple[Program, dict[str, Tensor]]:
    """A network's program and its tensors."""
    return program(made_by.checked), tensors(made_by)
