"""What marginals say, with their intervals, and how near made-up rows are to them as far as the noise tells."""

import math
from collections.abc import Iterator, Mapping

import msgspec
import numpy as np

from potluck.core.plan import Plan, Statistic
from potluck.learning.data.units import Index
from potluck.learning.evaluation.ranking import Z
from potluck.learning.statistics.forms import AnyForm, Frame, Grid
from potluck.learning.statistics.result import Estimate, Result, plain
from potluck.learning.synthesis.axes import Axis
from potluck.learning.synthesis.drawn import Drawn
from potluck.learning.synthesis.model import Model, blur, distance
from potluck.learning.synthesis.tables import Counts, Edge

LIMITS = (
    "Intervals and p values that are computed from made-up rows are too narrow: they know neither the noise nor that "
    "rows are made up. The marginals have intervals of their own. Of three columns and more the rows say only what "
    "pairs of the tree say, and a value that few rows have may be missing or too frequent."
)
SCALE = (
    "Distances are between tables of shares: 0 where both are the same, 2 where they have no cell in common. The error "
    "is what is left of it beyond noise; the noise is what noise alone makes of it: from 0.5 on it hides what both "
    "columns have to do with each other. "
)
LOUD = 0.5
"""Of a distance between shares, which is 2 at most: where noise alone makes that much, little is left of a table."""
MANY = 20
"""More columns than this are too many for a picture of all pairs."""


class Level(msgspec.Struct, frozen=True, kw_only=True):
    """value: as people read it; rows: how many have it; drawn: the share of made-up rows that has it."""

    value: str
    rows: Estimate
    drawn: float


class OneWay(msgspec.Struct, frozen=True, kw_only=True):
    """A column: a line a level."""

    column: str
    levels: tuple[Level, ...]


class TwoWay(msgspec.Struct, frozen=True, kw_only=True):
    """A pair of columns of the tree, by the target where there is one: rows of each cell, in nested lists, and the ends
    of their intervals. labels: of each column in turn, of the target's groups of values."""

    columns: tuple[str, ...]
    labels: tuple[tuple[str, ...], ...]
    value: object
    low: object
    high: object


class PairError(msgspec.Struct, frozen=True, kw_only=True):
    """How far made-up rows are from what was opened of two columns by groups, given the target: L1 between shares, from
    0 to 2, less what noise adds on average; blur: what it adds. tree: the pair was counted finely."""

    columns: tuple[str, str]
    error: float
    blur: float
    tree: bool


class Marginals(Result, frozen=True, kw_only=True, omit_defaults=True):
    """columns, tables: what was opened; pairs: the quality of what was drawn. made: the rows."""

    columns: tuple[OneWay, ...]
    tables: tuple[TwoWay, ...]
    pairs: tuple[PairError, ...]
    target: str | None
    made: Drawn

    def document(self) -> dict[str, object]:
        """What was opened, without the rows."""
        found: dict[str, object] = msgspec.to_builtins({"columns": self.columns, "tables": self.tables})
        return found

    @property
    def quality(self) -> dict[str, object]:
        """How near the rows are to what was opened."""
        mean = math.fsum(one.error for one in self.pairs) / len(self.pairs) if self.pairs else None
        said = {"rows": self.made.rows, "mean_pair_error": mean, "pairs": self.pairs, "limits": LIMITS}
        found: dict[str, object] = msgspec.to_builtins(said)
        return found

    def warnings(self, one: Statistic) -> Iterator[str]:
        """Where noise leaves little, and where rules leave too few rows."""
        loud = sum(pair.blur > LOUD for pair in self.pairs)
        if loud:
            what = f"of {loud} of {len(self.pairs)} pairs of columns noise leaves little, so the tree may be of others"
            yield f"synthesize: {what}. hint: a larger epsilon, fewer columns, or more rows at the sites"
        if self.made.rows < self.made.wanted:
            what = f"only {self.made.rows} rows were drawn that no rule of synthesize.never refuses"
            yield f"synthesize.never: {what}. hint: rules that fit what the rows are"

    def shown(self, plan: Plan, one: Statistic) -> tuple[AnyForm, ...]:
        """How near pairs are, and every column."""
        head = ("first column", "second column", "in the tree", "error", "noise")
        pairs = tuple(
            (*pair.columns, "yes" if pair.tree else "no", pair.error, pair.blur)
            for pair in sorted(self.pairs, key=lambda pair: -pair.error)
        )
        title = "How far made-up rows are from what was opened"
        near = (
            (Frame(title=title, head=head, rows=pairs, name="pairs", long=True, note=SCALE + LIMITS),) if pairs else ()
        )
        levels = tuple(
            (each.column, level.value, level.rows.value, level.rows.low, level.rows.high, level.drawn)
            for each in self.columns
            for level in each.levels
        )
        counts = Frame(
            title="What was opened of each column",
            head=("column", "value", "rows", "low", "high", "share of made-up rows"),
            rows=levels,
            name="columns",
            long=True,
            note="95 % intervals of these rows, from the noise alone.",
        )
        return (*self._picture(), *near, counts)

    def _picture(self) -> Iterator[AnyForm]:
        names = tuple(one.column for one in self.columns if one.column != self.target)
        if not 2 < len(names) <= MANY:
            return
        found = {pair.columns: pair.error for pair in self.pairs}
        values = tuple(tuple(found.get((a, b), found.get((b, a))) for b in names) for a in names)
        yield Grid(
            title="Errors of pairs, beyond noise: from 0, none, to 2",
            down="",
            across="",
            rows=names,
            columns=names,
            values=values,
            deepest=0.5,
        )


