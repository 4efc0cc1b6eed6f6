"""Rows from one division: of a layer whose first numbers are a row's own, (slope of a weight) / (slope of the bias).

For one row x a unit's slope is d x for its weights and d for its bias, whatever d is. So a sum over one row is that
row, and of several rows those units that only one of them moved (of ReLU, say) give it too. Of several rows a guess
counts where two divisions or more agree, to more digits than chance has, and where it is as a row can be: 0 or 1 in
each value of a category. Units that the same rows moved agree on a mean of these as well, so only true rows can say
that such a guess is one; of a sum over one row there is no doubt.
Local steps change nothing of this: each step's slope is of the same rows.
Reference: Aono et al. 2017, "Privacy-Preserving Deep Learning", section 3; Geiping et al. 2020, arXiv 2003.14053,
proposition 3.1.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from potluck.audits.attack import Found, Sort, Until
from potluck.audits.reconstruction.slopes import counted, marked, slopes_of, step_of, take_of
from potluck.audits.rows import Rows
from potluck.audits.seen import Known, Seen
from potluck.core.plan import Plan
from potluck.core.stages import Floats
from potluck.learning.models.first.layer import Layer, layer_of

REACH = 1 + 1e-3
"""No encoded feature is farther from 0."""
ROUNDED = 1e-4
"""What a type of 32 bits rounds of a quotient, and a little more."""
MOST, WIDE = 20_000, 4
"""Divisions that are compared, which do not agree by chance on so many numbers."""
WHOLE = 1e-3
"""How far a 0 or 1 may be off."""


@dataclass(frozen=True, slots=True)
class Analytic:
    """See the module."""

    name: str = "analytic"
    sort: Sort = Sort.RECONSTRUCTION
    reference: str = "Geiping et al. 2020, arXiv 2003.14053"

    def fits(self, seen: Seen) -> str | None:
        """It needs sums of slopes, and a first layer with a bias."""
        if not any(slopes_of(one) is not None for one in seen.training()):
            return "nothing that was read holds a sum of slopes"
        return None if layer_of(seen.plan) is not None else "no layer with a bias stands first in the network"

    def tried(self, seen: Seen, until: Until) -> Sequence[Found]:
        """Rows of each set of sites of which a sum is known."""
        layer, found = layer_of(seen.plan), list[Found]()
        assert layer is not None
        groups: dict[frozenset[str], list[Known]] = {}
        for one in seen.training():
            groups.setdefault(one.of, []).append(one)
        for of, sums in groups.items():
            quotients = [each for one in sums for each in _divided(one, layer)]
            alone = any(counted(one) == 1 for one in sums)
            if not alone and layer.inputs < WIDE:
                continue
            guesses = possible(_agreed(quotients, 1 if alone else 2, until), seen.plan, layer)
            why = "the sum is over one row" if alone else "two divisions or more agree on each"
            if len(guesses):
                found.append(Rows(of, guesses, f"one division a number; {why}", take_of(layer), sure=alone))
        return found


def possible(guesses: Floats, plan: Plan, layer: Layer) -> Floats:
    """Of guesses [k, p] at encoded rows those whose values of categories are 0 or 1."""
    marks = marked(plan)
    if layer.inputs != len(marks) or not len(guesses):
        return guesses
    values = guesses[:, marks]
    return np.asarray(guesses[(np.abs(values - np.rint(values)) <= WHOLE).all(axis=1)])


def _divided(one: Known, layer: Layer) -> Iterator[tuple[Floats, float]]:
    """(quotients [p], how far they may be off) of each unit with a slope."""
    slopes = slopes_of(one)
    if slopes is None:
        return
    (weights, bias), step = layer.of(slopes), step_of(one)
    for part, by in zip(weights, bias, strict=True):
        if abs(by) > 64 * step:
            row = part / by
            if np.abs(row).max() <= REACH:
                yield row, 4 * step / abs(by)


def _agreed(quotients: Sequence[tuple[Floats, float]], least: int, until: Until) -> Floats:
    """[k, p] of quotients that are alike the most exact one, where there are at least so many of them."""
    closest = sorted(quotients, key=lambda one: one[1])[:MOST]
    kept: list[tuple[Floats, float, int]] = []
    for row, off in closest:
        if until.over:
            break
        for place, (other, known, times) in enumerate(kept):
            if np.abs(row - other).max() <= off + known + ROUNDED:
                kept[place] = other, known, times + 1
                break
        else:
            kept.append((row, off, 1))
    rows = [row for row, _, times in kept if times >= least]
    return np.array(rows) if rows else np.zeros((0, 0))


ANALYTIC = Analytic()
