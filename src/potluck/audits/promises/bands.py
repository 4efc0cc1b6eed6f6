"""Banded sums: all that one unit moves, over all sums of a run, beside what their noise was reckoned for.

Each sum holds what units gave to the ones before it (`core.asks`). Its noise is its own, so what a unit moves adds up:
the squares of how far it moves each sum, over the square of the clip. Two sites' rows go through all sums of a run, in
order, with the same groups; they differ by one unit. Who is in which group need not be secret, so the auditor knows.
"""

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from potluck.audits.promises.beside import comers
from potluck.audits.promises.course import TOGETHER, Course, Look
from potluck.audits.promises.scene import Scene, Sum
from potluck.core.asks import Kind
from potluck.core.fixed import decode
from potluck.core.rounds import Words
from potluck.core.stages import Floats
from potluck.dp.banded import taken
from potluck.dp.events import Banded
from potluck.learning.data.table import Table
from potluck.learning.kept import InMemory
from potluck.learning.training.turns import SECRET

FIRST = 12
"""Units that are tried: each goes through all sums."""
COMPANIES, COMERS = (0, 7), (0, 2)
"""One of what stands alike and one of two units, and which units come: fewer than of other sums, for each goes through
all."""


def moves(scene: Scene, kind: Kind, sums: list[Sum]) -> tuple[float, float]:
    """(how often one unit's clip, in squares, the one that moves all sums farthest moves them; how often was reckoned
    with)."""
    found = max(math.fsum(each) for each in (*_every(scene, kind, sums), *_beside(scene, kind, sums)))
    return found, taken(_events(sums))


def course(scene: Scene, kind: Kind, sums: list[Sum]) -> Course:
    """The first sums of a run, with the unit that moves these farthest."""
    some, every = sums[:TOGETHER], list(_every(scene, kind, sums))
    which = max(range(len(every)), key=lambda at: math.fsum(every[at][: len(some)]))
    nothing = list(_gone(scene, some, scene.only(kind, scene.units[which][:0])))
    there = list(_gone(scene, some, scene.only(kind, scene.units[which])))
    looks = []
    for one, words, base in zip(some, there, nothing, strict=True):
        known, moved = (decode(each, one.bound.grid) for each in (base, words))
        looks.append(Look(one, moved - known, known, one.over(words), one.over(base)))
    near, paid = math.fsum(every[which][: len(some)]), taken(_events(some))
    # Sums that are not in the list may show more, and are not counted.
    return Course(looks, paid, math.fsum(every[which]) / near if near else 1.0, math.sqrt(near / paid))


def _every(scene: Scene, kind: Kind, sums: list[Sum]) -> Iterator[list[float]]:
    """Of each unit that is tried, how far it moves each sum, in squares of a clip."""
    nothing = _moved(sums, _gone(scene, sums, scene.only(kind, scene.units[0][:0])))
    for unit in scene.units[:FIRST]:
        yield _squares(sums, _moved(sums, _gone(scene, sums, scene.only(kind, unit))), nothing)
        if time.monotonic() > scene.until:
            break


def _beside(scene: Scene, kind: Kind, sums: list[Sum]) -> Iterator[list[float]]:
    """The same of some units that come last to others, whose groups stay."""
    now, base = None, list[Floats]()
    for without, there in comers(scene, kind, sums[-1], COMPANIES, COMERS):
        if time.monotonic() > scene.until:
            break
        if without is not now:
            now, base = without, _moved(sums, _gone(scene, sums, without))
        yield _squares(sums, _moved(sums, _gone(scene, sums, there)), base)


def _squares(sums: list[Sum], there: list[Floats], base: list[Floats]) -> list[float]:
    """How far each sum is moved, in squares of a clip."""
    far = (float(np.linalg.norm(a - b)) for a, b in zip(there, base, strict=True))
    return [(each / one.inside.limit.l2[0]) ** 2 for each, one in zip(far, sums, strict=True)]


def _gone(scene: Scene, sums: list[Sum], rows: Table | None) -> Iterator[Words]:
    """What rows add to each sum, in order: a site keeps what it gave, and the key by which units are in groups. That is
    the same however many rows there are, of which other draws of theirs depend."""
    assert rows is not None  # of a task that trains
    rows, key = replace(rows, kept=InMemory()), scene.public("groups").bytes(SECRET)
    others = scene.public("slots").bytes

    def draw(size: int) -> bytes:
        return key if size == SECRET else others(size)

    return (one.without_noise(rows, draw) for one in sums)


def _moved(sums: list[Sum], given: Iterator[Words]) -> list[Floats]:
    return [decode(words, one.bound.grid) for words, one in zip(given, sums, strict=True)]


def _events(sums: Sequence[Sum]) -> list[Banded]:
    events = [one.bound.cost.event for one in sums]  # type: ignore[union-attr]  # noised sums have costs
    return [one for one in events if isinstance(one, Banded)]
