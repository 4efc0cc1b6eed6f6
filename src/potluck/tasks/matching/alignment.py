"""Rows of different owners, matched by keys: what a plan says of it, an owner's keys, and the halves for it.

Tasks that need matched rows use it as the first stretch of their one round: an owner's half begins with
`yield from aligned(...)`, the server's with `yield from handed_on(...)`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from potluck.core.plan import Plan, digest, required
from potluck.core.rounds import Credentials, Half, RoundId
from potluck.engines.environment import require
from potluck.learning.data.keys import keyed
from potluck.learning.data.source import Source
from potluck.learning.data.table import Table
from potluck.mpc.engine import Engine
from potluck.mpc.local import Port
from potluck.mpc.psi.curve import split
from potluck.mpc.psi.keys import distinct
from potluck.mpc.psi.messages import MOST, Gathering
from potluck.mpc.psi.server import hand_on
from potluck.mpc.psi.site import Held, meet
from potluck.mpc.spu import DIGEST, RR22
from potluck.owner.alignments import FOLDER, Alignments
from potluck.owner.run_secrets import RunSecrets
from potluck.secret.statement import named
from potluck.secret.stream import digest as fingerprint

MEMBERS = "members.csv"
"""Common keys that a run shows, in its folder."""
BETWEEN = "\x1f"
"""Between the columns of a key, where it is one text: the separator of units, which no cell has that can be seen."""


@dataclass(frozen=True, slots=True, eq=False)
class Keys:
    """An owner's keys. digests: 16 bytes a key, none twice; rows [n]: each one's row, counted from 0 in the source.

    texts: of ALL rows of the source the key columns' cells, as they stand there.
    """

    digests: bytes = field(repr=False)
    rows: NDArray[np.int64] = field(repr=False)
    texts: Sequence[tuple[str, ...]] = field(repr=False)


@dataclass(frozen=True, slots=True, eq=False)
class Common:
    """What an owner learns. rows [k]: its rows with common keys, in an order that all share; None: not its to learn.

    size: how many there are, None where that is not its to learn; order: the same at all who have the same keys in the
    same order; reused: an earlier alignment of the same keys was taken.
    """

    size: int | None
    rows: NDArray[np.int64] | None = field(repr=False)
    order: bytes = field(repr=False)
    reused: bool


@dataclass(frozen=True, slots=True)
class Tools:
    """What an owner needs besides its keys. engine: for RR22, else None; store: its kept alignments, or None;
    secrets: of its runs, where a round may be done again, else None."""

    engine: Engine | None = None
    store: Alignments | None = None
    secrets: RunSecrets | None = None

    def close(self) -> None:
        """End the engine."""
        if self.engine is not None:
            self.engine.close()


def gathering(plan: Plan, round_: RoundId, file: bytes = b"") -> Gathering:
    """What all parties agree on, from the plan alone. To fit a model every site learns its common rows. file: as in
    `Credentials`."""
    spec = required(plan.align)
    fits = plan.traits.joins
    to = plan.sites if fits or not spec.to else tuple(one for one in plan.sites if one.name in spec.to)
    reveal = "members" if fits else spec.reveal
    run = (digest(plan), round_.run.encode(), file)
    agreed = fingerprint(b"potluck alignment 1", *run, b"%d" % round_.number)
    lasting = fingerprint(b"potluck alignment run 1", *run)
    about = (*map(named, plan.sites), b"to", *map(named, to), reveal.encode(), b"by", *(k.encode() for k in spec.keys))
    same = fingerprint(b"potluck alignment about 1", *about)
    patience, most = plan.federation.patience, min(plan.data.max_rows, MOST)
    return Gathering(round_, agreed, lasting, same, plan.sites, to, reveal, spec.protocol, patience, most)


def needs_engine(plan: Plan) -> bool:
    """Whether every owner needs an engine, which the other's must reach."""
    return plan.align is not None and gathering(plan, RoundId("", 1)).way == "rr22"


def read_keys(source: Source, plan: Plan, name: str) -> Keys:
    """An owner's keys. Raises DataError: a row without key, a key twice (but with duplicates = "first"), or no rows to
    be read."""
    found = keyed(source, plan, name)
    first = required(plan.align).duplicates == "first"
    places = distinct(found.texts, found.lines.tolist(), name, what="lines", first=first)
    return Keys(b"".join(places), np.fromiter(places.values(), np.int64, len(places)), found.texts)


def keyed_table(keys: Sequence[tuple[str, ...]]) -> Table:
    """Keys as rows of a table, which has nothing else of them but whose each is: what attacks are judged by."""
    nothing = np.zeros(len(keys))
    names = tuple(map(BETWEEN.join, keys))
    return Table(np.zeros((len(keys), 0)), nothing, None, nothing.astype(np.bool_), {}, (), names=names)


def apart(table: Table) -> list[tuple[str, ...]]:
    """The keys of a `keyed_table`."""
    return [tuple(name.split(BETWEEN)) for name in table.names]


def tools(plan: Plan, folder: Path | None, here: Port | None = None, secrets: RunSecrets | None = None) -> Tools:
    """An owner's tools, its engine's process on its way. folder: where it keeps alignments, in one of its own; None: it
    keeps none; here: where others reach its engine, and whom it may dial; secrets: as in `Tools`.

    Raises UsageError: the engine is not installed.
    """
    store = Alignments(folder / FOLDER) if folder is not None else None
    if not needs_engine(plan):
        return Tools(None, store, secrets)
    require("mpc")
    patience = plan.federation.patience
    if here is None:
        engine = Engine(patience, protocol=RR22)
    else:
        engine = Engine(patience, here=here, protocol=RR22, peers=here.peers)
    engine.warm()
    return Tools(engine, store, secrets)


def aligned(about: Gathering, me: Credentials, keys: Keys, using: Tools) -> Half[Common]:
    """An owner's half. Reveals: as `mpc.psi.site.meet`. Raises Abort; UsageError: the alignment cannot be kept."""
    kept = using.store.find(about.about, keys.digests) if using.store else None
    known = Held(kept.token, kept.size, kept.common) if kept else None
    secret = using.secrets.of(about.round.run, me.draw) if using.secrets else None
    found = yield from meet(about, me, keys.digests, using.engine, known, secret)
    held = found.held
    if using.store and not found.reused:
        using.store.keep(about.about, keys.digests, held.token, held.size, held.common)
    return Common(held.size, None if held.common is None else _rows(keys, held.common), found.order, found.reused)


def handed_on(about: Gathering) -> Half[None]:
    """The server's half. Reveals: as `mpc.psi.server.hand_on`."""
    return (yield from hand_on(about))


def _rows(keys: Keys, common: bytes) -> NDArray[np.int64]:
    where = {one: number for number, one in enumerate(split(keys.digests, DIGEST))}
    return keys.rows[np.array([where[one] for one in split(common, DIGEST)], np.int64)]
