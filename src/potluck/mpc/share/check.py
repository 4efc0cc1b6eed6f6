"""What of a plan `share` cannot keep."""

from collections.abc import Iterator, Sequence

from potluck.core.cohort import problems as cohort_problems
from potluck.core.party import BROKER, SERVER
from potluck.core.plan import Plan
from potluck.mpc.replicated import PARTIES

SITES = 64
"""The most sites whose words one program adds up."""
LONGEST = 100


def check(plan: Plan) -> list[str]:
    """Each line says what is wrong, then ". hint: " and what to do."""
    fed = plan.federation
    if fed.server == "lying":
        what = "share needs parties that follow the protocol: a lying one could change the sum unseen"
        return [f'{what}. hint: protect.with = "mask", or trust the server: federation.server = "curious"']
    found = [*who_computes(plan), *cohort_problems("share", plan)]
    if len(fed.sites) > SITES:
        what = f"share adds up at most {SITES} sites in this version, the plan has {len(fed.sites)}"
        found.append(f'{what}. hint: protect.with = "mask"')
    return found


def names_of(plan: Plan) -> Iterator[str]:
    """What is wrong with the names of who computes, however many they are."""
    names = plan.protect.compute
    if len(set(names)) < len(names):
        yield f"protect.compute: one is there twice. hint: name {len(names)} different parties"
    if any(not one.strip() or len(one) > LONGEST for one in names):
        yield f"protect.compute: a name is empty or over {LONGEST} letters. hint: use short names"


def who_computes(plan: Plan, counts: Sequence[int] = (PARTIES,)) -> list[str]:
    """What is wrong with who computes, as lines of `check`. counts: how many may compute this."""
    names, key = plan.protect.compute, "protect.compute"
    if len(names) not in counts and len(counts) > 1:
        return [f"{key}: share needs two or three compute parties, the plan names {len(names)}. hint: name three"]
    if len(names) not in counts:
        more = (
            ": between two, it would cost ten times as much, and one of them lying in wait is half"
            if (len(names) == PARTIES - 1)
            else ""
        )
        return [f"{key}: share needs three compute parties, the plan names {len(names)}{more}. hint: name three"]
    if wrong := [*names_of(plan)]:
        return wrong[:1]
    if {SERVER.name, BROKER.name} & set(names):
        what = "the coordinator sees the sum, and the broker every letter: neither may compute"
        return [f"{key}: {what}. hint: name other parties"]
    both = sorted(set(names) & set(plan.federation.sites))
    if both:
        what = f"{', '.join(both)} is a site, and sites do not compute in this version"
        return [f"{key}: {what}. hint: name parties that have no rows in this plan"]
    return []
