"""Rebuilding one secret a site from shares, checking it, and turning it into the keys of the masks that remain.

For a site whose input arrived, its self-mask seed; for one that vanished, its root, hence its pair masks with those
that gave. A share that does not match its commitment is its submitter's fault; a rebuilt secret that does not
match what was advertised and committed to is its dealer's (verifiable sharing with hash commitments: the shares are
uniform 256-bit strings, so SHA-256 hides and binds them).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from potluck.core.party import Party
from potluck.core.rounds import Abort, Cause
from potluck.mpc.mask.messages import UNMASK, Dealt, Kept, Note, commitment
from potluck.mpc.mask.notes import PAIR, ROOT, SEED, WHOLE, open_half
from potluck.mpc.mask.pairs import Root, pair_mask, self_mask, session
from potluck.mpc.mask.roster import SettledRoster
from potluck.secret.container import Secret
from potluck.secret.shamir import SIZE, join, pieces, weights

_weights = lru_cache(maxsize=256)(weights)


@dataclass(frozen=True, slots=True, eq=False)
class Closing:
    """What is fixed before anything is unmasked: who dealt what, and whose input arrived. notes: [dealer][receiver]."""

    table: SettledRoster
    dealt: Mapping[int, Dealt]
    givers: frozenset[int]
    notes: Mapping[int, Mapping[int, Note]]

    def held(self, holder: int) -> list[int]:
        """Of whom `holder` holds shares, in the order in which it answers."""
        return [dealer for dealer in sorted(self.dealt) if holder in self.table.graph.holders[dealer]]

    def committed(self, dealer: int, holder: int) -> Kept | None:
        """The dealer's commitments to what it dealt to `holder`."""
        if dealer == holder:
            return self.dealt[dealer].own
        note = self.notes[dealer].get(holder)
        return note.shares.kept if note and note.shares else None


def closing(table: SettledRoster, dealt: Mapping[int, Dealt], givers: frozenset[int]) -> Closing:
    """What is fixed once the inputs are in."""
    notes = {dealer: {one.site: one.note for one in all_.notes} for dealer, all_ in dealt.items()}
    return Closing(table, dealt, givers, notes)


def check_reply(fixed: Closing, holder: int, body: bytes) -> None:
    """One share for each site that `holder` holds shares of. Raises Abort naming it: MALFORMED, COMMITMENT."""
    party, dealers = fixed.table.terms.sites[holder], fixed.held(holder)
    if len(body) != SIZE * len(dealers):
        raise Abort(Cause.MALFORMED, party=party, step=UNMASK, detail="not one share for each dealer")
    for dealer, share in zip(dealers, pieces(body), strict=True):
        kept = fixed.committed(dealer, holder)
        gave = dealer in fixed.givers
        kind, promised = (SEED, kept and kept.seed) if gave else (ROOT, kept and kept.root)
        if commitment(fixed.table.hash, fixed.table.terms.sites[dealer], party, kind, share) != promised:
            raise Abort(Cause.COMMITMENT, party=party, step=UNMASK)


def keys(fixed: Closing, replies: Mapping[int, bytes]) -> tuple[list[Secret], list[Secret]]:
    """Keys of the masks to add to the sum of the masked inputs, and of those to subtract, so that the sum remains.

    Raises Abort: TOO_FEW shares of a secret; DEALER, naming who dealt what does not fit its advert.
    """
    shares: dict[int, dict[int, Secret]] = {dealer: {} for dealer in fixed.dealt}
    for holder in sorted(replies):
        for dealer, share in zip(fixed.held(holder), pieces(replies[holder]), strict=True):
            shares[dealer][holder + 1] = share
    plus: list[Secret] = []
    minus: list[Secret] = []
    for dealer in sorted(fixed.dealt):
        secret = _rebuild(fixed, dealer, shares[dealer])
        if dealer in fixed.givers:
            minus.append(_self_key(fixed, dealer, secret))
            continue
        for giver, key in _pair_keys(fixed, dealer, secret):
            # The giver added the mask if it comes first, so the sum loses it; else it gets it back.
            (minus if giver < dealer else plus).append(key)
    return plus, minus


def _rebuild(fixed: Closing, dealer: int, shares: dict[int, Secret]) -> Secret:
    least = fixed.table.shape.least
    if len(shares) < least:
        detail = f"{len(shares)} shares of a secret of {fixed.table.terms.sites[dealer]} where {least} are needed"
        raise Abort(Cause.TOO_FEW, step=UNMASK, detail=detail)
    first = dict(sorted(shares.items())[:least])
    try:
        return join(first, least, _weights(tuple(first)))
    except ValueError:
        raise _blame(fixed, dealer, "a share out of range") from None


def _blame(fixed: Closing, dealer: int, what: str) -> Abort:
    return Abort(Cause.DEALER, party=fixed.table.terms.sites[dealer], step=UNMASK, detail=what)


def _self_key(fixed: Closing, dealer: int, seed: Secret) -> Secret:
    party = fixed.table.terms.sites[dealer]
    if commitment(fixed.table.hash, party, party, WHOLE, seed) != fixed.dealt[dealer].seed:
        raise _blame(fixed, dealer, "the rebuilt seed is not the one it committed to")
    return self_mask(seed, session(fixed.table.terms), fixed.table.adverts[dealer].public)


def _pair_keys(fixed: Closing, gone: int, rebuilt: Secret) -> list[tuple[int, Secret]]:
    """The keys of the masks between a vanished site and each neighbour that gave."""
    terms, table = fixed.table.terms, fixed.table
    advert, party = table.adverts[gone], terms.sites[gone]
    root = Root(rebuilt, session(terms))
    if root.public != advert.public:
        raise _blame(fixed, gone, "the rebuilt root does not give the keys it advertised")
    found = []
    for giver in sorted(table.graph.pairs[gone] & fixed.givers):
        other = table.adverts[giver]
        half = _half(fixed, gone, giver, root, party)
        lower, upper = (advert, other) if gone < giver else (other, advert)
        agreed = root.agreement.agree(other.mask)
        found.append((giver, pair_mask(agreed, half, session(terms), lower.public, upper.public)))
    return found


def _half(fixed: Closing, gone: int, giver: int, root: Root, party: Party) -> Secret:
    """The earlier site's half of a pair's secret, as the giver must have used it."""
    table, sites = fixed.table, fixed.table.terms.sites
    if gone < giver:
        half, note = root.toward(sites[giver]), fixed.notes[gone].get(giver)
        promised = note.half.commitment if note and note.half else b""
        if commitment(table.hash, party, sites[giver], PAIR, half) != promised:
            raise _blame(fixed, gone, "the rebuilt root does not give the pair half it committed to")
        return half
    note = fixed.notes[giver].get(gone)
    try:
        if note is None or note.half is None:
            raise Abort(Cause.MALFORMED)
        return open_half(table, sites[giver], party, root, note.half)
    except Abort:
        raise _blame(fixed, giver, "the pair half it sealed is not the one it committed to") from None
