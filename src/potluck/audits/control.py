"""The control of every attack: the same program, here and now, with nothing that protects, on rows of no one.

Each site has as many rows as the record's sums say, up to a bound (and then one of them one more), made up as the plan
declares its columns; sums are in the clear and have no noise. An attack that fails even there does not work on this
plan, and its failure on a record says nothing of the plan's safety.
"""

import tempfile
from collections.abc import Callable, Mapping
from csv import writer
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import msgspec
import numpy as np

from potluck.audits.attack import Over, Scene
from potluck.audits.pictures import picture
from potluck.audits.record import Record
from potluck.audits.seen import seen_by
from potluck.audits.sides import sides_of
from potluck.core.errors import PotluckError, UsageError
from potluck.core.party import Party
from potluck.core.plan import Column, Plan, PrivacyPlan, Protect, digest
from potluck.core.rounds import Abort
from potluck.core.seeded import Generator, generator
from potluck.core.tables.derived import Derive
from potluck.drivers.memory import Memory, new_run
from potluck.drivers.sums import Progress, Sums, drive
from potluck.drivers.transcript import Transcript
from potluck.learning.data.column import COLUMNS
from potluck.learning.data.source import limits_of, opened
from potluck.learning.data.table import Table
from potluck.learning.loops import TrainTask, build
from potluck.tasks.sums.protections import row
from potluck.tasks.sums.rows import rows_of
from potluck.tasks.sums.together import Together

T = TypeVar("T", Column, Derive)
ROUNDS, SITES = 12, 3
"""Of the run that is made: enough of each for any attack, and soon over."""
MOST, PICTURES = 64, 8
"""Rows of a site in it; where columns are pictures."""
Cell = Callable[[Generator], str]
Lines = list[dict[str, str]]
"""Rows as their cells, by column."""


@dataclass(frozen=True, slots=True, eq=False)
class Control:
    """scenes: a run; and, for what needs two runs, one with one row more, after it. why: instead, why none could be
    made."""

    scenes: tuple[Scene, ...]
    why: str = ""


def control(
    plan: Plan, rng: Generator, rows: int = 1, twice: bool = False, progress: Progress = lambda ask: None
) -> Control:
    """Runs of the same plan without protection, recorded and read as any other. rows: of a site, fewer where that is
    more than is made or may be; twice: the second run, too; progress: before each sum, may raise Over."""
    if not plan.traits.trains:
        return Control((), "no made-up run of this task is known")
    spec = bare(plan)
    rows = made_of(spec, rows, twice)
    try:
        lines = lines_of(spec, rows, rng)
        scenes = [scene_of(spec, lines, progress)]
        if twice:
            lines[spec.sites[0]].append(_line(spec, spec.sites[0], rows, rng))
            seen, truth = scene_of(spec, lines, progress)
            scenes.append((replace(seen, before=scenes[0][0]), truth))
        return Control(tuple(scenes))
    except Over:
        return Control((), "its time was up (--minutes)")
    except Abort as abort:
        return Control((), f"the made-up run ended: {abort}")
    except PotluckError as error:
        return Control((), error.what)


def made_of(spec: Plan, rows: int, more: int = 0) -> int:
    """How many rows a site has where so many are wished for, and more may come."""
    pictured = any(map(_pictured, spec.data.columns.values()))
    return max(1, min(rows, PICTURES if pictured else MOST, spec.data.max_rows - more))


def lines_of(spec: Plan, rows: int, rng: Generator) -> dict[Party, Lines]:
    """So many made-up rows a site. Raises UsageError: of a column none can be made."""
    return {site: [_line(spec, site, place + row, rng) for row in range(rows)] for place, site in enumerate(spec.sites)}


def tables_of(spec: Plan, lines: Mapping[Party, Lines]) -> dict[Party, Table]:
    """The rows as sites read them. Raises DataError."""
    with tempfile.TemporaryDirectory() as scratch:
        return {site: _read(spec, site, some, Path(scratch)) for site, some in lines.items()}


def scene_of(spec: Plan, lines: Mapping[Party, Lines], progress: Progress = lambda ask: None) -> Scene:
    """A run of a bare plan over these rows, recorded and read as the server. progress: before each sum. Raises Abort,
    PotluckError."""
    return scene_over(spec, tables_of(spec, lines), progress)


