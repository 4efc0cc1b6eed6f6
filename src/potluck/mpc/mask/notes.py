"""What neighbours deal to one another, through the server: shares and pair halves, sealed, committed to and signed.

A note's signature is the dealer's, its boxes open under this roster and direction only, and the receiver compares
what it opened with the commitments before it masks anything: who dealt wrongly is known before or after a drop-out.
"""

from dataclasses import dataclass

from msgspec.structs import replace

from potluck.core.party import Party
from potluck.core.rounds import Abort, Cause, Credentials, Verify
from potluck.core.steps import blaming
from potluck.mpc.mask.messages import (
    SHARE,
    Addressed,
    Dealt,
    DealtHalf,
    Kept,
    Note,
    Shares,
    box_info,
    commitment,
    note_statement,
)
from potluck.mpc.mask.pairs import Root
from potluck.mpc.mask.roster import Own, SettledRoster
from potluck.secret.box import BoxKey, box_key
from potluck.secret.container import Secret
from potluck.secret.shamir import SIZE, split

ROOT, SEED, PAIR, WHOLE = "root share", "seed share", "pair half", "seed"


@dataclass(frozen=True, slots=True, eq=False)
class Held:
    """One dealer's two shares, as their holder keeps them. At most one of them ever leaves."""

    root: Secret
    seed: Secret


def expected(table: SettledRoster, dealer: int, to: int) -> tuple[bool, bool]:
    """Whether a note from `dealer` to `to` carries (shares, the pair's half)."""
    return to in table.graph.holders[dealer], dealer < to


def receivers(table: SettledRoster, dealer: int) -> list[int]:
    """To whom `dealer` writes a note, in order."""
    return [to for to in sorted(table.graph.pairs[dealer]) if any(expected(table, dealer, to))]


def deal(me: Credentials, own: Own, table: SettledRoster) -> tuple[Dealt, Held | None]:
    """All notes of one site, and the shares that it keeps of its own secrets (on the complete graph).

    Raises Abort(KEYS): a neighbour's key is malformed.
    """
    points = [index + 1 for index in sorted(table.graph.holders[own.index])]
    roots = split(own.root.root, table.shape.least, points, me.draw)
    seeds = split(own.seed, table.shape.least, points, me.draw)
    notes = []
    for to in receivers(table, own.index):
        with_shares, with_half = expected(table, own.index, to)
        held = Held(roots[to + 1], seeds[to + 1]) if with_shares else None
        notes.append(Addressed(to, _note(me, own, table, to, held, with_half)))
    mine = own.index + 1
    kept = Held(roots[mine], seeds[mine]) if mine in roots else None
    committed = _commitments(table, me.party, me.party, kept) if kept else None
    return Dealt(commitment(table.hash, me.party, me.party, WHOLE, own.seed), committed, tuple(notes)), kept


def _note(me: Credentials, own: Own, table: SettledRoster, to: int, held: Held | None, with_half: bool) -> Note:
    party, advert = table.terms.sites[to], table.adverts[to]
    info = box_info(table.hash, me.party, party, SHARE)
    shares = half = None
    if held:
        both = held.root.expose() + held.seed.expose()
        shares = Shares(_commitments(table, me.party, party, held), box_key(party, advert.channel).seal(both, info))
    if with_half:
        secret = own.root.toward(party)
        committed = commitment(table.hash, me.party, party, PAIR, secret)
        half = DealtHalf(committed, box_key(party, advert.pair).seal(secret.expose(), info))
    note = Note(shares, half, bytes(64))
    return replace(note, signature=me.sign(note_statement(table.hash, me.party, party, note)))


def _commitments(table: SettledRoster, dealer: Party, holder: Party, held: Held) -> Kept:
    root = commitment(table.hash, dealer, holder, ROOT, held.root)
    return Kept(root, commitment(table.hash, dealer, holder, SEED, held.seed))


def check_note(verify: Verify, table: SettledRoster, ends: tuple[int, int], note: Note) -> None:
    """ends: (dealer, receiver). Raises Abort: SIGNATURE, or MALFORMED where it does not carry what it must."""
    dealer, to = (table.terms.sites[end] for end in ends)
    verify(dealer, note_statement(table.hash, dealer, to, note), note.signature)
    if (note.shares is not None, note.half is not None) != expected(table, *ends):
        raise Abort(Cause.MALFORMED, party=dealer, detail="a note does not carry what it must")


def check_dealt(verify: Verify, table: SettledRoster, party: Party, dealt: Dealt) -> None:
    """What the server checks of all that one site deals. Raises Abort: SIGNATURE, MALFORMED."""
    dealer = table.terms.sites.index(party)
    if [addressed.site for addressed in dealt.notes] != receivers(table, dealer):
        raise Abort(Cause.MALFORMED, party=party, detail="notes to others than its neighbours")
    if (dealt.own is not None) != (dealer in table.graph.holders[dealer]):
        raise Abort(Cause.MALFORMED, party=party, detail="commitments to its own shares")
    for addressed in dealt.notes:
        check_note(verify, table, (dealer, addressed.site), addressed.note)


def open_shares(table: SettledRoster, dealer: Party, me: Party, key: BoxKey, shares: Shares) -> Held:
    """The two shares in a note. Raises Abort naming the dealer: BOX, or COMMITMENT."""
    both = _unseal(key, shares.box, box_info(table.hash, dealer, me, SHARE), dealer)
    held = Held(Secret(both[:SIZE]), Secret(both[SIZE:]))
    if _commitments(table, dealer, me, held) != shares.kept:
        raise Abort(Cause.COMMITMENT, party=dealer, step=SHARE)
    return held


def open_half(table: SettledRoster, dealer: Party, me: Party, root: Root, half: DealtHalf) -> Secret:
    """The dealer's half of the pair's secret. Raises Abort naming the dealer: BOX, or COMMITMENT."""
    secret = Secret(_unseal(root.box, half.box, box_info(table.hash, dealer, me, SHARE), dealer))
    if commitment(table.hash, dealer, me, PAIR, secret) != half.commitment:
        raise Abort(Cause.COMMITMENT, party=dealer, step=SHARE)
    return secret


def _unseal(key: BoxKey, box: bytes, info: bytes, dealer: Party) -> bytes:
    with blaming(dealer, SHARE):
        return key.unseal(box, info)
