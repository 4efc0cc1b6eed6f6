"""The server's half of the masked sum: relay, add up, and remove what the survivors let it remove.

It sees masked words, boxes for others, commitments, and for each site ONE of two secrets. Nonsense from a site is a
drop-out; what shows only once a secret is rebuilt ends the round and names the dealer.
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial

import numpy as np

from potluck.core.party import Party
from potluck.core.rounds import SURVIVORS, Credentials, Half, Terms, Words
from potluck.core.slices import Sliced, whole
from potluck.core.stages import Opened
from potluck.core.steps import ask_sites, checked, handed_on, hear
from potluck.core.wire import Signer, add, dump, load
from potluck.mpc.mask import messages as m
from potluck.mpc.mask.graph import Shape
from potluck.mpc.mask.notes import check_dealt
from potluck.mpc.mask.pairs import mask
from potluck.mpc.mask.roster import SettledRoster, check_advert, check_keys, table
from potluck.mpc.mask.unmask import Closing, check_reply, closing, keys
from potluck.secret.box import SEED, BoxKey
from potluck.secret.container import Secret
from potluck.secret.context import Receivers
from potluck.secret.statement import indices
from potluck.secret.stream import digest


def open_sum(shape: Shape, terms: Terms, me: Credentials) -> Half[Opened]:
    """The server's half: the sum [d] over those whose masked input arrived, at least `terms.fewest`.

    Raises Abort: too few at any step; DEALER, naming who dealt secrets that do not match its advert.
    """
    key = BoxKey(Secret(me.draw(SEED)))
    index = {site: position for position, site in enumerate(terms.sites)}

    check = checked(m.Advert, partial(_check_advert, shape, terms, me))
    adverts = yield hear(terms.label(m.ADVERTISE), terms.sites, check, at_least=terms.fewest)
    listed = {index[site]: load(body, m.Advert, site) for site, body in adverts.got.items()}
    roster = dump(m.Roster(key.public, tuple(m.Listed(site, listed[site]) for site in sorted(listed))))
    settled = table(shape, terms, roster)

    check = checked(m.Dealt, partial(check_dealt, me.verify, settled))
    shared = yield ask_sites(terms, (m.ROSTER, m.SHARE), dict.fromkeys(adverts.got, roster), terms.fewest, check)
    dealt = {index[site]: load(body, m.Dealt, site) for site, body in shared.got.items()}
    dealers = tuple(sorted(dealt))

    notes = handed_on({dealer: one.notes for dealer, one in dealt.items()})
    relays = {terms.sites[to]: dump(m.Relay(dealers, some)) for to, some in notes.items()}
    total = np.zeros(terms.length, terms.dtype)
    receivers = Receivers(key)
    take = partial(_added, total, settled, receivers)
    inputs = yield replace(ask_sites(terms, (m.RELAY, m.INPUT), relays, terms.fewest, contributes=True), take=take)
    givers = tuple(sorted(index[site] for site in inputs.got))

    body = dump(m.Survivors(digest(indices(dealers)), givers))
    step, answers, named = m.SURVIVORS, dict.fromkeys(inputs.got, body), True
    if shape.lying:
        statement = m.survivors_statement(terms, settled.hash, dealers, givers)
        check = partial(_read_signature, me, statement)
        signed = yield ask_sites(terms, (step, m.SIGN), answers, shape.least, check, fixes=True, stands=SURVIVORS)
        step, answers, named = m.SIGNED, _signatures(settled, index, signed.got), False

    fixed = closing(settled, dealt, frozenset(givers))
    check = partial(_read_reply, fixed, receivers)
    replies = yield ask_sites(terms, (step, m.UNMASK), answers, shape.least, check, fixes=named, stands=SURVIVORS)
    plus, minus = keys(fixed, {index[site]: body for site, body in replies.got.items()})
    mask(total, plus, minus)
    return Opened(total, frozenset(inputs.got))


def _check_advert(shape: Shape, terms: Terms, me: Credentials, sender: Party, advert: m.Advert) -> None:
    check_advert(shape, terms, me.verify, terms.sites.index(sender), advert)
    check_keys(sender, advert)


def _added(total: Words, settled: SettledRoster, receivers: Receivers, sender: Party, body: Sliced) -> Sliced:
    """What a site gave is in the sum from here on, whatever becomes of the site: the survivors that are named next are
    those whose input was taken."""
    words = receivers.opened(sender, whole(body), 0, m.server_info(settled.hash, sender), m.INPUT.encode())
    add(total, words, sender)
    return words


def _read_signature(me: Credentials, statement: bytes, sender: Party, body: bytes) -> bytes:
    signature = load(body, m.Signed, sender).signature
    me.verify(sender, statement, signature)
    return signature


def _read_reply(fixed: Closing, receivers: Receivers, sender: Party, body: bytes) -> bytes:
    shares = whole(receivers.opened(sender, body, 0, m.server_info(fixed.table.hash, sender), m.UNMASK.encode()))
    check_reply(fixed, fixed.table.terms.sites.index(sender), shares)
    return shares


def _signatures(
    settled: SettledRoster, index: Mapping[Party, int], signed: Mapping[Party, bytes]
) -> dict[Party, bytes]:
    """For each signer as many signatures of those who hold its shares as it needs."""
    signers = [Signer(index[site], signed[site]) for site in sorted(signed, key=index.__getitem__)]
    bodies = {}
    for site in signed:
        counted = [signer for signer in signers if signer.site in settled.graph.holders[index[site]]]
        bodies[site] = dump(m.Signatures(tuple(counted[: settled.shape.least])))
    return bodies
