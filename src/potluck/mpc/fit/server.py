"""The server's half of a fit: hand on which rows are held out, hear that it ended. It sees no share and no model."""

from potluck.core.fitting import SECONDS, Fitting
from potluck.core.rounds import Abort, Cause, Exchange, Half, Parcel
from potluck.core.steps import hear
from potluck.core.wire import load
from potluck.mpc.fit import messages as m


def handed_split(fitting: Fitting) -> Half[None]:
    """Which rows are held out, from the target's owner to the others. Reveals: positions in the common order, and how
    many there are."""
    if not fitting.split:
        return
    label = fitting.label(m.SPLIT)
    inbox = yield hear(label, (fitting.target,), hops=fitting.hops(120))
    body = inbox.got[fitting.target]
    said = load(body, m.Held, fitting.target)
    if len(said.bits) != -(-said.rows // 8):
        raise Abort(Cause.MALFORMED, party=fitting.target, step=m.SPLIT)
    others = [owner for owner in fitting.owners if owner != fitting.target]
    yield Exchange(label, send={owner: Parcel(label, body) for owner in others})


def last_words(fitting: Fitting) -> Half[None]:
    """Wait until every owner has what it may have. Raises Abort, naming who does not say so."""
    yield hear(fitting.label(m.DONE), fitting.owners, hops=fitting.hops(2 * SECONDS))
