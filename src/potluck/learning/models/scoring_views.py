"""What a prediction shows besides what the protection hides: the model's card, and how many rows there are."""

from __future__ import annotations

from potluck.core.party import SERVER, site
from potluck.core.plan import Plan, required
from potluck.core.views import AnyOf, Assumption, Form, Never, Together, View

SOURCE = "docs/concepts/prediction.md"
CARD = (
    "columns, their ranges and declared values, the target, the model's kind and layers: the client encodes its rows "
    "by it; no weight is in it"
)


def views(plan: Plan) -> list[View]:
    """The card goes from owner to client, sealed to a key of the round and signed."""
    spec = required(plan.predict)
    owner, client = site(spec.owner), site(spec.client)
    either = AnyOf((Together(1, frozenset({owner, client})), Assumption("both X25519 and ML-KEM-768 fall")))
    return [
        View(owner, "the card", Form.PLAIN, Never(), SOURCE, note="its own"),
        View(client, "the card", Form.PLAIN, Never(), SOURCE, note=CARD),
        View(SERVER, "the card", Form.CIPHERTEXT, either, SOURCE, note="sealed to the client's key of this round"),
    ]