def marginals(model: Model, made: Drawn) -> Marginals:
    """What a run comes to."""
    survey, axes = model.survey, model.survey.axes
    levels = {axis.name: axis.codes(made.columns[axis.name]) for axis in axes}
    target = None if survey.target is None else axes[survey.target]
    return Marginals(
        columns=tuple(_one_way(axis, _alone(model, place), levels[axis.name]) for place, axis in enumerate(axes)),
        tables=tuple(_two_way(axes, target, edge, counts) for edge, counts in model.opened.items()),
        pairs=tuple(_error(model, edge, counts, levels) for edge, counts in survey.pairs.items()),
        target=None if target is None else target.name,
        made=made,
    )


def _alone(model: Model, place: int) -> Counts:
    """The counts of one column; of the target as the other one tells that has the fewest levels, and so least noise."""
    survey = model.survey
    fewest = min(survey.nodes, key=lambda node: survey.axes[node].size)
    kept, column = (1, fewest) if place == survey.target else (0, place)
    counts = survey.alone[column]
    return Counts(counts.values.sum(axis=1 - kept), counts.std * math.sqrt(counts.values.shape[1 - kept]))


def _one_way(axis: Axis, counts: Counts, found: Index) -> OneWay:
    drawn = np.bincount(found[found >= 0], minlength=axis.size) / max(len(found), 1)
    levels = zip(axis.labels(), counts.values.tolist(), drawn.tolist(), strict=True)
    return OneWay(
        column=axis.name,
        levels=tuple(Level(value=name, rows=_rows(value, counts.std), drawn=share) for name, value, share in levels),
    )


def _rows(value: float, std: float) -> Estimate:
    low, high = (plain(value + side * Z * std, std, True) for side in (-1, 1))
    return Estimate(value=plain(value, std, True), low=low, high=high)


def _two_way(axes: tuple[Axis, ...], target: Axis | None, edge: Edge, counts: Counts) -> TwoWay:
    sides = [axes[place] for place in edge]
    labels = [axis.labels() for axis in sides]
    values = counts.values
    if target is None:
        values = values[..., 0]
    else:
        names = np.array(target.labels(), object)
        labels.append(tuple(" or ".join(names[target.groups == group]) for group in range(target.grouped)))
    low, high = (values + side * Z * counts.std for side in (-1, 1))
    every = [*sides, *([target] if target else [])]
    found = [(one if counts.std else np.rint(one).astype(np.int64)).tolist() for one in (values, low, high)]
    return TwoWay(
        columns=tuple(axis.name for axis in every), labels=tuple(labels), value=found[0], low=found[1], high=found[2]
    )


def _error(model: Model, edge: Edge, counts: Counts, levels: Mapping[str, Index]) -> PairError:
    survey = model.survey
    axes = [survey.axes[place] for place in edge]
    if survey.target is not None:
        axes.append(survey.axes[survey.target])
    cell = np.zeros(len(levels[axes[0].name]), np.int64)
    for axis in axes:
        cell = cell * axis.grouped + axis.groups[levels[axis.name]]
    shares = np.bincount(cell, minlength=counts.values.size).reshape(counts.values.shape) / max(len(cell), 1)
    return PairError(
        columns=(axes[0].name, axes[1].name),
        error=max(distance(counts, shares), 0.0),
        blur=min(blur(counts, float(counts.values.sum())), 2.0),
        tree=edge in model.edges,
    )
