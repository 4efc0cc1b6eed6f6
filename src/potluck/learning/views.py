"""What the opened sums, the model and the metrics reveal, and a model's card: the tasks' own claims, whatever protects
them."""

from collections.abc import Sequence

import numpy as np

from potluck.core.party import SERVER, Party, site
from potluck.core.plan import Plan, required
from potluck.core.views import AllOf, AnyOf, Assumption, Condition, Form, Never, Together, View
from potluck.learning import folds, voting
from potluck.learning.data.declared import declared
from potluck.learning.data.target import goal_of
from potluck.learning.evaluation import evaluate
from potluck.learning.models.fitted import training
from potluck.learning.statistics.kinds import kind_of
from potluck.learning.training.local import personal
from potluck.learning.training.methods import METHODS

SOURCE = "docs/concepts/training.md"
OPENS = 2
"""So many compute parties together open what sites shared among three."""
CARD_SOURCE = "docs/concepts/prediction.md"
CARD = (
    "columns, their ranges and declared values, the target, the model's kind and layers, of a graph only that it is "
    "one; the client encodes its rows by it: no weight is in it"
)


_TOKENS = "count, and that of their tokens, of those that were said right, and their summed loss"
_REPEATS = "a language model without noise: it can repeat texts of rows word for word"


def opened(plan: Plan) -> str:
    """What the sums that the server opens are made of, and what can be read off them."""
    if plan.traits.counts:
        return f"one vector of all statistics{', opened once' if plan.sums == 1 else ''}{_goes_on(plan)}"
    spec = training(plan)
    labels = goal_of(plan).side == "labels"
    counts = (
        "" if plan.noisy else ", and the number of training rows" if labels else ", and the training rows of each class"
    )
    if spec.aggregation != "mean":
        sums = f"each round the sites' changes of weights, joined by the rule {spec.aggregation}{counts}"
    else:
        sums = METHODS.of(spec.method).opened(plan, counts)
    return _means(plan) + sums + _looked_at(plan) + _evaluated(plan) + folds.opened(plan)


def _means(plan: Plan) -> str:
    """What is opened before, of columns whose gaps are filled."""
    names = [name for name, one in declared(plan).items() if one.missing == "mean"]
    return (
        f"first how many training rows have a value of {', '.join(names)}, and these added up; then " if names else ""
    )


def _goes_on(plan: Plan) -> str:
    """What statistics of several rounds open beside."""
    if plan.sums == 1:
        return ""
    few = "" if plan.noisy else ": with few rows a coefficient, or a row alone in a bin of time, rows can be read off"
    said = (
        f"; of {which} up to {plan.sums} sums of {what}, each at {state} that all see"
        for which, what, state in later(plan)
    )
    return "".join(said) + few


def later(plan: Plan) -> tuple[tuple[str, str, str], ...]:
    """Of statistics of several rounds, which go on, what their sums are of, and at what they are asked."""
    several = (kind_of(one) for one in plan.statistics if (one.rounds or 1) > 1)
    return tuple(dict.fromkeys(kind.follows for kind in several))


def _asked_at(plan: Plan) -> str:
    return " and ".join(dict.fromkeys(state for _, _, state in later(plan)))


def _looked_at(plan: Plan) -> str:
    """What looks at validation rows are made of."""
    if not plan.looks:
        return ""
    often, goal = training(plan).every, goal_of(plan)
    number = goal.side == "number"
    cells = sum(block.size for block in evaluate.blocks(plan, np.zeros(0)))
    counted = f"summed loss, and how many are in each of {cells} cells"
    what = _TOKENS if not goal.apart else "count and summed squares of errors and targets" if number else counted
    when = "each round" if often == 1 else f"every {often} rounds and the last"
    return f"; after {when} the validation rows' {what}, at that round's model"


def _evaluated(plan: Plan) -> str:
    """What the evaluation sum is made of."""
    names = {block.name: block.size for block in evaluate.blocks(plan, np.zeros(0))}
    if not names or plan.data.split is None:
        return ""
    if not goal_of(plan).apart:
        return f"; then the {evaluate.judging(plan)}' {_TOKENS}"
    if "cells" not in names:
        return f"; then the {evaluate.judging(plan)}' count and summed squares of errors and targets"
    few = "" if plan.noisy else ": many cells hold a single row"
    of = "label, side, and bin of its scores" if goal_of(plan).side == "labels" else "class, and bin of scores or hit"
    return f"; then the {evaluate.judging(plan)} in each of {names['cells']} cells ({of}){few}"


