"""Survival: how many are still without an event by time, with the log-rank test of groups (`lifetimes.py`).

A row adds 1 to the cell of its time's bin and its outcome: the events, in declared order, then censored, then values
that the plan does not declare, which are left out. Times are the bins' left edges. With noise each outcome of a group
is released as running totals, made monotone. What the noise does to a curve (`moved.py`) comes to Greenwood's variance.
Intervals are for rows like these; so with noise a person who counts with several rows is refused.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np

from potluck.core.plan import Plan, Statistic, repeated, required
from potluck.core.stages import Floats
from potluck.learning.data.declared import find
from potluck.learning.data.sql.layers import Layer, cases
from potluck.learning.data.units import most_rows
from potluck.learning.evaluation.ranking import Z
from potluck.learning.statistics.foreseen import curve
from potluck.learning.statistics.kind import ONE, Cells, StatisticKind, a_share, binned, edges_of, wanted
from potluck.learning.statistics.lifetimes import (
    Lifetimes,
    ends,
    first_below,
    incidence,
    lifetimes,
    log_rank,
    restricted_mean,
    steps,
)
from potluck.learning.statistics.moved import Moved, moved, moved_apart, wilson
from potluck.learning.statistics.opens import Axis, Table
from potluck.learning.statistics.reading import groups, names
from potluck.learning.statistics.result import Estimate, plain
from potluck.learning.statistics.spread import Spread, rising, running
from potluck.learning.statistics.sums import Part
from potluck.learning.statistics.survived import Incidence, LogRank, Points, Restricted, Survival

EVENTS = ("1",)
"""The values that are an event, where a plan names none."""


def check(plan: Plan, one: Statistic, at: str) -> Iterator[str]:
    """A time from 0 on, a category that says what happened, and with noise only what is proven."""
    yield from wanted(plan, f"{at}.time", one.time, measured=True)
    yield from wanted(plan, f"{at}.event", one.event, measured=False)
    time, event = (find(plan, name or "") for name in (one.time, one.event))
    key, named = ("outcomes" if one.outcomes else "events"), [value for some in outcomes(one) for value in some]
    for value in event.values and named if event else ():
        if value not in required(event).values:
            yield f"{at}.{key}: {value} is not declared. hint: name values of data.columns.{one.event}"
    if repeated(named):
        yield f"{at}.{key}: a value is there twice. hint: name each once"
    if one.outcomes and one.events:
        yield f"{at}.events: outcomes are events, each its own. hint: leave events out"
    if time and time.low is not None and time.low < 0:
        yield f"{at}.time: {one.time} begins below 0. hint: count time from when a row comes into the study"
    if one.horizon is not None and time and time.high is not None and one.horizon > time.high:
        yield f"{at}.horizon: is beyond the declared range of {one.time}. hint: at most {time.high:g}"
    if plan.noisy and most_rows(plan) > 1:
        yield f"{at}: a person counts with several rows. hint: rows_per_person = 1, or data.reduce"


def outcomes(one: Statistic) -> tuple[tuple[str, ...], ...]:
    """The values of each outcome."""
    return tuple((value,) for value in one.outcomes) or (one.events or EVENTS,)


def lines(one: Statistic) -> int:
    """Blocks of a cell: the outcomes, censored, and undeclared."""
    return len(outcomes(one)) + 2


def cells(plan: Plan, one: Statistic, columns: Mapping[str, str], layer: Layer) -> Cells:
    """A 1 at the outcome and time of each row."""
    code, double = columns[one.event or ""], layer.dialect.double
    declared = required(find(plan, one.event or "")).values
    found = [(f"{code} IS NULL", "NULL"), (f"{code} < {double(0)}", double(lines(one) - 1))]
    for place, values in enumerate(outcomes(one)):
        found += [(f"{code} = {double(declared.index(value))}", double(place)) for value in values]
    digit = (cases(found, double(lines(one) - 2)), lines(one))
    return Cells((ONE,), (digit, binned(plan, one, one.time, columns, layer)))


def opens(plan: Plan, one: Statistic) -> tuple[Table, ...]:
    """How many leave with each outcome; times are not judged one by one."""
    values = required(find(plan, one.event or "")).values
    return (Table((Axis(one.event or "", sides=tuple(tuple(map(values.index, some)) for some in outcomes(one))),)),)


def totals(plan: Plan, one: Statistic) -> Spread:
    """How the running totals of an outcome are released."""
    return running(required(one.bins), noisy=plan.noisy)


def read(plan: Plan, one: Statistic, part: Part) -> Survival:
    """Of all rows, those of undeclared groups included, and by declared group."""
    cells = zip(names(plan, one), part.groups(), strict=False)  # the last one is of other values
    opened = {name: _opened(plan, one, cell) for name, cell in cells}
    by = {name: _said(plan, one, group) for name, group in opened.items()}
    found, compared = _said(plan, one, _opened(plan, one, part.together())), _compared([*opened.values()])
    return msgspec.structs.replace(found, by=by or None, logrank=compared)


@dataclass(frozen=True, slots=True, eq=False)
class _Group:
    """What was opened of a group, as it is and as it is shown: with noise cleaned up; and what noise does to it."""

    found: Lifetimes
    of: Lifetimes
    how: Spread
    std: float
    noise: Moved | None

    @property
    def until(self) -> int:
        """How many times there are at which something can be said."""
        return self.noise.until if self.noise else len(self.of.survival)


def _opened(plan: Plan, one: Statistic, cell: Part) -> _Group:
    how, std = totals(plan, one), float(cell.std.max())
    opened = cell.values.reshape(lines(one), -1)[:-1]
    if not std:
        exact = lifetimes(opened)
        return _Group(exact, exact, how, std, None)
    sums = how.cumulated(opened)
    cleaned = np.maximum([rising(line) for line in sums], 0.0)
    found, of = (lifetimes(np.diff(some, axis=-1, prepend=0.0)) for some in (sums, cleaned))
    return _Group(found, of, how, std, moved(of, how, std, steps(*_scale(plan, one))))


def _scale(plan: Plan, one: Statistic) -> tuple[Floats, float]:
    """The times [m], and the horizon."""
    times = edges_of(plan, one, one.time)[:-1]
    return np.array(times), times[-1] if one.horizon is None else one.horizon


def _said(plan: Plan, one: Statistic, group: _Group) -> Survival:
    of, noise, (times, horizon) = group.of, group.noise, _scale(plan, one)
    empty = of.at_risk[0] <= 0
    nothing = (None,) * len(times)
    alive = nothing if empty else tuple(of.survival.tolist())
    low, high = (
        (nothing, nothing)
        if empty
        else _ends(group, group.found.survival, of.survival, of.variance, noise.survival if noise else None)
    )
    middle = [first_below(times.tolist(), curve) for curve in (alive, low, high)]
    mean, variance = restricted_mean(of, times, horizon)
    found, _ = restricted_mean(group.found, times, horizon)
    reach = Z * (variance + (noise.mean if noise else 0.0)) ** 0.5
    unsure = empty or bool((times < horizon)[group.until :].any())
    return Survival(
        times=tuple(times.tolist()),
        survival=alive,
        low=low,
        high=high,
        at_risk=tuple(plain(float(n), group.std, True) for n in of.at_risk),
        events=tuple(plain(float(d), group.std, True) for d in of.events),
        median=Estimate(value=middle[0], low=middle[1], high=middle[2]),
        rmst=Restricted(
            horizon=horizon,
            value=None if empty else mean,
            low=None if unsure else min(found, mean) - reach,
            high=None if unsure else max(found, mean) + reach,
        ),
        outcomes=_incidences(one, group) if one.outcomes else None,
    )


def _ends(group: _Group, found: Floats, share: Floats, variance: Floats, noise: Floats | None) -> tuple[Points, Points]:
    """The interval of a probability at each time; None where noise leaves too few at risk."""
    if noise is None:
        low, high = ends(share, variance)
        return tuple(low), tuple(high)
    sides = (side[: group.until].tolist() for side in wilson(found, share, variance, noise, group.of.at_risk))
    first, second = ((*side, *[None] * (len(share) - group.until)) for side in sides)
    return first, second


def _incidences(one: Statistic, group: _Group) -> dict[str, Incidence]:
    found = {}
    before, _ = incidence(group.found)
    for place, (name, share, variance) in enumerate(zip(one.outcomes, *incidence(group.of), strict=True)):
        sides = _ends(group, 1 - before[place], 1 - share, variance, group.noise.shares[place] if group.noise else None)
        high, low = (tuple(None if end is None else 1 - end for end in side) for side in sides)
        found[name] = Incidence(incidence=tuple(share.tolist()), low=low, high=high)
    return found


def _compared(groups: Sequence[_Group]) -> LogRank | None:
    """Of the groups in which anybody is. None of fewer than two, and where noise hides who is in one of them."""
    some = [one for one in groups if one.noise or one.of.at_risk[0] > 0]
    until = min((one.until for one in some), default=0)
    if len(some) < 2 or not until:
        return None
    apart, covariance = log_rank([one.of for one in some], until, [one.found.exits for one in some])
    if some[0].noise:
        covariance = covariance + moved_apart([one.of for one in some], some[0].how, some[0].std, until)
    return LogRank.of(apart, covariance)


def half(plan: Plan, one: Statistic, std: float, rows: float | None) -> float | None:
    """Of the point of the curve that is known worst."""
    return Z * std * curve(totals(plan, one)) * groups(plan, one) ** 0.5 / rows if rows else None


SURVIVAL = StatisticKind(
    scale=a_share,
    tells=(
        "how many rows leave in each bin of time, and by which outcome; of a row alone in its bin, when it left and how"
    ),
    keys=frozenset({"time", "event", "events", "outcomes", "bins", "horizon"}),
    usual={"bins": 50},
    check=check,
    opens=opens,
    cells=cells,
    read=read,
    width=lambda plan, one: lines(one) * required(one.bins),
    norm=lambda plan, one: totals(plan, one).norm,
    spread=totals,
    whole=True,
    half=half,
    lists=True,
    infers=True,
)
