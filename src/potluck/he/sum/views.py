"""Who could see what of a threshold sum, and which coalition breaks it: the claims of `he`, as data.

A site's ciphertexts open with every key, hence never without its own, which it gives nobody; where sites may vanish,
`least` others hold what opens its vault, which the server keeps. Whatever the protocol, whoever knows all other
summands subtracts them from the sum.
"""

from potluck.core.party import SERVER, Party
from potluck.core.plan import Plan
from potluck.core.views import AllOf, AnyOf, Assumption, Condition, Form, Together, View, at_sites
from potluck.he.sum.check import least_of

SOURCE = "docs/concepts/he.md"
_LATTICE = Assumption("ring-LWE at 128 bits falls")
_SHARED = Assumption("both X25519 and ML-KEM-768 fall")
_CURIOUS = Assumption("the server departs from the protocol, which the plan trusts it to follow")
_ONCE = Assumption("the server departs from the protocol once: it then gets the keys (recheck is off)")


def views(plan: Plan) -> list[View]:
    """Of every site's update: what each party sees, and what it takes to see more."""
    found, least = [], least_of(plan)
    broken = Form.NOISED if plan.privacy.noise in ("site", "shared") else Form.PLAIN
    seen = Form.CIPHERTEXT if plan.protect.recheck else Form.NOTHING
    for one in plan.sites:
        of, others = f"{one}'s update", frozenset(plan.sites) - {one}
        found.append(
            View(SERVER, of, Form.CIPHERTEXT, _server(plan, least, others), SOURCE, broken, _note(plan, least))
        )
        hidden = View(one, of, seen, _site(plan, least, others), SOURCE, broken, _peer(plan))
        found += at_sites(plan.sites, one, hidden)
    return found


def _server(plan: Plan, least: int, others: frozenset[Party]) -> Condition:
    rest = max(1, plan.fewest - 1)
    counts = Together(min(least, rest) if plan.federation.dropouts else rest, others)
    departs = _CURIOUS if plan.protect.recheck else _ONCE
    return AnyOf((counts, departs, _LATTICE, *_vaults(plan)))


def _site(plan: Plan, least: int, others: frozenset[Party]) -> Condition:
    rest = max(1, plan.fewest - 1)
    subtracted = Together(rest, others)
    falls: tuple[Condition, ...] = (subtracted, _LATTICE, *_vaults(plan))
    if not plan.federation.dropouts or least >= rest:
        return AnyOf(falls)
    return AnyOf((AllOf((Together(1, frozenset({SERVER})), Together(least, others))), *falls))


def _vaults(plan: Plan) -> tuple[Condition, ...]:
    """Where keys are shared, the boxes that shares travel in may fall, too."""
    return (_SHARED,) if plan.federation.dropouts else ()


def _note(plan: Plan, least: int) -> str:
    keys = (
        f"{least} of the others' shares open a site's key of a round"
        if plan.federation.dropouts
        else "a sum opens with the keys of all"
    )
    left = {"site": "; broken, its own noise is left", "shared": "; broken, only its own share of the noise is left"}
    return f"semi-honest: all follow the protocol and remember what they see; {keys}{left.get(plan.privacy.noise, '')}"


def _peer(plan: Plan) -> str:
    if plan.protect.recheck:
        return "it adds up the ciphertexts of all, and decrypts no other sum; semi-honest"
    return "it decrypts the sum that the server shows it; semi-honest"
