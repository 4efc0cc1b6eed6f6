"""What private prediction asks for: the vocabulary between the task and the rooms that protect it.

The owner has a model, the client has rows and reads the scores, the server between them only carries letters.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from potluck.core.party import Party
from potluck.core.rounds import Abort, Cause, Credentials, Half, Label, Record, RoundId
from potluck.core.stages import Floats

Activation = Literal["", "relu", "tanh", "square"]
Mode = Literal["batch", "single", "graph", "trees"]
"""How rows are packed, or what a model is that is no layers."""
Columns = Mapping[str, NDArray[np.float32] | NDArray[np.float64]]
"""What a graph takes of rows n, by the names of its inputs: each [n, ...], within [-1, 1]."""
FEATURES = "features"
"""What a column of the encoded table is called."""
HALF = 0.5
"""The cut of a feature of 0 and 1."""
WHOLE = frozenset({"graph", "trees"})
"""Modes of models that are no layers."""
LAYERS_ALONE = "this protection scores by layers alone"
SCORED = "scored/"
"""Prefix of the owner's `Record` of how many rows it scored: in a half key "scored/<run>/<number>", which the task
replaces by the key of `owner.scored`."""


@dataclass(frozen=True, slots=True, eq=False)
class Dense:
    """One layer: x -> weights @ x + bias. weights [outputs, inputs], bias [outputs]."""

    weights: Floats = field(repr=False)
    bias: Floats = field(repr=False)


@dataclass(frozen=True, slots=True, eq=False)
class Net:
    """A model as layers, the activation between them (not after the last). Linear and logistic models: one layer.

    low, high [inputs]: each encoded feature's range, within [-1, 1] (a number's is [-1, 1], a 0/1 feature's [0, 1]).
    """

    layers: tuple[Dense, ...]
    activation: Activation
    low: Floats = field(repr=False)
    high: Floats = field(repr=False)


class Asked(NamedTuple):
    """What the nodes of a complete tree ask [2^depth - 1], level by level, left to right: those after node i are
    2 i + 1 and 2 i + 2. features: by place; cuts: a feature above it leads right; left: whether a row goes left whose
    column has no value."""

    features: NDArray[np.int64]
    cuts: Floats
    left: NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Trees:
    """A model as trees, which add to the outputs by turns. first: what every margin begins with; flags [p]: by feature,
    which one is 1 where its column has no value, -1: none; asked, leaves [2^depth]: of each tree."""

    first: float
    outputs: int
    flags: NDArray[np.int64] = field(repr=False)
    asked: tuple[Asked, ...] = field(repr=False)
    leaves: tuple[Floats, ...] = field(repr=False)

    @property
    def nbytes(self) -> int:
        """Of all of it."""
        return sum(sum(part.nbytes for part in one) for one in self.asked) + sum(one.nbytes for one in self.leaves)

    def margins(self, features: Floats) -> Floats:
        """features [n, p] -> [n, outputs]. Each is added up in the trees' order: every machine has the same bits."""
        total = np.full((len(features), self.outputs), self.first)
        for place, (asked, leaves) in enumerate(zip(self.asked, self.leaves, strict=True)):
            depth = len(leaves).bit_length() - 1
            total[:, place % self.outputs] += leaves[nodes_at(features, self.flags, asked, depth)]
        return total


def nodes_at(features: Floats, flags: NDArray[np.int64], asked: Asked, levels: int) -> NDArray[np.int64]:
    """features [n, p], flags [p] as of `Trees` -> [n] the node that each row reaches after so many questions, from 0
    among those of its level. Features and cuts are compared as float32; NaN is above nothing."""
    low, rows = features.astype(np.float32), np.arange(len(features))
    at, node = asked.cuts.astype(np.float32), np.zeros(len(features), np.int64)
    for _ in range(levels):
        feature = asked.features[node]
        flag = flags[feature]
        gone = (flag >= 0) & (low[rows, flag] > HALF)
        right = np.where(gone, ~asked.left[node], low[rows, feature] > at[node])
        node = 2 * node + 1 + right
    return np.asarray(node - ((1 << levels) - 1))


