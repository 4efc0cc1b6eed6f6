"""Who takes part in a threshold sum and with what keys: adverts, how they are checked, and the joint key.

Keys are fresh every round and signed under the pinned long-term keys, so that nobody, the server included, can put
one of its own in their place. Each site adds up the joint key itself.

It does NOT stop a site that saw all other parts before it made its own: such a part can cancel the others. An honest
server shows nobody any part before it has them all; that is one reason why it is trusted to follow the protocol.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from msgspec.structs import replace

from potluck.core.party import SERVER, Party
from potluck.core.rounds import Credentials, Terms, Verify
from potluck.core.steps import believed_roster
from potluck.core.wire import by_site, load
from potluck.he.sum.bfv import Bfv, Key
from potluck.he.sum.messages import ROSTER, Advert, Roster, advert_statement, roster_hash, seed
from potluck.he.sum.parameters import WIRE, Parameters
from potluck.he.sum.residues import add, dump, read
from potluck.secret.box import SEED, BoxKey, box_key
from potluck.secret.container import Secret


@dataclass(frozen=True, slots=True, eq=False)
class Own:
    """One site's secrets of one round: its channel key, and its key pair, whose secret half lies in the engine."""

    index: int
    channel: BoxKey
    key: Key
    advert: Advert


@dataclass(frozen=True, slots=True, eq=False)
class SettledRoster:
    """What the roster settled: its hash in the round of these terms, and each present site's advert by index."""

    terms: Terms
    hash: bytes
    adverts: Mapping[int, Advert]


def fresh(terms: Terms, me: Credentials, engine: Bfv) -> Own:
    """New keys for this round, and the signed advert of their public halves."""
    channel = BoxKey(Secret(me.draw(SEED)))
    key = engine.keygen(seed(terms))
    unsigned = Advert(channel.public, key.public, bytes(64))
    advert = replace(unsigned, signature=me.sign(advert_statement(terms, me.party, unsigned)))
    return Own(terms.sites.index(me.party), channel, key, advert)


def check_advert(terms: Terms, verify: Verify, parameters: Parameters, party: Party, advert: Advert) -> None:
    """Raises Abort naming the party: SIGNATURE; KEYS, a malformed box key; MALFORMED, a part that is no polynomial."""
    verify(party, advert_statement(terms, party, advert), advert.signature)
    box_key(party, advert.channel)
    read(advert.part, (WIRE, parameters.ring), parameters, party)


def table(terms: Terms, body: bytes) -> SettledRoster:
    """The table in a roster's bytes, adverts unchecked. Raises Abort(MALFORMED)."""
    listed = by_site(load(body, Roster, SERVER).listed, len(terms.sites), SERVER)
    return SettledRoster(terms, roster_hash(terms, body), {site: one.advert for site, one in listed.items()})


def accept(terms: Terms, me: Credentials, parameters: Parameters, own: Own, body: bytes) -> SettledRoster:
    """The table as a site believes it: every signature and polynomial checked, its own advert unchanged, a cohort.

    Raises Abort naming the server, which an honest server never earns: it checked every advert itself.
    """
    settled = table(terms, body)

    def check(index: int, advert: Advert) -> None:
        check_advert(terms, me.verify, parameters, terms.sites[index], advert)

    believed_roster(terms, ROSTER, settled.adverts, (own.index, own.advert), check)
    return settled


def joint(parameters: Parameters, settled: SettledRoster, dealers: Iterable[int]) -> bytes:
    """The joint public key b [2, N] of the dealers: the sum of their parts, which were checked before."""
    total = np.zeros((WIRE, parameters.ring), np.uint64)
    for dealer in dealers:
        add(total, read(settled.adverts[dealer].part, total.shape, parameters, None), parameters)
    return dump(total)
