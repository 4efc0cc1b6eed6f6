"""One run of the coordinator's, from its sites' consent to its folder, whoever else uses the line meanwhile."""

import contextlib
import dataclasses
import json
import os
import shutil
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path

from potluck.api.local.run import write
from potluck.api.network.once import run_round
from potluck.api.network.reckoning import reckoning
from potluck.api.network.sessions import FINISHED, REASON, SUMMED, Say, Session
from potluck.api.plan.plan import Plan
from potluck.api.results.facts import Facts
from potluck.api.results.folder import taken
from potluck.core import private
from potluck.core.asks import Answer, Ask, Kind, Task
from potluck.core.errors import DataError, PlanError, Refused
from potluck.core.line import Line
from potluck.core.plan import CODE, canonical
from potluck.core.plan import Plan as Spec
from potluck.core.prose import agree
from potluck.core.rounds import Abort, Cause
from potluck.drivers.sums import Log, Progress, Sums, drive
from potluck.drivers.transcript import Transcript
from potluck.learning.data.table import Table
from potluck.learning.loops import build
from potluck.learning.models.sent import letter_of
from potluck.learning.training.looks import looked
from potluck.learning.training.trained import Trained
from potluck.members.federation import Federation
from potluck.members.home import Membership
from potluck.members.names import file_name
from potluck.owner.ledger_heads import SignedHead
from potluck.parties.admission.proposal import first_sum
from potluck.parties.admission.session import MOST_GRAPH, Proposal
from potluck.parties.admission.told import Told, told_of
from potluck.parties.runners.identity import Identity
from potluck.parties.runners.journal import Journal
from potluck.parties.runners.known_heads import KnownHeads
from potluck.parties.runners.server import Coordinator
from potluck.parties.runners.server import Run as Running
from potluck.parties.runners.turns import Cancelled, Turn
from potluck.report import details
from potluck.tasks.catalog import task_of
from potluck.tasks.demands import stamp_of
from potluck.tasks.here import Outcome
from potluck.tasks.sums.protections import across

NO_REASON = "no reason was given"
REPEATS = 5
"""How often an exact sum is repeated over the same sites, who come back in between."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a run meets the others. check: raises where this server is the federation's no more; turn: of this run
    beside others; results: where folders of runs are made that nobody named one for; None: in `runs` of the working
    directory."""

    member: Membership
    me: Identity
    line: Line
    heads: KnownHeads
    check: Callable[[], None]
    turn: Turn
    results: Path | None = None


def possible(plan: Plan, federation: Federation, now: datetime) -> list[str]:
    """The plan's warnings, as of `now`. Raises PlanError: it is wrong, or cannot be carried out across machines."""
    warnings, spec = plan.require(now), plan.spec
    if (size := len(letter_of(spec))) > MOST_GRAPH:
        key = "model.graph" if spec.drawn else "model.start" if spec.begun else "model.file"
        what = f"{key}: has {size} bytes, and across machines at most {MOST_GRAPH} travel"
        raise PlanError(what, where=plan.where, hint="a smaller network, or frozen weights in a base")
    for key, wanted in (("federation.sites", spec.sites), ("protect.compute", spec.compute)):
        strangers = [str(party) for party in wanted if party not in federation.cards]
        if strangers:
            more = " as a compute party" if wanted == spec.compute else ""
            what = f"{key}: {', '.join(strangers)} is no member of {federation.name}{more}"
            raise PlanError(what, where=plan.where, hint="potluck federation show; potluck federation add")
    patterns = [name for name in spec.data.columns if "*" in name]
    if patterns:
        what = f"data.columns: the pattern {patterns[0]!r} cannot be used across machines"
        raise PlanError(what, where=plan.where, hint="name the columns one by one: nobody here sees the files")
    return warnings


