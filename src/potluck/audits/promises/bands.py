"""Banded sums: all that one unit moves, over all sums of a run, beside what their noise was reckoned for.

Each sum holds what units gave to the ones before it (`core.asks`). Its noise is its own, so what a unit moves adds up:
the squares of how far it moves each sum, over the square of the clip. Two sites' rows go through all sums of a run, in
order, with the same groups; they differ by one unit.
"""

import time
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from potluck.audits.promises.scene import Scene, Sum
from potluck.core.asks import Kind
from potluck.core.stages import Floats
from potluck.dp.banded import taken
from potluck.dp.events import Banded
from potluck.learning.data.table import Table
from potluck.learning.kept import InMemory


def moves(scene: Scene, kind: Kind, sums: list[Sum]) -> tuple[float, float]:
    """(how often one unit's clip, in squares, the one that moves all sums farthest moves them; how often was reckoned
    with)."""
    nothing = list(_gone(scene, sums, scene.only(kind, scene.units[0][:0])))
    farthest = 0.0
    for unit in scene.units:
        farthest = max(farthest, _far(sums, list(_gone(scene, sums, scene.only(kind, unit))), nothing))
        if time.monotonic() > scene.until:
            break
    events = [one.bound.cost.event for one in sums]  # type: ignore[union-attr]  # noised sums have costs
    return farthest, taken([one for one in events if isinstance(one, Banded)])


def _gone(scene: Scene, sums: list[Sum], rows: Table | None) -> Iterator[Floats]:
    """What rows add to each sum, in order: a site keeps what it gave, and the key by which units are in groups."""
    assert rows is not None  # of a task that trains
    rows, draw = replace(rows, kept=InMemory()), scene.public("groups").bytes
    return (one.moved(rows, draw) for one in sums)


def _far(sums: list[Sum], there: list[Floats], nothing: list[Floats]) -> float:
    lengths = (float(np.linalg.norm(a - b)) for a, b in zip(there, nothing, strict=True))
    return sum((length / one.inside.limit.l2[0]) ** 2 for length, one in zip(lengths, sums, strict=True))
