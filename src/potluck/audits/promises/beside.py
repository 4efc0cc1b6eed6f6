"""Rows beside the unit: whether what a unit adds to a sum follows from its own rows alone.

Noise is reckoned for units that each add for themselves. A rule of a site that looks at all of its rows, as a scale by
the largest, bins by ranks or a mean that is taken off, moves what the OTHERS add when one unit comes: farther than the
clip where they are many. So units are put together, few and many, alike and unlike, and what all add must come to what
each adds alone. Where it does not, the unit is looked for that moves the sum of the others farthest.
Made-up rows are read again each time, so a rule of whoever reads them is seen as well.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from potluck.audits.promises.crowd import Crowd, most, together
from potluck.audits.promises.scene import Scene, Sum
from potluck.core.asks import Kind
from potluck.core.stages import Floats
from potluck.learning.data.table import Table
from potluck.learning.data.units import Index

ALIKE, UNLIKE = 60, (2, 12, 60, 240)
"""How many stand together: of one unit, or of two, so many times; of all that there are."""
FIRST_OF = (1, 3, 0, 2)
"""Units that stand beside others like them: of made-up ones (`made_up`) what is inside all ranges, gaps, and ends."""
ROOM = 1 << 22
"""Numbers of all rows that are added up together, at most, but for those of two units."""
APART = 1e-3
"""Of a clip: rows that are added up together are off by less, as floats round and numbers are cut to the grid."""
FIRST = 12
"""Units that come."""


@dataclass(frozen=True, eq=False)
class Company:
    """Units that stand together. which: by their numbers, one that is there again is another unit like it."""

    which: tuple[int, ...]
    crowd: Crowd = field(repr=False)


def companies(scene: Scene, one: Sum) -> tuple[Company, ...]:
    """All that are tried of one sum."""
    largest = max(scene.units, key=len)
    room = min(max(2, ROOM // (one.bound.grid.length * len(largest))), max(UNLIKE), most(scene, largest) - 1)
    return _companies(scene, room) if room > 1 else ()


@lru_cache(maxsize=4)
def _companies(scene: Scene, room: int) -> tuple[Company, ...]:
    found = dict.fromkeys(which[:room] for which in _who(len(scene.units), scene))
    return tuple(Company(which, together(scene, _units(scene, which))) for which in found)


def _who(units: int, scene: Scene) -> Iterator[tuple[int, ...]]:
    some = [one for one in FIRST_OF if one < units]
    for one in some:
        yield (one,) * ALIKE
    for one, other in zip(some, some[1:] + some[:1], strict=True):
        yield (one, other) * (ALIKE // 2)
    draw = scene.public("beside")
    for size in UNLIKE:
        yield tuple(draw.integers(units, size=size).tolist())


def _units(scene: Scene, which: Sequence[int]) -> list[Index]:
    return [scene.units[one] for one in which]


def depends(scene: Scene, kind: Kind, one: Sum, alone: Sequence[Floats], nothing: Floats) -> bool:
    """Whether units add something else together than each alone. alone: by unit [d], what it adds; nothing [d]: what no
    row adds."""
    for company in companies(scene, one):
        counts = np.bincount(company.which, minlength=len(alone))
        due = sum((count * alone[which] for which, count in enumerate(counts) if count), nothing)
        if one.far(one.moved(company.crowd.only(scene, kind), scene.draw) - due) > APART:
            return True
    return False


def comers(
    scene: Scene, kind: Kind, one: Sum, some: Sequence[int] = (), first: Sequence[int] = range(FIRST)
) -> Iterator[tuple[Table | None, Table | None]]:
    """Rows of companies without a unit that comes, and with it. some: which companies, none named: all; first: which
    units come."""
    tried = companies(scene, one)
    for company in [tried[at % len(tried)] for at in some] if some and tried else tried:
        without = company.crowd.only(scene, kind)
        for unit in (at for at in first if at < len(scene.units)):
            yield without, together(scene, _units(scene, (*company.which, unit))).only(scene, kind)
