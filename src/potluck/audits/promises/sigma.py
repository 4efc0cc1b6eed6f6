"""Whether the noise of a sum is what was promised: its size, that it is fresh in each release, and in whole steps.

A sum over no rows is all noise. Released again and again until enough numbers are there, the sum of their squares has
a chi-square distribution. What is looked at is what is sure: shares of those sites alone that neither vanish nor
collude. Noise that is used twice shows as what two releases have in common. It does NOT tell an exact sampler from a
rounded float one: their distributions differ by less than any number of draws shows.
Reference: the chi-square test of a variance; Canonne, Kamath, Steinke 2020, arXiv 2004.00010 (the distribution).
"""

import math
from collections.abc import Iterator

import numpy as np
from scipy import stats

from potluck.audits.promises.bounds import two_sided
from potluck.audits.promises.promise import Check, Effort, Finding
from potluck.audits.promises.scene import Scene, Sum, kind_name, whole
from potluck.core.stages import Floats

NUMBERS = 20_000
"""So many are looked at: 3 % of sigma are six standard deviations of what is found."""
OFF = 0.03
"""Noise that is larger or smaller by more does not fit what the plan says."""
RELEASES = 4
"""At least, so that each can be compared with the one before."""


def findings(scene: Scene, effort: Effort) -> Iterator[Finding]:
    """Of each kind of sum that the plan has."""
    kinds = scene.kinds
    each = effort.level / (3 * max(1, len(kinds)))
    for kind, sums in kinds.items():
        name = kind_name(kind)
        if not all(one.noised for one in sums):
            words = f"what is released of {name} has no noise, and the plan promises that it has"
            yield Check(f"noise: {name}", False, words, 1.0, 0.0)
            continue
        if sums[0].inside.within:
            yield Check(f"noise: {name}", None, "an enclave adds the noise, and that is not looked at yet")
            continue
        effort.tell(f"noise of {name}")
        yield from _of(sums[-1], name, each, scene)


def _of(one: Sum, name: str, level: float, scene: Scene) -> Iterator[Finding]:
    sigma = np.repeat(np.array(one.inside.share) * math.sqrt(one.sites), [part.size for part in one.inside.grid.parts])
    before: Floats | None = None
    square, both, count, pairs, releases, is_whole = 0.0, 0.0, 0, 0, 0, True
    while count < NUMBERS or releases < RELEASES:
        found = one.noise(scene.draw)
        is_whole &= whole(found)
        scaled = found / sigma
        square, count = square + float((scaled**2).sum()), count + len(scaled)
        if before is not None:
            both, pairs = both + float((scaled * before).sum()), pairs + len(scaled)
        before, releases = scaled, releases + 1
    ratio = math.sqrt(square / count)
    off = two_sided(square, count) < level and (ratio < 1 or abs(ratio - 1) > OFF)
    shares = f", of the {one.sites} shares that are sure" if one.sites > 1 else ""
    words = f"noise in {count:,} numbers is {ratio:.4f} times what was promised{shares}"
    yield Check(f"noise: {name}", not off, words, 1.0, ratio)
    common = both / pairs
    independent = 2 * stats.norm.sf(abs(both) / math.sqrt(pairs)) >= level
    words = f"the noise of a release and that of the next have a correlation of {common:.4f}"
    yield Check(f"fresh noise: {name}", bool(independent), words, 0.0, common)
    words = "released numbers are whole steps of the grid" if is_whole else "released numbers are no whole steps"
    yield Check(f"whole steps: {name}", is_whole, words)
