"""What a survival statistic says: curves, medians, restricted means and the test of groups, and how they are shown."""

from collections.abc import Iterator

import msgspec
import numpy as np

from potluck.core.plan import Plan, Statistic
from potluck.core.stages import Floats
from potluck.learning.statistics.forms import AnyForm, Cell, Curve, Curves, Frame, Number
from potluck.learning.statistics.result import EVERYBODY, OF, Estimate, Result, axis, called, each, titled

Points = tuple[float | None, ...]


class Restricted(Estimate, frozen=True, kw_only=True):
    """The mean time until an event or the horizon."""

    horizon: float


class Incidence(msgspec.Struct, frozen=True, kw_only=True):
    """To which share one outcome has happened by each time [m]."""

    incidence: Points
    low: Points
    high: Points


class LogRank(msgspec.Struct, frozen=True, kw_only=True):
    """Whether groups differ: chi-squared with df degrees of freedom. p: `None` where nothing can be compared."""

    statistic: float
    df: int
    p: float | None

    @classmethod
    def of(cls, apart: Floats, covariance: Floats) -> "LogRank":
        """Of differences [d] and their covariance."""
        from scipy.special import gammaincc  # loaded where groups are compared

        df = int(np.linalg.matrix_rank(covariance))
        statistic = float(apart @ np.linalg.pinv(covariance) @ apart)
        return cls(statistic=statistic, df=df, p=float(gammaincc(df / 2, statistic / 2)) if df else None)


class Survival(Result, frozen=True, kw_only=True, omit_defaults=True):
    """Of one group, or of all and by group. [m] by time: survival with its interval, at_risk and events; all but these
    are `None` where nobody is, and low and high where noise leaves too few at risk. median: the first time at which
    half are without an event no more; outcomes: by name, where they compete."""

    times: tuple[float, ...]
    survival: Points
    low: Points
    high: Points
    at_risk: tuple[float | int, ...]
    events: tuple[float | int, ...]
    median: Estimate
    rmst: Restricted
    outcomes: dict[str, Incidence] | None = None
    logrank: LogRank | None = None
    by: "dict[str, Survival] | None" = None

    def shown(self, plan: Plan, one: Statistic) -> tuple[AnyForm, ...]:
        """The curves, medians and means, and what is beneath them."""
        every = each(self, self.by)
        time = axis(plan, one.time)
        mean = f"mean until {self.rmst.horizon:g}"
        head = (OF, "rows", "events", "median", "median low", "median high", mean, f"{mean}, low", f"{mean}, high")
        rows = tuple((name, *_summary(group)) for name, group in every)
        note = "95 % intervals are for rows like these." + (
            " There is none from where noise hides how many are at risk." if plan.noisy else ""
        )
        drawn = self.by or {EVERYBODY: self}
        curves = tuple(
            _curve(called(one, name), group, 1.0, group.survival, group.low, group.high)
            for name, group in drawn.items()
        )
        forms: list[AnyForm] = [
            Curves(x=time, y="share without an event", curves=curves, steps=True, beneath="at risk"),
            Frame(head=head, rows=rows, note=note),
        ]
        if self.logrank:
            test = (f"log-rank, by {one.by}", self.logrank.statistic, self.logrank.df, self.logrank.p)
            forms.append(
                Frame(
                    name="logrank", title="Do the groups differ?", head=("test", "statistic", "df", "p"), rows=(test,)
                )
            )
        forms += _incidences(one, drawn, time)
        points = tuple((name, *row) for name, group in every for row in _points(group))
        columns = (OF, one.time or "time", "at risk", "events", "survival", "low", "high")
        forms.append(Frame(name="curve", long=True, title="survival by time", head=columns, rows=points))
        return tuple(forms)


def _summary(of: Survival) -> tuple[Cell, ...]:
    middle, mean = of.median, of.rmst
    counts = (of.at_risk[0], sum(of.events))
    return (*counts, middle.value, middle.low, middle.high, mean.value, mean.low, mean.high)


def _curve(name: str, of: Survival, start: float, y: Points, low: Points, high: Points) -> Curve:
    first: tuple[Number, ...] = (start,)
    counts = (of.at_risk[0], *of.at_risk)
    return Curve(name=name, x=(0.0, *of.times), y=(*first, *y), low=(*first, *low), high=(*first, *high), counts=counts)


def _points(of: Survival) -> Iterator[tuple[Cell, ...]]:
    yield from zip(of.times, of.at_risk, of.events, of.survival, of.low, of.high, strict=True)


def _incidences(asked: Statistic, every: dict[str, Survival], time: str) -> Iterator[AnyForm]:
    """Where outcomes compete: a picture of each group, and all numbers."""
    rows: list[tuple[Cell, ...]] = []
    for name, group in every.items():
        found = (group.outcomes or {}).items()
        curves = tuple(_curve(what, group, 0.0, one.incidence, one.low, one.high) for what, one in found)
        if curves:
            yield Curves(title=titled(asked, name), x=time, y="share with this outcome", curves=curves, steps=True)
        for what, one in found:
            rows += [(name, what, *row) for row in zip(group.times, one.incidence, one.low, one.high, strict=True)]
    if rows:
        columns = (OF, "outcome", "time", "incidence", "low", "high")
        yield Frame(name="incidence", long=True, title="outcomes by time", head=columns, rows=tuple(rows))
