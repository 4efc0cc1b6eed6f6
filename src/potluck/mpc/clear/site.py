"""A site's half of a sum without protection: it says its words."""

from potluck.core.party import SERVER
from potluck.core.rounds import Exchange, Half, Parcel, Terms, charge
from potluck.core.stages import Guarded
from potluck.core.wire import pack

INPUT = "clear/input"


def give(terms: Terms, guarded: Guarded) -> Half[None]:
    """One site's half. Reveals: the guarded words, to the server."""
    label = terms.label(INPUT)
    send = {SERVER: Parcel(label, pack(guarded.words))}
    yield Exchange(label, send, record=charge(terms, guarded), contributes=True)
