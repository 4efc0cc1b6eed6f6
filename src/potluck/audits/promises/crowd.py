"""A site of many equal units: what happens beside few rows may not beside many.

All of them move a sum one way, so it grows with their number, and who is drawn of them is read off it. The rows of one
stand far apart: those of all others are between them.
"""

from dataclasses import replace

import numpy as np

from potluck.audits.promises.picked import picked
from potluck.audits.promises.scene import Scene
from potluck.core.asks import Kind
from potluck.learning.data.table import Table
from potluck.learning.data.units import Index


def crowd(scene: Scene, kind: Kind, unit: Index, many: int) -> tuple[Table, int] | None:
    """(rows, of how many units in sums of a kind): no more than the plan lets a site have. None: of one at most."""
    count = min(many, scene.plan.data.max_rows // max(1, len(unit)) - 1)
    if scene.rows is None or count < 2:
        return None
    rows, whose = picked(scene.rows, np.repeat(unit, count + 1)), np.tile(np.arange(count + 1), len(unit))
    if rows.person is not None:
        rows = replace(rows, person=whose)
    # one more: a row that is in no sum is another unit's
    table = replace(scene, rows=rows).only(kind, np.flatnonzero(whose < count))
    return None if table is None else (table, count)