def views(plan: Plan, updates: Sequence[View] = ()) -> list[View]:
    """The task's rows: the server opens the sums, everyone sees each round's model, a site keeps its own metrics.

    updates: the protection's rows; what opens an update opens a site's part of the evaluation, which is a sum like
    others.
    """
    central = plan.privacy.noise == "reveal" and (plan.exposed or not plan.enclosed)
    public = Form.NOISED if plan.noisy else Form.SUM
    note = opened(plan) + ("; the server sees it before it adds the noise" if central else "")
    if plan.noisy and plan.privacy.unit == "person":
        note += f"; the noise hides a person, who is whatever column {plan.data.person!r} says"
    if (plan.traits.labelled or plan.sums > 1) and plan.federation.server == "lying":
        at = "weights" if plan.traits.labelled else _asked_at(plan)
        note += f"; a lying server may ask at other {at} than the sums give, one choice a step"
        note += "" if plan.noisy else ", and so single out rows: only noise prevents that"
    found = [View(SERVER, "the sum", Form.SUM if central else public, Never(), SOURCE, note=note)]
    if not plan.traits.labelled and plan.sums > 1:
        every = f"the {_asked_at(plan)} of each round are announced to all, and follow from the sums"
        return found + [
            View(party, "the sum", public, Never(), SOURCE, note=every) for party in (*plan.compute, *plan.sites)
        ]
    if not plan.traits.labelled:
        passed = Together(1, frozenset({SERVER}))
        found += [View(site, "the sum", Form.NOTHING, passed, SOURCE, broken=public) for site in plan.sites]
        two = AnyOf((passed, Together(OPENS, frozenset(plan.compute))))
        return found + [View(one, "the sum", Form.NOTHING, two, SOURCE, broken=public) for one in plan.compute]
    every = "every round's model is announced to all sites, and its differences are the sums"
    parties = (SERVER, *plan.compute, *plan.sites)
    found += [View(party, "the sum", public, Never(), SOURCE, note=every) for party in parties[1:]]
    repeats = "" if goal_of(plan).apart or plan.noisy else _REPEATS
    found += [View(party, "the model", Form.RELEASED, Never(), SOURCE, note=repeats) for party in parties]
    guards = {view.of: view.breaks_if for view in updates if view.party == SERVER}
    if personal(plan):
        found += [_own(party, site) for site in plan.sites for party in parties]
    if voting.wanted(plan):
        told, who = voting.told(plan), (SERVER, *plan.sites)
        found += [
            View(one, f"{site}'s votes", Form.PLAIN, Never(), SOURCE, note=told) for site in plan.sites for one in who
        ]
    return found + [
        _metrics(plan, party, site, guards.get(f"{site}'s update", Never())) for site in plan.sites for party in parties
    ]


def _own(party: Party, site: Party) -> View:
    """A site's own model never leaves it; what it adds to the sums shapes them all the same."""
    of = f"{site}'s own model"
    if party == site:
        return View(party, of, Form.PLAIN, Never(), SOURCE, note="in its home, with metrics on its own rows")
    return View(party, of, Form.NOTHING, Together(1, frozenset({site})), SOURCE)


def _metrics(plan: Plan, party: Party, site: Party, guard: Condition) -> View:
    """Only the sum over all sites is evaluated together; what a model does on one site's rows stays there, unless the
    server reads that site's part of the sum anyway, or what guards its update falls."""
    of = f"{site}'s metrics"
    if party == site:
        return View(party, of, Form.PLAIN, Never(), SOURCE, note="its own")
    gone = Together(1, frozenset({site}))
    if not evaluate.allowed(plan):
        return View(party, of, Form.NOTHING, gone, SOURCE)
    form = Form.NOISED if plan.privacy.noise == "site" else Form.PLAIN
    reads = not plan.protect.facts.hides or plan.exposed
    if party == SERVER and reads:
        return View(party, of, form, Never(), SOURCE, note="from the site's part of the evaluation, which it reads")
    opens = (Together(1, frozenset({SERVER})),) if reads else _opened_by(plan, guard)
    return View(party, of, Form.NOTHING, AnyOf((gone, *opens)), SOURCE, form)


def _opened_by(plan: Plan, guard: Condition) -> tuple[Condition, ...]:
    """What opens a site's part of the evaluation: the server alone has its sum, so sites need its help; compute parties
    hold the parts."""
    server = Together(1, frozenset({SERVER}))
    parts = guard.parts if isinstance(guard, AnyOf) else () if isinstance(guard, Never) else (guard,)
    return tuple(
        AllOf((server, part)) if isinstance(part, Together) and not part.among <= frozenset(plan.compute) else part
        for part in parts
    )


def of_card(plan: Plan) -> list[View]:
    """What a prediction shows besides what the protection hides: the card goes from owner to client, sealed to a key of
    the round and signed."""
    spec = required(plan.predict)
    owner, client = site(spec.owner), site(spec.client)
    either = AnyOf((Together(1, frozenset({owner, client})), Assumption("both X25519 and ML-KEM-768 fall")))
    return [
        View(owner, "the card", Form.PLAIN, Never(), CARD_SOURCE, note="its own"),
        View(client, "the card", Form.PLAIN, Never(), CARD_SOURCE, note=CARD),
        View(SERVER, "the card", Form.CIPHERTEXT, either, CARD_SOURCE, note="sealed to the client's key of this round"),
    ]
