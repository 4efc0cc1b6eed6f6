"""A meta-analysis: each site's own estimate, pooled by its precision, and how far sites differ beyond chance.

First the sites that have an estimate are counted, and nothing else is opened. If they are enough, a site adds, of its
estimate t with variance v, (w, w t, w t^2, w^2) with w = 1 / v, and in a third round (w*, w* t) with
w* = 1 / (v + tau2), where tau2 is the variance between sites (DerSimonian and Laird 1986, "Meta-Analysis in Clinical
Trials", Controlled Clinical Trials 7). Numbers of such different sizes are cut into limbs, each on the grid. Equal to
statsmodels' `combine_effects`. A site without an estimate adds zeros: its place among the others shows nowhere.

It does NOT hide a site among few: of three honest sites seven sums give every estimate, of four all but one direction.
So it takes `FEWEST` estimates of sites that do not work together. That a server opens no more where they are fewer is
its word: sites do not see the count. A site whose estimate is far more precise than the others' is near the pooled
one, and shows by it.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import msgspec
import numpy as np

from potluck.core.plan import Plan, Statistic
from potluck.core.stages import Floats
from potluck.learning.statistics.course import Added, Columns, Layout, Lead, none_of_this_plan
from potluck.learning.statistics.forms import AnyForm, Frame, refusal
from potluck.learning.statistics.kind import Check, StatisticKind, without_noise
from potluck.learning.statistics.limbs import joined, limbs
from potluck.learning.statistics.opens import Opens
from potluck.learning.statistics.regressions.coefficients import Coefficient, forest, told
from potluck.learning.statistics.result import Result, axis
from potluck.learning.statistics.sums import Part

TITLE = "Meta-analysis"
FEWEST = 5
"""Honest sites: of so many, sums do not give each one's estimate."""
ROUNDS, NUMBERS = 3, (0, 4, 2)
"""What each sum has beside the count of sites: nothing; what says how estimates differ; what is pooled."""
FINE = 2.0**-80
"""The smallest variance of an estimate in units of its largest square: far below what 1e9 rows give."""
LIMBS = 12
"""A square of FINE keeps 32 bits."""


class Pooled(Result, frozen=True, kw_only=True, omit_defaults=True, rename={"q": "Q", "i2": "I2"}):
    """q: Cochran's, with p of no difference between sites; i2: the share of it beyond chance; tau2: the variance
    between sites, in the data's units. fixed: pooled as if sites had one value; random: as if theirs were drawn around
    one. sites: that had an estimate; refused: why there is nothing."""

    q: float | None
    p: float | None = None
    i2: float | None = None
    tau2: float | None = None
    fixed: Coefficient | None = None
    random: Coefficient | None = None
    sites: int
    refused: str | None = None

    def shown(self, plan: Plan, one: Statistic) -> tuple[AnyForm, ...]:
        """Both pooled values, and how sites differ."""
        if self.fixed is None or self.random is None:
            return refusal(self.refused)
        dots, frame = forest({"fixed": self.fixed, "random": self.random}, "effects", "pooled, 95 %")
        if one.family is None:  # no effect is no value of a mean or a share
            dots = msgspec.structs.replace(dots, level=None, x=axis(plan, one.column))
        differ = (("Q", self.q), ("p", self.p), ("I2", self.i2), ("tau2", self.tau2), ("sites", self.sites))
        return (dots, frame, Frame(name="between", title="between sites", head=("what", "value"), rows=differ))


@dataclass(frozen=True, slots=True)
class Own:
    """A site's estimate. value: on [-1, 1], in units that the plan says; variance: its own, in their square; rows."""

    value: float
    variance: float
    rows: int


@dataclass(frozen=True, slots=True)
class Estimator:
    """What each site estimates. own: of its rows, None where they have no estimate; units: of the plan, the middle and
    half of the range in which estimates lie; ratios: exp(value) means something; needs: what an estimate takes."""

    own: Callable[[Plan, Statistic, Columns], Own | None]
    units: Callable[[Plan, Statistic], tuple[float, float]]
    needs: str
    ratios: Callable[[Statistic], bool] = lambda one: False


