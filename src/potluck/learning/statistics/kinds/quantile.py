"""Quantiles of a column's numbers, and how they are spread: running totals over `bins` equal parts of its range.

The q-quantile is the lower edge of the first bin up to which a share q of the rows lies. With noise the running totals
are made monotone for it. Its interval is that of bins which the noise does not rule out: with
D_j = P_j - q P_m of the running totals P as opened, and s_j the noise in D_j, from the first to the last bin where
neither D_j < -z s_j nor D_{j-1} >= z s_{j-1}. The interval for rows like these adds q (1 - q) n to s_j^2 (binomial):
it is claimed where units are rows. It does NOT say where in its bin a quantile lies. Reference: Woodruff 1952,
"Confidence intervals for medians and other position measures".
"""

import math
from collections.abc import Iterator, Mapping

import msgspec
import numpy as np

from potluck.core.plan import Plan, Statistic, required
from potluck.core.stages import Floats
from potluck.learning.data.declared import find
from potluck.learning.data.sql.layers import Layer
from potluck.learning.data.units import most_rows
from potluck.learning.evaluation.ranking import Z
from potluck.learning.statistics.forms import AnyForm, Box, Boxes, Cell, Curve, Curves, Frame
from potluck.learning.statistics.kind import ONE, Cells, StatisticKind, a_range, binned, edges_of, of_numbers
from potluck.learning.statistics.opens import rows_alone
from potluck.learning.statistics.reading import by_group, groups
from potluck.learning.statistics.result import OF, Result, axis, called, each, plain
from potluck.learning.statistics.spread import Spread, rising, running

ROUNDED = 1e-12
"""What floats get wrong about a share of a total, beside it: a row is more, of up to 10^11."""
QUARTILES = (0.25, 0.5, 0.75)
Ends = tuple[float | None, float | None]


