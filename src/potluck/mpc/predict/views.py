"""Who could see what of a prediction on secret shares, and which coalition breaks it: the claims as data."""

from potluck.core.party import SERVER, Party
from potluck.core.views import AnyOf, Condition, Form, Never, Together, View
from potluck.mpc.share.views import FALLS, OPENS, opened

SOURCE = "docs/concepts/prediction-share.md"
MODEL = (
    "reads at most {rows} scores, the network's shape, and a power of two above each layer's weights; as many scores "
    "as a linear model has weights give it away"
)
OWNER = "how many rows, nothing of them; it could share any model"
PARTY = "semi-honest: {who} model, rows and scores; each learns the shape, how many rows, and two bits"
CARRIER = "it hears when all is done, and gets no letter that holds it"


def views(owner: Party, client: Party, computes: tuple[Party, ...], rows: int) -> list[View]:
    """Of the model, the client's rows and their scores: what each party sees. rows: [predict] max_rows."""
    asked, scores, model = f"{client}'s rows", f"{client}'s scores", "the model"
    two = Together(OPENS, frozenset(computes))
    found = [
        View(owner, model, Form.PLAIN, Never(), SOURCE, note="its own"),
        View(client, asked, Form.PLAIN, Never(), SOURCE, note="its own"),
        View(client, scores, Form.PLAIN, Never(), SOURCE, note="it alone gets all shares of them"),
        View(client, model, Form.RELEASED, _opened(two, owner), SOURCE, note=MODEL.format(rows=rows)),
    ]
    found += [View(owner, of, Form.NOTHING, _opened(two, client), SOURCE, note=OWNER) for of in (asked, scores)]
    for of, whose in ((asked, client), (scores, client), (model, owner)):
        found.append(View(SERVER, of, Form.NOTHING, _opened(two, whose), SOURCE, note=CARRIER))
        for party in computes:
            found.append(
                View(party, of, Form.SHARE, _opened(two, whose), SOURCE, note=PARTY.format(who=opened(computes)))
            )
    return found


def _opened(two: Together, whose: Party) -> Condition:
    """It takes the one whose thing it is, or two who compute; or one of what all of it rests on fails."""
    return AnyOf((Together(1, frozenset({whose})), two, *FALLS))
