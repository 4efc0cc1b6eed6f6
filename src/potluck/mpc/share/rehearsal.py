"""A stand-in for a compute party, so that an owner sees what it would send without an engine: it adds up nothing."""

from __future__ import annotations

from potluck.core.party import Party
from potluck.core.rounds import Credentials, Exchange, Half, Parcel, Terms
from potluck.core.wire import dump
from potluck.mpc.keys import Keys
from potluck.mpc.share import messages as m
from potluck.secret.box import SEED, BoxKey
from potluck.secret.container import Secret


def stand_in(terms: Terms, me: Credentials) -> Half[None]:
    """Takes what sites send and names all of them as accepted. It opens nothing and checks nothing."""
    key = BoxKey(Secret(me.draw(SEED)))
    everybody = frozenset(terms.sites)
    keys, accepted = dump(Keys(key.public)), dump(m.Survivors(tuple(range(len(terms.sites)))))
    yield Exchange(terms.label(m.INPUT), _to_all(terms, m.KEYS, keys), everybody, terms.fewest, contributes=True)
    told = _to_all(terms, m.SURVIVORS, accepted)
    yield Exchange(terms.label(m.CONFIRM), told, everybody, terms.fewest, fixes=everybody)


def _to_all(terms: Terms, step: str, body: bytes) -> dict[Party, Parcel]:
    return {site: Parcel(terms.label(step), body) for site in terms.sites}
