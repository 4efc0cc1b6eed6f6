"""What a plan does with this owner's rows, as a data protection impact assessment asks (GDPR article 35): which data,
on what ground as far as the plan says, how little of it, how it is guarded, what persons may ask for, who gets what.

It says what the program knows and no more. What only people know (why it is needed, what the rows are, how persons
were told) has lines to write on in the page (`report.papers`).
"""

import math
import re
from collections.abc import Sequence

from potluck.api.network.asked import Asked
from potluck.core.party import BROKER, SERVER, Party
from potluck.core.plan import Column
from potluck.core.plan import Plan as Spec
from potluck.core.prose import a, agree, count, listed
from potluck.core.schemes import scheme_of
from potluck.core.views import Form, Never
from potluck.core.visible import visible
from potluck.dp import claim
from potluck.learning.data.declared import find, measured
from potluck.members.federation import Federation
from potluck.owner.access import Entry
from potluck.owner.hours import ANY
from potluck.owner.policy import Policy
from potluck.owner.reach import columns_read, covers
from potluck.report.matrix import MEANS
from potluck.report.papers import annex as paper
from potluck.tasks.released import kept
from potluck.tasks.words import about_rows

READ = {
    Form.SUM: "a sum over sites",
    Form.NOISED: "with noise",
    Form.RELEASED: "as it is released",
    Form.PLAIN: "as it is",
}
"""Forms in which somebody can read a thing."""
ALONE = "sees it with this site's share of the noise alone: epsilon does not hold"
SAID = 12
"""Values of a column that are named."""
HEALTH = re.compile(r"\bEHDS\b|2025/327", re.IGNORECASE)
"""The law on health data, by name or number."""
SPECIAL = re.compile(r"\bart(?:icles?|\.)?\s*9\b|\b9\s*\(\s*2\s*\)", re.IGNORECASE)


def special(plan: Spec) -> str:
    """What the plan's legal basis says of special categories of data; empty where it says nothing of them."""
    basis = (plan.permitted.basis or "") if plan.permitted else ""
    if HEALTH.search(basis):
        return "the legal basis that the plan names is a law on health data (GDPR article 9: a special category)"
    if SPECIAL.search(basis):
        return "the legal basis that the plan names is about special categories of data (GDPR article 9)"
    return ""


def columns(asked: Asked) -> tuple[paper.Column, ...]:
    """Each column of this owner's that the plan reads, as the plan declares it."""
    if asked.computes:
        return ()
    plan = asked.plan
    return tuple(
        paper.Column(name=visible(name), holds=_holds(plan.data.columns.get(name)), use=_use(plan, name))
        for name in columns_read(plan, asked.me)
    )


def _holds(column: Column | None) -> str:
    """What its cells are, in words."""
    if column is None:
        return "the plan does not declare what is in it"
    unit = f" {visible(column.unit)}" if column.unit else ""
    if column.low is not None and column.high is not None and measured(column):
        return f"a number from {column.low:g} to {column.high:g}{unit}"
    if column.values:
        return f"one of {count(len(column.values), 'value')}: {either(column.values)}{unit}"
    return f"{a(column.kind)}{unit}"


def _use(plan: Spec, name: str) -> str:
    """What the plan does with it, in words; of several uses the one that says most."""
    data = plan.data
    if data.target is not None and name in data.target.names:
        return "is predicted"
    if data.person == name:
        return "says whose a row is"
    if plan.align is not None and name in plan.align.keys:
        return "finds the same persons at different owners"
    if data.join is not None and name in data.join.keys:
        return "joins two tables"
    if data.split is not None and data.split.column == name:
        return "says which rows are held out"
    if plan.traits.counts:
        return "is counted"
    return "is used to predict" if plan.traits.trains else "is read"


def predicted(plan: Spec) -> tuple[str, ...]:
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
            others = f"where it is {either(rest)}" if rest else "elsewhere"
            what = f"positive where it is {either(target.positive)}, negative {others}"
        elif target.classes is not None:
            what = f"one of the classes {listed(list(map(visible, target.classes)))}"
        else:
            low, high = column.bounds if column else (-math.inf, math.inf)
            what = f"a number from {low:g} to {high:g}{f' {visible(column.unit)}' if column and column.unit else ''}"
        found.append(f"predicted is what the column {visible(name)} of the rows says: {what}")
    return tuple(found)


