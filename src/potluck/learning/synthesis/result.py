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
from potluck.learning.synthesis.apart import FARTHEST, LOUD, apart
from potluck.learning.synthesis.axes import Axis
from potluck.learning.synthesis.drawn import Drawn
from potluck.learning.synthesis.known import Known
from potluck.learning.synthesis.model import Model, Survey
from potluck.learning.synthesis.tables import Counts, Edge

LIMITS = (
    "Intervals and p values that are computed from made-up rows are too narrow: they know neither the noise nor that "
    "rows are made up. The marginals have intervals of their own. Of three columns and more the rows say only what "
    "pairs of the tree say, and a value that few rows have may be missing or too frequent."
)
SCALE = (
    "Distances are between tables of shares: 0 where both are the same, 2 where they have no cell in common. The error "
    "is told where it is more than noise alone makes, and hardly exceeds the number beside it (95 %). Noise is what a "
    "distance of nothing looks like: from 0.5 on it hides what both columns have to do with each other. "
)
CROWDED = 0.75
"""Where one bin has so large a part of a column's numbers, made-up ones are spread over it as real ones hardly are."""
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
    """A pair of columns of the tree: rows of each cell, in nested lists, and the ends of their intervals. labels: of
    each column in turn."""

    columns: tuple[str, ...]
    labels: tuple[tuple[str, ...], ...]
    value: object
    low: object
    high: object


class PairError(msgspec.Struct, frozen=True, kw_only=True):
    """How far made-up rows are from what was opened of two columns by groups: L1 between shares, from 0 to 2. Fields as
    of `apart.Apart`; tree: the pair was counted finely."""

    columns: tuple[str, str]
    error: float | None
    most: float | None
    blur: float
    tree: bool


class Crowded(msgspec.Struct, frozen=True, kw_only=True):
    """A column of numbers of which one bin has nearly all. share: at least."""

    column: str
    bin: str
    share: float


