"""What this home knows of one run, as its permit annex says it: from requests, access log, ledger, policy and
federation file. It reads no row: how many there were is what was counted when they were read for the plan."""

import math
from collections.abc import Sequence
from contextlib import closing
from datetime import datetime

from potluck.api.network.asked import Asked
from potluck.api.network.history import LET_IN
from potluck.api.network.ledger import AWAY, Spent, ledger_of, spending
from potluck.core.errors import UsageError
from potluck.core.party import SERVER, Party, Role
from potluck.core.plan import CODE
from potluck.core.plan import Plan as Spec
from potluck.core.prose import count, listed, utc
from potluck.core.views import Form
from potluck.core.visible import visible
from potluck.dp import claim
from potluck.dp.account import NEIGHBOURS, promise
from potluck.learning.data.declared import find
from potluck.members.card import fingerprint
from potluck.members.home import SiteHome
from potluck.owner.access import Entry, short
from potluck.owner.access import read as read_log
from potluck.owner.decisions import Said
from potluck.owner.entries import Spending
from potluck.owner.policy_words import keep, kept
from potluck.owner.reading import read as read_policy
from potluck.owner.requests import Requests, State
from potluck.parties.admission import tries
from potluck.parties.admission.consent import FILE
from potluck.parties.admission.over import MODEL
from potluck.report import owners, words
from potluck.report.details import seen
from potluck.report.papers import annex as paper
from potluck.tasks.catalog import task_of

READ = {
    Form.SUM: "a sum over sites",
    Form.NOISED: "with noise",
    Form.RELEASED: "as it is released",
    Form.PLAIN: "as it is",
}
"""Forms in which somebody can read a thing."""
SAID = 12
"""Values of a predicted column that are named."""
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
        rounds = sum(tries.made(ledger, run, ever=True).values())
    with closing(Requests(home.requests)) as requests:
        said = requests.decided(asked.request.hash)
        same = [one for one in requests.find(asked.request.hash) if one.run != run]
    decisions = tuple(_verdict(asked, log, one) for one in said)
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
            predicted=_predicted(plan),
        ),
        request=paper.Request(
            run=run,
            asker=asked.request.asker,
            state=asked.request.state.value,
            stands=_stands(asked, mine, rounds),
            codes=asked.request.codes,
            asked=utc(asked.request.first_seen),
            began=utc(mine.when) if mine else "",
            last=utc(mine.last) if mine else "",
            rounds=rounds,
            policy=judged,
        ),
        decisions=decisions,
        policies=_policies(home, [*(one.policy for one in decisions), judged]),
        protection=paper.Protection(
            scheme=plan.protect.scheme,
            noise=plan.privacy.noise,
            views=tuple(map(seen, asked.views)),
            lines=tuple(asked.seen),
        ),
        risk=_risk(asked, mine),
        budget=_budget(spent, mine),
        federation=_federation(home, began),
        rows=_rows(asked, log),
        model=f"sha256:{model.hex()}" if model else "",
        others=tuple((one.run, one.state.value) for one in same),
        recipients=_recipients(asked),
        kept=_kept(home, asked),
    )


def _verdict(asked: Asked, log: Sequence[Entry], said: Said) -> paper.Verdict:
    """What a person said, with the line of the log that was written as it was said."""
    same = [one for one in log if one.event == said.verdict and one.person == short(said.person)]
    near = ((abs(datetime.fromisoformat(one.when).timestamp() - said.at), place) for place, one in enumerate(same))
    apart, place = min(near, default=(NEAR, 0))
    line = same[place] if apart < NEAR else None
    stays = asked.rule == "hash" and said.verdict == "approve" and not said.void and asked.request.state in LET_IN
    return paper.Verdict(
        person=said.person,
        verdict=said.verdict,
        when=utc(said.at),
        reason=line.reason if line else "",
        policy=line.policy if line else "",
        served=said.run == asked.request.run or (said.run is None and stays),
        void=said.void,
    )


def _predicted(plan: Spec) -> tuple[str, ...]:
    """What each predicted column means, as far as the plan says it."""
    target = plan.data.target
    if target is None:
        return ()
    found: list[str] = []
    for name in target.names:
        column = find(plan, name)
        if target.positive is not None:
            rest = (
                target.negative or tuple(one for one in column.values if one not in target.positive) if column else ()
            )
            others = f"where it is {_either(rest)}" if rest else "elsewhere"
            what = f"positive where it is {_either(target.positive)}, negative {others}"
        elif target.classes is not None:
            what = f"one of the classes {listed(list(map(visible, target.classes)))}"
        else:
            low, high = column.bounds if column else (-math.inf, math.inf)
            what = f"a number from {low:g} to {high:g}{f' {visible(column.unit)}' if column and column.unit else ''}"
        found.append(f"predicted is what the column {visible(name)} of the rows says: {what}")
    return tuple(found)