def scene_over(spec: Plan, rows: Mapping[Party, Table], progress: Progress = lambda ask: None) -> Scene:
    """The same over rows that were read."""
    with tempfile.TemporaryDirectory() as scratch:
        _played(spec, rows, Path(scratch, "parcels"), progress)
        seen = seen_by(Record.read(Path(scratch, "parcels")), spec, {"server"})
        return seen, {site.name: table for site, table in rows.items()}


def bare(plan: Plan) -> Plan:
    """The plan with nothing that protects, and a short run of few sites."""
    assert plan.training is not None
    names, data = plan.federation.sites[:SITES], msgspec.structs.replace(plan.data, split=None, where=(), files={})
    training = msgspec.structs.replace(
        plan.training, rounds=min(ROUNDS, plan.training.rounds), evaluate_every=None, stop=None, batch=None, band=None,
        aggregation="mean", standardize=False, warmup=0, expected_rows=None,
    )  # fmt: skip
    return msgspec.structs.replace(
        plan,
        federation=msgspec.structs.replace(plan.federation, sites=names, corrupt=0, dropouts=0),
        data=msgspec.structs.replace(data, columns=_whole(data.columns), derive=_whole(data.derive)),
        protect=Protect(scheme="clear"),
        privacy=PrivacyPlan(noise="none"),
        training=training,
        evaluate=None,
    )


def _whole(columns: Mapping[str, T]) -> dict[str, T]:
    """The same columns of rows that have no gaps to fill."""
    found = dict(columns)
    for name, one in columns.items():
        if one.missing == "mean":
            found[name] = msgspec.structs.replace(one, missing="refuse")
    return found


def _played(spec: Plan, rows: Mapping[Party, Table], folder: Path, progress: Progress) -> None:
    """All sums of training, by the program itself."""
    task = TrainTask(spec)
    memory = Memory(spec.sites, digest(spec), transcript=Transcript(folder))
    parties = Together(spec, build(spec), row(spec).build(spec, None), rows, memory, new_run())
    drive(task, Sums(spec, parties, progress=progress))


def _line(spec: Plan, site: Party, place: int, rng: Generator) -> dict[str, str]:
    """A made-up row as its cells, by column. Raises UsageError: there is no such column to make.

    place: of the row, so that not all are of one class.
    """
    data = spec.data
    if data.join is not None or data.reduce is not None:
        raise UsageError("rows of two tables, or of persons, are not made up")
    columns = {**data.columns, **{name: data.columns.get(name) for name in (data.target.names if data.target else ())}}
    cells = {name: "" if one and one.ignored else _cell(name, one, spec, place)(rng) for name, one in columns.items()}
    return cells | ({data.person: f"{site.name} {rng.integers(1 << 40)}"} if data.person is not None else {})


def _read(spec: Plan, site: Party, lines: Lines, folder: Path) -> Table:
    """Rows of a site, written as a file of its own and read as the plan says."""
    data, path = spec.data, folder / f"rows-{spec.sites.index(site)}.csv"
    names = list(lines[0])
    for name, one in data.columns.items():
        if _pictured(one):
            for line in lines:
                _draw(folder / line[name], one)
    with path.open("w", encoding=data.encoding, newline="") as file:
        out = writer(file, delimiter=data.separator)
        out.writerows(([names] if data.header else []) + [[line[name] for name in names] for line in lines])
    return rows_of(opened(path, site.name, limits_of(data)), spec, site.name)


def _cell(name: str, column: Column | None, spec: Plan, place: int) -> Cell:
    """column: None of a target that stands beside the declared columns."""
    target = spec.data.target
    if target is not None and name in target.names:
        sides = sides_of(target, column)
        if sides:
            return lambda rng: sides[place % len(sides)]
    if column is None:
        raise UsageError("a target of numbers has no declared range, and none are made up")
    if _pictured(column):
        return lambda rng: f"{rng.integers(1 << 40):x}.npy"
    if column.values:
        return lambda rng: str(rng.choice(column.values))
    if column.low is not None and column.high is not None and column.format is None:
        low, high = column.bounds
        return lambda rng: f"{rng.uniform(low, high):.9g}".replace(".", spec.data.decimal)
    raise UsageError(f"columns of kind {column.kind} are not made up")


def _pictured(column: Column) -> bool:
    return not column.ignored and COLUMNS.of(column.kind).filed and column.shape is not None


def _draw(path: Path, column: Column) -> None:
    """A file that is what its name was drawn to be."""
    assert column.shape is not None
    np.save(path, picture(column.shape, *column.bounds, generator(int(path.stem, 16), "picture")))
