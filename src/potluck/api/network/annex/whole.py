"""What this home knows of one run, as its permit annex says it: from requests, access log, ledger, policy and
federation file. It reads no row: how many there were is what was counted when they were read for the plan."""

from collections.abc import Sequence
from contextlib import closing
from datetime import datetime

from potluck.api.network.annex import processing
from potluck.api.network.annex.course import course, stands
from potluck.api.network.asked import Asked
from potluck.api.network.history import LET_IN, runs_of
from potluck.api.network.ledger import AWAY, Spent, ledger_of, spending
from potluck.core.errors import UsageError
from potluck.core.party import Party
from potluck.core.plan import CODE
from potluck.core.prose import utc
from potluck.dp import claim
from potluck.dp.account import NEIGHBOURS, promise
from potluck.members.card import fingerprint
from potluck.members.federation import Federation
from potluck.members.home import SiteHome
from potluck.owner.access import Entry, short
from potluck.owner.access import read as read_log
from potluck.owner.decisions import Said
from potluck.owner.entries import Spending
from potluck.owner.form.turns import turns
from potluck.owner.policy import Policy
from potluck.owner.policy_words import keep, kept
from potluck.owner.reading import read as read_policy
from potluck.owner.requests import Requests
from potluck.parties.admission import tries
from potluck.parties.admission.consent import FILE
from potluck.parties.admission.over import MODEL
from potluck.report import owners, words
from potluck.report.details import seen
from potluck.report.papers import annex as paper
from potluck.tasks.catalog import task_of

GOING = ("open", AWAY)
"""States in which a run may still be charged."""
NEAR = 5.0
"""Seconds between a decision and its line of the log, at most."""


def annex_of(home: SiteHome, asked: Asked, now: datetime) -> paper.Annex:
    """Of one request. now: with its time zone. Raises UsageError, Refused: a file of this home is not what it was."""
    plan, run = asked.plan, asked.request.run
    log = [one for one in read_log(home.access).entries if one.hash == asked.request.hash or one.run == run]
    spent = spending(home.folder)
    mine = next((one for one in spent.runs if one.run == run), None)
    with ledger_of(home) as ledger:
        model, began = ledger.fact(f"{MODEL}{run}"), ledger.fact(f"{FILE}{run}")
        first, rounds = ledger.noted(f"{FILE}{run}"), sum(tries.made(ledger, run, ever=True).values())
    with closing(Requests(home.requests)) as requests:
        said = requests.decided(asked.request.hash)
        same = [one for one in requests.find(asked.request.hash) if one.run != run]
    decisions = tuple(_verdict(asked, log, one) for one in said)
    steps = course(log, run, first)
    fate = next(one.fate for one in runs_of(home.folder, asked.request.hash) if one.request.run == run)
    going = mine is not None and mine.state in GOING
    rules = read_policy(home.policy)
    federation = home.pinned()
    judged = next((one.policy for one in reversed(log) if one.run == run and one.event == "request"), "")
    return paper.Annex(
        version=1,
        made=utc(now.timestamp()),
        program=CODE,
        site=home.name,
        computes=asked.computes,
        permit=plan.permitted.words() if plan.permitted else (),
        plan=paper.Plan(
            name=plan.name,
            purpose=plan.purpose,
            task=plan.task,
            hash=f"sha256:{asked.request.hash}",
            text=asked.request.plan.decode(),
            learnt=task_of(plan).learnt(plan, home.name),
            together=asked.together,
            predicted=processing.predicted(plan),
            columns=processing.columns(asked),
            special=processing.special(plan),
            rounds=processing.rounds(plan),
        ),
        request=paper.Request(
            run=run,
            asker=asked.request.asker,
            state=asked.request.state.value,
            stands=stands(asked.request, fate, steps, rounds, asked.missing, going),
            codes=asked.request.codes,
            asked=utc(asked.request.first_seen),
            began=utc(first) if first else "",
            last=utc(mine.last) if mine and first else "",
            rounds=rounds,
            policy=judged,
            fate=fate.word,
            course=steps,
        ),
        decisions=decisions,
        policies=_policies(home, rules, [*(one.policy for one in decisions), *(one.policy for one in steps), judged]),
        protection=paper.Protection(
            scheme=plan.protect.scheme,
            noise=plan.privacy.noise,
            views=tuple(map(seen, asked.views)),
            lines=tuple(asked.seen),
        ),
        risk=_risk(asked, mine),
        budget=_budget(spent, mine),
        federation=_federation(home, federation, began),
        rows=_rows(asked, log),
        model=f"sha256:{model.hex()}" if model else "",
        others=tuple((one.run, one.state.value) for one in same),
        recipients=processing.recipients(asked, federation),
        kept=processing.stays(asked, rules),
        necessity=processing.necessity(asked, rules),
        measures=processing.measures(asked),
        rights=processing.rights(asked),
        looked=processing.looked(log),
    )


