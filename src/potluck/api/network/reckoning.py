"""What a run must have cost each site by now, as the coordinator reckons it from the letters that came."""

from collections.abc import Mapping

from potluck.core.asks import Kind
from potluck.core.plan import Plan as Spec
from potluck.dp.account import promise, spent
from potluck.tasks.catalog import costs


def reckoning(spec: Spec, paid: Mapping[tuple[str, Kind], int]) -> dict[str, float]:
    """The epsilon by site that follows from how many contributions of each kind are known to have left it."""
    if not spec.noisy:
        return dict.fromkeys(spec.federation.sites, 0.0)
    if not spec.traits.sums:
        # Shares go to compute parties, past the coordinator: who gives no last word may have spent all.
        return dict.fromkeys(spec.federation.sites, promise(spec) or 0.0)
    each, found = costs(spec), {}
    for name in spec.federation.sites:
        events = [cost for kind, cost in each.items() for _ in range(paid.get((name, kind), 0))]
        found[name] = spent(events, spec.privacy.delta or 0.0) if events else 0.0
    return found
