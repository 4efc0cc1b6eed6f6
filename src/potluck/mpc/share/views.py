"""Who could see what of a three-server sum, and which coalition breaks it: the claims of `share`, as data.

Each compute party holds two of three parts, so any two hold all of them. The server gets shares of sums alone.
Whatever the protocol, whoever knows all other summands subtracts them from the sum, which the models give away.
"""

from collections.abc import Sequence

from potluck.core.party import SERVER, Party
from potluck.core.plan import Plan
from potluck.core.views import AnyOf, Assumption, Condition, Form, Together, View, at_sites

SOURCE = "docs/concepts/share.md"
OPENS = 2
"""So many compute parties together open everything."""
SERVED = "it gets shares of the sum alone, and learns who did not keep the bounds"
NO_LETTER = "it gets no letter that holds it"
FALLS = (
    Assumption("a compute party departs from the protocol, which the plan trusts it to follow"),
    Assumption("AES-256 falls"),
    Assumption("both X25519 and ML-KEM-768 fall"),
    Assumption("the link between the compute parties is recorded and X25519 falls"),
)
"""What opens shares beside those who hold them."""


def views(plan: Plan) -> list[View]:
    """Of every site's update: what each party sees, and what it takes to see more."""
    found = []
    broken = Form.NOISED if plan.privacy.noise in ("site", "shared") else Form.PLAIN
    two = Together(OPENS, frozenset(plan.compute))
    for one in plan.sites:
        of = f"{one}'s update"
        rest = Together(max(1, plan.fewest - 1), frozenset(plan.sites) - {one})
        opens: Condition = AnyOf((two, rest, *FALLS))
        found.append(View(SERVER, of, Form.NOTHING, opens, SOURCE, broken, SERVED))
        for party in plan.compute:
            found.append(View(party, of, Form.SHARE, opens, SOURCE, broken, _party(plan)))
        found += at_sites(plan.sites, one, View(one, of, Form.NOTHING, opens, SOURCE, broken, NO_LETTER))
    return found


def opened(computes: Sequence[Party]) -> str:
    """Who opens what is shared, up to the verb."""
    two = " and ".join(map(str, computes)) if len(computes) == OPENS else ""
    return f"{two} together open" if two else f"any two of {', '.join(map(str, computes))} open"


def _party(plan: Plan) -> str:
    left = {"site": "; opened, its own noise is left", "shared": "; opened, only its own share of the noise is left"}
    more = left.get(plan.privacy.noise, "")
    return f"semi-honest: {opened(plan.compute)} every update{more}; each learns who kept the bounds"
