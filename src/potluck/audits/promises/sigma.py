"""Whether the noise of a sum is what was promised: its size, that each number is fresh, its shape, and its steps.

A sum over no rows is all noise. A first, a middle and a last sum of a run are looked at. Each is released again and
again until enough numbers are there. What is looked at is what is sure: shares of those sites alone that neither vanish
nor collude. It does NOT tell an exact sampler from a rounded float one, nor see noise that is cut off beyond four
sigmas: their distributions differ by less than so many draws show.
Reference: Canonne, Kamath, Steinke 2020, arXiv 2004.00010 (the distribution); the tests: `draws`.
"""

from collections.abc import Iterator

import numpy as np

from potluck.audits.promises.draws import Draws, thinned
from potluck.audits.promises.promise import Check, Effort, Finding
from potluck.audits.promises.scene import Scene, Sum, alike, kind_name, spread, whole

NUMBERS = 20_000
"""So many are looked at: 3 % of sigma are six standard deviations of what is found."""
OFF = 0.03
"""Noise that is larger by more does not fit what the plan says."""
RELEASES = 4
"""At least, so that each can be compared with the one before."""
TESTS = 5
"""That may each be wrong: of sizes, of each coordinate, of shape, and two of freshness."""


def findings(scene: Scene, effort: Effort) -> Iterator[Finding]:
    """Of each kind of sum that the plan has."""
    kinds = scene.kinds
    each = effort.level / (TESTS * max(1, len(kinds)))
    for kind, sums in kinds.items():
        name = kind_name(kind)
        if not all(one.noised for one in sums):
            words = f"what is released of {name} has no noise, and the plan promises that it has"
            yield Check(f"noise: {name}", False, words, 1.0, 0.0)
        elif not sums[0].inside.within:
            effort.tell(f"noise of {name}")
            looked = [one for some in alike(sums) for one in spread(some)]
            found = [list(judged(drawn(one, scene), one.sites, name, each / len(looked))) for one in looked]
            yield from (min(checks, key=lambda one: one.held is not False) for checks in zip(*found, strict=True))


def drawn(one: Sum, scene: Scene) -> Draws:
    """Releases of a sum over no rows."""
    parts = [part.size for part in one.inside.grid.parts]
    some = thinned(sum(parts))
    found = [one.noise(scene.draw)[some] for _ in range(max(RELEASES, -(-NUMBERS // len(some))))]
    names = np.repeat(np.arange(len(parts)), parts)[some]
    return Draws(np.array(found), one.steps[some], names, scene.public("smooth"))


def judged(draws: Draws, sure: int, name: str, level: float) -> Iterator[Check]:
    """What the draws of one sum say. sure: whose noise they are together; level: of each test."""
    sizes, least = draws.sizes()
    worst = min((ratio for chance, ratio in sizes if chance < level / len(sizes)), default=1.0)
    loud = max((ratio for chance, ratio in sizes if chance < level / len(sizes)), default=1.0)
    shares = f", of the {sure} shares that are sure" if sure > 1 else ""
    ratio = worst if worst < 1 else sizes[0][1]
    words = f"noise in {draws.found.size:,} numbers is {ratio:.4f} times what was promised{shares}"
    if worst < 1 and worst != sizes[0][1]:
        words = f"noise of a part of the sum is {worst:.4f} times what was promised{shares}"
    elif least < level:
        words += ", and in some places of the sum there is less"
    yield Check(f"noise: {name}", not (worst < 1 or loud > 1 + OFF or least < level), words, 1.0, ratio)
    shape = draws.shape()
    words = (
        "numbers are spread as Gaussian noise is" if shape >= level else "numbers are not spread as Gaussian noise is"
    )
    yield Check(f"shape of noise: {name}", shape >= level, words)
    chance, common = draws.common()
    again = draws.again()
    words = f"two stretches of noise, in any places or releases, have a correlation of {abs(common):.4f} at most"
    if again < level:
        words = "the same numbers come again in the noise"
    yield Check(f"fresh noise: {name}", chance >= level and again >= level, words, 0.0, common)
    is_whole = whole(draws.found)
    coarse = draws.coarse if is_whole else 1
    words = "released numbers are whole steps of the grid" if is_whole else "released numbers are no whole steps"
    if coarse > 1:
        words = f"noise is whole multiples of {coarse} steps: what a sum is between these has none"
    yield Check(f"whole steps: {name}", is_whole and coarse <= 1, words)
