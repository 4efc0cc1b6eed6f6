"""The server's half of the threshold sum: relay keys, add up ciphertexts, and join the partial decryptions.

It sees public keys, ciphertexts, vaults, and partial decryptions of ONE sum. Nonsense from a site is a drop-out; what
shows only once a key is rebuilt ends the round and names the dealer.
"""

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np

from potluck.core.party import Party
from potluck.core.rounds import SURVIVORS, Abort, Credentials, Exchange, Half, Parcel, Terms, Words
from potluck.core.stages import Opened
from potluck.core.steps import ask_sites, checked, hear
from potluck.core.wire import Giver, Signer, dump, load
from potluck.he.sum import messages as m
from potluck.he.sum import roster, shares
from potluck.he.sum.bfv import Setting
from potluck.he.sum.packing import unpack
from potluck.he.sum.parameters import PARTIAL
from potluck.he.sum.residues import add, read
from potluck.he.sum.residues import dump as flat
from potluck.he.sum.roster import SettledRoster
from potluck.he.sum.shares import Deals, vault_bytes
from potluck.secret.container import Secret
from potluck.secret.statement import indices
from potluck.secret.stream import digest


def open_sum(setting: Setting, terms: Terms, me: Credentials) -> Half[Opened]:
    """The server's half: the sum [d] over those whose ciphertexts arrived, at least `terms.fewest`.

    Raises Abort: too few at any step; DEALER, naming whose vault does not hold its key; RANGE, a partial decryption
    was wrong (whose cannot be known); ENGINE.
    """
    index = {site: position for position, site in enumerate(terms.sites)}
    check = checked(m.Advert, partial(roster.check_advert, terms, me.verify, setting.engine.parameters))
    adverts = yield hear(terms.label(m.KEYS), terms.sites, check, at_least=terms.fewest)
    listed = sorted(adverts.got, key=index.__getitem__)
    body = dump(m.Roster(tuple(m.Listed(index[site], load(adverts.got[site], m.Advert, site)) for site in listed)))
    settled = roster.table(terms, body)
    step, bodies, deals = m.ROSTER, dict.fromkeys(listed, body), Deals(tuple(map(index.__getitem__, listed)), {}, {})
    if len(listed) > terms.fewest:
        size = vault_bytes(setting.engine.parameters)
        check = checked(m.Dealt, partial(shares.check_dealt, me.verify, settled, size))
        shared = yield ask_sites(terms, (step, m.SHARE), bodies, terms.fewest, check)
        dealt = {index[site]: load(answer, m.Dealt, site) for site, answer in shared.got.items()}
        step, bodies, deals = m.RELAY, shares.relays(terms, dealt), shares.kept(dealt)
    check = checked(m.Input, partial(_check_input, setting, me, settled, deals.dealers))
    given = yield ask_sites(terms, (step, m.INPUT), bodies, terms.fewest, check, contributes=True)
    inputs = {site: load(answer, m.Input, site) for site, answer in given.got.items()}
    total, givers = _added(setting, terms, inputs)
    statement = m.survivors_statement(settled.hash, deals.dealers, givers)
    asked = _survivors(setting, settled, deals, givers, inputs, total)
    check = checked(m.Partial, partial(_check_partial, setting, me, statement))
    answers = yield ask_sites(terms, (m.SURVIVORS, m.PARTIAL), asked, terms.fewest, check, fixes=True, stands=SURVIVORS)
    signed = {index[site]: load(answer, m.Partial, site) for site, answer in answers.got.items()}
    parts: list[bytes] = [signed[site].partial for site in sorted(signed)]
    if len(deals.dealers) > terms.fewest:
        parts += yield from _replace(setting, settled, deals, signed, total)
    return Opened(_words(setting, parts), frozenset(inputs))


def _words(setting: Setting, parts: Sequence[bytes]) -> Words:
    """The sum that all partial decryptions open to. Raises Abort(RANGE) with the step: whose is wrong is not known."""
    slots = setting.engine.fuse(parts)
    try:
        return unpack(slots, setting.layout)
    except Abort as abort:
        raise Abort(abort.cause, step=m.PARTIAL, detail=abort.detail) from None


