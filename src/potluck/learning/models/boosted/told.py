"""A boosted model in words and numbers that people read: what each column adds, in its own units, and how much it
counts.

A step is a group of rows of one column: a bin of a number, a value of a category, a missing value. What it adds is in
the target's own units, or log-odds. Levels of a curve mean nothing by themselves; differences within it do.
"""

import html
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from potluck.core.stages import Floats
from potluck.core.visible import visible
from potluck.learning.data.column import COLUMNS, Field
from potluck.learning.data.encode import Encoding
from potluck.learning.data.target import Goal
from potluck.learning.models.boosted.curves import Curves
from potluck.learning.models.boosted.forest import Forest
from potluck.learning.models.boosted.layout import Layout, binned

if TYPE_CHECKING:
    from potluck.learning.models.basis import Basis

MISSING = "no value"


class Group(NamedTuple):
    """Rows of one column that are told alike, and the cells of the layout in which they lie. low, high: of a bin."""

    of: str
    cells: tuple[int, ...]
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """What one group adds to each output. of: in words; low, high: of a bin, else None."""

    of: str
    adds: tuple[float, ...]
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Boosted:
    """A boosted model. importances: by column, the largest first; of trees the share of all that cuts gained, of curves
    by how much a column moves the margin on average; empty where it is not known. trees: how many, 0 of curves; first:
    what
    all rows begin with, and curves: by column, both empty of trees."""

    model: str
    kind: str
    target: str
    outputs: tuple[str, ...]
    trees: int
    depth: int
    importances: Mapping[str, float]
    first: tuple[float, ...]
    curves: Mapping[str, tuple[Step, ...]]
    notes: tuple[str, ...]

    def document(self) -> dict[str, object]:
        """As JSON has it."""
        curves = {name: [asdict(step) for step in steps] for name, steps in self.curves.items()}
        head = {name: getattr(self, name) for name in ("model", "kind", "target", "trees", "depth")}
        rest = {"outputs": list(self.outputs), "importances": dict(self.importances), "notes": list(self.notes)}
        return head | rest | {"first": list(self.first), "curves": curves}

    def __str__(self) -> str:
        made = f"{self.trees} trees of depth {self.depth}" if self.trees else f"{len(self.curves)} curves"
        lines = [f"{self.kind} model of '{visible(self.target)}': {made}"]
        if self.importances:
            lines.append("importance" + (" (share of gain)" if self.trees else " (mean move of the margin)"))
            lines += [f"  {visible(name)}: {value:.3g}" for name, value in self.importances.items()]
        if self.first:
            of = f" ({', '.join(self.outputs)})" if len(self.first) > 1 else ""
            lines.append(f"all rows: {_numbers(self.first)}{of}")
        ranked = (name for name in self.importances if name in self.curves)
        for name in dict.fromkeys([*ranked, *self.curves]):
            lines.append(visible(name))
            lines += [f"  {visible(step.of)}: {_numbers(step.adds)}" for step in self.curves[name]]
        return "\n".join([*lines, *(f"note: {visible(note)}" for note in self.notes)])

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(str(self))}</pre>"


def _numbers(values: Sequence[float]) -> str:
    return ", ".join(f"{value:+.4g}" for value in values)


def groups(how: Encoding, layout: Layout) -> dict[str, tuple[Group, ...]]:
    """By column, its groups."""
    starts = dict(zip(layout.names, layout.starts.tolist(), strict=True))
    return {one.name: tuple(_groups(one, starts, layout)) for one in how.fields}


def _groups(one: Field, starts: Mapping[str, int], layout: Layout) -> list[Group]:
    kind = COLUMNS.of(one.kind)
    missing = (starts[one.features[-1]],) if one.missing == "flag" else ()
    if kind.spread:
        start, bins = starts[one.name], layout.bins
        edges = [one.low + (one.high - one.low) * place / bins for place in range(bins + 1)]
        found = [
            Group(f"{low:g} to {high:g}", (start + place,), low, high)
            for place, (low, high) in enumerate(pairwise(edges))
        ]
        return [*found, Group(MISSING, missing)] if missing else found
    cells = [starts.get(f"{one.name}={value}") for value in one.values]
    found = [Group(value, () if cell is None else (cell,)) for value, cell in zip(one.values, cells, strict=True)]
    return [*found, Group(MISSING, missing)] if missing else found


def importances(how: Encoding, layout: Layout, weights: Floats, count: Floats) -> dict[str, float]:
    """By column, how far what it adds to a row's margins is from its mean, over rows and outputs. weights [k, cells];
    count [cells]: of rows, or what they weigh."""
    found = {}
    for name, each in groups(how, layout).items():
        rows = np.array([count[list(one.cells)].sum() for one in each])
        adds = np.array([weights[:, list(one.cells)].sum(axis=1) for one in each])
        rest = max(0.0, float(count[0] - rows.sum()))  # a reference, or values that are not declared: they add nothing
        rows, adds = np.append(rows, rest), np.vstack([adds, np.zeros((1, adds.shape[1]))])
        mean = rows @ adds / max(rows.sum(), 1.0)
        found[name] = float((rows @ np.abs(adds - mean)).mean() / max(rows.sum(), 1.0))
    return found


def told(digest: str, card: tuple[str, Encoding, Goal], made: Forest | Curves, known: "Basis | None") -> Boosted:
    """What a boosted model says of itself. card: its kind, encoding and target; known: what its run left beside it."""
    kind, how, goal = card
    beside = known if known is not None and known.model == digest else None
    counts, notes = (beside.importances or {}, (*beside.warnings, *beside.notes)) if beside else ({}, ())
    half = (goal.high - goal.low) / 2 if goal.side == "number" else 1.0
    ranked = dict(sorted(counts.items(), key=lambda one: -one[1]))
    head = (digest, kind, goal.column, goal.scores)
    if isinstance(made, Forest):
        return Boosted(*head, len(made.trees), made.trees[0].depth, ranked, (), {}, notes)
    weights, layout = made.weights * half, binned(how, made.bins)
    if goal.side == "number":
        weights[:, 0] += goal.low + half
    curves = {name: tuple(_step(one, weights) for one in each) for name, each in groups(how, layout).items()}
    first = tuple(weights[:, 0].tolist())
    scaled = {name: value * half for name, value in ranked.items()}
    return Boosted(*head, 0, 0, scaled, first, curves, notes)


def _step(one: Group, weights: Floats) -> Step:
    return Step(one.of, tuple(weights[:, list(one.cells)].sum(axis=1).tolist()), one.low, one.high)
