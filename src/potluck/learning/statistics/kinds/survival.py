"""Survival: how many are still without an event by time, with the log-rank test of groups (`lifetimes.py`).

A row adds 1 to the cell of its time's bin and its outcome: the events, in declared order, then censored, then values
that the plan does not declare, which are left out. Times are the bins' left edges. With noise each outcome of a group
is released as running totals, made monotone. What the noise does to a curve is then found by adding as much again,
DRAWS times; that variance comes to Greenwood's. These draws are public: their seed is the opened sum. Intervals are for
rows like these. With noise nothing is claimed of a restricted mean, and competing outcomes are refused, as is a person
who counts with several rows.
"""

import hashlib
from collections.abc import Iterator, Mapping

import msgspec
import numpy as np

from potluck.core.plan import Plan, Statistic, required
from potluck.core.seeded import generator
from potluck.core.stages import Floats
from potluck.learning.data.declared import find
from potluck.learning.data.sql.layers import Layer, cases
from potluck.learning.data.units import most_rows
from potluck.learning.evaluation.ranking import Z
from potluck.learning.statistics import lifetimes
from potluck.learning.statistics.kind import ONE, Cells, StatisticKind, binned, edges_of, wanted
from potluck.learning.statistics.opens import Axis, Table
from potluck.learning.statistics.reading import groups, names
from potluck.learning.statistics.result import Estimate, plain
from potluck.learning.statistics.spread import Spread, rising, running
from potluck.learning.statistics.sums import Part
from potluck.learning.statistics.survived import Incidence, LogRank, Restricted, Survival

DRAWS = 60
MOST_COMPARED = 4
"""Groups whose log-rank test holds its level with noise, as measured."""


def check(plan: Plan, one: Statistic, at: str) -> Iterator[str]:
    """A time from 0 on, a category that says what happened, and with noise only what is proven."""
    yield from wanted(plan, f"{at}.time", one.time, measured=True)
    yield from wanted(plan, f"{at}.event", one.event, measured=False)
    time, event = (find(plan, name or "") for name in (one.time, one.event))
    key = "outcomes" if one.outcomes else "events"
    for value in event.values and getattr(one, key) if event else ():
        if value not in required(event).values:
            yield f"{at}.{key}: {value} is not declared. hint: name values of data.columns.{one.event}"
    if len(set(getattr(one, key))) < len(getattr(one, key)):
        yield f"{at}.{key}: a value is there twice. hint: name each once"
    if time and time.low is not None and time.low < 0:
        yield f"{at}.time: {one.time} begins below 0. hint: count time from when a row comes into the study"
    if one.horizon is not None and time and time.high is not None and one.horizon > time.high:
        yield f"{at}.horizon: is beyond the declared range of {one.time}. hint: at most {time.high:g}"
    if plan.noisy and one.outcomes:
        yield f"{at}.outcomes: competing outcomes are not measured with noise. hint: a survival of each, by `events`"
    if plan.noisy and most_rows(plan) > 1:
        yield f"{at}: a person counts with several rows. hint: rows_per_person = 1, or data.reduce"


def outcomes(one: Statistic) -> tuple[tuple[str, ...], ...]:
    """The values of each outcome."""
    return tuple((value,) for value in one.outcomes) or (one.events,)


def lines(one: Statistic) -> int:
    """Blocks of a cell: the outcomes, censored, and undeclared."""
    return len(outcomes(one)) + 2


def cells(plan: Plan, one: Statistic, columns: Mapping[str, str], layer: Layer) -> Cells:
    """A 1 at the outcome and time of each row."""
    code, declared, double = (
        columns[one.event or ""],
        required(find(plan, one.event or "")).values,
        layer.dialect.double,
    )
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
    seed = int.from_bytes(hashlib.sha256(np.ascontiguousarray(part.values, "<f8").tobytes()).digest()[:8])
    made = [_drawn(plan, one, cell, seed, name) for cell, name in zip(part.groups(), names(plan, one), strict=False)]
    whole = _drawn(plan, one, part.together(), seed, "")
    by = {name: _group(plan, one, exits) for name, exits in zip(names(plan, one), made, strict=True)}
    found = _group(plan, one, whole)
    return msgspec.structs.replace(found, by=by or None, logrank=_compared(made) if len(made) > 1 else None)


