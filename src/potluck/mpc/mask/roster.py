"""Who takes part in a round and with what keys: adverts, how they are checked, and the roster that binds everything.

Keys are fresh every round and signed under the pinned long-term keys, so that nobody, the server included, can put
one of its own in their place. In a sparse graph each site picks its neighbours itself and signs the picks.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from msgspec.structs import replace

from potluck.core.party import SERVER, Draw, Party
from potluck.core.rounds import Abort, Cause, Credentials, Terms, Verify
from potluck.core.steps import believed_roster, blaming
from potluck.core.wire import ascending, by_site, load
from potluck.mpc.mask.graph import Graph, Shape, graph
from potluck.mpc.mask.messages import ROSTER, Advert, Roster, advert_statement, roster_hash
from potluck.mpc.mask.pairs import Root, session
from potluck.secret.box import SEED, BoxKey, PublicBoxKey, box_key
from potluck.secret.container import Secret
from potluck.secret.keys import AgreementKey, agreement_key
from potluck.secret.shamir import element


@dataclass(frozen=True, slots=True, eq=False)
class Own:
    """One site's secrets of one round: its root, its self-mask seed and its channel key, none from another."""

    index: int
    root: Root
    seed: Secret
    channel: BoxKey
    advert: Advert


@dataclass(frozen=True, slots=True, eq=False)
class SettledRoster:
    """What the roster of a round settled: hash, each present site's advert by index, the graph, the server's key."""

    shape: Shape
    terms: Terms
    hash: bytes
    adverts: Mapping[int, Advert]
    graph: Graph
    server: PublicBoxKey


def fresh(shape: Shape, terms: Terms, me: Credentials) -> Own:
    """New secrets for this round, and the signed advert of their public halves. Raises Abort(TERMS): other sites."""
    if len(terms.sites) != shape.sites:
        raise Abort(Cause.TERMS, detail="the terms name another number of sites than the plan")
    index = terms.sites.index(me.party)
    root, seed = Root(element(me.draw), session(terms)), element(me.draw)
    channel = BoxKey(Secret(me.draw(SEED)))
    picks = () if shape.complete else pick(index, shape, me.draw)
    unsigned = Advert(channel.public, *root.public, picks, bytes(64))
    advert = replace(unsigned, signature=me.sign(advert_statement(terms, me.party, unsigned)))
    return Own(index, root, seed, channel, advert)


def pick(index: int, shape: Shape, draw: Draw) -> tuple[int, ...]:
    """k uniform neighbours among the other sites: those with the smallest random tickets."""
    others = (site for site in range(shape.sites) if site != index)
    tickets = sorted((draw(16), site) for site in others)
    return tuple(sorted(site for _, site in tickets[: shape.picks]))


def check_advert(shape: Shape, terms: Terms, verify: Verify, index: int, advert: Advert) -> None:
    """Raises Abort: SIGNATURE, or MALFORMED picks."""
    party = terms.sites[index]
    verify(party, advert_statement(terms, party, advert), advert.signature)
    picks = ascending(advert.picks, shape.sites, party)
    if len(picks) != (0 if shape.complete else shape.picks) or index in picks:
        raise Abort(Cause.MALFORMED, party=party, detail="not as many neighbours picked as the plan says")


def check_keys(party: Party, advert: Advert) -> None:
    """Raises Abort(KEYS): a key is malformed. The server does it for all; a site meets only those that it uses."""
    box_key(party, advert.channel)
    box_key(party, advert.pair)
    with blaming(party):
        agreement_key(advert.mask)


def agree(mine: AgreementKey, party: Party, theirs: bytes) -> Secret:
    """X25519 with a party's mask key. Raises Abort(KEYS) naming it: malformed, or of low order."""
    with blaming(party):
        return mine.agree(theirs)


def table(shape: Shape, terms: Terms, body: bytes) -> SettledRoster:
    """The table in a roster's bytes, adverts unchecked. Raises Abort: MALFORMED, KEYS."""
    message = load(body, Roster, SERVER)
    listed = by_site(message.listed, len(terms.sites), SERVER)
    adverts = {site: one.advert for site, one in listed.items()}
    picks = {site: frozenset(advert.picks) for site, advert in adverts.items()}
    server = box_key(SERVER, message.server)
    return SettledRoster(shape, terms, roster_hash(terms, body), adverts, graph(shape, picks), server)


def accept(shape: Shape, terms: Terms, me: Credentials, own: Own, body: bytes) -> SettledRoster:
    """The table as a site believes it: every signature checked, its own advert in it unchanged, a cohort at least.

    Raises Abort naming the server, which an honest server never earns: it checked every advert itself.
    """
    settled = table(shape, terms, body)
    check = partial(check_advert, shape, terms, me.verify)
    believed_roster(terms, ROSTER, settled.adverts, (own.index, own.advert), check)
    if len(settled.graph.holders[own.index]) < shape.least:
        raise Abort(Cause.TOO_FEW, step=ROSTER, detail="too few of my neighbours are left to hold my shares")
    return settled
