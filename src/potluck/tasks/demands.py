"""What owners demand of an enclave, where one process or machine holds all of them."""

from potluck.core.errors import PlanError
from potluck.core.plan import Plan as Spec
from potluck.tasks.sources import Written
from potluck.tee.attestation.demand import Demand, built_in, read, unprotected


def demand_of(plan: Written) -> Demand | None:
    """The demand of every owner of this plan; None where it needs no enclave.

    Without `protect.policy` a simulated enclave is believed, and nothing else. Raises PlanError, UsageError: there is
    no policy, or none that can be read; Refused: it does not believe what the plan names.
    """
    guard = plan.spec.protect
    if not guard.facts.enclave:
        return None
    if guard.policy is None and guard.enclave != "simulated":
        what = f'protect.policy is missing: who believes an enclave "{guard.enclave}" has to say which code and machine'
        raise PlanError(what, where=plan.where, hint='policy = "policy.toml": potluck docs tee')
    demand = built_in() if guard.policy is None else read(plan.folder / guard.policy)
    demand.believes(guard.enclave)
    return demand


def stamp_of(spec: Spec, demand: Demand | None) -> str:
    """What is to be printed beside a run's results. demand: None where this party judges nothing (a server)."""
    guard = spec.protect
    if not guard.facts.enclave:
        return ""
    if demand is not None:
        return demand.stamp(guard.enclave)
    return unprotected(spec)
