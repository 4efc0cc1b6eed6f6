"""What a plan's noise promises, in words. Inbox, preview, check and explain ask here, so that none says otherwise.

It does NOT reckon what noise is enough (`account`, `bound`).
"""

from potluck.core.plan import Plan
from potluck.dp.account import NEIGHBOURS, promise
from potluck.dp.calibration import shares


def cost(plan: Plan) -> str | None:
    """What a full run costs an owner at most, and for whom. None: the plan has no noise, so what it releases is exact.

    Raises PlanError: the plan's noise counts on nobody.
    """
    most, privacy = promise(plan), plan.privacy
    if most is None:
        return None
    return f"up to epsilon {most:g} at delta {privacy.delta:g} for every {hidden(plan)} ({NEIGHBOURS}); {trusts(plan)}"


def hidden(plan: Plan) -> str:
    """Whom the noise hides. A person is no more than what the plan's column says: that column is named."""
    unit = plan.privacy.unit
    return f"person, who is whatever column {plan.data.person!r} says" if unit == "person" else str(unit)


def trusts(plan: Plan) -> str:
    """On whose noise the promise counts, of a plan with noise. Raises PlanError: on nobody's."""
    word = plan.privacy.noise
    if plan.traits.joins:
        return f"the noise counts on {len(plan.compute) - 1} of the {len(plan.compute)} who compute drawing theirs"
    if word == "shared":
        known = max(plan.federation.corrupt, 1)
        return (
            f"the noise counts on {shares(plan)} of {len(plan.federation.sites)} sites that add their share and keep "
            f"it secret: if more than {known} {'collude' if known > 1 else 'colludes'} with the server, epsilon is "
            "larger than said"
        )
    if word == "site":
        return "this site adds all of its noise itself, and counts on nobody"
    return f"the noise counts on the {'enclave' if plan.enclosed else 'server'} adding it"
