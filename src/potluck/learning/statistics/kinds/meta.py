"""A meta-analysis: each site's own mean or share, pooled by its precision, and how far sites differ beyond chance.

A site adds, of its estimate t with variance v, (1, w, w t, w t^2, w^2) with w = 1 / v, and in a second round
(w*, w* t) with w* = 1 / (v + tau2), where tau2 is the variance between sites (DerSimonian and Laird 1986,
"Meta-Analysis in Clinical Trials", Controlled Clinical Trials 7). Numbers of such different sizes are cut into limbs,
each on the grid. Equal to statsmodels' `combine_effects`.

It does NOT hide a site among few: of three honest sites seven sums give every estimate, of four all but one direction.
So it takes `FEWEST` that do not work together. A site whose estimate is far more precise than the others' is near the
pooled one, and shows by it.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from potluck.core.plan import Plan, Statistic, required
from potluck.core.stages import Floats
from potluck.learning.data.declared import find, measured, there
from potluck.learning.data.encode import scale
from potluck.learning.statistics.course import Added, Columns, Layout, Lead, none_of_this_plan
from potluck.learning.statistics.events import events, some_of
from potluck.learning.statistics.forms import AnyForm, Dot, Dots, Frame
from potluck.learning.statistics.kind import StatisticKind, wanted, without_noise
from potluck.learning.statistics.opens import Table, squares
from potluck.learning.statistics.regressions.coefficients import Coefficient, told
from potluck.learning.statistics.regressions.opens import sides
from potluck.learning.statistics.result import Result, axis
from potluck.learning.statistics.sums import Part

FEWEST = 5
"""Honest sites whose estimates the sums leave open."""
ROUNDS = 2
FINE = 1e-10
"""The smallest variance of an estimate, with numbers on [-1, 1]."""
LIMBS, BITS = 3, 24
MEAN, SHARE = "mean", "proportion"


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
            return (Frame(head=("refused",), rows=((self.refused or "",),)),)
        rows = tuple(
            (name, found.value, found.se, found.low, found.high)
            for name, found in (("fixed", self.fixed), ("random", self.random))
        )
        dots = tuple(Dot(name=name, value=value, low=low, high=high) for name, value, _, low, high in rows)
        differ = (("Q", self.q), ("p", self.p), ("I2", self.i2), ("tau2", self.tau2), ("sites", self.sites))
        return (
            Frame(head=("effects", "value", "se", "low", "high"), rows=rows, note="95 % intervals of rows like these"),
            Dots(title="pooled, 95 %", x=axis(plan, one.column), dots=dots),
            Frame(name="between", title="between sites", head=("what", "value"), rows=differ),
        )


@dataclass(frozen=True, slots=True)
class Meta:
    """See `course.Course`. Its state is (the round, tau2)."""

    plan: Plan
    one: Statistic

    def start(self) -> Floats:
        """Nothing is known."""
        return np.zeros(2)

    def layout(self, step: int, state: Floats) -> Layout:
        """Of each site a count, then limbs."""
        if state[0] != step or not 0 <= state[1] <= 1 / FINE:
            raise none_of_this_plan()
        size = 1 + LIMBS * (4 if step == 0 else 2)
        return Layout(size, norm=math.sqrt(size))

    def add(self, step: int, state: Floats, columns: Columns) -> Iterator[Added]:
        """One site, as the sum of its rows."""
        found = self._estimate(columns)
        if found is not None:
            rows, value, variance = found
            yield Added(np.array([numbers(step, value, variance, float(state[1]))]), 0, np.array([rows]))

    def lead(self) -> Lead:
        """How sites differ, then what they have in common."""
        part: Part = yield self.start()
        sites = round(float(part.values[0]))
        if sites < FEWEST:
            why = f"fewer than {FEWEST} sites have an estimate. hint: each needs two rows, with different numbers"
            return Pooled(q=None, sites=sites, refused=why)
        weight, first, second, square = _whole(part.values[1:], 4) / [FINE, FINE, FINE, FINE**2]
        q = max(float(second - first**2 / weight), 0.0)
        free = sites - 1
        tau2 = max(0.0, (q - free) / float(weight - square / weight))
        part = yield np.array([1.0, tau2])
        again, moved = _whole(part.values[1:], 2) / FINE
        return self._result(sites, q, tau2, (weight, first), (again, moved))

    def _result(
        self, sites: int, q: float, tau2: float, fixed: tuple[float, float], drawn: tuple[float, float]
    ) -> Pooled:
        from scipy.stats import chi2

        low, high = self._range()
        half = (high - low) / 2
        values = np.array([fixed[1] / fixed[0], drawn[1] / drawn[0]])
        spread = np.diag([1 / fixed[0], 1 / drawn[0]])
        pooled = told(("fixed", "random"), low + (values + 1) * half, spread * half**2, ratios=False)
        free = sites - 1
        return Pooled(
            q=q,
            p=float(chi2.sf(q, free)),
            i2=max(0.0, (q - free) / q) if q > 0 else 0.0,
            tau2=tau2 * half**2,
            sites=sites,
            fixed=pooled["fixed"],
            random=pooled["random"],
        )

    def _range(self) -> tuple[float, float]:
        column = required(find(self.plan, required(self.one.column)))
        return column.bounds if measured(column) else (0.0, 1.0)

    def _estimate(self, columns: Columns) -> tuple[int, float, float] | None:
        """Rows, the site's value on [-1, 1], and its variance; of a share with half a row more on each side."""
        name = required(self.one.column)
        column, values = required(find(self.plan, name)), columns[name][there(self.plan, (name,), columns)]
        n = len(values)
        if n < 2:
            return None
        if measured(column):
            z = np.sort(scale(values, *column.bounds))  # in one order, whichever rows came first
            if z[0] == z[-1]:
                return None  # its variance would be 0, and the pooled value its own
            return n, float(z.mean()), max(float(z.var(ddof=1)) / n, FINE)
        share = int(np.isin(values, events(column, self.one.events)).sum())
        wide = (share + 0.5) / (n + 1)
        return n, 2 * share / n - 1, max(4 * wide * (1 - wide) / n, FINE)


