"""What lets a sum be opened when key holders vanish: each key in a vault, and the vault's key shared among the others.

Reference: A. Shamir, How to share a secret, CACM 22(11), 1979, as used for threshold decryption by Mouchet et al.,
PETS 2021 (eprint 2020/304), section 4. The server keeps the vaults; `least` of the other sites hold what opens one.
They give their shares of those alone who left, at most as many as the plan says, after all who stayed signed the same
sum. A rebuilt key is forgotten when its partial decryption is made: keys are fresh every round.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from msgspec.structs import replace

from potluck.core.party import SERVER, Party
from potluck.core.rounds import Abort, Cause, Credentials, Terms, Verify
from potluck.core.steps import blaming, handed_on
from potluck.core.wire import dump
from potluck.he.sum import messages as m
from potluck.he.sum.bfv import Bfv, Key
from potluck.he.sum.parameters import WIRE, WORD, Parameters
from potluck.he.sum.roster import Own, SettledRoster
from potluck.secret.box import box_key
from potluck.secret.container import Secret
from potluck.secret.shamir import SIZE, element, join, pieces, split
from potluck.secret.stream import digest
from potluck.secret.vault import TAG, lock, unlock


@dataclass(frozen=True, slots=True, eq=False)
class Deals:
    """What the server keeps of the dealing: who dealt, in order; each one's vault and commitments, [dealer][holder]."""

    dealers: tuple[int, ...]
    vaults: Mapping[int, bytes]
    commitments: Mapping[int, Mapping[int, bytes]]


def deal(me: Credentials, own: Own, settled: SettledRoster, least: int, secret: Secret) -> m.Dealt:
    """A site's secret key in a vault, and a share of the vault's key for every other site in the roster."""
    opens = element(me.draw)
    vault = lock(opens, m.vault_info(settled.hash, me.party), secret)
    others = [index for index in settled.adverts if index != own.index]
    shares = split(opens, least, [index + 1 for index in others], me.draw)
    hashed = digest(vault)
    notes = tuple(_note(me, settled, hashed, to, shares[to + 1]) for to in others)
    return m.Dealt(vault, notes)


def _note(me: Credentials, settled: SettledRoster, vault: bytes, to: int, share: Secret) -> m.Note:
    party = settled.terms.sites[to]
    box = box_key(party, settled.adverts[to].channel).seal(share.expose(), m.box_info(settled.hash, me.party, party))
    note = m.Note(to, m.commitment(settled.hash, me.party, party, share), box, bytes(64))
    return replace(note, signature=me.sign(m.note_statement(settled.hash, me.party, party, vault, note)))


def vault_bytes(parameters: Parameters) -> int:
    """Bytes of a vault: the secret polynomial [2, N], locked."""
    return WIRE * parameters.ring * WORD + TAG


def check_dealt(verify: Verify, settled: SettledRoster, size: int, dealer: Party, dealt: m.Dealt) -> None:
    """What the server checks of all that one site deals. size: bytes of a vault.

    Raises Abort naming the dealer: MALFORMED, SIGNATURE.
    """
    sites = settled.terms.sites
    index = sites.index(dealer)
    others = [other for other in settled.adverts if other != index]
    if len(dealt.vault) != size or [note.site for note in dealt.notes] != others:
        raise Abort(Cause.MALFORMED, party=dealer, step=m.SHARE, detail="not one vault and a note for each other site")
    hashed = digest(dealt.vault)
    for note in dealt.notes:
        verify(dealer, m.note_statement(settled.hash, dealer, sites[note.site], hashed, note), note.signature)


def relays(terms: Terms, dealt: Mapping[int, m.Dealt]) -> dict[Party, bytes]:
    """For each dealer who dealt, and what the others dealt to it."""
    dealers = tuple(sorted(dealt))
    vaults = tuple(digest(dealt[dealer].vault) for dealer in dealers)
    notes = handed_on({dealer: one.notes for dealer, one in dealt.items()})
    return {terms.sites[to]: dump(m.Relay(dealers, vaults, some)) for to, some in notes.items()}


