"""Who could see what of a private prediction under CKKS, and what breaks it: the claims as data."""

from potluck.core.party import SERVER, Party
from potluck.core.views import AllOf, AnyOf, Assumption, Condition, Form, Never, Together, View

SOURCE = "docs/concepts/prediction-he.md"
LATTICE = Assumption("ring learning with errors falls at 128 bits (classical), or the engine is wrong")
SEALED = Assumption("both X25519 and ML-KEM-768 fall, or Ed25519 is forged during the round")
MODEL = (
    "reads at most {rows} scores, and how deep and about how wide a network is; as many scores as a linear model has "
    "weights give it away; replies are re-randomised, not circuit-private"
)
CLIENT = Assumption(
    "the client departs from the protocol, which it is trusted to follow: its own packing or keys show it more "
    "numbers a row than its scores"
)
OWNER = "how many rows, nothing of them; it is trusted to compute what it says, and could answer anything"
CARRIER = "sealed letters: how large, when, and for how many rows; the server may do anything, and can only keep back"


def views(owner: Party, client: Party, rows: int) -> list[View]:
    """Of the model, the client's rows and their scores: what each party sees. rows: [predict] max_rows."""
    asked, scores, model = f"{client}'s rows", f"{client}'s scores", "the model"
    note = MODEL.format(rows=rows)
    plain = [
        View(owner, model, Form.PLAIN, Never(), SOURCE, note="its own"),
        View(client, asked, Form.PLAIN, Never(), SOURCE, note="its own"),
        View(client, scores, Form.PLAIN, Never(), SOURCE, note="it alone holds the key"),
    ]
    hidden = [
        View(client, model, Form.RELEASED, AnyOf((_with(owner), CLIENT)), SOURCE, note=note),
        View(owner, asked, Form.CIPHERTEXT, AnyOf((_with(client), LATTICE)), SOURCE, note=OWNER),
        View(owner, scores, Form.CIPHERTEXT, AnyOf((_with(client), LATTICE)), SOURCE, note=OWNER),
    ]
    return [*plain, *hidden, *_server(owner, client, (asked, scores), model)]


def _with(party: Party) -> Condition:
    return Together(1, frozenset({party}))


def _server(owner: Party, client: Party, of: tuple[str, str], model: str) -> list[View]:
    """What the server carries is sealed, and beneath that encrypted: both must fall, or an end must help."""
    twice = AllOf((SEALED, LATTICE))
    found = [View(SERVER, thing, Form.CIPHERTEXT, AnyOf((_with(client), twice)), SOURCE, note=CARRIER) for thing in of]
    helped = AnyOf((Together(1, frozenset({owner, client})), twice))
    return [*found, View(SERVER, model, Form.NOTHING, helped, SOURCE, note="never leaves its owner")]
