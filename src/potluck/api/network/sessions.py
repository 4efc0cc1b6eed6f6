"""The coordinator's runs on its disk: a folder a run with its journal, found again after a crash."""

import contextlib
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

import msgspec

from potluck.api.network.ending import Ending, ending
from potluck.api.plan.plan import Plan, kept
from potluck.core import private
from potluck.core.errors import PotluckError, Refused
from potluck.core.party import SERVER
from potluck.core.plan import Plan as Spec
from potluck.core.plan import canonical
from potluck.core.schema import of_later, readable
from potluck.drivers.memory import new_run
from potluck.learning.evaluation.evaluate import rounds
from potluck.learning.models.sent import letter_of, with_letter
from potluck.members.files import PRIVATE, replace
from potluck.members.home import CoordinatorHome, Membership
from potluck.parties.runners.journal import Journal

WAITING, QUEUED, OPEN, SUMMED = "waiting", "queued", "open", "summed"
"""States of a run: it waits for sites and their owners; for its turn among others; sums are still to be done; all are,
the sites are to be told."""
REASON = "cancel reason"
"""The fact of a journal that says to its sites why the run was cancelled."""
FINISHED, FAILED, CANCELLED, GIVEN_UP = "finished", "failed", "cancelled", "given up"
"""Those of one that has ended: well; by itself, it can be gone on with; by a person; started anew instead."""
GOING = (WAITING, QUEUED, OPEN, SUMMED)
UNFINISHED = (*GOING, FAILED)

GRAPH = "plan.graph"
"""The graph that a run's plan names, beside its journal."""
EVENTS = "events.jsonl"
"""A line a word that was said of a run, beside its journal."""
Say = Callable[[str, str], None]
"""Hears (event, text): words for whoever looks on."""


def quiet(event: str, text: str) -> None:
    """Nobody looks on."""


