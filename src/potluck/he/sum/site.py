"""A site's half of the threshold sum: make a key, encrypt, and help to decrypt one sum that it added up itself.

Reference: Mouchet, Troncoso-Pastoriza, Bossuat, Hubaux, Multiparty Homomorphic Encryption from Ring-Learning-with-
Errors, PETS 2021 (eprint 2020/304), sections 3 and 4: joint key, encryption, partial decryption.

A partial decryption of a ciphertext made for the purpose gives the secret key away. So a site decrypts once a round,
and only a sum of ciphertexts whose givers signed them: a cohort at least, itself among them with the very ciphertexts
that it sent, each once. It does NOT check whether other sites' contributions are sensible: a sum hides that, too.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from potluck.core.desk import farewell
from potluck.core.party import SERVER
from potluck.core.rounds import Abort, Cause, Credentials, Exchange, Half, Parcel, Terms, Words, charge
from potluck.core.stages import Guarded
from potluck.core.steps import ask_server, blaming, own_words, with_me
from potluck.core.wire import Giver, by_site, dump, load
from potluck.he.sum import messages as m
from potluck.he.sum import roster, shares
from potluck.he.sum.bfv import Setting
from potluck.he.sum.packing import pack
from potluck.he.sum.residues import add, read
from potluck.he.sum.residues import dump as flat
from potluck.he.sum.roster import Own, SettledRoster
from potluck.secret.container import Secret
from potluck.secret.statement import indices, survived
from potluck.secret.stream import digest


@dataclass(frozen=True, slots=True, eq=False)
class _Dealing:
    """Whose keys make the joint key (U2), and the shares of vault keys that this site holds, by dealer."""

    dealers: tuple[int, ...]
    held: dict[int, Secret]


def give(setting: Setting, terms: Terms, me: Credentials, guarded: Guarded) -> Half[None]:
    """One site's half. Reveals: its words to nobody; with all others' help, the sum over a cohort to the server."""
    try:
        own = roster.fresh(terms, me, setting.engine)
    except Abort as abort:  # before anything was said: otherwise the server would wait for a site that is gone
        yield Exchange(terms.label(m.KEYS), send={SERVER: farewell(terms.round, abort)})
        raise
    try:
        body = yield from ask_server(terms.label, m.KEYS, dump(own.advert), m.ROSTER)
        settled = roster.accept(terms, me, setting.engine.parameters, own, body)
        dealing = yield from _deal(setting, me, own, settled)
        mine = _encrypt(setting, settled, dealing, own_words(terms, guarded))
        signature = me.sign(m.input_statement(settled.hash, dealing.dealers, me.party, digest(mine)))
        given, cost = dump(m.Input(mine, signature)), charge(terms, guarded)
        body = yield from ask_server(terms.label, m.INPUT, given, m.SURVIVORS, cost, contributes=True)
        survivors, total = _agree(setting, me, own, settled, dealing, mine, body)
        statement = m.survivors_statement(settled.hash, dealing.dealers, survivors)
        lead = own.index == dealing.dealers[0]
        partial = dump(m.Partial(setting.engine.partial(own.key, total, lead), me.sign(statement)))
        yield from _help_open(terms, me, dealing, statement, partial, survivors)
    finally:
        setting.engine.forget(own.key)


def _deal(setting: Setting, me: Credentials, own: Own, settled: SettledRoster) -> Half[_Dealing]:
    """Share this site's key among the others and take their shares; nothing to share where nobody may vanish."""
    terms, everybody = settled.terms, tuple(sorted(settled.adverts))
    if len(everybody) == terms.fewest:
        return _Dealing(everybody, {})
    dealt = shares.deal(me, own, settled, setting.least, setting.engine.export(own.key))
    relay = load((yield from ask_server(terms.label, m.SHARE, dump(dealt), m.RELAY)), m.Relay, SERVER)
    if not with_me(terms, me.party, relay.dealers, m.RELAY, least=2) <= settled.adverts.keys():
        raise Abort(Cause.MALFORMED, party=SERVER, step=m.RELAY, detail="a dealer that is not in the roster")
    return _Dealing(relay.dealers, shares.receive(me, own, settled, dealt.vault, relay))


def _encrypt(setting: Setting, settled: SettledRoster, dealing: _Dealing, words: Words) -> bytes:
    key = roster.joint(setting.engine.parameters, settled, dealing.dealers)
    return setting.engine.encrypt(m.seed(settled.terms), key, pack(words, setting.layout))


