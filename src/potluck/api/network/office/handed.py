"""`server run` where an office is at work: the plan is handed to it, and its run followed to the end.

Whoever follows can stop at any time: the run goes on at the office, and is cancelled there.
"""

import time
from contextlib import closing
from itertools import count
from pathlib import Path

import msgspec

from potluck.api.network.office.submitted import attended, submitted
from potluck.api.network.office.written import events_of
from potluck.api.network.sessions import FAILED, FINISHED, GOING, Order, Say, why_of
from potluck.api.plan.plan import Plan
from potluck.api.results.outcome import Run
from potluck.core.asks import Ask, Kind
from potluck.core.errors import Refused, Unreachable
from potluck.drivers.sums import Progress
from potluck.members.home import CoordinatorHome
from potluck.members.names import file_name
from potluck.parties.runners.journal import Journal

LOOK = 0.2
"""Seconds between looks at the run's journal."""


def handed(home: CoordinatorHome, plan: Plan, order: Order, fresh: bool, progress: Progress, say: Say) -> Run:
    """The finished run. Raises what ended it: as `serve` does where it carries the run out itself; Unreachable: the
    office ended first, and goes on with the run when it starts again."""
    order = msgspec.structs.replace(order, office=True, out=order.out or str(_out(plan)))
    run = submitted(home, plan, order, fresh, say)
    say("submitted", f"run {run[:12]}: another process carries it out here; potluck status shows it")
    folder, words, rounds = home.runs / run, 0, 0
    while True:
        here = attended(home)
        with closing(Journal.look(folder / "journal.sqlite")) as journal:
            state, place, why, told = journal.fact("state"), journal.fact("place"), why_of(journal), journal.rounds()
            cancelled = journal.fact("cancel") or ""
        for one in events_of(folder, words):
            words = one.seq
            say(one.event, one.text)
        for begun in told[rounds:]:
            progress(Ask(Kind(begun["kind"]), begun["step"], (), b""))
        rounds = len(told)
        if state == FINISHED:
            return Run.read(Path(place or ""))
        if state == FAILED and why is not None:
            raise why.raised()
        if state not in GOING:
            raise Refused(
                cancelled or f"the run is {state}", where=run[:12], hint="submit the plan again for a new run"
            )
        if not here:
            hint = "start it again: it goes on with this run"
            raise Unreachable("the process that carries the run out has ended", where=str(home.folder), hint=hint)
        time.sleep(LOOK)


def _out(plan: Plan) -> Path:
    """A folder that is not there yet, as a run of one's own would take it."""
    now = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    wanted = Path("runs").absolute() / f"{file_name(plan.spec.name)}-{now}"
    free = (wanted if number == 1 else wanted.with_name(f"{wanted.name}-{number}") for number in count(1))
    return next(path for path in free if not path.exists())
