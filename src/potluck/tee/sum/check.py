"""What of a plan `tee` cannot keep, and what runs but should give pause."""

from potluck.core import cohort
from potluck.core.plan import Plan
from potluck.tee.attestation.demand import unprotected


def check(plan: Plan) -> list[str]:
    """Each line says what is wrong, then ". hint: " and what to do.

    A minimum cohort confirms a set of givers, each honest owner one set: only where two cohorts have an honest owner in
    common does a lying server find no second cohort for a second set, whatever it does to the enclave's memory.
    """
    fed, found = plan.federation, cohort.problems("tee", plan)
    n = len(fed.sites)
    if not found and fed.server == "lying" and 2 * plan.fewest <= n + fed.corrupt:
        what = f"{n} sites cannot bear {fed.corrupt} corrupt and {fed.dropouts} dropouts with a lying server"
        why = "it could have two sums confirmed, whose difference is one update"
        found.append(f'{what}: {why}. hint: add sites, lower dropouts or corrupt, or federation.server = "curious"')
    return found


def pauses(plan: Plan) -> list[str]:
    """What runs, but should give pause."""
    if not plan.protect.facts.enclave:
        return []
    found = []
    read = "model, rows and scores" if plan.traits.scores else "every update"
    if plan.exposed:
        hint = 'it serves a rehearsal; a confidential machine has "tsm" or "nsm"'
        found.append(f"protect.enclave: {unprotected(plan)}: its host could read {read}. hint: {hint}")
    if plan.training is not None and plan.training.aggregation == "krum":
        what = "krum opens one site's update as it is, without saying whose"
        found.append(f'training.aggregation: {what}. hint: "trimmed" or "median" mix several')
    return found