def _agree(
    setting: Setting, me: Credentials, own: Own, settled: SettledRoster, dealing: _Dealing, mine: bytes, body: bytes
) -> tuple[tuple[Giver, ...], bytes]:
    """U3 as this site accepts it, and the sum [c, 2, 2, N] that it will decrypt.

    Raises Abort naming the server: SURVIVORS, COHORT, SIGNATURE, MALFORMED.
    """
    message, terms = load(body, m.Survivors, SERVER), settled.terms
    if message.dealers != digest(indices(dealing.dealers)):
        raise Abort(Cause.SURVIVORS, party=SERVER, step=m.SURVIVORS, detail="other dealers than those relayed to me")
    sites = tuple(giver.site for giver in message.givers)
    givers = with_me(terms, me.party, sites, m.SURVIVORS, least=2)  # never one alone
    if not givers <= frozenset(dealing.dealers):
        raise Abort(Cause.SURVIVORS, party=SERVER, step=m.SURVIVORS, detail="a giver whose key is not in the joint key")
    if len({giver.hash for giver in message.givers}) != len(givers):
        raise Abort(Cause.SURVIVORS, party=SERVER, step=m.SURVIVORS, detail="the same ciphertexts are listed twice")
    for giver in message.givers:
        party = terms.sites[giver.site]
        if giver.site == own.index and giver.hash != digest(mine):
            raise Abort(Cause.SURVIVORS, party=SERVER, step=m.SURVIVORS, detail="my ciphertexts were changed")
        with blaming(SERVER, m.SURVIVORS, f"the ciphertexts of {party}"):
            statement = m.input_statement(settled.hash, dealing.dealers, party, giver.hash)
            me.verify(party, statement, giver.signature)
    return message.givers, _total(setting, terms, own, message, mine)


def _total(setting: Setting, terms: Terms, own: Own, message: m.Survivors, mine: bytes) -> bytes:
    """The sum to be decrypted: of signed ciphertexts, each added once here; without recheck the server's word."""
    parameters, shape = setting.engine.parameters, setting.ciphertexts
    if not setting.recheck:
        if len(message.bodies) != 1:
            raise Abort(Cause.MALFORMED, party=SERVER, step=m.SURVIVORS, detail="not one sum")
        read(message.bodies[0], shape, parameters, SERVER)
        return message.bodies[0]
    others = [giver for giver in message.givers if giver.site != own.index]
    if len(message.bodies) != len(others):
        raise Abort(Cause.MALFORMED, party=SERVER, step=m.SURVIVORS, detail="not the ciphertexts of each other giver")
    total = np.array(read(mine, shape, parameters, None))
    for giver, body in zip(others, message.bodies, strict=True):
        if digest(body) != giver.hash:
            detail = f"the ciphertexts of {terms.sites[giver.site]} are not those that it signed"
            raise Abort(Cause.SURVIVORS, party=SERVER, step=m.SURVIVORS, detail=detail)
        add(total, read(body, shape, parameters, SERVER), parameters)
    return flat(total)


def _help_open(
    terms: Terms, me: Credentials, dealing: _Dealing, statement: bytes, partial: bytes, survivors: Sequence[Giver]
) -> Half[None]:
    """Send the partial decryption; then, where a dealer may be missing, the shares that replace it."""
    agreed = frozenset(terms.sites[giver.site] for giver in survivors)
    record = survived(terms, agreed)
    if len(dealing.dealers) == terms.fewest:
        label = terms.label(m.PARTIAL)
        yield Exchange(label, send={SERVER: Parcel(label, partial)}, record=record, fixes=agreed)
        return
    answer = yield from ask_server(terms.label, m.PARTIAL, partial, m.MISSING, record, fixes=agreed)
    missing = _missing(terms, me, dealing, statement, answer)
    if missing:
        label = terms.label(m.REBUILD)
        body = b"".join(dealing.held[dealer].expose() for dealer in missing)
        yield Exchange(label, send={SERVER: Parcel(label, dump(m.Shares(body)))})


def _missing(terms: Terms, me: Credentials, dealing: _Dealing, statement: bytes, body: bytes) -> list[int]:
    """Whose keys may be rebuilt: the dealers that did not sign the sum that all others signed, with me among these.

    A cohort must have signed, so that never more are rebuilt than the plan lets vanish. Raises Abort naming the server.
    """
    listed = by_site(load(body, m.Missing, SERVER).signers, len(terms.sites), SERVER)
    if terms.sites.index(me.party) not in listed or not listed.keys() <= frozenset(dealing.dealers):
        raise Abort(Cause.SURVIVORS, party=SERVER, step=m.MISSING, detail="not those who decrypted, me among them")
    if len(listed) < terms.fewest:
        detail = f"{len(listed)} sites decrypted, {terms.fewest} needed"
        raise Abort(Cause.COHORT, party=SERVER, step=m.MISSING, detail=detail)
    for site, signer in listed.items():
        party = terms.sites[site]
        with blaming(SERVER, m.MISSING, f"what {party} signed is not the sum that I decrypted", Cause.SURVIVORS):
            me.verify(party, statement, signer.signature)
    return [dealer for dealer in dealing.dealers if dealer not in listed]