class Quantile(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One of them, in the column's units; None where there are no rows. population: as of `Estimate`."""

    q: float
    value: float | None
    low: float | None
    high: float | None
    population: Ends | None = None


class Shares(msgspec.Struct, frozen=True, kw_only=True):
    """Of the rows, how many lie below the upper edge of each bin [m], and 95 % of the noise to either side."""

    edges: tuple[float, ...]
    share: tuple[float, ...]
    reach: tuple[float, ...]


class Quantiles(Result, frozen=True, kw_only=True, omit_defaults=True):
    """Of one group, or of all and by group. n: how many rows; shares: what is drawn, and not in the JSON."""

    quantiles: tuple[Quantile, ...]
    n: float | int
    by: "dict[str, Quantiles] | None" = None
    shares: Shares | None = None

    def document(self) -> dict[str, object]:
        """As JSON has it."""
        every = msgspec.structs.replace(self, shares=None, by=None)
        by = {name: one.document() for name, one in (self.by or {}).items()}
        return {**msgspec.to_builtins(every), **({"by": by} if by else {})}

    def shown(self, plan: Plan, one: Statistic) -> tuple[AnyForm, ...]:
        """Box plots of groups, the curve, and the quantiles that are read off it."""
        every = each(self, self.by)
        unit = required(find(plan, one.column or "")).unit or "value"
        edges = edges_of(plan, one, one.column)
        head = (OF, "quantile", unit, "low", "high", "population low", "population high")
        rows: list[tuple[Cell, ...]] = [
            (name, f"{found.q:g}", found.value, found.low, found.high, *(found.population or (None, None)))
            for name, group in every
            for found in group.quantiles
        ]
        note = f"A quantile is the lower edge of its bin, which is {edges[1] - edges[0]:g} wide."
        first = Frame(head=head, rows=tuple(rows), note=note)
        curves, points = [], list[tuple[Cell, ...]]()
        for name, group in every:
            if (of := group.shares) is not None:
                ends = [(max(0.0, y - r), min(1.0, y + r)) for y, r in zip(of.share, of.reach, strict=True)]
                low, high = zip(*ends, strict=True)
                curves.append(Curve(name=called(one, name), x=of.edges, y=of.share, low=low, high=high))
                points += [(name, *row) for row in zip(of.edges, of.share, low, high, strict=True)]
        said = "share of rows below"
        drawn = Curves(x=axis(plan, one.column), y=said, curves=tuple(curves))
        columns = (OF, unit, "share", "low", "high")
        longer = Frame(name="shares", long=True, title=said, head=columns, rows=tuple(points))
        boxes = [box for name, group in every if (box := _box(called(one, name), group)) is not None]
        whole = (Boxes(x=axis(plan, one.column), boxes=tuple(boxes)),) if boxes and self.by else ()
        return (*whole, drawn, first, longer)


def _box(name: str, of: Quantiles) -> Box | None:
    """Of quartiles, where they are asked for; lines reach to the outermost quantiles beyond them."""
    found = {one.q: one.value for one in of.quantiles}
    if not found.keys() >= set(QUARTILES):
        return None
    (q1, median, q3), ends = (found[q] for q in QUARTILES), (found[min(found)], found[max(found)])
    return Box(name=name, q1=q1, median=median, q3=q3, low=ends[0], high=ends[1])


def check(plan: Plan, one: Statistic, at: str) -> Iterator[str]:
    """A column of numbers, and each q once."""
    yield from of_numbers(plan, one, at)
    if len(set(one.q)) < len(one.q):
        yield f"{at}.q: one of them is there twice. hint: name each once"


def cells(plan: Plan, one: Statistic, columns: Mapping[str, str], layer: Layer) -> Cells:
    """A 1 at the bin of each row."""
    return Cells((ONE,), (binned(plan, one, one.column, columns, layer),))


def totals(plan: Plan, one: Statistic) -> Spread:
    """How its running totals are released."""
    return running(required(one.bins), noisy=plan.noisy)


def read(plan: Plan, one: Statistic, values: Floats, std: Floats) -> Quantiles:
    """Of one cell."""
    how, sigma = totals(plan, one), float(std.max())
    opened = how.cumulated(values)
    made = rising(opened) if sigma else opened
    edges = np.array(edges_of(plan, one, one.column))
    n, count = float(opened[-1]), float(made[-1])
    found = tuple(_quantile(plan, how, q, opened, made, sigma, edges) for q in one.q)
    shares = None
    if count > 0:
        noise = sigma * np.sqrt(np.cumsum(how.reach**2))
        share = np.clip(made / count, 0.0, 1.0)
        upper, reach = tuple(edges[1:].tolist()), tuple((Z * noise / count).tolist())
        shares = Shares(edges=upper, share=tuple(share.tolist()), reach=reach)
    return Quantiles(quantiles=found, n=plain(n, sigma, True), shares=shares)


def _quantile(plan: Plan, how: Spread, q: float, opened: Floats, made: Floats, sigma: float, edges: Floats) -> Quantile:
    claimed, count = most_rows(plan) == 1, float(opened[-1])
    first, last = float(edges[0]), float(edges[-2])
    if made[-1] <= 0:
        ends = (first, last) if sigma else (None, None)
        return Quantile(q=q, value=None, low=ends[0], high=ends[1], population=ends if claimed and sigma else None)
    at = int(np.argmax(_apart(made, q) >= 0))
    noise, apart = sigma**2 * contrast(how, q), _apart(opened, q)
    mine = _between(apart, noise, at, edges)
    wider = _between(apart, noise + max(count, 0.0) * q * (1 - q), at, edges) if claimed else None
    return Quantile(q=q, value=float(edges[at]), low=mine[0], high=mine[1], population=wider)


def _apart(totals: Floats, q: float) -> Floats:
    """[m] P_j - q P_m; where it is zero but for what floats cannot say, zero."""
    apart = totals - q * totals[-1]
    return np.where(np.abs(apart) < ROUNDED * np.abs(totals[-1]), 0.0, apart)


def contrast(how: Spread, q: float) -> Floats:
    """[m] of P_j - q P_m, the variance that noise of variance 1 in each opened number makes."""
    reach = how.reach
    both = np.correlate(reach, reach, "full")[: len(reach)]  # at j: of P_j and P_m
    return np.cumsum(reach**2) - 2 * q * both + q * q * float(reach @ reach)


def _between(apart: Floats, variance: Floats, at: int, edges: Floats) -> tuple[float, float]:
    """The lower edges of the first and the last bin that are not ruled out; the bin `at` never is."""
    wide = Z * np.sqrt(np.maximum(variance, 0.0))
    before = np.concatenate(([True], (apart < wide)[:-1]))
    left = np.flatnonzero((apart >= -wide) & before)
    low, high = (int(left[0]), int(left[-1])) if len(left) else (0, len(apart) - 1)
    return float(edges[min(low, at)]), float(edges[max(high, at)])


def half(plan: Plan, one: Statistic, std: float, rows: float | None) -> float | None:
    """If values are even over the declared range, and beside the bin, to which a quantile is known at best."""
    if not rows:
        return None
    worst = max(float(contrast(totals(plan, one), q).max()) for q in one.q)
    edges = edges_of(plan, one, one.column)
    return Z * std * math.sqrt(worst * groups(plan, one)) / rows * (edges[-1] - edges[0])


QUANTILE = StatisticKind(
    scale=a_range,
    tells=(
        "how many rows lie in each bin, also in those that hold no quantile; of a row alone in its bin, what "
        "its value is"
    ),
    title="Quantiles",
    keys=frozenset({"column", "q", "bins"}),
    usual={"q": QUARTILES, "bins": 256},
    check=check,
    opens=rows_alone,
    cells=cells,
    read=by_group(read),
    width=lambda plan, one: required(one.bins),
    norm=lambda plan, one: totals(plan, one).norm,
    spread=totals,
    whole=True,
    half=half,
    unit="same",
    lists=True,
    infers=True,
)
