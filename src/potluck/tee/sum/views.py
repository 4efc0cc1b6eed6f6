"""Who could see what of a sum in an enclave, or of what a robust rule makes of it: the claims of `tee`, as data."""

from potluck.core.party import SERVER
from potluck.core.plan import Plan
from potluck.core.views import AnyOf, Assumption, Condition, Form, Never, Together, View, at_sites
from potluck.tee.attestation.demand import unprotected

SOURCE = "docs/concepts/tee.md"
_OPENED = Assumption("someone opens the machine or breaks the vendor's key")
_SEALED = Assumption("both X25519 and ML-KEM-768 fall")
_SIGNED = Assumption("Ed25519 is forged during the round")
_KRUM = "krum passes one site's update through as it is, without saying whose"
_RULES = {
    "median": "what opens holds in each coordinate one site's value, or the mean of two",
    "trimmed": "what opens is in each coordinate the mean of the middle sites",
    "norm": "what opens is the mean of the shortened updates",
}


def views(plan: Plan) -> list[View]:
    """Of every site's update: what each party sees, and what it takes to see more."""
    found = []
    form = Form.NOISED if plan.privacy.noise in ("site", "shared") else Form.PLAIN
    for one in plan.sites:
        of, others = f"{one}'s update", frozenset(plan.sites) - {one}
        rest: Condition = Together(max(1, plan.fewest - 1), others)
        reads = AnyOf((Together(1, frozenset({SERVER})), rest)) if plan.exposed else rest
        found.append(_host(plan, of, rest, form))
        hidden = View(one, of, Form.NOTHING, reads, SOURCE, form, "it gets no letter that holds it")
        if _rule(plan) == "krum":
            hidden = View(one, of, form, Never(), SOURCE, form, f"{_KRUM}; every round's model tells it")
        found += at_sites(plan.sites, one, hidden)
    return found


def _rule(plan: Plan) -> str:
    return plan.training.aggregation if plan.training and plan.traits.labelled else "mean"


def _host(plan: Plan, of: str, rest: Condition, form: Form) -> View:
    if plan.exposed:
        return View(SERVER, of, form, Never(), SOURCE, form, unprotected(plan))
    opens = AnyOf((rest, _OPENED, _SEALED, _SIGNED))
    if _rule(plan) == "krum":
        return View(SERVER, of, form, opens, SOURCE, form, f"{_KRUM}: that it takes more to learn")
    note = "sealed to an enclave that this owner's policy allows; the host carries it"
    told = f"{note}; {_RULES[_rule(plan)]}" if _rule(plan) in _RULES else note
    return View(SERVER, of, Form.CIPHERTEXT, opens, SOURCE, form, told)
