"""Rows of no one from which something can be learnt: what a control of lies is about.

Every other column tells a row's side: a number lies nearer the end of its range that stands for it, and a category
takes one value more often. The others tell nothing, and their ends are rare, as in rows of people. A plan that trains
on a plain mean of sites learns that, and one site that lies turns it.
"""

from collections.abc import Iterable
from dataclasses import replace

import msgspec
import numpy as np
from numpy.typing import NDArray

from potluck.audits.attack import Scene, Until
from potluck.audits.control import bare, lines_of, tables_of
from potluck.audits.seen import Seen
from potluck.core.errors import PotluckError
from potluck.core.plan import Plan, required
from potluck.core.rounds import Abort
from potluck.core.seeded import Generator
from potluck.core.stages import Floats
from potluck.learning.data.encode import encoding
from potluck.learning.data.table import Table
from potluck.learning.data.target import goal_of

ROUNDS, ROWS, OFTEN, QUIET = 40, 60, 0.9, 0.2
"""Of training, at least; of a site; how often a category has its usual value; how far from the middle numbers lie that
tell nothing."""


def scene(seen: Seen, until: Until) -> Iterable[Scene]:
    """A plan as the seen one with nothing that protects, its first site the one that lies; none where rows of some
    column cannot be made up."""
    spec = bare(seen.plan)
    rounds = max(ROUNDS, required(seen.plan.training).rounds)
    training = msgspec.structs.replace(required(spec.training), rounds=rounds, vote=None)  # votes protect
    spec = msgspec.structs.replace(spec, training=training)
    try:
        lines = lines_of(spec, min(ROWS, spec.data.max_rows), until.rng)
        truth = {site.name: learnable(spec, table, until.rng) for site, table in tables_of(spec, lines).items()}
    except (Abort, PotluckError):
        return []
    return [(Seen(spec, frozenset(spec.federation.sites[:1]), (), {}), truth)]


def learnable(plan: Plan, table: Table, rng: Generator) -> Table:
    """The same rows, with features that tell the target."""
    goal = goal_of(plan)
    side = table.target / max(goal.cells - 1, 1)  # from 0 to 1
    features, start = table.features.copy(), 0
    for place, one in enumerate(one for one in encoding(plan).fields if one.features):
        wide, tells = len(one.features), place % 2 == 0
        part = features[:, start : start + wide]
        if one.measured:
            part[:, 0] = (part[:, 0] + 2 * side - 1) / 2 if tells else part[:, 0] * QUIET
        elif wide > 1:
            _valued(part, np.rint(side * (wide - 1)).astype(np.int64) * tells, rng)
        start += wide
    return replace(table, features=features)


def _valued(part: Floats, value: NDArray[np.int64], rng: Generator) -> None:
    """[n, values], in place: most rows take this value [n]."""
    some = np.flatnonzero(rng.uniform(size=len(part)) < OFTEN)
    part[some] = 0.0
    part[some, value[some]] = 1.0
