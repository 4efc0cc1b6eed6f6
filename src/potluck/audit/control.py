"""The control of every attack: the same program, here and now, with nothing that protects, on rows of no one.

Each site has one row, made up as the plan declares its columns; sums are in the clear and have no noise. An attack that
fails even there does not work on this plan, and its failure on a record says nothing of the plan's safety.
"""

import tempfile
from collections.abc import Callable
from csv import writer
from dataclasses import dataclass
from pathlib import Path

import msgspec

from potluck.audit.attack import Truth
from potluck.audit.record import Record
from potluck.audit.seen import Seen, seen_by
from potluck.core.errors import PotluckError, UsageError
from potluck.core.party import Party
from potluck.core.plan import Column, Plan, PrivacyPlan, Protect, digest
from potluck.core.rounds import Abort
from potluck.core.seeded import Generator
from potluck.drivers.memory import Memory, new_run
from potluck.drivers.sums import Sums, drive
from potluck.drivers.transcript import Transcript
from potluck.learning.data.source import limits_of, opened
from potluck.learning.data.table import Table
from potluck.learning.loops import TrainTask, build
from potluck.tasks.sums.protections import row
from potluck.tasks.sums.rows import rows_of
from potluck.tasks.sums.together import Together

ROUNDS, SITES = 12, 3
"""Of the run that is made: enough of each for any attack, and soon over."""
Cell = Callable[[Generator], str]


@dataclass(frozen=True, slots=True, eq=False)
class Control:
    """What the server saw of the made run, and the rows that it was over. why: instead, why none could be made."""

    seen: Seen | None
    truth: Truth
    why: str = ""


def control(plan: Plan, rng: Generator) -> Control:
    """A run of the same plan without protection, recorded and read as any other."""
    if not plan.traits.labelled:
        return Control(None, {}, "no made-up run of this task is known")
    spec = bare(plan)
    try:
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch)
            rows = {site: _made(spec, site, place, folder, rng) for place, site in enumerate(spec.sites)}
            _played(spec, rows, folder / "parcels")
            seen = seen_by(Record.read(folder / "parcels"), spec, {"server"})
            return Control(seen, {site.name: table for site, table in rows.items()})
    except Abort as abort:
        return Control(None, {}, f"the made-up run ended: {abort}")
    except PotluckError as error:
        return Control(None, {}, error.what)


def bare(plan: Plan) -> Plan:
    """The plan with nothing that protects, and a short run of one row a site."""
    assert plan.training is not None
    names = plan.federation.sites[:SITES]
    training = msgspec.structs.replace(
        plan.training, rounds=min(ROUNDS, plan.training.rounds), evaluate_every=None, stop=None, batch=None, band=None,
        aggregation="mean", standardize=False, warmup=0, expected_rows=None,
    )  # fmt: skip
    return msgspec.structs.replace(
        plan,
        federation=msgspec.structs.replace(plan.federation, sites=names, corrupt=0, dropouts=0),
        data=msgspec.structs.replace(plan.data, split=None, where=(), files={}),
        protect=Protect(scheme="clear"),
        privacy=PrivacyPlan(noise="none"),
        training=training,
    )


def _played(spec: Plan, rows: dict[Party, Table], folder: Path) -> None:
    """All sums of training, by the program itself."""
    task = TrainTask(spec, evaluated=False)
    memory = Memory(spec.sites, digest(spec), transcript=Transcript(folder))
    parties = Together(spec, build(spec), row(spec).build(spec, None), rows, memory, new_run())
    drive(task, Sums(spec, parties))


def _made(spec: Plan, site: Party, place: int, folder: Path, rng: Generator) -> Table:
    """One row of a site, written as a file of its own and read as the plan says. Raises UsageError: of no such column.

    place: of the site, so that not all rows are of one class.
    """
    data, path = spec.data, folder / f"rows-{place}.csv"
    if data.join is not None or data.reduce is not None:
        raise UsageError("rows of two tables, or of persons, are not made up")
    columns = {name: _cell(name, one, spec, place)(rng) for name, one in data.columns.items() if not one.ignored}
    columns |= {name: "" for name, one in data.columns.items() if one.ignored}
    if data.person is not None:
        columns[data.person] = f"{site.name} {place}"
    names = list(data.columns) + [name for name in columns if name not in data.columns]
    with path.open("w", encoding=data.encoding, newline="") as file:
        out = writer(file, delimiter=data.separator)
        out.writerows(([names] if data.header else []) + [[columns[name] for name in names]])
    return rows_of(opened(path, site.name, limits_of(data)), spec, site.name)


def _cell(name: str, column: Column, spec: Plan, place: int) -> Cell:
    target = spec.data.target
    if target is not None and name in target.names:
        sides = target.classes or _sides(column, target.positive or (), target.negative)
        if sides:
            return lambda rng: sides[place % len(sides)]
    if column.values:
        return lambda rng: str(rng.choice(column.values))
    if column.low is not None and column.high is not None and column.format is None:
        low, high = column.bounds
        return lambda rng: f"{rng.uniform(low, high):.9g}".replace(".", spec.data.decimal)
    raise UsageError(f"columns of kind {column.kind} are not made up")


def _sides(column: Column, positive: tuple[str, ...], negative: tuple[str, ...] | None) -> tuple[str, ...]:
    others = negative or tuple(value for value in column.values if value not in positive) or ("0",)
    return (positive[0], others[0]) if positive else ()