@dataclass(frozen=True, slots=True)
class Meta:
    """See `course.Course`. Its state is (the round, tau2)."""

    of: Estimator
    plan: Plan
    one: Statistic

    def start(self) -> Floats:
        """Nothing is known."""
        return np.zeros(2)

    def layout(self, step: int, state: Floats) -> Layout:
        """Of each site a count, then limbs."""
        if step >= ROUNDS or state[0] != step or not 0 <= state[1] <= 1 / FINE:
            raise none_of_this_plan()
        size = 1 + LIMBS * NUMBERS[step]
        return Layout(size, norm=math.sqrt(size))

    def add(self, step: int, state: Floats, columns: Columns) -> Iterator[Added]:
        """One site, as the sum of its rows."""
        own = self.of.own(self.plan, self.one, columns)
        if own is not None:
            yield Added(np.array([numbers(step, own, float(state[1]))]), 0, np.array([own.rows]))

    def lead(self) -> Lead:
        """How many have an estimate; how they differ; what they have in common."""
        part: Part = yield self.start()
        sites = round(float(part.values[0]))
        if sites < self._least:
            why = f"{sites} sites have an estimate, and {self._least} are needed. hint: each takes {self.of.needs}"
            return Pooled(q=None, sites=sites, refused=why)
        part = yield np.array([1.0, 0.0])
        weight, first, second, square = joined(part.values[1:].reshape(4, LIMBS)) / [FINE, FINE, FINE, FINE**2]
        q = max(float(second - first**2 / weight), 0.0)
        free = round(float(part.values[0])) - 1
        tau2 = max(0.0, (q - free) / float(weight - square / weight))
        part = yield np.array([2.0, tau2])
        again, moved = joined(part.values[1:].reshape(2, LIMBS)) / FINE
        return self._result(free, q, tau2, (weight, first), (again, moved))

    @property
    def _least(self) -> int:
        """Estimates among which FEWEST are honest sites', also if some leave before their sums are opened."""
        federation = self.plan.federation
        return FEWEST + federation.corrupt + len(federation.sites) - self.plan.fewest

    def _result(
        self, free: int, q: float, tau2: float, fixed: tuple[float, float], drawn: tuple[float, float]
    ) -> Pooled:
        from scipy.stats import chi2

        middle, half = self.of.units(self.plan, self.one)
        values = np.array([fixed[1] / fixed[0], drawn[1] / drawn[0]])
        spread = np.diag([1 / fixed[0], 1 / drawn[0]])
        pooled = told(("fixed", "random"), middle + values * half, spread * half**2, ratios=self.of.ratios(self.one))
        return Pooled(
            q=q,
            p=float(chi2.sf(q, free)),
            i2=max(0.0, (q - free) / q) if q > 0 else 0.0,
            tau2=tau2 * half**2,
            sites=free + 1,
            fixed=pooled["fixed"],
            random=pooled["random"],
        )


def numbers(step: int, own: Own, tau2: float) -> Floats:
    """What a site adds: 1, and each number as limbs, all within [-1, 1]."""
    weight, value = FINE / (max(own.variance, FINE) + tau2), own.value
    found = ([], [weight, weight * value, weight * value**2, weight**2], [weight, weight * value])[step]
    return np.array([1.0, *limbs(np.array(found), LIMBS).ravel()])


def pooling(of: Estimator, keys: frozenset[str], check: Check, opens: Opens) -> StatisticKind:
    """The kind that pools these estimates. keys: that it reads beside `of` and `rounds`; check: of what is estimated;
    opens: as if a site's own were opened, which is in a sum of few numbers.

    What all have in common: two rounds of sums after one that counts, sites enough, and no noise."""

    def every(plan: Plan, one: Statistic, at: str) -> Iterator[str]:
        yield from check(plan, one, at)
        if one.by is not None:
            yield f"{at}.by: sites are compared, not groups. hint: one statistic a group with data.where"
        if one.rounds != ROUNDS:
            yield f"{at}.rounds: this takes {ROUNDS}. hint: leave it out"
        honest = plan.fewest - plan.federation.corrupt
        if honest < FEWEST:
            what = f"of fewer than {FEWEST} honest sites the sums give every site's estimate"
            more = "more sites, or lower federation.dropouts or corrupt"
            yield f"federation.sites: {what}, and this plan counts on {honest}. hint: {more}"
        yield from without_noise(plan, one, at, "its numbers have no bound that noise could hide", "means of all rows")

    return StatisticKind(
        tells=(
            "sums of the sites' own estimates and their weights; of no row anything, but a site that is far more"
            " precise than the others stands out"
        ),
        title=TITLE,
        keys=keys | {"of", "rounds"},
        check=every,
        opens=opens,
        half=None,
        infers=True,
        course=lambda plan, one: Meta(of, plan, one),
        later=lambda plan, one: 1 + LIMBS * max(NUMBERS),
        rounds=lambda plan, one: ROUNDS,
        follows=("meta-analyses", "each site's weights of its own value", "pooled values"),
        pauses=_pauses,
    )


def _pauses(plan: Plan, one: Statistic, at: str) -> Iterator[str]:
    """Who stands out."""
    what = "a site whose estimate is far more precise than the others' lies near the pooled one, and shows by it"
    yield f"{at}.kind: {what}. hint: only among sites of like sizes"
