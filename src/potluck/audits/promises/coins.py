"""Whether units are drawn for a sum as the smaller epsilon supposes: each by a coin of its own, anew for each sum.

Batches that are shuffled have the same size each time, and each unit in just one of an epoch's: what is drawn again and
again tells them apart from coins. So does a seed that all know, which draws the same for whoever has it.
References: Abadi et al. 2016, arXiv 1607.00133 (drawn batches); Chua et al. 2024, arXiv 2403.17673 (what shuffled ones
lose beyond that).
"""

from collections.abc import Iterator

import numpy as np
from scipy import stats

from potluck.audits.promises.bounds import two_sided
from potluck.audits.promises.crowd import crowd
from potluck.audits.promises.promise import Check, Effort, Finding
from potluck.audits.promises.scene import Scene, Sum, kind_name
from potluck.core.asks import Kind
from potluck.core.stages import Floats, Update
from potluck.dp.events import SampledGauss
from potluck.dp.sampling import Drawn
from potluck.learning.data.units import Index

UNITS, SUMS = 4_096, 64
CROWD, MANY, TESTS, SIDES = 1_024, 50, 6, 4
"""MANY: of fewer drawn units, on average, how much their number spreads is not looked at."""


def findings(scene: Scene, effort: Effort) -> Iterator[Finding]:
    """Of each kind of sum that draws units: what draws them, and then sums of the plan's own."""
    for kind, sums in scene.kinds.items():
        drawn = sums[-1].inside.sampling if all(one.noised for one in sums) else None
        if drawn is not None:
            effort.tell(f"coins of {kind_name(kind)}")
            level = effort.level / (TESTS * len(scene.kinds))
            alone = _of(scene, drawn, f"coins: {kind_name(kind)}", level)
            some = sides(scene) if alone.held else []
            every = [_in_sums(scene, kind, sums[-1], unit, level / len(some), effort) for unit in some]
            yield next((one for one in every if one and one.held is False), next(filter(None, every), alone))


def _of(scene: Scene, by: Drawn, name: str, level: float) -> Check:
    found = np.array([_drawn(scene, by) for _ in range(SUMS)])
    q = by.batch / by.of
    spread = q * (1 - q)
    sums, units = found.sum(axis=1), found.sum(axis=0)
    batches = two_sided(float(((sums - q * UNITS) ** 2).sum() / (UNITS * spread)), SUMS)
    each = two_sided(float(((units - q * SUMS) ** 2).sum() / (SUMS * spread)), UNITS)
    again = float(((found[1:] - q) * (found[:-1] - q)).sum() / spread / np.sqrt(UNITS * (SUMS - 1)))
    held = batches >= level and each >= level and two_sided(again**2, 1) >= level
    size = float(sums.std() / np.sqrt(UNITS * spread))
    words = (
        f"{SUMS} sums of {UNITS:,} units draw {sums.mean():.1f} each, where a chance of {q:.4g} says {q * UNITS:.1f}; "
        f"their number spreads {size:.2f} times as far as that of independent coins"
    )
    return Check(name, held, words, 1.0, size)


def sides(scene: Scene) -> list[Index]:
    """The first unit of each side, class or end of a range: no coin may follow from what a row is."""
    found = dict[float, Index]()
    for unit in scene.units:
        found.setdefault(float(scene.rows.target[unit[0]].flat[0]), unit)  # type: ignore[union-attr]  # there are units
    return list(found.values())[:SIDES]


def _in_sums(scene: Scene, kind: Kind, one: Sum, unit: Index, level: float, effort: Effort) -> Check | None:
    """How many of equal units are in each sum, by how far it moves, beside the chance that is charged. None: none of
    the units that there are moves it, or the time was up."""
    event = one.bound.cost.event  # type: ignore[union-attr]  # a noised sum has a cost
    if not isinstance(event, SampledGauss):
        return None
    alone, many = scene.only(kind, unit), crowd(scene, kind, unit, CROWD)
    nobody = one.moved(scene.only(kind, unit[:0]), scene.draw)
    step = one.moved(alone, scene.draw) - nobody
    if many is None or not step.any():
        return None
    table, units = many
    moved: list[Floats] = []
    while len(moved) < SUMS and not effort.over:
        moved.append(one.moved(table, scene.draw, drawn=True) - nobody)
    if len(moved) < SUMS:
        return None
    found = np.rint(np.array(moved) @ step / (step @ step))
    q, total = event.rate, int(found.sum())
    mean, spread = units * q, units * q * (1 - q)
    chance = 2 * min(stats.binom.sf(total - 1, SUMS * units, q), stats.binom.cdf(total, SUMS * units, q))
    varied = 1.0
    if min(mean, units - mean) >= MANY:
        varied = two_sided(float(((found - mean) ** 2).sum() / spread), SUMS)
    again = len({int(count) for count in found}) == 1 and mean >= MANY
    words = (
        f"{SUMS} sums over {units:,} equal units have {found.mean():.1f} of them each, where the chance of {q:.4g} "
        f"that is charged says {mean:.1f}"
    )
    if again:
        words = f"each of {SUMS} sums over {units:,} equal units has as many of them: coins are not tossed anew"
    held = bool(chance >= level and varied >= level)
    return Check(f"coins: {kind_name(kind)}", held, words, mean, float(found.mean()))


def _drawn(scene: Scene, by: Drawn) -> Floats:
    """[UNITS] who is in one more sum, 1 or 0."""
    taken = by.taken(Update(np.ones((UNITS, 1))), scene.draw)
    assert isinstance(taken, Update)
    return taken.values[:, 0]
