"""A site's half of a sum in an enclave: challenge, verify, seal, agree on whose parcels count.

Reference: the key release of confidential federated analytics (Eichner et al., arXiv 2410.08892; arXiv 2510.21684):
data leaves sealed to a key that evidence binds to code which the owner's own policy allows. Evidence is verified
offline, in every round, against a nonce of this round.

What protects beyond the enclave: the owner signs one set of givers for what may be opened once, holds the round's
number and budget, and stays with the enclave that a run began with. So a host that rolls an enclave back, or starts it
again, finds nobody to confirm a second sum. It does NOT protect from who opens the machine or breaks the vendor's key.
"""

from potluck.core.party import SERVER
from potluck.core.rounds import ENCLAVE, Abort, Cause, Credentials, Exchange, Half, Parcel, Record, Terms, charge
from potluck.core.stages import Guarded
from potluck.core.steps import ask_server, blaming, own_words, with_me
from potluck.core.wire import dump, load, pack
from potluck.secret.box import box_key
from potluck.secret.statement import named, survived
from potluck.secret.stream import digest
from potluck.tee.attestation.binding import Member, Spec, session, spec
from potluck.tee.attestation.judge import Judge, challenged
from potluck.tee.attestation.messages import EVIDENCE, Shown, check_enclave, evidence_hash
from potluck.tee.sum import messages as m


def round_of(terms: Terms, me: Credentials) -> Spec:
    """The round as this party knows it: from the terms and the pinned keys alone."""
    return spec(terms, tuple(Member(named(site), me.public(site)) for site in terms.sites))


def give(judge: Judge, terms: Terms, me: Credentials, guarded: Guarded) -> Half[None]:
    """One site's half. Reveals: its words, to the enclave that its owner's policy allows, and to nobody else."""
    agreed = session(round_of(terms, me))
    shown = yield from challenged(judge, terms.label, me, agreed)
    yield Exchange(terms.label(m.INPUT), record=_boot(terms, shown))
    sealed = _seal(judge, terms, me, agreed, shown, guarded)
    mine = digest(sealed)
    signature = me.sign(m.input_statement(agreed, named(me.party), shown.sign, mine))
    given, cost = dump(m.Input(sealed, signature)), charge(terms, guarded)
    body = yield from ask_server(terms.label, m.INPUT, given, m.SURVIVORS, cost, contributes=True)
    message = load(body, m.Survivors, SERVER)
    statement = _agree(terms, me, agreed, shown.sign, mine, message)
    label = terms.label(m.CONFIRM)
    confirmed = Parcel(label, dump(m.Confirmed(me.sign(statement))))
    givers = frozenset(terms.sites[giver.site] for giver in message.givers)
    yield Exchange(label, send={SERVER: confirmed}, record=survived(terms, givers), fixes=givers)


def _boot(terms: Terms, shown: Shown) -> Record:
    """The enclave of this run: the first that this owner believed, and no other after it."""
    return Record(f"{ENCLAVE}{terms.round.run}", digest(shown.box, shown.sign), again=True)


def _seal(judge: Judge, terms: Terms, me: Credentials, agreed: bytes, shown: Shown, guarded: Guarded) -> bytes:
    words = own_words(terms, guarded)
    key = box_key(SERVER, shown.box, EVIDENCE)
    return key.seal(pack(words), m.parcel_info(agreed, named(me.party), evidence_hash(shown), judge.hash))


def _agree(terms: Terms, me: Credentials, agreed: bytes, sign: bytes, mine: bytes, message: m.Survivors) -> bytes:
    """The statement to sign, once the set is one that hides this site. Raises Abort naming the server."""
    with_me(terms, me.party, tuple(giver.site for giver in message.givers), m.SURVIVORS, least=2)
    for giver in message.givers:
        party = terms.sites[giver.site]
        if party == me.party and giver.hash != mine:
            raise Abort(Cause.SURVIVORS, party=SERVER, step=m.SURVIVORS, detail="my parcel was changed")
        with blaming(SERVER, m.SURVIVORS, f"the parcel of {party}"):  # each giver sealed to the same enclave as I did
            me.verify(party, m.input_statement(agreed, named(party), sign, giver.hash), giver.signature)
    statement = m.survivors_statement(agreed, sign, message.givers)
    with blaming(SERVER, m.SURVIVORS, "the enclave did not sign this set"):
        check_enclave(sign, statement, message.signature)
    return statement