def carry_out(
    kept: Session, plan: Plan, where: Place, warnings: list[str], wait: float, progress: Progress, say: Say
) -> Path:
    """The folder of the finished run. wait: seconds to wait for sites and their approval, which may be infinite.

    Raises Refused: a site said no, or this server was displaced. Abort, Unreachable, UsageError.
    """
    spec, order = plan.spec, kept.order
    record = Path(order.record) if order.record else None
    task: Task[Table, Outcome] | None = build(spec) if spec.traits.sums else None
    with closing(Transcript(record, kept.transcript)) as transcript:

        def said(event: str, text: str) -> None:
            kept.event(event, text)
            say(event, text)

        protection, proposal = across(spec) if task else None, _proposal(spec, where.member.federation)
        running = Running(spec, task, protection, kept.name, proposal, wait, transcript, letter_of(spec), where.turn)
        coordinator = Coordinator(running, where.me, where.line, kept.journal, where.heads, said)
        if kept.resumed:
            said("resumed", f"{sum(one['opened'] for one in kept.journal.rounds())} rounds stand")
        try:
            if kept.state != SUMMED:
                coordinator.gather()

            def begin(ask: Ask) -> None:
                where.check()
                progress(ask)

            if task is None:
                outcome, log = _run_round(spec, coordinator, kept.journal, begin)
            else:
                outcome, log = _run_sums(spec, task, coordinator, kept.journal, begin, where.check)
        except Cancelled:
            coordinator.close(b"", kept.journal.fact(REASON) or NO_REASON)  # sites let go of it
            raise
        except (Refused, Abort) as error:
            if isinstance(error, Abort) or coordinator.participants.said_no():
                coordinator.ended()
            raise
        kept.became(SUMMED)
        coordinator.close(task_of(spec).seal(outcome), told=_told(outcome))
        place = taken(spec.name, _out(kept, spec, where), kept.began)
        with kept.transcript.open("rb") as lines, private.opened(place / "transcript.jsonl", os.O_TRUNC) as file:
            shutil.copyfileobj(lines, file)
        write(place, _facts(plan, where, kept, outcome, log, [*warnings, *outcome.warnings]))
        kept.journal.note("place", str(place))
        kept.became(FINISHED)
    return place


def _out(kept: Session, spec: Spec, where: Place) -> Path | None:
    if kept.order.out or where.results is None:
        return Path(kept.order.out) if kept.order.out else None
    return where.results / f"{file_name(spec.name)}-{kept.name[:8]}"


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
    spec: Spec,
    task: Task[Table, Outcome],
    coordinator: Coordinator,
    journal: Journal,
    progress: Progress,
    ready: Callable[[], None],
) -> tuple[Outcome, Log]:
    """All sums, those that stand from the journal. ready: waits before each try until the broker takes letters. Raises
    Abort."""
    redone = journal.unopened() if not spec.exact else 0
    if redone > spec.privacy.redo:
        what = f"contributions had left in {redone} {agree(redone, 'round', 'rounds')} that came to nothing"
        paid = f"privacy.redo = {spec.privacy.redo} pays for fewer other tries"
        hint = "put back a newer copy, where this home is one; else --fresh begins the run anew, and charges it again"
        raise Abort(Cause.BUDGET, detail=f"{what}, {paid}. hint: {hint}")
    sums = Sums(spec, coordinator, store=journal, redone=redone, repeats=REPEATS, progress=progress, ready=ready)

    def one_sum(ask: Ask) -> Answer:
        answer = sums(ask)
        if ask.kind is Kind.VALIDATE and ask.fold == 0:
            _seen(spec, journal, ask, answer)
        return answer

    return drive(task, one_sum), sums.log


def _seen(spec: Spec, journal: Journal, ask: Ask, answer: Answer) -> None:
    """What a look at validation rows says, for whoever watches: it is opened, and stands in the journal anyhow."""
    with contextlib.suppress(DataError):  # the task says it
        found = looked(spec, ask, answer)
        journal.note(f"look {ask.step:06d}", json.dumps(dataclasses.asdict(found)))


def _facts(plan: Plan, where: Place, kept: Session, outcome: Outcome, log: Log, warnings: list[str]) -> Facts:
    spec, it, journal, known = plan.spec, where.member.federation, kept.journal, where.heads
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
        federation=it.name, version=it.version, broker=it.broker, heads=heads, resumed=kept.resumed,
        parties=_parties(spec, it),
    )  # fmt: skip
    tries = _tries(kept)
    log.aborts = [cause for causes in tries.values() for cause in causes]
    stamp = stamp_of(spec, None)
    return Facts(plan, spec, kept.began, outcome, log, cost, warnings, network=network, tries=tries, stamp=stamp)


def _told(outcome: Outcome) -> Told | None:
    """What sites are told of the model at the end."""
    return told_of(outcome.metrics) if isinstance(outcome, Trained) else None


def _parties(spec: Spec, it: Federation) -> tuple[details.Party, ...]:
    """The coordinator and the plan's parties, those whose cards say whose they are."""
    cards = {"the coordinator": it.coordinator}
    cards |= {one.name: it.cards[one] for one in (*spec.sites, *spec.compute) if one in it.cards}
    said = {name: card.about for name, card in cards.items() if card.about.words()}
    return tuple(details.Party(name=name, where=one.where, contact=one.contact) for name, one in said.items())


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
