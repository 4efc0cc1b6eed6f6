"""Whether a unit of any numbers is clipped: what reaches the mechanism as a unit's numbers, however large, moves the
sum by no more than noise was reckoned for.

Made-up rows reach some numbers alone, and where training goes astray a site's are larger. So numbers are handed to the
mechanism here that no rows of the plan may ever make. There is no chance in it. It does NOT look at units that are
clipped before, as rows' slopes are: `neighbours` does.
"""

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from potluck.audits.promises.neighbours import ROUNDED
from potluck.audits.promises.promise import Check, Effort, Finding
from potluck.audits.promises.scene import Scene, Sum, alike, kind_name, spread
from potluck.core.fixed import decode
from potluck.core.rounds import Abort
from potluck.core.stages import Floats, Update
from potluck.dp.mechanism import guarded

LARGE = (1.0, 1e6, 1e150)
"""Over the clip."""


def findings(scene: Scene, effort: Effort) -> Iterator[Finding]:
    """Of each kind of noised sum."""
    effort.tell("clips")
    for kind, sums in scene.kinds.items():
        if all(one.noised for one in sums):
            far = max(_farthest(scene, one) for some in alike(sums) for one in spread(some))
            words = f"a unit of large numbers moves the sum of {kind_name(kind)} by {far:.3g} times its clip"
            if math.isinf(far):
                words = f"a unit of large numbers ends the sum of {kind_name(kind)}, which tells of it"
            found = None if math.isinf(far) else far
            yield Check(f"clip: {kind_name(kind)}", far <= 1 + ROUNDED, words, 1.0, found)


def _farthest(scene: Scene, one: Sum) -> float:
    """Of units with numbers in all places, in one of each part, and at random; and of some that are not finite."""
    inside, draw = one.inside, scene.public("large")
    length, first = inside.grid.length, np.zeros(inside.grid.length)
    first[[where.start for where in inside.grid.slices().values()]] = 1.0
    clip = max(inside.limit.l2)
    some = (np.ones(length), -first, draw.standard_normal(length))
    large = max(_moved(one, size * clip * unit, scene) for size in LARGE for unit in some)
    return max(large, *(_moved(one, np.full(length, none), scene) for none in (np.inf, np.nan)))


def _moved(one: Sum, unit: Floats, scene: Scene) -> float:
    quiet = replace(one.inside, word="reveal", sampling=None)
    try:
        words = guarded(quiet, iter((Update(unit[None, :]),)), scene.draw).words
    except Abort:
        return math.inf
    return one.far(decode(words, quiet.grid))
