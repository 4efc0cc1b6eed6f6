"""`potluck server run`: the coordinator of a run across machines. It sees what the plan's views say, and no row."""

import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from potluck.api.local.progress import quietly
from potluck.api.local.run import write
from potluck.api.network.once import run_round
from potluck.api.network.reckoning import reckoning
from potluck.api.network.sessions import FINISHED, SUMMED, Session, session
from potluck.api.plan.plan import Plan, opened
from potluck.api.results.facts import Facts
from potluck.api.results.folder import free, taken
from potluck.api.results.outcome import Run
from potluck.core import private
from potluck.core.asks import Ask, Task
from potluck.core.errors import PlanError
from potluck.core.plan import CODE, canonical
from potluck.core.plan import Plan as Spec
from potluck.core.rounds import Abort, Cause
from potluck.drivers.memory import new_run
from potluck.drivers.sums import Log, Progress, Sums, drive
from potluck.drivers.transcript import Transcript
from potluck.learning.data.table import Table
from potluck.learning.loops import build
from potluck.learning.models.sent import letter_of
from potluck.members.federation import Federation
from potluck.members.files import locked, replace
from potluck.members.home import CoordinatorHome, Membership
from potluck.net.lease import Lease
from potluck.net.link import Link
from potluck.net.session import Account
from potluck.owner.ledger_heads import SignedHead
from potluck.parties.admission.proposal import first_sum
from potluck.parties.admission.session import MOST_GRAPH, Proposal
from potluck.parties.runners.identity import identity
from potluck.parties.runners.journal import Journal
from potluck.parties.runners.known_heads import KnownHeads
from potluck.parties.runners.server import Coordinator
from potluck.parties.runners.server import Run as Running
from potluck.report import details
from potluck.tasks.catalog import task_of
from potluck.tasks.demands import stamp_of
from potluck.tasks.here import Outcome
from potluck.tasks.sums.protections import across

REPEATS = 5
"""How often an exact sum is repeated over the same sites, who come back in between."""
CONNECT = 15.0
"""Seconds to reach the broker at the start."""
Say = Callable[[str, str], None]


def serve(
    folder: str | Path,
    plan: Plan | str | Path,
    *,
    out: str | Path | None = None,
    wait: float = 60.0,
    fresh: bool = False,
    record: Path | None = None,
    progress: Progress = quietly,
    say: Say = lambda event, text: None,
) -> Run:
    """Carry out `plan` with the sites of the federation whose coordinator's home is `folder`.

    wait: seconds to wait for sites and their approval. fresh: give up an unfinished run of this plan, which is gone on
    with otherwise; record: keep the bodies that the server reads. Raises PlanError, UsageError (exit 2), Refused (3: a
    site or the federation file), Abort and Unreachable (4). Whatever ends it, finished rounds stand, and the next start
    goes on after them.
    """
    plan = opened(plan)
    warnings = plan.require(datetime.now(UTC))
    home = CoordinatorHome.at(Path(folder))
    member = home.open(time.time())
    spec = plan.spec
    _across(plan, member)
    free(Path(out) if out else None)
    with (
        locked(home.lock, "another server runs this federation on this machine"),
        session(home, plan, spec, fresh, member.federation) as kept,
        _line(home, member) as (link, lease),
        closing(Transcript(record, kept.transcript)) as transcript,
    ):
        say = _written(kept, say)
        heads = KnownHeads(home.folder / "heads.json", member.federation)
        task: Task[Table, Outcome] | None = build(spec) if spec.traits.sums else None
        protection, proposal = across(spec) if task else None, _proposal(spec, member.federation)
        running = Running(spec, task, protection, kept.name, proposal, wait, transcript, letter_of(spec))
        coordinator = Coordinator(running, identity(member), link, kept.journal, heads, say)
        if kept.resumed:
            say("resumed", f"{sum(one['opened'] for one in kept.journal.rounds())} rounds stand")
        if kept.state != SUMMED:
            coordinator.gather()

        def begin(ask: Ask) -> None:
            lease.check()
            progress(ask)

        if task is None:
            outcome, log = _run_round(spec, coordinator, kept.journal, begin)
        else:
            outcome, log = _run_sums(spec, task, coordinator, kept.journal, begin)
        kept.became(SUMMED)
        coordinator.close(task_of(spec).seal(outcome))
        place = taken(spec.name, Path(out) if out else None, kept.began)
        with kept.transcript.open("rb") as lines, private.opened(place / "transcript.jsonl", os.O_TRUNC) as file:
            shutil.copyfileobj(lines, file)
        write(place, _facts(plan, member, kept, heads, outcome, log, [*warnings, *outcome.warnings]))
        kept.became(FINISHED)
    return Run.read(place)


def _written(kept: Session, say: Say) -> Say:
    """`say`, and a line of JSON a word in the run's folder: when, event, text; nothing private is ever said."""

    def both(event: str, text: str) -> None:
        line = {"when": datetime.now(UTC).isoformat(timespec="milliseconds"), "event": event, "text": text}
        with private.opened(kept.folder / "events.jsonl", os.O_APPEND) as file:
            file.write(f"{json.dumps(line)}\n".encode())
        say(event, text)

    return both


