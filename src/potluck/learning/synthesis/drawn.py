"""The made-up rows of a plan: as many as it wants, none of which is what no row is, with days where it derives some."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

import numpy as np

from potluck.core.plan import Data, Plan, required
from potluck.core.seeded import Generator, generator
from potluck.core.stages import Floats
from potluck.learning.data.column import COLUMNS
from potluck.learning.data.declared import declared
from potluck.learning.data.derive import DERIVATIONS, Days, day
from potluck.learning.synthesis.axes import Axis
from potluck.learning.synthesis.draw import levels, values
from potluck.learning.synthesis.model import Model
from potluck.learning.synthesis.never import broken

TIMES = 100
"""So often rows are drawn anew in place of those that cannot be."""


@dataclass(frozen=True, slots=True, eq=False)
class Drawn:
    """axes: of what is drawn; columns: by name [rows] numbers or places of values, NaN where there is none; days: of
    columns of dates [rows], NaT where there is none, and formats how the plan writes them; order: of all
    columns; wanted: how many rows there were to be; refused: by the number of a rule the part of all rows drawn that it
    refuses; data: how owners' files are written."""

    axes: tuple[Axis, ...]
    columns: Mapping[str, Floats] = field(repr=False)
    days: Mapping[str, Days] = field(repr=False)
    formats: Mapping[str, str]
    order: tuple[str, ...]
    wanted: int
    refused: Mapping[int, float] = field(default_factory=dict)
    data: Data = field(default=Data(), repr=False)

    @property
    def rows(self) -> int:
        """How many there are."""
        return len(next(iter(self.columns.values())))


def drawn(plan: Plan, model: Model) -> Drawn:
    """The rows. The draw is public: the same numbers were opened, so the same rows are drawn."""
    spec, axes = required(plan.synthesize), model.survey.axes
    parts = {axis.name: [np.zeros(0)] for axis in axes}
    left, drawn, refused = spec.rows, 0, np.zeros(len(spec.never))
    for time in range(TIMES):
        some = _some(axes, model, left, generator(spec.seed, "synthetic rows", time))
        wrong = broken(plan, some, left)
        good, drawn, refused = ~wrong.any(axis=0), drawn + left, refused + wrong.sum(axis=1)
        for name, found in some.items():
            parts[name].append(found[good])
        left -= int(good.sum())
        if not left:
            break
    columns = {name: np.concatenate(found) for name, found in parts.items()}
    days, known = _days(plan, columns, generator(spec.seed, "synthetic days")), declared(plan)
    order = tuple(name for name in known if name in columns or name in days)
    formats = {name: known[name].format or "" for name in days}
    parts_of = {number: part for number, part in enumerate((refused / drawn).tolist(), 1) if part}
    return Drawn(axes, columns, days, formats, order, spec.rows, parts_of, plan.data)


def dated(plan: Plan) -> dict[str, str]:
    """The columns of dates that can be drawn, each with the column that is derived of it and says when: one alone, up
    to a day that the plan names."""
    found = dict[str, list[str]]()
    for name, one in plan.data.derive.items() if plan.data.reduce is None else ():
        if DERIVATIONS.of(one.kind).back is not None:
            found.setdefault(one.source, []).append(name)
            found.setdefault(one.to or "", []).append(name)
    columns = declared(plan)
    return {
        source: names[0]
        for source, names in found.items()
        if len(names) == 1 and source in columns and day(plan.data.derive[names[0]].to or "") is not None
    }


def undrawn(plan: Plan) -> list[str]:
    """The columns of dates that no made-up row has."""
    drawn = dated(plan)
    return [
        name
        for name, one in declared(plan).items()
        if not one.ignored and COLUMNS.of(one.kind).dated and name not in drawn and name != plan.data.person
    ]


def _some(axes: tuple[Axis, ...], model: Model, rows: int, draw: Generator) -> dict[str, Floats]:
    found = levels(model, rows, draw)
    return {axis.name: values(axis, found[axis.name], draw) for axis in axes}


def _days(plan: Plan, columns: Mapping[str, Floats], draw: Generator) -> dict[str, Days]:
    found = dict[str, Days]()
    for source, name in dated(plan).items():
        one, numbers = plan.data.derive[name], columns[name]
        packed = int(required(day(one.to or "")))
        to = date(packed // 10_000, packed // 100 % 100, packed % 100)
        there = ~np.isnan(numbers)
        back = required(DERIVATIONS.of(one.kind).back)
        days = back(np.where(there, numbers, 0.0), to, draw.random(len(numbers)))
        found[source] = np.where(there, days, np.datetime64("NaT", "D"))
    return found
