"""Units of a site side by side: what happens beside few rows may not beside many.

The rows of one stand far apart: those of all others are between them. Of a unit that is there many times all move a sum
one way, so it grows with their number, and who is drawn of them is read off it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from potluck.audits.promises.picked import picked
from potluck.audits.promises.scene import Scene
from potluck.core.asks import Kind
from potluck.core.plan import required
from potluck.learning.data.table import Table
from potluck.learning.data.units import Index

ANEW = 1_000
"""Made-up rows, at most, that are read again as they stand beside each other: more are taken as they were read."""


@dataclass(frozen=True, eq=False)
class Crowd:
    """Rows of some units, and those of one more, which are in no sum. mine: which those of the units are."""

    rows: Table = field(repr=False)
    mine: Index = field(repr=False)

    def only(self, scene: Scene, kind: Kind) -> Table | None:
        """The rows, of which those of the units are in sums of a kind."""
        return scene.only(kind, self.mine, self.rows)


def together(scene: Scene, units: Sequence[Index]) -> Crowd:
    """These units side by side, in this order: one that is named again is another one, alike. One that comes last
    changes no other's place."""
    each = [*units, units[0]]  # one more: a row that is in no sum is another unit's
    whose = np.repeat(np.arange(len(each)), [len(one) for one in each])
    order = np.lexsort((whose, np.concatenate([np.arange(len(one)) for one in each])))
    index, whose = np.concatenate(each)[order], whose[order]
    if scene.anew is not None and len(index) <= ANEW:
        rows = scene.anew(index, whose)
    else:
        rows = picked(required(scene.rows), index)
    if rows.person is not None:
        rows = replace(rows, person=whose)
    return Crowd(rows, np.flatnonzero(whose < len(units)))


def most(scene: Scene, unit: Index) -> int:
    """So many units like this one a plan lets a site have, beside one more."""
    return scene.plan.data.max_rows // max(1, len(unit)) - 1


def crowd(scene: Scene, kind: Kind, unit: Index, many: int) -> tuple[Table, int] | None:
    """(rows, of how many units in sums of a kind): no more than the plan lets a site have. None: of one at most."""
    count = min(many, most(scene, unit))
    if scene.rows is None or count < 2:
        return None
    table = together(scene, [unit] * count).only(scene, kind)
    return None if table is None else (table, count)
