"""`potluck up`: a plan carried out by real processes on this machine: a broker, a server, a site for every owner, and
a process for every compute party of the plan.

All that a federation across machines has is there: keys, a signed federation file, TLS, permissions, policies. One
person holds all of it, so it is a rehearsal. Its keys and homes are removed when the run is over; ledgers stay.
"""

import json
import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from potluck.api.local.ledgers import folder_of
from potluck.api.local.run import scored
from potluck.api.network.household import Household, settle
from potluck.api.network.processes import Processes
from potluck.api.network.status import Live, live
from potluck.api.plan.plan import Plan, opened
from potluck.api.results.document import compared_scores
from potluck.api.results.folder import run_folder
from potluck.api.results.outcome import Run
from potluck.core import private
from potluck.core.errors import PotluckError
from potluck.core.schema import readable
from potluck.core.visible import json_text
from potluck.drivers.transcript import INDEX, ended, letters_at_end
from potluck.learning.models.model import Model
from potluck.learning.training.trained import Trained
from potluck.net.broker import binary
from potluck.report import details
from potluck.report.page import render
from potluck.tasks.catalog import task_of
from potluck.tasks.demands import demand_of, stamp_of
from potluck.tasks.here import Here, Json, Outcome
from potluck.tasks.own import gathered
from potluck.tasks.sums.protections import row
from potluck.tasks.trained import MODEL, Comparison, compared

TICK = 0.2
DROPPED = "dropped: "
"""How a site's own screen begins to say why it takes no more part in a run."""
Say = Callable[[str, str], None]
Watch = Callable[[Live], None]


class Ended(PotluckError):
    """The server's process ended with an error of its own, in its words and with its exit code."""

    def __init__(self, line: str, code: int) -> None:
        super().__init__(line)
        self.exit_code = code

    def __str__(self) -> str:
        return self.what


def up(
    plan: Plan | str | Path,
    *,
    out: str | Path | None = None,
    ledger: str | Path | None = None,
    record: bool = False,
    compare: bool = False,
    predictions: bool = False,
    watch: Watch = lambda live: None,
    say: Say = lambda event, text: None,
) -> Run:
    """Carry out `plan` with processes of its own for broker, server and every site. Arguments as `potluck.run`.

    watch: called with how things stand, several times a second. Raises PlanError, DataError, UsageError (exit 2),
    Refused (3), Ended (the server's own code). Dead processes are started again, and the run goes on.
    """
    plan = opened(plan)
    now = datetime.now(UTC)
    plan.require(now)
    scored(plan, predictions)
    demand = demand_of(plan)
    binary()  # what the plan's processes need is installed, or each would die of it and start again
    if plan.spec.traits.sums:
        row(plan.spec).build(plan.spec, None)
    here = task_of(plan.spec).here(plan, None)
    spec, counts = here.spec, here.tallies()
    holding = folder_of(plan, Path(ledger) if ledger else None)
    with run_folder(spec.name, Path(out) if out else None, now) as folder:
        house = settle(plan, spec, folder, holding, record, predictions)
        with Processes(house.commands, house.logs(folder), say) as processes:
            code = _watched(processes, house, watch)
        if code:
            for name, words in _reasons(house, processes):
                say(name, words)  # its owner is here, too
            raise Ended(processes.last_word("server"), code)
        name = next(live(house.coordinator)).run
        outcome = here.fetch(house.homes, name)
        held = gathered(house.homes, name, folder)
        _complete(folder, plan, here, outcome, compare, stamp_of(spec, demand), held)
        if record:
            _gather(house.folder, folder / "parcels")
        shutil.rmtree(house.folder)
    return replace(Run.read(folder), data=counts)


def _reasons(house: Household, processes: Processes) -> list[tuple[str, str]]:
    """What those who said no, or who dropped the run, wrote on their own screens: no other party is told it."""
    refusing = house.refusing()
    found = [(name, processes.last_word(name)) for name in refusing]
    for name in (*house.sites.values(), *house.computes.values()):
        words = "" if name in refusing else processes.last_word(name, DROPPED)
        found += [(name, words)] if words else []
    return found


def _watched(processes: Processes, house: Household, watch: Watch) -> int:
    while True:
        code = processes.tend("server")
        if code is not None:
            return code
        for one in live(house.coordinator):
            watch(one)
        time.sleep(TICK)


def _complete(
    folder: Path, plan: Plan, here: Here, outcome: Outcome | None, compare: bool, stamp: str, held: Json
) -> None:
    """What the launcher knows and the server does not: the plan as written, what readers and owners have,
    comparisons."""
    spec, task = here.spec, task_of(plan.spec)
    document = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    known = msgspec.json.decode((folder / details.FILE).read_bytes(), type=readable(details.Details))
    document["plan"]["hash"] = plan.hash
    document |= held
    if stamp:
        document["stamp"] = stamp
    if outcome is not None:
        beside = here.beside(outcome) if compare else None
        task.leave(outcome, folder)
        document |= task.document(outcome, spec, folder, beside)
        warnings = (*here.warnings(), *outcome.warnings)
        document["warnings"] += warnings
        shown = task.shown(outcome, spec, beside)
        known = msgspec.structs.replace(known, shown=shown, warnings=(*known.warnings, *warnings))
    elif compare and spec.traits.learns:
        model = Model.read(folder / MODEL)
        beside = here.beside(Trained(model, None))
        if isinstance(beside, Comparison):
            document["metrics"] = compared(document["metrics"]["federated"], beside, model.target)
            known = msgspec.structs.replace(known, comparison=compared_scores(task.measured(spec, beside)))
    known = msgspec.structs.replace(known, plan_toml=plan.text(), overrides=plan.overrides, plan_hash=plan.hash)
    private.write(folder / "plan.toml", plan.text())
    private.write(folder / details.FILE, details.dump(known))
    private.write(folder / "run.json", json_text(document))
    private.write(folder / "report.html", render(folder))


def _gather(room: Path, parcels: Path) -> None:
    """One folder of parcels from what each process read: whole where each one is."""
    private.folder(parcels)
    lines, number, whole = [], 0, True
    for index in sorted(room.glob(f"parcels-*/{INDEX}")):
        read = index.read_text(encoding="utf-8").splitlines()
        whole &= letters_at_end(index.parent) == len(read)
        for line in read:
            one = json.loads(line)
            number += 1
            name = f"{number:06d}.bin"
            shutil.move(index.parent / one["file"], parcels / name)
            lines.append(json.dumps(one | {"file": name}, sort_keys=True) + "\n")
    private.write(parcels / INDEX, "".join(lines))
    if whole:
        ended(parcels, number)
