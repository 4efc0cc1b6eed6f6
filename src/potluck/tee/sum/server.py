"""The host's half of a sum in an enclave: it carries sealed bytes between owners and its enclave.

It sees nonces, evidence, sealed parcels, signatures, and the joined words that come out.
"""

from collections.abc import Mapping
from functools import partial

from potluck.core.party import Party
from potluck.core.rounds import ENCLAVE, SURVIVORS, Credentials, Half, Inbox, Terms
from potluck.core.stages import Opened
from potluck.core.steps import ask_sites, checked, hear
from potluck.core.wire import Signer, load
from potluck.secret.statement import named
from potluck.tee.attestation import messages as a
from potluck.tee.attestation.binding import session
from potluck.tee.host import Enclave
from potluck.tee.sum import messages as m
from potluck.tee.sum.site import round_of


def open_sum(enclave: Enclave, terms: Terms, me: Credentials) -> Half[Opened]:
    """The server's half: what the enclave opens over at least `terms.fewest` sites.

    Raises Abort: too few at any step; whatever the enclave refuses; ENGINE where it died.
    """
    index = {site: position for position, site in enumerate(terms.sites)}
    agreed = round_of(terms, me)
    keys, _ = enclave.keys()
    enclave.begin(agreed)
    read = checked(a.Nonce, partial(_check_nonce, session(agreed), me))
    asked = yield hear(terms.label(a.NONCE), terms.sites, read, at_least=terms.fewest)
    shown = {site: enclave.show(index[site], body) for site, body in asked.got.items()}
    policies = {site: load(body, a.Nonce, site).policy for site, body in asked.got.items()}
    read = partial(_read_input, enclave, index, shown, policies)
    given = yield ask_sites(terms, (a.EVIDENCE, m.INPUT), shown, terms.fewest, read, contributes=True, stands=ENCLAVE)
    givers, given = frozenset(given.got), Inbox()  # the enclave has the parcels: no need to hold them twice
    survivors = enclave.survivors()
    statement = m.survivors_statement(session(agreed), keys.sign, load(survivors, m.Survivors).givers)
    read, bodies = partial(_read_sign, me, statement), dict.fromkeys(givers, survivors)
    signed = yield ask_sites(terms, (m.SURVIVORS, m.CONFIRM), bodies, terms.fewest, read, fixes=True, stands=SURVIVORS)
    words = enclave.open(_signers(index, signed), agreed)
    return Opened(words, givers)


def _check_nonce(agreed: bytes, me: Credentials, sender: Party, asked: a.Nonce) -> None:
    me.verify(sender, a.nonce_statement(agreed, named(sender), asked.nonce, asked.policy), asked.signature)


def _read_input(
    enclave: Enclave,
    index: Mapping[Party, int],
    shown: Mapping[Party, bytes],
    policies: Mapping[Party, bytes],
    sender: Party,
    body: bytes,
) -> bytes:
    """Handed to the enclave at once, which says whether it counts."""
    evidence = a.evidence_hash(load(shown[sender], a.Shown))
    parcel = m.Parcel(index[sender], evidence, policies[sender], load(body, m.Input, sender))
    enclave.take(parcel, sender)
    return body


def _read_sign(me: Credentials, statement: bytes, sender: Party, body: bytes) -> bytes:
    signature = load(body, m.Confirmed, sender).signature
    me.verify(sender, statement, signature)
    return signature


def _signers(index: Mapping[Party, int], signed: Inbox) -> m.Signers:
    listed = sorted(signed.got, key=index.__getitem__)
    return m.Signers(tuple(Signer(index[site], signed.got[site]) for site in listed))
