"""What an evaluation of finished models reveals, whatever protects its sum: the task's own claims."""

from collections.abc import Sequence

from potluck.core.party import SERVER
from potluck.core.plan import Plan
from potluck.core.views import AnyOf, Form, Never, Together, View
from potluck.learning.data.target import goal_of
from potluck.learning.evaluation.finished import cells

SOURCE = "docs/concepts/evaluation-elsewhere.md"
OPENS = 2
"""So many compute parties together open what sites shared among three."""
SENT = "the plan names it by the digest of its file, and the server sends it to whoever lacks it"


def opened(plan: Plan) -> str:
    """What the sum that the server opens is made of."""
    size = sum(block.size for block in cells.blocks(plan))
    each = "model, " + (
        "group, and bin" if goal_of(plan).side == "number" else "group, side or class, and bin of score"
    )
    few = (
        "" if plan.noisy else ": many cells hold a single row, and a model can be made so that a cell holds one person"
    )
    return f"one vector of {size} numbers by {each}, opened once{few}"


def views(plan: Plan, updates: Sequence[View] = ()) -> list[View]:
    """The server opens the sum; all have the models. updates: the protection's rows."""
    central = plan.privacy.noise == "reveal" and (plan.exposed or not plan.enclosed)
    public = Form.NOISED if plan.noisy else Form.SUM
    note = opened(plan) + ("; the server sees it before it adds the noise" if central else "")
    if plan.noisy and plan.privacy.unit == "person":
        note += f"; the noise hides a person, who is whatever column {plan.data.person!r} says"
    passed = Together(1, frozenset({SERVER}))
    two = AnyOf((passed, Together(OPENS, frozenset(plan.compute))))
    found = [View(SERVER, "the sum", Form.SUM if central else public, Never(), SOURCE, note=note)]
    found += [View(site, "the sum", Form.NOTHING, passed, SOURCE, broken=public) for site in plan.sites]
    found += [View(one, "the sum", Form.NOTHING, two, SOURCE, broken=public) for one in plan.compute]
    parties = (SERVER, *plan.compute, *plan.sites)
    return found + [View(party, "the model", Form.PLAIN, Never(), SOURCE, note=SENT) for party in parties]
