"""Who could see what of a sum without protection: the claims of `clear`, as data."""

from potluck.core.party import SERVER
from potluck.core.plan import Plan
from potluck.core.views import AnyOf, Condition, Form, Never, Together, View, at_sites


def views(plan: Plan) -> list[View]:
    """The server reads every update; other sites read only the sum."""
    form = Form.NOISED if plan.privacy.noise == "site" else Form.PLAIN
    source = "docs/concepts/protections.md#clear"
    rows = []
    for one in plan.sites:
        of = f"{one}'s update"
        rows.append(View(SERVER, of, form, Never(), source))
        # Whoever knows all other summands subtracts them from the sum, which the models give away.
        rest = Together(max(1, plan.fewest - 1), frozenset(plan.sites) - {one})
        reads: Condition = AnyOf((Together(1, frozenset({SERVER})), rest))
        rows += at_sites(plan.sites, one, View(one, of, Form.NOTHING, reads, source, broken=form))
    return rows
