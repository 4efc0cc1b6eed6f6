"""The coordinator's runs on its disk: a folder a run with its journal, found again after a crash."""

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from potluck.api.plan.plan import Plan
from potluck.core import private
from potluck.core.plan import Plan as Spec
from potluck.core.plan import canonical
from potluck.core.schema import readable
from potluck.drivers.memory import new_run
from potluck.learning.evaluation import evaluate
from potluck.learning.models.sent import letter_of, with_letter
from potluck.members.federation import Federation
from potluck.members.files import PRIVATE, replace
from potluck.members.home import CoordinatorHome
from potluck.parties.runners.journal import Journal

OPEN, SUMMED, FINISHED, GIVEN_UP = "open", "summed", "finished", "given up"
"""States of a run: sums are still to be done; all are, the sites are to be told; over; started anew instead."""

GRAPH = "plan.graph"
"""The graph that a run's plan names, beside its journal."""


@dataclass(frozen=True)
class Session:
    """One run of the coordinator's."""

    folder: Path
    name: str
    journal: Journal

    @property
    def transcript(self) -> Path:
        """A line a letter."""
        return self.folder / "transcript.jsonl"

    @property
    def state(self) -> str:
        """One of the states above."""
        return self.journal.fact("state") or OPEN

    @property
    def began(self) -> datetime:
        """When the run was begun, whichever process did."""
        return datetime.fromtimestamp(float(self.journal.fact("began") or time.time()), UTC)

    @property
    def resumed(self) -> int:
        """How often the server was started again after a round of this run had begun."""
        return int(self.journal.fact("resumed") or "0")

    def became(self, state: str) -> None:
        """From now on it is in this state."""
        self.journal.note("state", state)


def planned_in(folder: Path, journal: Journal) -> Spec:
    """The plan of the run in a folder, with its graph or first weights."""
    spec = msgspec.json.decode((journal.fact("spec") or "").encode(), type=readable(Spec))
    return with_letter(spec, (folder / GRAPH).read_bytes()) if spec.sent and (folder / GRAPH).is_file() else spec


@contextmanager
def session(home: CoordinatorHome, plan: Plan, spec: Spec, fresh: bool, federation: Federation) -> Iterator[Session]:
    """The unfinished run of this plan, or a new one. fresh: give up the unfinished one; federation: the file in force.

    Raises UsageError, Refused: the folder or a journal in it cannot be used, or the run began under another file.
    """
    found = _unfinished(home, plan, spec)
    if found is not None and fresh:
        with closing(Journal(found / "journal.sqlite", spec)) as journal:
            journal.note("state", GIVEN_UP)
        found = None
    folder = found or home.runs / new_run()
    private.folder(home.runs, taken=True)
    private.folder(folder, taken=True)
    with closing(Journal(folder / "journal.sqlite", spec)) as journal:
        if found is None:
            facts = {"plan": plan.hash, "name": spec.name, "text": plan.text(), "began": repr(time.time())}
            sums = spec.steps + spec.looks + (spec.trainings if spec.traits.trains and evaluate.allowed(spec) else 0)
            facts |= {"spec": canonical(spec).decode(), "sums": str(sums)}
            for name, value in {**facts, "state": OPEN}.items():
                journal.note(name, value)
        if letter_of(spec):
            replace(folder / GRAPH, letter_of(spec), PRIVATE)  # `server status` may read it now
        journal.begun_under(federation.version, federation.digest)
        if journal.rounds():
            journal.note("resumed", str(int(journal.fact("resumed") or "0") + 1))
        yield Session(folder, folder.name, journal)


def _unfinished(home: CoordinatorHome, plan: Plan, spec: Spec) -> Path | None:
    for path in sorted(home.runs.glob("*/journal.sqlite"), key=lambda one: one.stat().st_mtime, reverse=True):
        with closing(Journal(path, spec)) as journal:
            if journal.fact("plan") == plan.hash and journal.fact("state") in (OPEN, SUMMED):
                return path.parent
    return None
