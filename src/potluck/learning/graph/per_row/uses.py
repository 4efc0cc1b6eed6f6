"""Where a graph uses the weights that train, before anything is computed: each node that takes one and makes rows of
it, and what is made of weights alone beforehand.

Raises what cannot be clipped by rows: a node without a rule that draws at random would draw anew when it is run again.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from potluck.core.errors import GraphError
from potluck.learning.graph.interpreter import Program
from potluck.learning.graph.ops import OPS
from potluck.learning.graph.per_row import RULES
from potluck.learning.graph.per_row.any_node import any_node
from potluck.learning.graph.per_row.call import Rule
from potluck.learning.graph.schema import Argument, Node, Special
from potluck.learning.graph.value import FLOATS


@dataclass(frozen=True, slots=True)
class Use:
    """A node takes a value without rows in an argument. arguments: all of the node's, by name."""

    argument: str
    name: str
    rule: Rule
    arguments: Mapping[str, Argument]


@dataclass(frozen=True, eq=False)
class Uses:
    """trained: names of weights; public: places of nodes whose results have no rows; with_rows: of the others; at: by
    place, uses of what depends on weights that train; made: names of values that are made of such weights, and used."""

    program: Program
    trained: tuple[str, ...]
    public: tuple[int, ...]
    with_rows: tuple[int, ...]
    at: Mapping[int, tuple[Use, ...]]
    made: tuple[str, ...]

    @cached_property
    def once(self) -> frozenset[str]:
        """Names of values that stand in one use alone."""
        times = Counter(use.name for some in self.at.values() for use in some)
        return frozenset(name for name, count in times.items() if count == 1)


def uses(program: Program, trained: Sequence[str]) -> Uses:
    """Of these weights. Raises GraphError: the graph has no such weight, or gradients of rows would not be sound."""
    graph, known = program.graph, program.checked.values
    unknown = set(trained) - {one.name for one in graph.weights}
    if unknown:
        raise GraphError(f"it has no weights {', '.join(sorted(unknown))}", where="graph", hint="see graph show")
    moving = set(trained)
    public, with_rows, made = [], [], []
    at: dict[int, tuple[Use, ...]] = {}
    for i, node in enumerate(graph.nodes):
        takes = moving.intersection(node.takes)
        if all(known[name].rows is None for name in node.out):
            public.append(i)
            moving.update(name for name in node.out if takes and known[name].dtype in FLOATS)
            continue
        with_rows.append(i)
        if takes and known[node.out[0]].dtype in FLOATS:
            at[i] = _uses(node, takes, f"graph: node {i + 1} ({node.op})")
            made += [one.name for one in at[i] if one.name not in trained]
    return Uses(program, tuple(trained), tuple(public), tuple(with_rows), at, tuple(dict.fromkeys(made)))


def _uses(node: Node, takes: set[str], where: str) -> tuple[Use, ...]:
    op, rule = OPS.of(node.op), RULES.entries.get(node.op)
    arguments = op.bound(node)
    named = {key: raw.v for key, raw in arguments.items() if isinstance(raw, Special) and raw.v in takes}
    if rule is None:
        named = {key: name for name, key in {name: key for key, name in named.items()}.items()}  # each value once
        draws = op.evaluating and arguments.get(op.evaluating[0], op.evaluating[1]) != op.evaluating[1]
        if draws or len(node.out) > 1 or set(named.values()) != takes:
            hint = "leave these weights frozen, or keep them out of the node"
            raise GraphError("each row's gradient of what it takes cannot be told apart", where=where, hint=hint)
    found = (Use(key, name, rule or any_node, arguments) for key, name in named.items() if name is not None)
    return tuple(found)
