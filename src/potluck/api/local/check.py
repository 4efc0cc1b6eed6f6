"""`potluck check`: can this plan run, and what will it cost?

The cost is not estimated but rehearsed: one round of the plan's protection on zero vectors of the plan's own length.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np

from potluck.api.local import fit, intersect, predict
from potluck.api.local.demands import demand_of
from potluck.api.local.forecast import forecast_of, words
from potluck.api.local.tables import none_read, not_here, tables, tallies
from potluck.api.plan.plan import Plan, opened
from potluck.core.agree import agree
from potluck.core.asks import Ask
from potluck.core.errors import PlanError, PotluckError
from potluck.core.party import SERVER
from potluck.core.plan import Plan as Spec
from potluck.core.plan import digest
from potluck.core.rounds import Abort, RoundId, Sum
from potluck.core.stages import Guarded, Opened
from potluck.dp.account import NEIGHBOURS, promise
from potluck.dp.bound import describe, privacy
from potluck.learning.data.tally import Tally
from potluck.learning.data.tally_words import noted, told
from potluck.learning.models.model import Model
from potluck.learning.tasks import build
from potluck.net.pieces import LARGEST
from potluck.parties import catalog
from potluck.parties.drivers.horizontal import terms
from potluck.parties.drivers.memory import Memory, new_run


@dataclass(frozen=True)
class Verdict:
    """Whether a plan can run; its cost where it can. bytes and seconds: of one round, measured on zero vectors.

    forecast: of a prediction, what it will use and send; seconds are then of one row of zeros. With noise, half the
    interval of each result (`learning.forecast`), and `outlook` the same in words. data: by site what became of its
    values, where its rows are here: for their owner. absent: files that `run` and `up` need and do not find, by key
    (None: the plan names none): across machines owners name their own.
    """

    errors: list[str]
    warnings: list[str] = field(default_factory=list)
    epsilon: Mapping[str, float | None] = field(default_factory=dict)
    bytes_up: int | None = None
    seconds: float | None = None
    rounds: int | None = None
    values: Mapping[str, object] = field(default_factory=dict)
    grid: Mapping[str, object] = field(default_factory=dict)
    forecast: Mapping[str, object] | None = None
    outlook: str = ""
    data: Mapping[str, Tally] = field(default_factory=dict)
    absent: Mapping[str, str | None] = field(default_factory=dict)

    @property
    def unit(self) -> object:
        """Whose contribution the noise hides; of a person, by which column."""
        privacy, data = self.values.get("privacy"), self.values.get("data")
        unit = privacy.get("unit") if isinstance(privacy, Mapping) else None
        return f"person, by column {data.get('person')!r}" if unit == "person" and isinstance(data, Mapping) else unit

    @property
    def ok(self) -> bool:
        """Whether it can run."""
        return not self.errors

    def document(self) -> dict[str, object]:
        """The JSON of `potluck check --json`."""
        head: dict[str, object] = {"ok": self.ok, "errors": self.errors, "warnings": self.warnings}
        if not self.ok:
            return head
        found = head | {
            "epsilon": dict(self.epsilon),
            "bytes_up_per_site_round": self.bytes_up,
            "seconds_per_round": self.seconds,
            "rounds": self.rounds,
            "grid": dict(self.grid),
            "values": dict(self.values),
            "data": {site: tally.document() for site, tally in self.data.items()},
            "files_not_found": dict(self.absent),
        }
        return found if self.forecast is None else found | {"forecast": dict(self.forecast)}

    def told(self) -> list[str]:
        """What the owners have to mind of their rows, a line each."""
        return told(self.data)

    def noted(self) -> list[str]:
        """What of their rows may be worth a look, a line each."""
        return noted(self.data)

    @property
    def can(self) -> str:
        """Whether `run` can begin as things are, of a plan that can run."""
        if not self.absent:
            return "can run"
        named = ", ".join(f"{key} ({file or 'names none'})" for key, file in self.absent.items())
        many = f"{len(self.absent)} {agree(len(self.absent), 'file is', 'files are')}"
        return f"can run here once {many} there: {named} not found"

    def summary(self) -> str:
        """One line of words."""
        sums = f"{self.rounds} {agree(self.rounds or 0, 'round', 'rounds')}"
        size = "" if self.bytes_up is None else f", {self.bytes_up:,} bytes up a site and round"
        pace = "" if self.seconds is None else f", about {self.seconds:.2g} s a round here"
        cost = next(iter(self.epsilon.values()), None)
        spent = ", no noise" if cost is None else f", epsilon {cost:.4g} at each owner (unit {self.unit}, {NEIGHBOURS})"
        return sums + size + pace + spent

    def flat(self) -> Iterator[tuple[str, object]]:
        """Every key in force and the grid, dotted."""
        yield from _flat("", self.values)
        yield from _flat("grid.", self.grid)


def _flat(prefix: str, table: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from _flat(f"{prefix}{key}.", value)
        else:
            yield f"{prefix}{key}", value


def check(plan: Plan | str | Path, settings: Sequence[str] = ()) -> Verdict:
    """The verdict on a plan, or on the one in a file; one that cannot be read is a verdict too."""
    try:
        plan = opened(plan, settings)
    except PotluckError as error:
        return Verdict([_line(error)])
    errors, warnings = plan.problems()
    if errors:
        return Verdict(errors, warnings)
    found = {"predict": _prediction, "intersect": _intersection, "fit": _fit}.get(plan.spec.task, _sums)(plan, warnings)
    return replace(found, absent=not_here(plan))


def _sums(plan: Plan, warnings: list[str]) -> Verdict:
    """The verdict on training or statistics, with one sum rehearsed on zero vectors."""
    try:
        demand_of(plan)
        spec, more, data = _with_files(plan)
        ask = _first(spec)
        grid = _grid(spec, ask)
        ahead = forecast_of(spec, data.values())
        size, seconds, largest = _rehearsal(spec, ask)
    except PotluckError as error:
        return Verdict([_line(error)], warnings)
    cost = promise(spec)
    outlook, useless = words(spec, ahead) if ahead else ("", [])
    return Verdict(
        [],
        [*warnings, *more, *useless, *_heavy(largest)],
        dict.fromkeys(spec.federation.sites, cost),
        size,
        seconds,
        spec.training.rounds if spec.training and spec.task == "train" else 1,
        plan.values(),
        grid,
        ahead.document() if ahead else None,
        outlook,
        data=data,
    )


def _prediction(plan: Plan, warnings: list[str]) -> Verdict:
    """The verdict on a prediction, rehearsed with its model where that is here."""
    cost = dict.fromkeys(plan.spec.federation.sites, None)
    model = plan.spec.model
    if model is None or model.file is None or "model.file" in not_here(plan):
        here = "model.file: the model is not here, so what it costs is not known. hint: its owner can check it"
        return Verdict([], [*warnings, here], cost, rounds=1, values=plan.values())
    try:
        demand_of(plan)
        held = predict.model_of(plan)
        mind, data = _rows(plan, held)
        more = [*predict.telling(plan.spec, held.card), *mind]
        forecast, seconds = predict.rehearsed(plan, held)
    except PotluckError as error:
        return Verdict([_line(error)], warnings)
    except Abort as abort:
        return Verdict([f"a rehearsal on a row of zeros ended in: {abort}"], warnings)
    told = asdict(forecast)
    size = forecast.keys + forecast.query
    return Verdict([], [*warnings, *more], cost, size, seconds, 1, plan.values(), forecast=told, data=data)


def _intersection(plan: Plan, warnings: list[str]) -> Verdict:
    """The verdict on an intersection, rehearsed with made-up keys."""
    try:
        more = intersect.counted(plan)
        size, seconds = intersect.rehearsed(plan)
    except PotluckError as error:
        return Verdict([_line(error)], warnings)
    many = f"bytes and seconds are of {intersect.REHEARSED} made-up keys a site; both grow as keys do"
    cost = dict.fromkeys(plan.spec.federation.sites, None)
    mind = [*warnings, *more, many]
    return Verdict([], mind, cost, size, seconds, 1, plan.values())


def _fit(plan: Plan, warnings: list[str]) -> Verdict:
    """The verdict on a fit over columns at different owners; not rehearsed: engines would take longer to start."""
    try:
        rows, more, data = fit.counted(plan)
    except PotluckError as error:
        return Verdict([_line(error)], warnings)
    size = fit.uploaded(plan.spec, rows)
    cost = dict.fromkeys(plan.spec.federation.sites, promise(plan.spec))
    return Verdict([], [*warnings, *more], cost, size, None, 1, plan.values(), data=data)


def _rows(plan: Plan, model: Model) -> tuple[list[str], dict[str, Tally]]:
    """The client's rows are read as `run` reads them: what became of their values. Where they are not here, a warning.
    Raises as `run` would."""
    if not plan.spec.data.files:
        return [], {}
    if not_here(plan):
        return ["data.files: there is none to read. hint: `run` and `up` need the client's rows"], {}
    return [], predict.Room(plan, model, predict.rows_of(plan, None)).counted()


def _line(error: PotluckError) -> str:
    place = f"{error.where}: " if error.where else ""
    return f"{place}{error.what}" + (f". hint: {error.hint}" if error.hint else "")


def _with_files(plan: Plan) -> tuple[Spec, list[str], dict[str, Tally]]:
    """The plan with its column patterns resolved, what to mind, and what became of the values by site, once its files
    are read as `run` reads them.

    Files that are not here are a warning: across machines every owner has its own. Raises DataError as `run` would.
    """
    files, missing = plan.spec.data.files, not_here(plan)
    if files and not missing:
        spec, found = tables(plan, None)
        return spec, [], tallies(found)
    if any("*" in name for name in plan.spec.data.columns):
        raise PlanError("data.columns: a pattern needs the files' headers", hint="name files that can be read here")
    return plan.spec, none_read(missing), {}


def _first(spec: Spec) -> Ask:
    return next(build(spec).lead())


def _grid(spec: Spec, ask: Ask) -> dict[str, object]:
    bound = privacy(spec, ask)
    parts: dict[str, object] = {
        part.name: {"size": part.size, "step": part.step, "high": part.high} for part in bound.grid.parts
    }
    found: dict[str, object] = {"bits": bound.grid.bits, "length": bound.grid.length, "parts": parts}
    if spec.privacy.noise != "none":
        told = describe(spec, ask)
        found["sigma"] = list(told.sigma)
    return found


def _heavy(largest: int) -> list[str]:
    """A letter that no mailbox takes is a warning: in one process the plan runs all the same."""
    if largest <= LARGEST:
        return []
    what = f"a letter of this plan has {largest:,} bytes, and across machines at most {LARGEST:,} pass"
    return [f"protect.with: {what}. hint: a smaller model, fewer sites, or another protection"]


def _rehearsal(spec: Spec, ask: Ask) -> tuple[int, float, int]:
    """Bytes that one site uploads, seconds of one round and bytes of its largest letter, on zero vectors."""
    protection = catalog.rehearsed(spec)
    memory, run = Memory((*spec.sites, *spec.compute), digest(spec)), new_run()
    # Where others compute, their engines start in the first round of a run: the second is what a round takes.
    for number in (1, 2) if protection.helpers() else (1,):
        seconds = _rehearsed(spec, ask, protection, memory, RoundId(run, number))
    largest = max(move.size for move in memory.transcript.moves)
    return memory.transcript.traffic(1).up // len(spec.sites), round(seconds, 4), largest


def _rehearsed(spec: Spec, ask: Ask, protection: Sum, memory: Memory, round_: RoundId) -> float:
    """Seconds of one round on zero vectors. Raises PlanError: it ended in an abort."""
    agreed = terms(spec, round_, ask, privacy(spec, ask))
    nothing = Guarded(np.zeros(agreed.length, agreed.dtype))
    halves = {site: protection.give(agreed, memory.seat(site), nothing) for site in spec.sites}
    halves |= {one: protection.assist(agreed, memory.seat(one)) for one in protection.helpers()}
    started = time.perf_counter()
    desks = memory.round(round_, {SERVER: protection.open(agreed, memory.seat(SERVER)), **halves})
    seconds = time.perf_counter() - started
    server = desks[SERVER]
    if server.abort:
        raise PlanError(f"a rehearsal on zero vectors ended in: {server.abort}")
    assert isinstance(server.result, Opened)
    return seconds
