"""What the enclave makes of parcels that it opened: the client's columns, and the owner's layers, trees or graph.

Nothing is computed of rows and model together here but their shapes: so a refusal tells nothing of either.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from math import prod

import numpy as np
from numpy.typing import NDArray

from potluck.core.errors import GraphError
from potluck.core.party import Party, Role
from potluck.core.predicting import FEATURES, Asked, Columns, Trees
from potluck.core.rounds import Abort, Cause
from potluck.core.stages import Floats
from potluck.core.wire import load
from potluck.tee.predict import messages as p
from potluck.tee.predict.graphs import Graphs
from potluck.tee.predict.margins import Layer, margins

OWNER, CLIENT = Party(Role.SITE, "owner"), Party(Role.SITE, "client")


def columns_of(said: p.Rows) -> Columns:
    """The client's rows by column. Raises Abort naming it: MALFORMED, RANGE."""
    found = {one.name: _numbers(one.values, (said.rows, *one.shape), CLIENT, one.kind) for one in said.columns}
    if len(found) < len(said.columns):
        raise Abort(Cause.MALFORMED, party=CLIENT, detail="two columns have one name")
    if not all((np.abs(one) <= 1).all() for one in found.values()):  # nor is what is not a number
        raise Abort(Cause.RANGE, party=CLIENT, detail="an entry is not a number within [-1, 1]")
    return found


def tabular(columns: Columns) -> None:
    """Raises Abort naming the client: MALFORMED, more or something else than layers take."""
    if {name: (one.dtype, one.ndim) for name, one in columns.items()} != _TABLE:
        raise Abort(Cause.MALFORMED, party=CLIENT, detail="layers take the encoded table, and nothing else")


_TABLE = {FEATURES: (np.dtype("<f8"), 2)}


def _numbers(body: bytes, shape: tuple[int, ...], sender: Party, kind: str = "float64") -> Floats:
    """Raises Abort(MALFORMED): another length than the shape says."""
    dtype = np.dtype(kind).newbyteorder("<")
    if len(body) != dtype.itemsize * prod(shape):
        detail = f"{len(body)} bytes where {dtype.itemsize * prod(shape)} were expected"
        raise Abort(Cause.MALFORMED, party=sender, detail=detail)
    return np.frombuffer(body, dtype).reshape(shape)


Ready = Callable[[], tuple[Floats, float | None]]
"""What computes margins [n, outputs], and a bound of what any of them is off."""


def weighed(opened: bytes, columns: Columns) -> Ready:
    """The owner's layers or trees, for rows that are `tabular`. Raises Abort naming it: MALFORMED, TERMS, RANGE."""
    said, rows = load(opened, p.Weights, OWNER), columns[FEATURES].astype(np.float64)
    _same(said.rows, columns)
    if isinstance(said.model, p.Layers):
        return partial(margins, _layers(said.model, rows.shape[1]), said.model.activation, rows)
    return partial(_routed, _trees(said.model, rows.shape[1]), rows)


def _routed(trees: Trees, rows: Floats) -> tuple[Floats, float]:
    """What leaves say is added up in the trees' order, which has the same bits everywhere."""
    with np.errstate(all="ignore"):  # whether a score overflows is for the client alone to see
        return trees.margins(rows), 0.0


def drawn(graphs: Graphs, opened: bytes, columns: Columns) -> Ready:
    """The owner's graph. Raises Abort naming it: MALFORMED, TERMS; REFUSED, in words that say nothing of the graph: its
    owner reads the same reader's at home."""
    model = load(opened, p.Drawn, OWNER)
    _same(model.rows, columns)
    with _refusing():
        scored = graphs.prepared(model.graph, columns)

    def ready() -> tuple[Floats, None]:
        with _refusing():
            return scored(), None

    return ready


@contextmanager
def _refusing() -> Iterator[None]:
    try:
        yield
    except GraphError:
        detail = "its graph is none, is beyond the bounds, or takes other columns"
        raise Abort(Cause.REFUSED, party=OWNER, detail=detail) from None


def _same(rows: int, columns: Columns) -> None:
    here = len(next(iter(columns.values())))
    if rows != here:
        raise Abort(Cause.TERMS, party=OWNER, detail=f"a model for {rows} rows, {here} are here")


def _trees(model: p.Forest, width: int) -> Trees:
    """The trees. width: columns. Raises Abort naming the owner: MALFORMED, RANGE."""
    flags = _whole(model.flags, width, width, -1)
    if len(model.trees) % model.outputs:
        raise Abort(Cause.MALFORMED, party=OWNER, detail="not as many trees for each output")
    asked, leaves = [], []
    for one in model.trees:
        nodes = len(one.left)
        if (nodes + 1).bit_count() != 1 or nodes == 0:
            raise Abort(Cause.MALFORMED, party=OWNER, detail="a tree is not complete")
        ways = np.frombuffer(one.left, np.uint8)
        if ways.max() > 1:
            raise Abort(Cause.MALFORMED, party=OWNER, detail="a node leads neither left nor right")
        asked.append(Asked(_whole(one.features, nodes, width, 0), _floats(one.cuts, nodes), ways > 0))
        leaves.append(_floats(one.leaves, nodes + 1))
    if not np.isfinite(model.first):
        raise Abort(Cause.RANGE, party=OWNER, detail="a weight is not a number")
    return Trees(model.first, model.outputs, flags, tuple(asked), tuple(leaves))


def _whole(body: bytes, length: int, below: int, least: int) -> NDArray[np.int64]:
    """[length] places of features, from `least` on. Raises Abort(MALFORMED)."""
    found = _numbers(body, (length,), OWNER, "int64").astype(np.int64)
    if not ((found >= least) & (found < below)).all():
        raise Abort(Cause.MALFORMED, party=OWNER, detail="a node asks for a column that is not there")
    return found


def _floats(body: bytes, length: int) -> Floats:
    """[length] numbers. Raises Abort: MALFORMED, RANGE."""
    found = _numbers(body, (length,), OWNER).astype(np.float64)
    if not np.isfinite(found).all():
        raise Abort(Cause.RANGE, party=OWNER, detail="a weight is not a number")
    return found


def _layers(model: p.Layers, width: int) -> list[Layer]:
    """The model, laid out as plain scoring has it. width: columns. Raises Abort naming the owner: MALFORMED, RANGE."""
    if (len(model.layers) > 1) != bool(model.activation):
        raise Abort(Cause.MALFORMED, party=OWNER, detail="an activation stands between layers, and only there")
    found = []
    for one in model.layers:
        if one.inputs != width:
            detail = f"a layer of {one.inputs} inputs, {width} are there"
            raise Abort(Cause.MALFORMED, party=OWNER, detail=detail)
        weights = _floats(one.weights, one.outputs * one.inputs).reshape(one.outputs, one.inputs)
        found.append(Layer(np.ascontiguousarray(weights.T), _floats(one.bias, one.outputs)))
        width = one.outputs
    return found