def _drawn(plan: Plan, one: Statistic, cell: Part, seed: int, name: str) -> Floats:
    """[1 + draws, outcomes + 1, m] exits: as they are, and with as much noise again, none where there is none."""
    how, sigma = totals(plan, one), float(cell.std.max())
    opened = cell.values.reshape(lines(one), -1)[:-1]
    if not sigma:
        return opened[None]
    clean = _cleaned(how.cumulated(opened))
    draw = generator(seed, "survival", one.name, name)
    more = [_cleaned(clean + how.cumulated(sigma * draw.standard_normal(opened.shape))) for _ in range(DRAWS)]
    return np.diff(np.array([clean, *more]), axis=-1, prepend=0.0).astype(np.float64)


def _cleaned(running: Floats) -> Floats:
    """Running totals [outcomes + 1, m] that begin at 0 or above and never fall."""
    return np.asarray(np.maximum([rising(line) for line in running], 0.0), np.float64)


def _group(plan: Plan, one: Statistic, exits: Floats) -> Survival:
    of, *again = (lifetimes.lifetimes(each) for each in exits)
    times, noisy = edges_of(plan, one, one.time)[:-1], bool(again)
    variance = of.variance + (np.var([each.survival for each in again], axis=0, ddof=1) if again else 0.0)
    empty = of.at_risk[0] <= 0
    nothing = [None] * len(times)
    alive = nothing if empty else of.survival.tolist()
    low, high = (nothing, nothing) if empty else lifetimes.ends(of.survival, variance)
    half = [lifetimes.first_below(times, curve) for curve in (alive, low, high)]
    horizon = times[-1] if one.horizon is None else one.horizon
    mean, spread = lifetimes.restricted_mean(of, np.array(times), horizon)
    reach = None if noisy else Z * spread**0.5
    return Survival(
        times=times,
        survival=tuple(alive),
        low=tuple(low),
        high=tuple(high),
        at_risk=tuple(plain(float(n), noisy, True) for n in of.at_risk),
        events=tuple(plain(float(d), noisy, True) for d in of.events),
        median=Estimate(value=half[0], low=half[1], high=half[2]),
        rmst=Restricted(
            horizon=horizon,
            value=None if empty else mean,
            low=None if empty or reach is None else mean - reach,
            high=None if empty or reach is None else mean + reach,
        ),
        outcomes=_incidence(one, of) if one.outcomes else None,
    )


def _incidence(one: Statistic, of: lifetimes.Lifetimes) -> dict[str, Incidence]:
    found = {}
    for name, share, variance in zip(one.outcomes, *lifetimes.incidence(of), strict=True):
        above, below = lifetimes.ends(1 - share, variance)
        ends = ([None if end is None else 1 - end for end in side] for side in (below, above))
        low, high = map(tuple, ends)
        found[name] = Incidence(incidence=tuple(share.tolist()), low=low, high=high)
    return found


def _compared(exits: list[Floats]) -> LogRank | None:
    """Of the groups in which anybody is; None where noise leaves too many to compare, or only one."""
    some = [one for one in exits if one[0].sum() > 0]
    noisy = len(exits[0]) > 1
    if len(some) < 2 or (noisy and len(some) > MOST_COMPARED):
        return None
    (apart, covariance), *again = (lifetimes.log_rank([one[draw] for one in some]) for draw in range(len(some[0])))
    if again:
        covariance = covariance + np.cov([each for each, _ in again], rowvar=False).reshape(covariance.shape)
    return LogRank.of(apart, covariance)


def half(plan: Plan, one: Statistic, std: float, rows: float | None) -> float | None:
    """Of a point of the curve, if nobody left before: most where all is added up."""
    reach = totals(plan, one).reach
    return Z * std * float(reach @ reach * groups(plan, one)) ** 0.5 / rows if rows else None


SURVIVAL = StatisticKind(
    keys=frozenset({"time", "event", "events", "outcomes", "bins", "horizon"}),
    usual={"events": ("1",), "bins": 50},
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
)
