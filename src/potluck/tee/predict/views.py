"""Who could see what of a prediction in an enclave, and what breaks it: the claims as data."""

from potluck.core.party import SERVER, Party
from potluck.core.predicting import Mode
from potluck.core.views import AnyOf, Assumption, Condition, Form, Never, Together, View

SOURCE = "docs/concepts/prediction-tee.md"
OPENED = Assumption("someone opens the machine or breaks the vendor's key")
SEALED = Assumption("both X25519 and ML-KEM-768 fall, or Ed25519 is forged during the round")
CARRIED = "sealed to an enclave that each end's own policy allows; the host carries it, and sees how much and when"
MODEL = (
    "reads at most {rows} scores, and a power of ten above their rounding error; as many scores as a linear model has "
    "weights give it away"
)
GRAPH = "reads at most {rows} scores, which tell of it; neither its graph nor a weight leaves the enclave"
TREES = "reads at most {rows} scores, which tell of it; neither a cut nor a leaf of it leaves the enclave"
OWNER = "how many rows, as the enclave counted them, and nothing of them; it could seal any model"


def views(owner: Party, client: Party, rows: int, unprotected: str, mode: Mode | None = None) -> list[View]:
    """Of the model, the client's rows and their scores: what each party sees.

    rows: [predict] max_rows; unprotected: why the enclave's host can read what is inside, empty where it cannot; mode:
    the plan's, where it says one.
    """
    told = {"graph": GRAPH, "trees": TREES}.get(mode or "", MODEL).format(rows=rows)
    asked, scores, model = f"{client}'s rows", f"{client}'s scores", "the model"
    found = [
        View(owner, model, Form.PLAIN, Never(), SOURCE, note="its own"),
        View(client, asked, Form.PLAIN, Never(), SOURCE, note="its own"),
        View(client, scores, Form.PLAIN, Never(), SOURCE, note="sealed to its key of this round"),
        View(client, model, Form.RELEASED, _unless(owner, bool(unprotected)), SOURCE, note=told),
    ]
    found += [
        View(owner, of, Form.NOTHING, _unless(client, bool(unprotected)), SOURCE, note=OWNER) for of in (asked, scores)
    ]
    if unprotected:
        return [
            *found,
            *(View(SERVER, of, Form.PLAIN, Never(), SOURCE, note=unprotected) for of in (asked, scores, model)),
        ]
    return [*found, *(_host(of, who) for of, who in ((asked, client), (scores, client), (model, owner)))]


def _unless(party: Party, exposed: bool) -> Condition:
    """It takes the one whose thing it is; or its host, where nothing keeps that from reading the enclave's memory."""
    alone = Together(1, frozenset({party, SERVER} if exposed else {party}))
    return alone if exposed else AnyOf((alone, OPENED))


def _host(of: str, whose: Party) -> View:
    broken = AnyOf((Together(1, frozenset({whose})), OPENED, SEALED))
    return View(SERVER, of, Form.CIPHERTEXT, broken, SOURCE, note=CARRIED)
