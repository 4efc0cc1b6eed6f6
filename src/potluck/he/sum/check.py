"""What of a plan `he` cannot keep, and how many shares of a key it needs."""

from potluck.core.cohort import problems as cohort_problems
from potluck.core.plan import Plan
from potluck.he.sum import parameters


def check(plan: Plan) -> list[str]:
    """Each line says what is wrong, then ". hint: " and what to do."""
    fed = plan.federation
    if fed.server == "lying":
        what = "he needs a server that follows the protocol: a lying one gets every key holder's secret key"
        return [f'{what}. hint: protect.with = "mask", or trust the server: federation.server = "curious"']
    found = cohort_problems("he", plan)
    if found:
        return found
    n = len(fed.sites)
    found += [f'{text}. hint: protect.with = "mask"' for text in parameters.problems(n)]
    if fed.dropouts and least_of(plan) <= fed.corrupt:
        what = f"{n} sites cannot bear {fed.corrupt} corrupt and {fed.dropouts} dropouts with shared keys"
        found.append(f"{what}. hint: add sites, lower dropouts or corrupt")
    return found


def least_of(plan: Plan) -> int:
    """How many shares open a vault: more than the corrupt, a majority where drop-outs leave one."""
    fed = plan.federation
    n = len(fed.sites)
    return min(n - fed.dropouts, max(fed.corrupt + 1, n // 2 + 1))