@dataclass(frozen=True, slots=True)
class Meeting:
    """What all parties of a prediction agree on.

    digest: 32 bytes over plan, run, round and federation file, in every signature.
    rows: the most rows that the owner scores in this run.
    """

    round: RoundId
    digest: bytes
    owner: Party
    client: Party
    mode: Mode
    rows: int

    def label(self, step: str) -> Label:
        """The label of `step` in this round."""
        return Label(self.round, step)


@dataclass(frozen=True, slots=True, eq=False)
class Scored:
    """margins [n, outputs]: log-odds, class logits, or the scaled number.

    bound: no margin is further than this from the plain one; None: nobody can prove one. notes: what the reader should
    know, one line each.
    """

    margins: Floats = field(repr=False)
    bound: float | None
    notes: Sequence[str] = ()


def check_features(meeting: Meeting, features: Floats) -> None:
    """What any protection asks of a client's features [n, inputs]. Raises Abort naming the client: REFUSED, RANGE."""
    if features.ndim != 2 or not 1 <= len(features) <= meeting.rows:
        detail = f"{len(features)} rows, where 1 to {meeting.rows} are scored"
        raise Abort(Cause.REFUSED, party=meeting.client, detail=detail)
    if not bool((np.abs(features) <= 1).all()):  # NaN fails the comparison too
        raise Abort(Cause.RANGE, party=meeting.client, detail="a feature is not a number within [-1, 1]")


def check_columns(meeting: Meeting, columns: Columns) -> None:
    """The same of what a graph takes. Raises Abort naming the client: REFUSED, RANGE."""
    rows = {len(one) if one.ndim else 0 for one in columns.values()}
    if len(rows) != 1 or not 1 <= min(rows) <= meeting.rows:
        detail = f"not as many rows in each column, 1 to {meeting.rows}"
        raise Abort(Cause.REFUSED, party=meeting.client, detail=detail)
    if not all((np.abs(one) <= 1).all() for one in columns.values()):  # NaN fails the comparison too
        raise Abort(Cause.RANGE, party=meeting.client, detail="an entry is not a number within [-1, 1]")


def scored(meeting: Meeting, rows: int) -> Record:
    """What is durable at the owner before anything leaves from which a score follows: how many rows, in decimal ASCII.

    Written once a round.
    """
    return Record(f"{SCORED}{meeting.round.run}/{meeting.round.number}", b"%d" % rows)


class Predict(Protocol):
    """One protection's way to score a client's rows with an owner's model: one round, three halves, one a helper."""

    def helpers(self) -> tuple[Party, ...]:
        """Compute parties, by rank."""
        return ()

    def query(self, meeting: Meeting, me: Credentials, features: Floats) -> Half[Scored]:
        """The client's half. features [n, inputs], each within [-1, 1]."""
        ...

    def respond(self, meeting: Meeting, me: Credentials, net: Net) -> Half[None]:
        """The owner's half."""
        ...

    def query_graph(self, meeting: Meeting, me: Credentials, columns: Columns) -> Half[Scored]:
        """The client's half where the model is a graph. Protections of layers alone have none."""
        raise Abort(Cause.TERMS, detail=LAYERS_ALONE)

    def respond_graph(self, meeting: Meeting, me: Credentials, graph: bytes) -> Half[None]:
        """The owner's half where the model is a graph. graph: its file, with all weights in it."""
        raise Abort(Cause.TERMS, detail=LAYERS_ALONE)

    def respond_trees(self, meeting: Meeting, me: Credentials, trees: Trees) -> Half[None]:
        """The owner's half where the model is trees; the client's is `query`."""
        raise Abort(Cause.TERMS, detail=LAYERS_ALONE)

    def relay(self, meeting: Meeting, me: Credentials) -> Half[None]:
        """The server's half: it passes letters on and reads none."""
        ...

    def assist(self, meeting: Meeting, me: Credentials) -> Half[None]:
        """A compute party's half."""
        yield from ()

    def close(self) -> None:
        """The run is over: let go of keys, and of anything that the halves left running."""
        ...
