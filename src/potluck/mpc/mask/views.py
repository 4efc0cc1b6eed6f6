"""Who could see what of a masked sum, and which coalition breaks it: the claims of `mask`, as data.

The counts follow from the thresholds. Both secrets of a site open once `shape.opens` of those who hold its shares
collude with the server (with `d = 0` nobody may be missing, honest sites then never give a root share, and t must
collude). Whatever the protocol, whoever knows all other summands subtracts them from the sum.
"""

from potluck.core.party import SERVER, Party
from potluck.core.plan import Plan
from potluck.core.views import AllOf, AnyOf, Assumption, Condition, Form, Together, View, at_sites
from potluck.mpc.mask.graph import LEAK_BITS, Shape, shape_of, tolerated

SOURCE = "docs/concepts/protections.md#mask"
_HYBRID = Assumption("both X25519 and ML-KEM-768 fall, or Ed25519 is forged during the round")
_CURIOUS = Assumption("the server departs from the protocol, which the plan trusts it to follow")


def views(plan: Plan) -> list[View]:
    """Of every site's update: what each party sees, and what it takes to see more."""
    found, shape = [], shape_of(plan)
    broken = Form.NOISED if plan.privacy.noise in ("site", "shared") else Form.PLAIN
    for one in plan.sites:
        of, others = f"{one}'s update", frozenset(plan.sites) - {one}
        found.append(View(SERVER, of, Form.MASKED, _server(plan, shape, others), SOURCE, broken, _note(plan, shape)))
        hidden = View(one, of, Form.NOTHING, _site(plan, shape, others), SOURCE, broken, NETWORK)
        found += at_sites(plan.sites, one, hidden)
    return found


NETWORK = "who reads the network sees sealed boxes: no more than this"


def colluders(plan: Plan, shape: Shape) -> int:
    """How many other sites must collude with the server before both secrets of one site may open."""
    if not shape.complete:
        return tolerated(shape) + 1
    nobody_missing = shape.lying and plan.federation.dropouts == 0
    return max(1, shape.least if nobody_missing else shape.opens)


def _server(plan: Plan, shape: Shape, others: frozenset[Party]) -> Condition:
    counts = Together(min(colluders(plan, shape), max(1, plan.fewest - 1)), others)
    return AnyOf((counts, _HYBRID)) if shape.lying else AnyOf((counts, _CURIOUS, _HYBRID))


def _site(plan: Plan, shape: Shape, others: frozenset[Party]) -> Condition:
    secrets, rest = colluders(plan, shape), max(1, plan.fewest - 1)
    subtracted = Together(rest, others)
    if secrets >= rest:
        return AnyOf((subtracted, _HYBRID))
    return AnyOf((AllOf((Together(1, frozenset({SERVER})), Together(secrets, others))), subtracted, _HYBRID))


def _note(plan: Plan, shape: Shape) -> str:
    server = "the server may do anything" if shape.lying else "the server is trusted to follow the protocol"
    holders = f"held by {shape.picks} neighbours that each site picks, leak below 2^-{LEAK_BITS}"
    where = "of which each site holds one" if shape.complete else holders
    left = {"site": "; broken, its own noise is left", "shared": "; broken, only its own share of the noise is left"}
    return f"{server}; {shape.least} shares open a secret, {where}{left.get(plan.privacy.noise, '')}"
