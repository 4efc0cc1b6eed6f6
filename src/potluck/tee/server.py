"""The host's half of a sum in an enclave: it carries sealed bytes between owners and its enclave.

It sees nonces, evidence, sealed parcels, signatures, and the joined words that come out.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from potluck.core.party import Party
from potluck.core.rounds import ENCLAVE, SURVIVORS, Credentials, Exchange, Half, Inbox, Label, Read, Terms
from potluck.core.rounds import Parcel as Letter
from potluck.core.stages import Opened
from potluck.core.wire import load
from potluck.secret.statement import named
from potluck.tee import messages as m
from potluck.tee.binding import session
from potluck.tee.enclave.host import Enclave
from potluck.tee.site import round_of


def open_sum(enclave: Enclave, terms: Terms, me: Credentials) -> Half[Opened]:
    """The server's half: what the enclave opens over at least `terms.fewest` sites.

    Raises Abort: too few at any step; whatever the enclave refuses; ENGINE where it died.
    """
    index = {site: position for position, site in enumerate(terms.sites)}
    agreed = round_of(terms, me)
    keys, _ = enclave.keys()
    enclave.begin(agreed)
    asked = yield Exchange(
        terms.label(m.NONCE),
        expect=frozenset(terms.sites),
        at_least=terms.fewest,
        read=partial(_read_nonce, session(agreed), me),
    )
    shown = {site: enclave.show(index[site], body) for site, body in asked.got.items()}
    policies = {site: load(body, m.Nonce, site).policy for site, body in asked.got.items()}
    read = partial(_read_input, enclave, index, shown, policies)
    given = yield _broadcast(terms, m.EVIDENCE, shown, m.INPUT, terms.fewest, read)
    givers, given = frozenset(given.got), Inbox()  # the enclave has the parcels: no need to hold them twice
    survivors = enclave.survivors()
    statement = m.survivors_statement(session(agreed), keys.sign, load(survivors, m.Survivors).givers)
    signed = yield _broadcast(
        terms,
        m.SURVIVORS,
        dict.fromkeys(givers, survivors),
        m.CONFIRM,
        terms.fewest,
        partial(_read_sign, me, statement),
    )
    words = enclave.open(_signers(index, signed), agreed)
    return Opened(words, givers)


def _broadcast(
    terms: Terms, step: str, bodies: Mapping[Party, bytes], answer: str, at_least: int, read: Read
) -> Exchange:
    """Send each of those still here its body of `step`, and wait for the answers of the same."""
    label: Label = terms.label(step)
    send = {site: Letter(label, body) for site, body in bodies.items()}
    told = frozenset(bodies)
    return Exchange(
        terms.label(answer),
        send=send,
        expect=told,
        at_least=at_least,
        read=read,
        contributes=answer == m.INPUT,
        fixes=told if step == m.SURVIVORS else frozenset(),
        stands=ENCLAVE if answer == m.INPUT else SURVIVORS,
    )


def _read_nonce(agreed: bytes, me: Credentials, sender: Party, body: bytes) -> bytes:
    asked = load(body, m.Nonce, sender)
    me.verify(sender, m.nonce_statement(agreed, named(sender), asked.nonce, asked.policy), asked.signature)
    return body


def _read_input(
    enclave: Enclave,
    index: Mapping[Party, int],
    shown: Mapping[Party, bytes],
    policies: Mapping[Party, bytes],
    sender: Party,
    body: bytes,
) -> bytes:
    """Handed to the enclave at once, which says whether it counts."""
    evidence = m.evidence_hash(load(shown[sender], m.Shown))
    parcel = m.Parcel(index[sender], evidence, policies[sender], load(body, m.Input, sender))
    enclave.take(parcel, sender)
    return body


def _read_sign(me: Credentials, statement: bytes, sender: Party, body: bytes) -> bytes:
    signature = load(body, m.Confirmed, sender).signature
    me.verify(sender, statement, signature)
    return signature


def _signers(index: Mapping[Party, int], signed: Inbox) -> m.Signers:
    listed = sorted(signed.got, key=index.__getitem__)
    return m.Signers(tuple(m.Signer(index[site], signed.got[site]) for site in listed))