class Marginals(Result, frozen=True, kw_only=True, omit_defaults=True):
    """columns, tables: what was opened; pairs: the quality of what was drawn. made: the rows."""

    columns: tuple[OneWay, ...]
    tables: tuple[TwoWay, ...]
    pairs: tuple[PairError, ...]
    crowded: tuple[Crowded, ...]
    target: str | None
    made: Drawn

    def document(self) -> dict[str, object]:
        """What was opened, without the rows."""
        found: dict[str, object] = msgspec.to_builtins({"columns": self.columns, "tables": self.tables})
        return found

    @property
    def quality(self) -> dict[str, object]:
        """How near the rows are to what was opened."""
        hidden = sum(one.error is None for one in self.pairs)
        said = {"mean_pair_most": self._most(), "hidden_pairs": hidden, "pairs": self.pairs, "limits": LIMITS}
        found: dict[str, object] = {"rows": self.made.rows} | msgspec.to_builtins(said)
        return found

    def _most(self) -> float | None:
        """What all pairs are off on average is at most this. Not the mean of the errors that are told: a pair is told
        where noise made it look bad, so these are too large. Where noise leaves nothing of one, it may be all off."""
        if all(one.most is None for one in self.pairs):
            return None
        return math.fsum(FARTHEST if one.most is None else one.most for one in self.pairs) / len(self.pairs)

    def warnings(self, one: Statistic) -> Iterator[str]:
        """Where noise leaves little, rules too few rows, or bins too little of a column."""
        loud = sum(pair.blur > LOUD for pair in self.pairs)
        if loud:
            what = f"of {loud} of {len(self.pairs)} pairs of columns noise leaves little, so the tree may be of others"
            if 2 * loud > len(self.pairs):
                what += ", and made-up rows may be hardly better than even ones: noise is less where columns are fewer"
            yield f"synthesize: {what}. hint: a larger epsilon, fewer columns, or more rows at the sites"
        if not self.made.rows:
            what = "rules refused every row that was drawn, so none is made up. Marginals are kept, and charged for"
            yield f"synthesize.never: {what}. hint: rules that some rows obey"
        if self.made.rows < self.made.wanted:
            some = f"so that only {self.made.rows:,} of {self.made.wanted:,} rows are made up"
            for number, share in self.made.refused.items():
                what = f"refuses {share:.0%} of the rows that were drawn, {some}"
                yield f"synthesize.never.{number}: {what}. hint: a rule that fits what the rows are"
        for full in self.crowded:
            what = f"at least {full.share:.0%} of its numbers are in one bin, {full.bin}; made-up ones are even in it"
            hint = 'a narrower range, more synthesize.bins, or its logarithm, [data.derive] with kind = "log"'
            yield f"{full.column}: {what}. hint: {hint}"

    def shown(self, plan: Plan, one: Statistic) -> tuple[AnyForm, ...]:
        """How near pairs are, and every column."""
        head = ("first column", "second column", "in the tree", "error", "at most", "noise")
        pairs = tuple(
            (*pair.columns, "yes" if pair.tree else "no", pair.error, pair.most, pair.blur)
            for pair in sorted(self.pairs, key=lambda pair: -(pair.error or 0.0))
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
            title="Errors of pairs, from 0 to 2; empty where noise hides them",
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
    known = [survey.known[place] if place != survey.target else _target(survey) for place in range(len(axes))]
    return Marginals(
        columns=tuple(_one_way(axis, one, levels[axis.name]) for axis, one in zip(axes, known, strict=True)),
        tables=tuple(_two_way(axes, edge, counts) for edge, counts in survey.fine.items()),
        pairs=tuple(_error(model, edge, counts, levels) for edge, counts in survey.pairs.items()),
        crowded=tuple(full for axis, one in zip(axes, known, strict=True) for full in _crowded(axis, one)),
        target=None if survey.target is None else axes[survey.target].name,
        made=made,
    )


def _target(survey: Survey) -> Known:
    """The rows of each value of the target, as the other column tells that has the fewest levels, so least noise."""
    counts = survey.alone[min(survey.nodes, key=lambda node: survey.axes[node].size)]
    values = counts.values.sum(axis=0)
    return Known(values, np.full(len(values), counts.std * math.sqrt(len(counts.values))))


def _crowded(axis: Axis, known: Known) -> Iterator[Crowded]:
    """The bin that has nearly all numbers, if one has; an end of the range by itself is as it is, and no bin."""
    rows = known.rows[: axis.levels]
    for level in np.flatnonzero(np.array(axis.lows) < np.array(axis.highs)).tolist():
        sure, total = float(rows[level] - Z * known.std[level]), float(rows.sum())
        if sure > CROWDED * total > 0:
            yield Crowded(column=axis.name, bin=axis.labels()[level], share=min(sure / total, 1.0))


def _one_way(axis: Axis, known: Known, found: Index) -> OneWay:
    drawn = np.bincount(found[found >= 0], minlength=axis.size) / max(len(found), 1)
    levels = zip(axis.labels(), known.rows.tolist(), known.std.tolist(), drawn.tolist(), strict=True)
    return OneWay(
        column=axis.name,
        levels=tuple(Level(value=name, rows=_rows(rows, std), drawn=share) for name, rows, std, share in levels),
    )


def _rows(value: float, std: float) -> Estimate:
    low, high = (plain(value + side * Z * std, std, True) for side in (-1, 1))
    return Estimate(value=plain(value, std, True), low=low, high=high)


def _two_way(axes: tuple[Axis, ...], edge: Edge, counts: Counts) -> TwoWay:
    low, high = (counts.values + side * Z * counts.std for side in (-1, 1))
    each = (counts.values, low, high)
    found = [(one if counts.std else np.rint(one).astype(np.int64)).tolist() for one in each]
    return TwoWay(
        columns=tuple(axes[place].name for place in edge),
        labels=tuple(axes[place].labels() for place in edge),
        value=found[0],
        low=found[1],
        high=found[2],
    )


def _error(model: Model, edge: Edge, counts: Counts, levels: Mapping[str, Index]) -> PairError:
    one, other = (model.survey.axes[place] for place in edge)
    cell = one.groups[levels[one.name]] * other.grouped + other.groups[levels[other.name]]
    shares = np.bincount(cell, minlength=counts.values.size).reshape(counts.values.shape) / max(len(cell), 1)
    found = apart(counts, model.survey.rows(edge), shares)
    there = len(cell) > 0
    return PairError(
        columns=(one.name, other.name),
        error=found.error if there else None,
        most=found.most if there else None,
        blur=found.blur,
        tree=edge in model.edges,
    )
