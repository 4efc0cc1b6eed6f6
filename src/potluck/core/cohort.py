"""How many sites must be in a sum for it to hide one of them: the rule that every protection but `clear` shares."""

from potluck.core.plan import Plan


def problems(word: str, plan: Plan) -> list[str]:
    """Errors, with hints, where corrupt/dropouts would let a sum expose one site. word: the protection.

    Without site or shared noise the corrupt subtract what they gave themselves, so two others must be left.
    """
    fed, fewest = plan.federation, plan.fewest
    n, alone = len(fed.sites), plan.exact
    if alone and n < 3:
        return [f"{word} needs at least 3 sites without site or shared noise, the plan has {n}. hint: add a site"]
    if n < 2 or fewest < 2:
        what = f"{word} adds up at least 2 sites, the plan guarantees {max(fewest, 0)}"
        return [f"{what}. hint: add a site or lower dropouts"]
    taken = max(fed.corrupt, 1)
    if not alone or fewest - taken >= 2:
        return []
    who = "one site that subtracts itself" if taken == 1 else f"{taken} sites that subtract themselves"
    left = f"{max(fewest - taken, 0)} are left in the sum where 2 must be"
    what = f"of {n} sites, after {fed.dropouts} dropouts and {who}, {left}"
    return [f"{what}. hint: add sites, lower dropouts or corrupt, or add site or shared noise"]