def _across(plan: Plan, member: Membership) -> None:
    """Raises PlanError: it cannot be carried out across machines."""
    spec = plan.spec
    if (size := len(letter_of(spec))) > MOST_GRAPH:
        key = "model.graph" if spec.drawn else "model.start" if spec.begun else "model.file"
        what = f"{key}: has {size} bytes, and across machines at most {MOST_GRAPH} travel"
        raise PlanError(what, where=plan.where, hint="a smaller network, or frozen weights in a base")
    for key, wanted in (("federation.sites", spec.sites), ("protect.compute", spec.compute)):
        strangers = [str(party) for party in wanted if party not in member.federation.cards]
        if strangers:
            more = " as a compute party" if wanted == spec.compute else ""
            what = f"{key}: {', '.join(strangers)} is no member of {member.federation.name}{more}"
            raise PlanError(what, where=plan.where, hint="potluck federation show; potluck federation add")
    patterns = [name for name in spec.data.columns if "*" in name]
    if patterns:
        what = f"data.columns: the pattern {patterns[0]!r} cannot be used across machines"
        raise PlanError(what, where=plan.where, hint="name the columns one by one: nobody here sees the files")


@contextmanager
def _line(home: CoordinatorHome, member: Membership) -> Iterator[tuple[Link, Lease]]:
    """The server's line, and the lease that keeps a second server away. Raises Unreachable, Refused."""
    it = member.federation
    account = Account(it.id, member.me, it.broker, it.ca, member.keys.user.seed)
    with closing(Link(account, parties=tuple(it.cards))) as link:
        link.open(CONNECT)
        boot, mark = new_run(), home.folder / "server.boot"
        lease = Lease(link, boot)
        lease.acquire(mark.read_text(encoding="ascii").strip() if mark.is_file() else None)
        replace(mark, boot.encode(), private.FILE)
        try:
            yield link, lease
        finally:
            lease.release()


def _proposal(spec: Spec, it: Federation) -> Proposal:
    """What every site is asked, but for its own head."""
    return Proposal(CODE, it.version, it.digest, canonical(spec), sha256(first_sum(spec).state).digest(), b"")


def _run_round(spec: Spec, coordinator: Coordinator, journal: Journal, progress: Progress) -> tuple[Outcome, Log]:
    """The one round of what is no sum, from the journal where it stands. Raises Abort."""
    task = task_of(spec)
    ask = task.first(spec)
    progress(ask)
    return task.elsewhere(), run_round(spec, ask, coordinator, journal, task.serve(spec))


def _run_sums(
    spec: Spec, task: Task[Table, Outcome], coordinator: Coordinator, journal: Journal, progress: Progress
) -> tuple[Outcome, Log]:
    """All sums, those that stand from the journal. Raises Abort."""
    redone = journal.unopened() if not spec.exact else 0
    if redone > spec.privacy.redo:
        what = "contributions had left in a round that was not finished, and the plan paid for no other try"
        raise Abort(Cause.BUDGET, detail=f"{what}. hint: set privacy.redo, and start a new run with --fresh")
    sums = Sums(spec, coordinator, store=journal, redone=redone, repeats=REPEATS, progress=progress)
    return drive(task, sums), sums.log


def _facts(
    plan: Plan,
    member: Membership,
    kept: Session,
    known: KnownHeads,
    outcome: Outcome,
    log: Log,
    warnings: list[str],
) -> Facts:
    spec, it, journal = plan.spec, member.federation, kept.journal
    told = {name: epsilon for name, _, _, _, epsilon, head in journal.sites() if head}
    reckoned = reckoning(spec, journal.paid())
    noisy = spec.noisy
    cost = {name: told.get(name, reckoned[name]) if noisy else None for name in spec.federation.sites}
    silent = [name for name in spec.federation.sites if noisy and name not in told]
    if silent:
        names = ", ".join(silent)
        warnings.append(f"no last word from {names}: what it spent is reckoned from the letters that came from it")
    heads = tuple(_head(site.name, known.of(site)) for site in spec.sites if known.of(site))
    network = details.Network(
        federation=it.name, version=it.version, broker=it.broker, heads=heads, resumed=kept.resumed
    )
    tries = _tries(kept)
    log.aborts = [cause for causes in tries.values() for cause in causes]
    stamp = stamp_of(spec, None)
    return Facts(plan, spec, kept.began, outcome, log, cost, warnings, network=network, tries=tries, stamp=stamp)


def _head(name: str, signed: SignedHead | None) -> details.Head:
    assert signed is not None
    return details.Head(site=name, entry=signed.seq, hash=signed.hash.hex(), signature=signed.signature.hex())


def _tries(kept: Session) -> dict[int, tuple[str, ...]]:
    """By the number of each round that was opened, the causes of the tries before it."""
    found: dict[int, tuple[str, ...]] = {}
    before: list[str] = []
    for one in kept.journal.rounds():
        if one["opened"]:
            found[one["number"]] = tuple(before)
            before = []
        else:
            before.append(one["cause"] or "the server was stopped in this round")
    return found
