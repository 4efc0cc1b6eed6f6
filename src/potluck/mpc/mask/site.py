"""A site's half of the masked sum: advertise, deal, mask, agree on the survivors, help to unmask.

Reference: Bonawitz et al., CCS 2017, figure 4 with the consistency check; Bell et al., CCS 2020, for sparse graphs.
A site never gives both shares of one peer, answers for one survivor set only, and writes that set down before it
answers. It does NOT check whether other sites' contributions are sensible: a sum hides that, too.
"""

from dataclasses import dataclass

from potluck.core.party import SERVER
from potluck.core.rounds import Abort, Cause, Credentials, Exchange, Half, Parcel, Record, Terms, charge
from potluck.core.stages import Guarded
from potluck.core.steps import ask_server, blaming, own_words, with_me
from potluck.core.wire import Signer, by_site, dump, load, pack
from potluck.mpc.mask import messages as m
from potluck.mpc.mask.graph import Shape
from potluck.mpc.mask.notes import Held, check_note, deal, expected, open_half, open_shares
from potluck.mpc.mask.pairs import mask, pair_mask, self_mask, session
from potluck.mpc.mask.roster import Own, SettledRoster, accept, agree, fresh
from potluck.secret.container import Secret
from potluck.secret.context import Sending
from potluck.secret.statement import indices, survived
from potluck.secret.stream import digest


@dataclass(frozen=True, slots=True, eq=False)
class _Dealing:
    """What came of the notes: who dealt (U2), the shares held for each, and the pair masks' keys by sign."""

    dealers: tuple[int, ...]
    held: dict[int, Held]
    plus: list[Secret]
    minus: list[Secret]


def give(shape: Shape, terms: Terms, me: Credentials, guarded: Guarded) -> Half[None]:
    """One site's half. Reveals: its words under masks that only the sum over at least `terms.fewest` sites removes."""
    own = fresh(shape, terms, me)
    table = accept(shape, terms, me, own, (yield from ask_server(terms.label, m.ADVERTISE, dump(own.advert), m.ROSTER)))
    dealt, kept = deal(me, own, table)
    dealing = _receive(me, own, table, (yield from ask_server(terms.label, m.SHARE, dump(dealt), m.RELAY)))
    if kept:
        dealing.held[own.index] = kept
    words, cost = own_words(terms, guarded).copy(), charge(terms, guarded)
    del guarded
    mask(words, [self_mask(own.seed, session(terms), own.advert.public), *dealing.plus], dealing.minus)
    to_server = Sending(table.server, m.server_info(table.hash, me.party))
    sealed = to_server.seal(pack(words), m.INPUT.encode())
    del words
    answer = yield from ask_server(terms.label, m.INPUT, sealed, m.SURVIVORS, cost, contributes=True)
    givers = _agree(own, table, dealing, answer)
    agreed = frozenset(terms.sites[giver] for giver in givers)
    record: Record | None = survived(terms, agreed)
    if shape.lying:
        statement = m.survivors_statement(terms, table.hash, dealing.dealers, givers)
        mine = Signer(own.index, me.sign(statement))
        signed = dump(m.Signed(mine.signature))
        answer = yield from ask_server(terms.label, m.SIGN, signed, m.SIGNED, record, fixes=agreed)
        _enough(me, table, table.graph.holders[own.index] & frozenset(givers), statement, mine, answer)
        record = None
    shares = _one_share_each(dealing, frozenset(givers))
    sealed = to_server.seal(shares, m.UNMASK.encode())
    label = terms.label(m.UNMASK)
    yield Exchange(label, send={SERVER: Parcel(label, sealed)}, record=record, fixes=agreed)