def numbers(step: int, value: float, variance: float, tau2: float) -> Floats:
    """What a site adds: 1, and each number as limbs, all within [-1, 1]. value in [-1, 1]; variance from FINE up."""
    weight = FINE / variance if step == 0 else FINE / (variance + tau2)
    found = [weight, weight * value, *([weight * value**2, weight**2] if step == 0 else [])]
    return np.array([1.0, *(limb for number in found for limb in _limbs(number))])


def _limbs(number: float) -> list[float]:
    """A number of [-1, 1] as whole multiples of 2^-BITS, what is left of it times 2^BITS, and so on."""
    found = []
    for _ in range(LIMBS - 1):
        top = math.trunc(math.ldexp(number, BITS))
        found.append(math.ldexp(top, -BITS))
        number = math.ldexp(number, BITS) - top
    return [*found, number]


def _whole(limbs: Floats, count: int) -> Floats:
    """[count] numbers of the sums of their limbs."""
    return np.asarray(limbs.reshape(count, LIMBS) @ np.ldexp(1.0, -BITS * np.arange(LIMBS)), dtype=np.float64)


def check(plan: Plan, one: Statistic, at: str) -> Iterator[str]:
    """A column that goes with what is estimated, and sites enough."""
    if one.of not in (MEAN, SHARE):
        yield f'{at}.of: says what each site estimates. hint: "{MEAN}" of a number, "{SHARE}" of a category'
        return
    found = [*wanted(plan, f"{at}.column", one.column, measured=one.of == MEAN)]
    yield from found
    if one.of == MEAN and one.events:
        yield f"{at}.events: a mean has none. hint: leave it out"
    if one.of == SHARE and not found:
        yield from some_of(plan, f"{at}.events", one.column, one.events)
    if one.by is not None:
        yield f"{at}.by: sites are compared, not groups. hint: one statistic a group with data.where"
    if one.rounds != ROUNDS:
        yield f"{at}.rounds: this takes {ROUNDS}. hint: leave it out"
    honest = plan.fewest - plan.federation.corrupt
    if honest < FEWEST:
        what = (
            f"of fewer than {FEWEST} honest sites the sums give every site's estimate, and this plan counts on {honest}"
        )
        yield f"federation.sites: {what}. hint: more sites, or lower federation.dropouts or corrupt"
    yield from without_noise(plan, one, at, "its numbers have no bound that noise could hide", "means of all rows")


def pauses(plan: Plan, one: Statistic, at: str) -> Iterator[str]:
    """Who stands out."""
    what = "a site whose estimate is far more precise than the others' lies near the pooled one, and shows by it"
    yield f"{at}.kind: {what}. hint: only among sites of like sizes"


def opens(plan: Plan, one: Statistic) -> tuple[Table, ...]:
    """A site's own estimate is in a sum of few numbers: its rows are judged as those of a mean and of a table."""
    if one.of == MEAN:
        return squares(plan, one)
    return (Table((sides(plan, one.column, one.events),)),)


META = StatisticKind(
    title="Meta-analysis",
    keys=frozenset({"of", "column", "events", "rounds"}),
    check=check,
    opens=opens,
    half=None,
    course=Meta,
    rounds=lambda plan, one: ROUNDS,
    pauses=pauses,
)
