"""A run that is handed to the office: its folder and journal, durable, and a sign at the door that it is there.

The sign only saves time: an office that starts looks at all journals.
"""

import contextlib
import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from potluck.api.network.sessions import GOING, REASON, UNFINISHED, Order, Say, begun, order_in, quiet, unfinished
from potluck.api.plan.plan import Plan
from potluck.core import private
from potluck.core.errors import PotluckError, UsageError
from potluck.core.plan import digest
from potluck.core.visible import visible
from potluck.members.files import held, locked
from potluck.members.home import CoordinatorHome
from potluck.owner.access import REASON as LONGEST
from potluck.owner.access import AccessLog, Subject
from potluck.parties.runners.journal import Journal

MOST = 64
"""Runs that have not ended: each costs a thread, and a place among what waits for an owner."""


def attended(home: CoordinatorHome) -> bool:
    """Whether an office is at work in this home."""
    return held(home.office)


def submitted(home: CoordinatorHome, plan: Plan, order: Order, fresh: bool, say: Say = quiet) -> str:
    """The run's name; it is durable. A plan that has an unfinished run is that run, unless `fresh`: then that one is
    cancelled. Raises UsageError: too many runs are unfinished, or the disk; Refused: somebody submits right now.
    """
    with locked(home.submitting, "another plan is being submitted"):
        known = unfinished(home, plan, say)
        if known is not None and fresh:
            cancelled(home, known, order.person, "the plan was started anew")
        if (known is None or fresh) and len(going(home)) >= MOST:
            raise UsageError(f"{MOST} runs have not ended yet", where=str(home.runs), hint="cancel one, or wait")
        folder = begun(home, plan, False, order)
    about = Subject(person=order.person, plan=plan.spec.name, hash=digest(plan.spec).hex(), run=folder.name)
    AccessLog(home.access).write("submit", datetime.now(UTC), about=about)
    ring(home, folder.name)
    return folder.name


def cancelled(home: CoordinatorHome, folder: Path, person: str, reason: str = "") -> None:
    """A run is to end: it does so before its next round. Raises UsageError: it has ended."""
    with closing(Journal.look(folder / "journal.sqlite")) as journal:
        state, name, text = (journal.fact(one) or "" for one in ("state", "name", "plan"))
    if state not in UNFINISHED:
        raise UsageError(f"this run is {state}", where=visible(folder.name), hint="only one that goes on is cancelled")
    words = "; ".join(part for part in (f"cancelled by {person}" if person else "cancelled", reason) if part)
    with closing(Journal.look(folder / "journal.sqlite", "rw")) as journal:
        journal.note(REASON, visible(reason)[:LONGEST])
        journal.note("cancel", visible(words))
    about = Subject(person=person, plan=name, hash=text.removeprefix("sha256:"), run=folder.name, reason=reason)
    AccessLog(home.access).write("cancel", datetime.now(UTC), about=about)
    ring(home, folder.name)


def ring(home: CoordinatorHome, run: str) -> None:
    """Say to the office that there is something to do about a run."""
    private.folder(home.bell, taken=True)
    private.write(home.bell / run, f"{time.time()}\n")


def rung(home: CoordinatorHome) -> list[str]:
    """The runs that it was rung for, once."""
    try:
        found = sorted(path.name for path in home.bell.iterdir())
    except FileNotFoundError:
        return []
    for name in found:
        (home.bell / name).unlink(missing_ok=True)
    return found


def going(home: CoordinatorHome) -> list[Path]:
    """The folders of all runs of the office that have not ended, the oldest first."""
    found = []
    for path in home.runs.glob("*/journal.sqlite"):
        with contextlib.suppress(PotluckError), closing(Journal.look(path)) as journal:
            if journal.fact("state") in GOING and order_in(journal).office:
                found.append((float(journal.fact("began") or "0"), path.parent))
    return [folder for _, folder in sorted(found)]