def _receive(me: Credentials, own: Own, table: SettledRoster, body: bytes) -> _Dealing:
    """Raises Abort: naming the server for what it could have seen itself, the dealer for what is inside its boxes."""
    relay = load(body, m.Relay, SERVER)
    dealers = _cohort(own, table, relay.dealers, m.RELAY)
    partners = sorted(table.graph.pairs[own.index] & dealers)
    notes = {addressed.site: addressed.note for addressed in relay.notes}
    if [addressed.site for addressed in relay.notes] != [j for j in partners if any(expected(table, j, own.index))]:
        raise Abort(Cause.MALFORMED, party=SERVER, step=m.RELAY, detail="not one note from each neighbour")
    dealing = _Dealing(relay.dealers, {}, [], [])
    for j in partners:
        note, dealer = notes.get(j), table.terms.sites[j]
        half = own.root.toward(dealer)
        if note:
            _from_server(me, table, (j, own.index), note)
            if note.shares:
                dealing.held[j] = open_shares(table, dealer, me.party, own.channel, note.shares)
            if note.half:
                half = open_half(table, dealer, me.party, own.root, note.half)
        key = _pair_key(own, table, j, half)
        (dealing.plus if own.index < j else dealing.minus).append(key)
    return dealing


def _from_server(me: Credentials, table: SettledRoster, ends: tuple[int, int], note: m.Note) -> None:
    """An honest server relays no note that fails this check, so a failure names the server."""
    with blaming(SERVER, m.RELAY, f"note of {table.terms.sites[ends[0]]}"):
        check_note(me.verify, table, ends, note)


def _pair_key(own: Own, table: SettledRoster, j: int, half: Secret) -> Secret:
    terms, other = table.terms, table.adverts[j]
    agreed = agree(own.root.agreement, terms.sites[j], other.mask)
    lower, upper = (own.advert, other) if own.index < j else (other, own.advert)
    return pair_mask(agreed, half, session(terms), lower.public, upper.public)


def _cohort(own: Own, table: SettledRoster, sites: tuple[int, ...], step: str) -> frozenset[int]:
    """A set of sites that the server names: with me in it, never below the minimum cohort, enough of my neighbours."""
    terms, least = table.terms, table.shape.least
    named_ = with_me(terms, terms.sites[own.index], sites, step)
    if not named_ <= table.adverts.keys():
        raise Abort(Cause.MALFORMED, party=SERVER, step=step, detail="a site that is not in the roster")
    if len(table.graph.holders[own.index] & named_) < least:
        raise Abort(Cause.TOO_FEW, step=step, detail=f"of my neighbours fewer than {least} are left")
    return named_


def _agree(own: Own, table: SettledRoster, dealing: _Dealing, body: bytes) -> tuple[int, ...]:
    """U3 as this site accepts it. Raises Abort naming the server: SURVIVORS, COHORT, MALFORMED; TOO_FEW."""
    message = load(body, m.Survivors, SERVER)
    if message.dealers != digest(indices(dealing.dealers)):
        raise Abort(Cause.SURVIVORS, party=SERVER, step=m.SURVIVORS, detail="other dealers than those relayed to me")
    givers = _cohort(own, table, message.givers, m.SURVIVORS)
    if not givers <= frozenset(dealing.dealers):
        raise Abort(Cause.SURVIVORS, party=SERVER, step=m.SURVIVORS, detail="a survivor that dealt nothing")
    return message.givers


def _enough(
    me: Credentials, table: SettledRoster, among: frozenset[int], statement: bytes, mine: Signer, body: bytes
) -> None:
    """Raises Abort(SURVIVORS): fewer than t of those who hold my shares signed the survivor set that I was shown."""
    sites, least = table.terms.sites, table.shape.least
    signers = by_site(load(body, m.Signatures, SERVER).signers, len(sites), SERVER)
    counted = sorted(signers.keys() & among)
    for site in counted:
        what = f"what {sites[site]} signed is not the survivor set that I was shown"
        with blaming(SERVER, m.SIGNED, what, Cause.SURVIVORS):
            if signers[site] != mine:
                me.verify(sites[site], statement, signers[site].signature)
    if len(counted) < least:
        detail = f"{len(counted)} of my neighbours signed the survivor set, {least} needed"
        raise Abort(Cause.SURVIVORS, party=SERVER, step=m.SIGNED, detail=detail)


def _one_share_each(dealing: _Dealing, givers: frozenset[int]) -> bytes:
    """For each dealer the share of its seed if it gave, else that of its root: one or the other."""
    return b"".join((h.seed if u in givers else h.root).expose() for u, h in sorted(dealing.held.items()))