def kept(dealt: Mapping[int, m.Dealt]) -> Deals:
    """What the server needs again where a dealer is missing."""
    commitments = {dealer: {note.site: note.commitment for note in one.notes} for dealer, one in dealt.items()}
    return Deals(tuple(sorted(dealt)), {dealer: one.vault for dealer, one in dealt.items()}, commitments)


def receive(me: Credentials, own: Own, settled: SettledRoster, vault: bytes, relay: m.Relay) -> dict[int, Secret]:
    """The share that each other dealer dealt to this site. vault: its own, as it sent it.

    Raises Abort: naming the server for what it could have seen itself; naming the dealer, BOX or COMMITMENT.
    """
    others = [dealer for dealer in relay.dealers if dealer != own.index]
    if [note.site for note in relay.notes] != others or len(relay.vaults) != len(relay.dealers):
        raise Abort(Cause.MALFORMED, party=SERVER, step=m.RELAY, detail="not one note from each other dealer")
    vaults = dict(zip(relay.dealers, relay.vaults, strict=True))
    if vaults.get(own.index) != digest(vault):
        raise Abort(Cause.KEYS, party=SERVER, step=m.RELAY, detail="my own vault is not there as I sent it")
    held = {}
    for note in relay.notes:
        dealer = settled.terms.sites[note.site]
        with blaming(SERVER, m.RELAY, f"note of {dealer}"):
            statement = m.note_statement(settled.hash, dealer, me.party, vaults[note.site], note)
            me.verify(dealer, statement, note.signature)
        held[note.site] = _opened(settled, me.party, own, dealer, note)
    return held


def _opened(settled: SettledRoster, me: Party, own: Own, dealer: Party, note: m.Note) -> Secret:
    with blaming(dealer, m.SHARE):
        share = Secret(own.channel.unseal(note.box, m.box_info(settled.hash, dealer, me)))
    if m.commitment(settled.hash, dealer, me, share) != note.commitment:
        raise Abort(Cause.COMMITMENT, party=dealer, step=m.SHARE)
    return share


def check_shares(
    settled: SettledRoster, deals: Deals, missing: Sequence[int], holder: Party, message: m.Shares
) -> None:
    """One share for each missing dealer, as committed to. Raises Abort naming the holder: MALFORMED, COMMITMENT."""
    sites = settled.terms.sites
    if len(message.shares) != SIZE * len(missing):
        raise Abort(Cause.MALFORMED, party=holder, step=m.REBUILD, detail="not one share for each missing dealer")
    for dealer, share in zip(missing, pieces(message.shares), strict=True):
        promised = deals.commitments[dealer].get(sites.index(holder))
        if m.commitment(settled.hash, sites[dealer], holder, share) != promised:
            raise Abort(Cause.COMMITMENT, party=holder, step=m.REBUILD)


def rebuild(
    settled: SettledRoster, deals: Deals, engine: Bfv, least: int, dealer: int, shares: Mapping[int, Secret]
) -> Key:
    """The key of a dealer that left, in the server's engine. shares: by holder, at least `least`, checked before.

    Raises Abort(DEALER) naming it: what it dealt does not give the key that it advertised.
    """
    party = settled.terms.sites[dealer]
    first = {holder + 1: share for holder, share in sorted(shares.items())[:least]}
    try:
        opens = join(first, least)
        secret = unlock(opens, m.vault_info(settled.hash, party), deals.vaults[dealer])
        return engine.rebuild(secret, m.seed(settled.terms), settled.adverts[dealer].part)
    except ValueError:
        detail = "a share out of range"
    except Abort as abort:
        if abort.cause not in (Cause.BOX, Cause.KEYS, Cause.MALFORMED):
            raise
        detail = "its vault does not hold the key that it advertised"
    raise Abort(Cause.DEALER, party=party, step=m.REBUILD, detail=detail)


def by_holder(replies: Mapping[int, bytes], missing: Sequence[int]) -> dict[int, dict[int, Secret]]:
    """Replies by holder -> for each missing dealer its shares by holder."""
    found: dict[int, dict[int, Secret]] = {dealer: {} for dealer in missing}
    for holder, body in replies.items():
        for dealer, share in zip(missing, pieces(body), strict=True):
            found[dealer][holder] = share
    return found