def _check_input(
    setting: Setting, me: Credentials, settled: SettledRoster, dealers: tuple[int, ...], sender: Party, message: m.Input
) -> None:
    statement = m.input_statement(settled.hash, dealers, sender, digest(message.ciphertexts))
    me.verify(sender, statement, message.signature)
    read(message.ciphertexts, setting.ciphertexts, setting.engine.parameters, sender)


def _check_partial(setting: Setting, me: Credentials, statement: bytes, sender: Party, message: m.Partial) -> None:
    parameters = setting.engine.parameters
    me.verify(sender, statement, message.signature)
    read(message.partial, (setting.layout.ciphertexts, PARTIAL, parameters.ring), parameters, sender)


def _added(setting: Setting, terms: Terms, inputs: Mapping[Party, m.Input]) -> tuple[bytes, tuple[Giver, ...]]:
    """The sum of all ciphertexts, and who gave which."""
    total = np.zeros(setting.ciphertexts, np.uint64)
    givers = []
    for position, site in enumerate(terms.sites):
        if site in inputs:
            message, parameters = inputs[site], setting.engine.parameters
            add(total, read(message.ciphertexts, total.shape, parameters, site), parameters)
            givers.append(Giver(position, digest(message.ciphertexts), message.signature))
    return flat(total), tuple(givers)


def _survivors(
    setting: Setting,
    settled: SettledRoster,
    deals: Deals,
    givers: tuple[Giver, ...],
    inputs: Mapping[Party, m.Input],
    total: bytes,
) -> dict[Party, bytes]:
    """For each giver what it is asked to decrypt: all others' ciphertexts, or the sum where nobody rechecks."""
    hashed = digest(indices(deals.dealers))
    parties = [settled.terms.sites[giver.site] for giver in givers]
    if not setting.recheck:
        return dict.fromkeys(parties, dump(m.Survivors(hashed, givers, (total,))))
    found = {}
    for one in parties:
        bodies = tuple(inputs[other].ciphertexts for other in parties if other != one)
        found[one] = dump(m.Survivors(hashed, givers, bodies))
    return found


def _replace(
    setting: Setting, settled: SettledRoster, deals: Deals, signed: Mapping[int, m.Partial], total: bytes
) -> Half[list[bytes]]:
    """The partial decryptions of the dealers that gave none, made with their keys, rebuilt from the others' shares.

    Reveals: the missing sites' keys of this round, to the server. Without the keys of all who stayed they open nothing.
    """
    terms, missing = settled.terms, [dealer for dealer in deals.dealers if dealer not in signed]
    signers = dump(m.Missing(tuple(Signer(site, signed[site].signature) for site in sorted(signed))))
    bodies = {terms.sites[site]: signers for site in sorted(signed)}
    if not missing:
        label = terms.label(m.MISSING)
        yield Exchange(label, send={site: Parcel(label, body) for site, body in bodies.items()})
        return []
    check = checked(m.Shares, partial(shares.check_shares, settled, deals, missing))
    answers = yield ask_sites(terms, (m.MISSING, m.REBUILD), bodies, setting.least, check)
    index = {site: position for position, site in enumerate(terms.sites)}
    replies = {index[site]: load(answer, m.Shares, site).shares for site, answer in answers.got.items()}
    return _partials(setting, settled, deals, shares.by_holder(replies, missing), total)


def _partials(
    setting: Setting, settled: SettledRoster, deals: Deals, held: Mapping[int, Mapping[int, Secret]], total: bytes
) -> list[bytes]:
    made = []
    for dealer, by_holder in held.items():
        key = shares.rebuild(settled, deals, setting.engine, setting.least, dealer, by_holder)
        try:
            made.append(setting.engine.partial(key, total, dealer == deals.dealers[0]))
        finally:
            setting.engine.forget(key)
    return made
