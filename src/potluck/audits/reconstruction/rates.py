"""What rows of one site come to, from the first slope of a linear model: at zero weights it is a sum of targets.

A logistic model at zero weights says 1/2 of each row, so the slope of its intercept is (rows)/2 less the positive rows:
the site's rate. Of a linear regression it is the sum of targets, turned round. The rows are counted in the sum where it
has no noise, else they are as many as the plan expects.
Reference: the closed form.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from potluck.audits.attack import Found, Sort, Truth, Until, Verdict, named
from potluck.audits.seen import Known, Seen
from potluck.learning.models.fitted import training
from potluck.learning.models.kinds import kind_of
from potluck.learning.training.method import TALLY

NEAR = 0.005
"""A rate is found where it is no farther off: half a point in a hundred."""


@dataclass(frozen=True, slots=True)
class Rate:
    """A mean of targets: of two sides the rate of positive rows, of numbers their mean on the scale from -1 to 1."""

    of: frozenset[str]
    value: float
    what: str

    def judged(self, truth: Truth) -> Verdict:
        """Succeeded where it is one site's, and near. score: how far it is off; baseline: the mean of all sites is."""
        words = f"the {self.what} of {named(self.of)} is {self.value:.3f}, by the first slope of the intercept"
        if len(self.of) > 1:
            return Verdict(False, f"{words}: what sites have together is what a sum opens, and no site's own")
        if not self.of <= truth.keys():
            return Verdict(None, f"{words}; its true rows are not here to compare")
        each = {name: rows.target[rows.train] for name, rows in truth.items()}
        true, all_ = float(each[next(iter(self.of))].mean()), float(np.concatenate(list(each.values())).mean())
        off = abs(self.value - true)
        return Verdict(off <= NEAR, f"{words}; it is truly {true:.3f}", off, abs(all_ - true))


@dataclass(frozen=True, slots=True)
class Rates:
    """See the module."""

    name: str = "rates"
    sort: Sort = Sort.RECONSTRUCTION
    reference: str = "the slope of a linear model at zero weights, in closed form"

    def fits(self, seen: Seen) -> str | None:
        """It needs the first sum of slopes of a linear model that began at zero, its rows weighed alike."""
        if not any(map(_first, seen.training())):
            return "the first sum of slopes, at zero weights, was not read"
        if seen.plan.drawn or kind_of(seen.plan).link is None:
            return "the model is not linear in its features"
        return "rows weigh by their class" if training(seen.plan).class_weights else None

    def tried(self, seen: Seen, until: Until) -> Sequence[Found]:
        """A rate of each set of sites of which the first sum is known."""
        link = kind_of(seen.plan).link
        assert link is not None
        half, what = (0.5, "rate of positive rows") if link.odds else (0.0, "mean target, scaled")
        found: list[Found] = []
        for one in filter(_first, seen.training()):
            slope, counts = one.part("gradient"), one.part(TALLY)
            assert slope is not None
            sites = len(seen.plan.federation.sites)
            expected = float(training(seen.plan).expected_rows or 0) * len(one.of) / sites
            rows = expected if counts is None else float(counts.sum())
            if rows > 0:
                found.append(Rate(one.of, half - float(slope[0]) / rows, what))
        return found


def _first(one: Known) -> bool:
    return one.ask.step == 0 and one.part("gradient") is not None and not one.weights.any()


RATES = Rates()