def _verdict(asked: Asked, log: Sequence[Entry], said: Said) -> paper.Verdict:
    """What a person said, with the line of the log that was written as it was said."""
    same = [one for one in log if one.event == said.verdict and one.person == short(said.person)]
    line = min((one for one in same if _apart(one, said) < NEAR), key=lambda one: _apart(one, said), default=None)
    stays = asked.rule == "hash" and said.verdict == "approve" and not said.void and asked.request.state in LET_IN
    compared = [
        one.why
        for one in log
        if one.event == "members" and one.person == short(said.person) and _apart(one, said) < NEAR
    ]
    return paper.Verdict(
        person=said.person,
        verdict=said.verdict,
        when=utc(said.at),
        reason=line.reason if line else "",
        policy=line.policy if line else "",
        served=said.run == asked.request.run or (said.run is None and stays),
        void=said.void,
        compared=next(iter(compared), ()),
    )


def _apart(line: Entry, said: Said) -> float:
    """Seconds between a line of the log and a verdict."""
    return abs(datetime.fromisoformat(line.when).timestamp() - said.at)


def _rows(asked: Asked, log: Sequence[Entry]) -> paper.Rows:
    """As they were counted for this run, else as they were last counted for this plan."""
    if asked.computes:
        return paper.Rows()
    counted = [one for one in reversed(log) if one.event == "rows"]
    mine = next((one for one in counted if one.run == asked.request.run), next(iter(counted), None))
    when, lines = (mine.when, mine.why) if mine else ("", ())
    return paper.Rows(when=when, lines=lines, person=asked.plan.data.person or "")


def _budget(spent: Spent, mine: Spending | None) -> paper.Budget:
    return paper.Budget(
        run=mine.epsilon if mine and mine.unit is not None else None,
        year=spent.composed_year,
        all=spent.composed,
        delta=spent.delta,
        left=spent.left,
        entries=spent.entries,
        head=spent.head,
    )


def _risk(asked: Asked, mine: Spending | None) -> paper.Risk:
    plan, attacks = asked.plan, tuple(asked.risks)
    most, privacy = promise(plan), plan.privacy
    if asked.computes:
        return paper.Risk(cost=asked.cost)
    if most is None:
        return paper.Risk(cost=task_of(plan).exact(plan), attacks=attacks, breaks=processing.breaks(asked))
    charged = mine.epsilon if mine is not None and mine.state not in GOING and mine.epsilon else most
    unit, delta = str(privacy.unit), privacy.delta or 0.0
    return paper.Risk(
        cost=claim.cost(plan) or "",
        question=owners.question(unit, NEIGHBOURS),
        hundred=words.hundred(charged, delta),
        epsilon=charged,
        delta=delta,
        unit=unit,
        attacks=attacks,
        asked=most,
        breaks=processing.breaks(asked),
    )


def _policies(home: SiteHome, rules: Policy, named: Sequence[str]) -> tuple[paper.Rules, ...]:
    """Every policy that papers name, in this order, and the one of now, with who put it in force by the log."""
    current = keep(home.policies, rules)
    put = turns(read_log(home.access).entries)
    found: list[paper.Rules] = []
    for one in dict.fromkeys([*filter(None, named), current]):
        try:
            topics = kept(home.policies, one)
        except UsageError:
            topics = ()
        lines = tuple(paper.Line(key=key, says=says) for topic in topics for key, says in topic.lines)
        first = {line.key: line.says for line in (found[0].lines if found else lines)}
        other = {line.key: line.says for line in lines}
        differs = (
            tuple(key for key in {**first, **other} if first.get(key) != other.get(key)) if first and other else ()
        )
        changes = tuple(
            paper.Change(persons=line.persons, when=line.when, reason=line.reason) for line in put if line.policy == one
        )
        found.append(paper.Rules(digest=one, lines=lines, now=one == current, differs=differs, changes=changes))
    return tuple(found)


def _federation(home: SiteHome, pinned: Federation, began: bytes | None) -> paper.Federation:
    it = (home.earlier.under(began) if began and began != pinned.digest else None) or pinned
    return paper.Federation(
        name=it.name,
        id=it.id,
        version=it.version,
        digest=it.digest.hex(),
        expires=utc(it.expires),
        members=tuple(_member(it, party, fingerprint(card)) for party, card in it.cards.items()),
        began=began.hex() if began else "",
    )


def _member(it: Federation, party: Party, mark: str) -> paper.Member:
    where, contact = processing.whose(it, party)
    return paper.Member(name=party.name, role=party.role.value, fingerprint=mark, where=where, contact=contact)
