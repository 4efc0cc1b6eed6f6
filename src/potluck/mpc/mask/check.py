"""What of a plan `mask` cannot keep."""

from potluck.core import cohort
from potluck.core.plan import Plan
from potluck.mpc.mask.graph import shape_of, sound


def check(plan: Plan) -> list[str]:
    """Each line says what is wrong, then ". hint: " and what to do."""
    fed, found = plan.federation, cohort.problems("mask", plan)
    n = len(fed.sites)
    if n < 2 or plan.fewest < 2:
        return found
    made = shape_of(plan)
    if made.complete and not sound(n, fed.corrupt, made.least, fed.server):
        what = f"{n} sites cannot bear {fed.corrupt} corrupt and {fed.dropouts} dropouts with a {fed.server} server"
        hint = "add sites, lower dropouts or corrupt" + (
            ', or trust the server: server = "curious"' if made.lying else ""
        )
        found = [f"{what}. hint: {hint}", *found]
    return found
