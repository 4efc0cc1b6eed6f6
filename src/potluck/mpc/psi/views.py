"""Who could see what of an intersection, and which coalition breaks it: the claims as data."""

from potluck.core.party import SERVER, Party
from potluck.core.plan import Align, Plan, required
from potluck.core.views import AllOf, AnyOf, Assumption, Condition, Form, Never, Together, View, at_sites

SOURCE = "docs/concepts/intersection.md"
CURVE = Assumption("Diffie-Hellman on Curve25519 is decided, as a quantum computer would")
RR22 = Assumption("RR22 falls, or the engine is wrong")
SEALED = Assumption("both X25519 and ML-KEM-768 fall, or Ed25519 is forged during the round")
LINK = Assumption("the engines' link is recorded and X25519 falls")
GUESSED = "how many it has; whoever puts in keys that it made up learns which of them all have"


def views(plan: Plan) -> list[View]:
    """Of every site's keys, and of the common keys: what each party sees, and what it takes to see more."""
    spec = required(plan.align)
    found = []
    for one in plan.sites:
        of = f"{one}'s keys"
        found.append(View(SERVER, of, Form.CIPHERTEXT, _carried(plan, one), SOURCE, note="how many; sealed letters"))
        hidden = View(one, of, Form.CIPHERTEXT, _blinded(plan, one), SOURCE, note=GUESSED)
        found += at_sites(plan.sites, one, hidden)
    return [*found, *_results(plan, spec)]


def _blinded(plan: Plan, owner: Party) -> AnyOf:
    """Another owner sees of keys points or codes, of which it takes their owner to make keys again."""
    spec = required(plan.align)
    by_engine = len(plan.sites) == 2 and spec.protocol == "rr22" and spec.reveal == "members"
    broken = (RR22, LINK) if by_engine else (CURVE,)
    return AnyOf((Together(1, frozenset({owner})), *broken))


def _carried(plan: Plan, owner: Party) -> Condition:
    """Beneath what seals it, all is blinded still."""
    helped, *broken = _blinded(plan, owner).parts
    return AnyOf((helped, AllOf((SEALED, AnyOf(tuple(broken))))))


def _results(plan: Plan, spec: Align) -> list[View]:
    """The size and the common keys. Whoever holds one learner's letters and keys learns what that one learns."""
    to = tuple(one for one in plan.sites if not spec.to or one.name in spec.to)
    with_one = AnyOf((Together(1, frozenset(to)), SEALED))
    every = Together(len(plan.sites), frozenset(plan.sites))
    members = spec.reveal == "members"
    found = [
        View(SERVER, "the size", Form.NOTHING, with_one, SOURCE, Form.RELEASED),
        View(SERVER, "the common keys", Form.NOTHING, with_one if members else every, SOURCE, Form.RELEASED),
    ]
    for party in plan.sites:
        learns = party in to
        if learns:
            found.append(View(party, "the size", Form.RELEASED, Never(), SOURCE, Form.RELEASED))
        else:
            found.append(View(party, "the size", Form.NOTHING, with_one, SOURCE, Form.RELEASED, "how many each has"))
        if members and learns:
            note = f"which of its own; nobody learns what fewer than all {len(plan.sites)} have in common"
            found.append(View(party, "the common keys", Form.RELEASED, Never(), SOURCE, Form.RELEASED, note))
        elif members:
            found.append(View(party, "the common keys", Form.NOTHING, with_one, SOURCE, Form.RELEASED))
        else:
            helped: Condition = AnyOf((every, CURVE))  # to undo what every other owner shuffled
            note = "how many, not which: lists are shuffled, which holds of who follows the protocol"
            found.append(View(party, "the common keys", Form.NOTHING, helped, SOURCE, Form.RELEASED, note))
    return [*found, *_fewer(plan, to[0], frozenset(plan.sites) - {to[0]})]


def _fewer(plan: Plan, first: Party, others: frozenset[Party]) -> list[View]:
    """Of more than two: what some have in common and others lack. Who compares and one more owner learn which of their
    own keys all the rest have; so they would by putting in the union of their keys."""
    if len(plan.sites) < 3:
        return []
    helped: Condition = AnyOf((AllOf((Together(1, frozenset({first})), Together(1, others))), CURVE))
    what = "what only some have in common"
    return [View(one, what, Form.NOTHING, helped, SOURCE, Form.RELEASED) for one in (SERVER, *plan.sites)]