def _either(values: Sequence[str]) -> str:
    """Some of the values of a cell."""
    shown = [visible(one) for one in values[:SAID]]
    more = [f"one of {len(values) - SAID:,} more"] if len(values) > SAID else []
    return " or ".join([*shown, *more])


def _recipients(asked: Asked) -> tuple[paper.Recipient, ...]:
    """Who gets what of this owner's, or of what comes of it, so that it can read it; parties that get the same are one
    entry."""
    plan, me = asked.plan, Party(Role.COMPUTE if asked.computes else Role.SITE, asked.me)
    gets: dict[Party, list[str]] = {one: [] for one in (SERVER, *plan.sites, *plan.compute) if one != me}
    for view in asked.views:
        mine = view.of.startswith(f"{asked.me}'s ") or view.of.startswith("the ")
        if view.party in gets and mine and view.form in READ:
            gets[view.party].append(f"{view.of} ({READ[view.form]})")
    alike: dict[str, list[str]] = {}
    for party, things in gets.items():
        name = "the coordinator" if party == SERVER else party.name
        alike.setdefault(listed(things) or "nothing that it can read", []).append(name)
    return tuple(paper.Recipient(name=listed(names), gets=what) for what, names in alike.items())


def _kept(home: SiteHome, asked: Asked) -> tuple[str, ...]:
    """What stays here."""
    found = ["request, decisions, access log and ledger stay as long as this home does: nothing removes them by itself"]
    if not asked.computes:
        found.append("rows are read from where they lie, and not copied into the home")
        scores = read_policy(home.policy).keep.predictions
        what = "the model's scores of this site's own rows, and these papers," if scores else "these papers"
        found.append(f"{what} stay in the folder own of the home until somebody removes them")
    return tuple(found)


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


def _stands(asked: Asked, mine: Spending | None, rounds: int) -> str:
    """The state of a request, in a sentence or two."""
    left = f"{count(rounds, 'round')} began here" if rounds else "No round began here: nothing has left this site"
    state, over = asked.request.state, mine is not None and mine.state not in GOING
    if state is State.PENDING:
        return f"It waits for {count(asked.missing, 'approval')}. {left}."
    if state is State.APPROVED and mine is not None and mine.state == AWAY:
        return f"This site turned it away when it was asked for last, and may be asked again. {left}."
    if state is State.APPROVED:
        how = "The run goes on: write these papers again at its end" if mine and not over else "It may begin"
        return f"{how}. {left}."
    if state is State.FINISHED:
        return f"The run is over. {left}."
    if state is State.DENIED:
        who = f"The policy said no ({', '.join(asked.request.codes)})" if asked.request.codes else "Somebody said no"
        return f"{who}. {left}."
    if state is State.REVOKED:
        return f"The approval was taken back, and no further round begins. {left}."
    return f"Its asker gave it up. {left}."


def _risk(asked: Asked, mine: Spending | None) -> paper.Risk:
    plan, attacks = asked.plan, tuple(asked.risks)
    most, privacy = promise(plan), plan.privacy
    if asked.computes:
        return paper.Risk(cost=asked.cost)
    if most is None:
        return paper.Risk(cost=task_of(plan).exact(plan), attacks=attacks)
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
    )


def _policies(home: SiteHome, named: Sequence[str]) -> tuple[paper.Rules, ...]:
    """Every policy that papers name, in this order, and the one of now."""
    current = keep(home.policies, read_policy(home.policy))
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
        found.append(paper.Rules(digest=one, lines=lines, now=one == current, differs=differs))
    return tuple(found)


def _federation(home: SiteHome, began: bytes | None) -> paper.Federation:
    pinned = home.pinned()
    it = (home.earlier.under(began) if began and began != pinned.digest else None) or pinned
    return paper.Federation(
        name=it.name,
        id=it.id,
        version=it.version,
        digest=it.digest.hex(),
        expires=utc(it.expires),
        members=tuple(
            paper.Member(name=party.name, role=party.role.value, fingerprint=fingerprint(card))
            for party, card in it.cards.items()
        ),
        began=began.hex() if began else "",
    )
