"""Whether units are drawn for a sum as the smaller epsilon supposes: each by a coin of its own, anew for each sum.

Batches that are shuffled have the same size each time, and each unit in just one of an epoch's: what is drawn again and
again tells them apart from coins. So does a seed that all know, which draws the same for whoever has it.
References: Abadi et al. 2016, arXiv 1607.00133 (drawn batches); Chua et al. 2024, arXiv 2403.17673 (what shuffled ones
lose beyond that).
"""

from collections.abc import Iterator

import numpy as np

from potluck.audits.promises.bounds import two_sided
from potluck.audits.promises.promise import Check, Effort, Finding
from potluck.audits.promises.scene import Scene, kind_name
from potluck.core.stages import Floats, Update
from potluck.dp.sampling import Drawn

UNITS, SUMS = 4_096, 64


def findings(scene: Scene, effort: Effort) -> Iterator[Finding]:
    """Of each kind of sum that draws units."""
    for kind, sums in scene.kinds.items():
        drawn = sums[-1].inside.sampling if all(one.noised for one in sums) else None
        if drawn is not None:
            effort.tell(f"coins of {kind_name(kind)}")
            yield _of(scene, drawn, f"coins: {kind_name(kind)}", effort.level / (3 * len(scene.kinds)))


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


def _drawn(scene: Scene, by: Drawn) -> Floats:
    """[UNITS] who is in one more sum, 1 or 0."""
    taken = by.taken(Update(np.ones((UNITS, 1))), scene.draw)
    assert isinstance(taken, Update)
    return taken.values[:, 0]
