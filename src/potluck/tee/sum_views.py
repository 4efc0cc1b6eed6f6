"""Who could see what of a sum in an enclave: the claims of `tee`, as data."""

from __future__ import annotations

from potluck.core.party import SERVER, Party
from potluck.core.plan import Plan
from potluck.core.views import AnyOf, Assumption, Condition, Form, Never, Together, View

SOURCE = "docs/concepts/tee.md"
SIMULATED = "no protection: simulated"
_OPENED = Assumption("someone opens the machine or breaks the vendor's key")
_SEALED = Assumption("both X25519 and ML-KEM-768 fall")


def views(plan: Plan, simulated: bool) -> list[View]:
    """Of every site's update: what each party sees, and what it takes to see more."""
    found = []
    broken = Form.NOISED if plan.privacy.noise in ("site", "shared") else Form.PLAIN
    for one in plan.sites:
        of, others = f"{one}'s update", frozenset(plan.sites) - {one}
        rest: Condition = Together(max(1, plan.fewest - 1), others)
        if simulated:
            found.append(View(SERVER, of, broken, Never(), SOURCE, broken, SIMULATED))
        else:
            note = "sealed to an enclave that this owner's policy allows; the host carries it"
            opens = AnyOf((rest, _OPENED, _SEALED))
            found.append(View(SERVER, of, Form.CIPHERTEXT, opens, SOURCE, broken, note))
        found += [_between(other, one, rest, of, broken) for other in plan.sites]
    return found


def _between(other: Party, one: Party, rest: Condition, of: str, broken: Form) -> View:
    if other == one:
        return View(other, of, Form.PLAIN, Never(), SOURCE, note="its own")
    return View(other, of, Form.NOTHING, rest, SOURCE, broken, "it gets no letter that holds it")
