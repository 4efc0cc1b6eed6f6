"""What the enclave makes of parcels that it opened: the client's columns, and the owner's layers or graph.

Nothing is computed of rows and model together here but their shapes: so a refusal tells nothing of either.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from math import prod

import numpy as np

from potluck.core.errors import GraphError
from potluck.core.party import Party, Role
from potluck.core.predicting import FEATURES, Columns
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


def layered(opened: bytes, columns: Columns) -> Ready:
    """The owner's layers, for rows that are `tabular`. Raises Abort naming it: MALFORMED, TERMS, RANGE."""
    model, rows = load(opened, p.Weights, OWNER), columns[FEATURES].astype(np.float64)
    _same(model.rows, columns)
    return partial(margins, _layers(model, rows.shape[1]), model.activation, rows)


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


def _layers(model: p.Weights, width: int) -> list[Layer]:
    """The model, laid out as plain scoring has it. width: columns. Raises Abort naming the owner: MALFORMED, RANGE."""
    if (len(model.layers) > 1) != bool(model.activation):
        raise Abort(Cause.MALFORMED, party=OWNER, detail="an activation stands between layers, and only there")
    found = []
    for one in model.layers:
        if one.inputs != width:
            detail = f"a layer of {one.inputs} inputs, {width} are there"
            raise Abort(Cause.MALFORMED, party=OWNER, detail=detail)
        weights = _numbers(one.weights, (one.outputs, one.inputs), OWNER)
        bias = _numbers(one.bias, (one.outputs,), OWNER)
        if not (np.isfinite(weights).all() and np.isfinite(bias).all()):
            raise Abort(Cause.RANGE, party=OWNER, detail="a weight is not a number")
        found.append(Layer(np.ascontiguousarray(weights.T), bias))
        width = one.outputs
    return found