class Order(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a run is carried out. out: its folder, or empty; wait: seconds for sites and approvals, None: without end;
    record: where bodies go, or empty; person: who submitted it; office: by the process that carries out several, which
    goes on with it when it starts again."""

    out: str = ""
    wait: float | None = None
    record: str = ""
    person: str = ""
    office: bool = False


@dataclass(frozen=True)
class Session:
    """One run of the coordinator's. member: who the coordinator and the others are in it."""

    folder: Path
    name: str
    journal: Journal
    member: Membership

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

    @property
    def order(self) -> Order:
        """How it is carried out."""
        return order_in(self.journal)

    def became(self, state: str) -> None:
        """From now on it is in this state."""
        ended = {} if state in GOING else {"ended": repr(time.time())}
        self.journal.note_all({"state": state, **ended})

    def event(self, event: str, text: str) -> None:
        """A line of JSON a word: when, event, text; nothing private is ever said."""
        line = {"when": datetime.now(UTC).isoformat(timespec="milliseconds"), "event": event, "text": text}
        with private.opened(self.folder / EVENTS, os.O_APPEND) as file:
            file.write(f"{json.dumps(line)}\n".encode())


def planned_in(folder: Path, journal: Journal) -> Spec:
    """The plan of the run in a folder, with its graph or first weights."""
    text = (journal.fact("spec") or "").encode()
    spec = msgspec.json.decode(text, type=readable(Spec))
    if not spec.sent or not (folder / GRAPH).is_file():
        return spec
    return _parsed(text, (folder / GRAPH).read_bytes())


@lru_cache(maxsize=4)
def _parsed(text: bytes, letter: bytes) -> Spec:
    """Of the last few plans with what they name: whoever looks on asks every second, and parsing takes long."""
    return with_letter(msgspec.json.decode(text, type=readable(Spec)), letter)


def plan_in(folder: Path) -> Plan:
    """The plan of a run as its author wrote it, whatever became of its file. Raises UsageError, Refused: no journal."""
    with closing(Journal.look(folder / "journal.sqlite")) as journal:
        settings = json.loads(journal.fact("overrides") or "[]")
        return kept(journal.fact("text") or "", tuple(settings), planned_in(folder, journal))


def order_in(journal: Journal) -> Order:
    """How the run of a journal is carried out."""
    return msgspec.json.decode((journal.fact("order") or "{}").encode(), type=readable(Order))


def why_of(journal: Journal) -> Ending | None:
    """Why a run failed, of one that did."""
    text = journal.fact("why") if journal.fact("state") == FAILED else None
    return None if text is None else msgspec.json.decode(text.encode(), type=readable(Ending))


def begun(home: CoordinatorHome, plan: Plan, fresh: bool, order: Order, say: Say = quiet) -> Path:
    """The folder of the unfinished run of this plan, or of a new one, durable. fresh: give up the unfinished one; say:
    as of `unfinished`.

    Raises UsageError, Refused: the folder or a journal in it cannot be used.
    """
    spec = plan.spec
    found = unfinished(home, plan, say)
    if found is not None and fresh:
        with closing(Journal(found / "journal.sqlite", spec)) as journal:
            journal.note_all({"state": GIVEN_UP, "ended": repr(time.time())})
        found = None
    folder = found or home.runs / new_run()
    private.folder(home.runs, taken=True)
    private.folder(folder, taken=True)
    if letter_of(spec):
        replace(folder / GRAPH, letter_of(spec), PRIVATE)  # before the journal names it: it may be read then
    with closing(Journal(folder / "journal.sqlite", spec)) as journal:
        facts, known = {"order": msgspec.json.encode(order).decode()}, journal.fact("state")
        if known in GOING and order.office and order_in(journal).office:
            return folder  # it goes on as it was submitted first
        if found is None:
            facts |= {"plan": plan.hash, "name": spec.name, "text": plan.text(), "began": repr(time.time())}
            facts |= {"overrides": json.dumps(plan.overrides), "spec": canonical(spec).decode()}
            facts["sums"] = str(rounds(spec))
        if found is None or known == FAILED:
            facts["state"] = WAITING if order.office else OPEN
        journal.note_all(facts)
    return folder


def failed(journal: Journal, error: Exception) -> Ending:
    """The run ended here, for this reason; it can be gone on with."""
    why = ending(error)
    journal.note_all({"why": msgspec.json.encode(why).decode(), "ended": repr(time.time()), "state": FAILED})
    return why


@contextmanager
def reopened(folder: Path, spec: Spec, home: CoordinatorHome, now: float) -> Iterator[Session]:
    """The run in a folder, to be carried out: under the federation file of its first round, before that under the one
    in force.

    Raises UsageError: its journal cannot be used. Refused: so, or the file of its first round does not count any more.
    """
    with closing(Journal(folder / "journal.sqlite", spec)) as journal:
        file = journal.file(SERVER)
        if journal.rounds() and file is not None:
            member = home.under(file[1], now, file[0])
            journal.note("resumed", str(int(journal.fact("resumed") or "0") + 1))
        else:
            member = home.open(now)
            journal.goes_by(member.federation.version, member.federation.digest)
        yield Session(folder, folder.name, journal, member)


@contextmanager
def session(
    home: CoordinatorHome, plan: Plan, fresh: bool, order: Order, now: float, say: Say = quiet
) -> Iterator[Session]:
    """The unfinished run of this plan, or a new one, until the block ends: one that fails is said to have failed.

    Raises UsageError, Refused: as `begun` and `reopened`.
    """
    with reopened(begun(home, plan, fresh, order, say), plan.spec, home, now) as run:
        if not order.office and run.state in (WAITING, QUEUED):
            run.became(OPEN)
        try:
            yield run
        except Exception as error:
            with contextlib.suppress(PotluckError):  # a journal that cannot be written says so by `error`
                if run.state != FINISHED:
                    failed(run.journal, error)
            raise


def unfinished(home: CoordinatorHome, plan: Plan, say: Say = quiet) -> Path | None:
    """The folder of the newest run of this plan that has not ended, or that failed and can be gone on with; one that
    somebody cancels ends.

    A journal that is damaged, or of an earlier build, whose plans have other hashes, stands in no run's way: say hears
    its name. Raises Refused: a later Potluck wrote one.
    """
    for path in sorted(home.runs.glob("*/journal.sqlite"), key=lambda one: one.stat().st_mtime, reverse=True):
        try:
            with closing(Journal(path, plan.spec)) as journal:
                going = journal.fact("state") in UNFINISHED and journal.fact("cancel") is None
                if going and journal.fact("plan") == plan.hash:
                    return path.parent
        except Refused as error:
            if of_later(error):
                raise
            say("skipped", f"{path}: {error.what}: that run is passed over")
    return None