def either(values: Sequence[str]) -> str:
    """Some of the values of a cell."""
    shown = [visible(one) for one in values[:SAID]]
    more = [f"one of {len(values) - SAID:,} more"] if len(values) > SAID else []
    return " or ".join([*shown, *more])


def necessity(asked: Asked, rules: Policy) -> tuple[str, ...]:
    """How little is taken, in sentences: against what the policy in force allows. Empty of a party without rows."""
    if asked.computes:
        return ()
    plan, read = asked.plan, columns_read(asked.plan, asked.me)
    found = [_columns(read, rules.allow.columns), *about_rows(plan)]
    if plan.traits.sums:
        found.append("rows are read on this site's own machine; what leaves it are sums over them")
    found += _leaving(asked)
    if (plan.traits.counts or plan.traits.trains) and (least := rules.allow.min_rows) > 1:
        found.append(f"the policy in force lets nothing be learnt from fewer than {count(least, 'row')} of this site")
    return tuple(found)


def _columns(read: Sequence[str], allowed: Sequence[str]) -> str:
    """How many columns, of those that the policy allows."""
    many = count(len(read), "column")
    if ANY in allowed:
        return f"the plan reads {many}; the policy in force allows any"
    if any(ANY in one for one in allowed):
        return f"the plan reads {many}; the policy in force allows {listed(list(map(visible, allowed)))}"
    inside = sum(any(covers(one, name) for one in allowed) for name in read)
    beyond = f", and {len(read) - inside:,} that it does not" if inside < len(read) else ""
    of = f"{len(allowed):,} {agree(len(allowed), 'column', 'columns')}"
    return f"the plan reads {inside:,} of the {of} that the policy in force allows{beyond}"


def _leaving(asked: Asked) -> list[str]:
    """In what form the coordinator's server sees what is this owner's, a sentence a thing."""
    mine = f"{asked.me}'s "
    seen = {
        one.of.removeprefix(mine): one.form for one in asked.views if one.party == SERVER and one.of.startswith(mine)
    }
    return [f"this site's {thing}: the coordinator's server {MEANS[form]}" for thing, form in seen.items()]


def rounds(plan: Spec) -> str:
    """Why the rounds that began here may be other than those of the plan, in a sentence."""
    again = "one that failed is begun again and counts once more"
    if not plan.traits.sums:
        return f"the plan has one round; {again}"
    if not plan.traits.trains or plan.training is None:
        return f"the plan has up to {count(plan.sums, 'round')}, of one sum each; {again}"
    held = " and each look at held-out or validation rows" if plan.looks or plan.data.split else ""
    most = count(plan.training.rounds, "round")
    return f"the plan has up to {most} of training; each sum{held} is one here, and {again}"


def measures(asked: Asked) -> tuple[str, ...]:
    """How the rows are guarded, in sentences without terms of art."""
    plan, said = asked.plan, scheme_of(asked.plan.protect.scheme).said
    found: list[str] = []
    if plan.traits.sums:
        found.append(f"{said}; each sum is over at least {count(plan.fewest, 'site')}")
    if plan.exposed:
        found.append("the enclave is none that keeps its host out: the coordinator could read what is inside")
    if plan.noisy and not asked.computes:
        found.append(
            f"what one {plan.privacy.unit} can add is bounded, and noise is added to hide it: {claim.trusts(plan)}"
        )
    elif not asked.computes:
        found.append("no noise is added: what is released is exact, and may say something of single persons")
    found.append("letters are signed, and sealed to whom they are for: the broker that carries them cannot read them")
    found.append("every request is held against this site's policy before a person is asked, and before every round "
                 "the site looks whether its approval stands")  # fmt: skip
    found.append("requests, decisions and rounds are in the access log; what was spent is in a ledger whose entries "
                 "vouch for those before them")  # fmt: skip
    return tuple(found)


