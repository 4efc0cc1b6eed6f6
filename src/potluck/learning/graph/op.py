"""An operation that graphs may use: one entry of the table `OPS`, and what an entry has to say.

A graph names operations and nothing else. What is not in the table does not run. Names, order and defaults of the
arguments are those of torch's operator `run`, which a test compares with torch itself.
"""

import difflib
from collections.abc import Callable
from dataclasses import dataclass
from math import prod

from potluck.core.registry import Registry, table
from potluck.learning.graph.bound import Bound
from potluck.learning.graph.schema import Argument, Node, Special
from potluck.learning.graph.value import Misfit, Value

Outputs = tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Cost:
    """Bounds of one node: flops; kept: numbers beside its outputs that stay until the gradient is known; scratch:
    numbers that are needed while it runs. All a row, or of a public value in all."""

    flops: int
    kept: int = 0
    scratch: int = 0


def per_entry(bound: Bound, out: Outputs) -> Cost:
    """The cost of an operation that does little for each entry of its result."""
    return Cost(4 * sum(one.size for one in out))


@dataclass(frozen=True, slots=True)
class Op:
    """One operation.

    arguments: names by place, as torch's operator has them; required: so many of them have to be given; keywords: those
    that go by name alone. rule: the types, shapes and rows of its results, in the order of torch's; it raises Misfit
    where an argument does not fit or rows would mix. cost: its bound. evaluating: an argument that has another value
    where nothing is trained; last: whether torch is quicker where channels lie last in memory, and finds the same bits,
    forward and back. How each row's gradient of a weight is found is said in another table, `graph.per_row`.
    """

    run: str
    arguments: tuple[str, ...]
    required: int
    rule: Callable[[Bound], Outputs]
    cost: Callable[[Bound, Outputs], Cost] = per_entry
    keywords: tuple[str, ...] = ()
    evaluating: tuple[str, bool | float] | None = None
    last: bool = False

    def bound(self, node: Node) -> dict[str, Argument]:
        """The node's arguments by name. Raises Misfit: one is unknown, missing, or given twice."""
        if len(node.args) > len(self.arguments):
            raise Misfit(f"takes {len(self.arguments)} arguments by place, and has {len(node.args)}")
        found = dict(zip(self.arguments, node.args, strict=False))
        for name, given in node.kw.items():
            if name not in self.arguments + self.keywords:
                raise Misfit(f'has no argument "{name[:80]}"', f"known: {', '.join(self.arguments + self.keywords)}")
            if name in found:
                raise Misfit(f"has the argument {name} twice")
            found[name] = given
        for name in self.arguments[: self.required]:
            if name not in found:
                raise Misfit(f"lacks the argument {name}")
        for name, given in found.items():
            for one in given if isinstance(given, tuple) else (given,):
                if isinstance(one, Special) and [one.v, one.b, one.d, one.t].count(None) != 3:
                    raise Misfit(f"{name} has to say one thing: a value, a size, a dtype or a word")
        return found


OPS: Registry[Op] = table("graph.op")


def nearest_op(word: str) -> str:
    """The hint where an operation is unknown."""
    near = difflib.get_close_matches(word[:100], OPS.words(), 1)
    listed = "potluck docs graphs lists those that may be used"
    return f'did you mean "{near[0]}"? {listed}' if near else listed


def floating(value: Value, name: str = "input") -> Value:
    """The value, of floating numbers. Raises Misfit."""
    if not value.dtype.startswith("float"):
        raise Misfit(f"{name} has to be of floats, and is {value.dtype}", "cast it first")
    return value


def public(value: Value | None, shape: tuple[int, ...], like: Value, name: str) -> None:
    """A weight of an operation, where it has one. Raises Misfit: it has rows, or another type or shape."""
    if value is not None and (value.rows or value.shape != shape or value.dtype != like.dtype):
        raise Misfit(f"{name} has to be without rows, {like.dtype} {list(shape)}")


def batch_first(value: Value, rank: int, name: str = "input") -> Value:
    """The value, of so many axes, the first of which is that of rows. Raises Misfit."""
    if value.rank != rank or value.rows is None or value.rows.axis != 0:
        raise Misfit(f"{name} has to have {rank} axes, the first of which is that of rows")
    return value


def count(shape: tuple[int, ...]) -> int:
    """Entries of a shape."""
    return prod(shape)