def rights(asked: Asked) -> tuple[str, ...]:
    """What a person's rights can still reach, and what they cannot. Empty of a party without rows."""
    if asked.computes:
        return ()
    found = [
        "a person's rows that are taken out of this site's source are in no run that begins afterwards; a run that "
        "goes on here stops when its rows change",
        "this site can revoke its approval: then no further round of the run begins",
        "what was released stays with whoever has it: nothing takes one person's part out of a model or a statistic "
        "afterwards, and nobody can call it back",
    ]
    if asked.plan.data.person is None:
        found.append("the plan has no column that says whose a row is: whose rows were used is known by this site's "
                     "source alone")  # fmt: skip
    return tuple(found)


def breaks(asked: Asked) -> tuple[str, ...]:
    """What becomes of this owner's things where what guards them fails, a sentence a thing and form. Which assumptions
    these are the table of who sees what says in its notes."""
    mine = f"{asked.me}'s "
    worst: dict[str, Form] = {}
    for view in asked.views:
        if view.of.startswith(mine) and view.party != asked.party and not isinstance(view.breaks_if, Never):
            broken = worst.setdefault(view.of.removeprefix(mine), view.broken)
            worst[view.of.removeprefix(mine)] = max(broken, view.broken, key=list(Form).index)
    share = asked.plan.privacy.noise == "shared"  # that is not enough for the plan's epsilon
    return tuple(
        f"this site's {thing}: where an assumption fails that is noted there, another party "
        f"{ALONE if share and form is Form.NOISED else MEANS[form]}"
        for thing, form in worst.items()
    )


def recipients(asked: Asked, federation: Federation) -> tuple[paper.Recipient, ...]:
    """Who gets what of this owner's, or of what comes of it, so that it can read it; parties that get the same are one
    entry, unless their cards say whose they are. The broker, which carries letters, is the last."""
    plan, me = asked.plan, asked.party
    gets: dict[Party, list[str]] = {one: [] for one in (SERVER, *plan.sites, *plan.compute) if one != me}
    for view in asked.views:
        mine = view.of.startswith(f"{asked.me}'s ") or view.of.startswith("the ")
        if view.party in gets and mine and view.form in READ:
            gets[view.party].append(f"{view.of} ({READ[view.form]})")
    alike: dict[tuple[str, str, str], list[str]] = {}
    for party, things in gets.items():
        name = "the coordinator" if party == SERVER else party.name
        said = listed(things) or "nothing that it can read"
        alike.setdefault((said, *whose(federation, party)), []).append(name)
    found = [
        paper.Recipient(name=listed(names), gets=said, where=where, contact=contact)
        for (said, where, contact), names in alike.items()
    ]
    carried = "the letters of all parties, sealed: it cannot read them, and sees who writes to whom, when and how much"
    return (*found, paper.Recipient(name=f"the {BROKER.name}", gets=carried))


def whose(federation: Federation, party: Party) -> tuple[str, str]:
    """(organisation and country, contact) as a member's card says them; empty where it does not."""
    card = federation.cards.get(party)
    return ("", "") if card is None else (card.about.where, card.contact)


def stays(asked: Asked, rules: Policy) -> tuple[str, ...]:
    """What stays here."""
    found = ["request, decisions, access log and ledger stay as long as this home does: nothing removes them by itself"]
    if not asked.computes:
        found.append("rows are read from where they lie, and not copied into the home")
        left = ["these papers"]
        left += ["the model that the run released, with its metrics on this site's held-out rows"] * kept(asked.plan)
        left += ["the model's scores of this site's own rows"] * (rules.keep.predictions and asked.plan.traits.trains)
        found.append(f"{listed(left)} stay in the folder own of the home until somebody removes them")
    return tuple(found)


def looked(log: Sequence[Entry]) -> tuple[paper.Look, ...]:
    """Who looked at what would leave, and when: rows that a person asked to be read. log: of this plan alone."""
    seen = dict.fromkeys((one.person, one.when) for one in log if one.event == "rows" and one.person)
    return tuple(paper.Look(person=person, when=when) for person, when in seen)
