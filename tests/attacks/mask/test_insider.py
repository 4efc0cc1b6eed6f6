"""A lying site: it can give any value, as any site can, but what it deals wrongly is noticed and it is named."""

from dataclasses import replace

import numpy as np
import pytest
from msgspec.structs import replace as change

from potluck.core.ledger import Volatile
from potluck.core.party import SERVER, site
from potluck.core.rounds import Abort, Cause, RoundId, Terms
from potluck.core.stages import Opened
from potluck.core.wire import dump, load
from potluck.mpc.mask import messages as m
from potluck.mpc.mask.graph import Shape, thresholds
from potluck.mpc.mask.notes import PAIR, ROOT, Held
from potluck.mpc.mask.notes import SEED as SEED_SHARE
from potluck.mpc.mask.pairs import Root, session
from potluck.mpc.mask.protection import Mask
from potluck.mpc.mask.roster import fresh, table
from potluck.secret.box import PublicBoxKey
from potluck.secret.container import Secret
from potluck.secret.context import Sending
from potluck.secret.schedule import HEAD
from potluck.secret.shamir import split
from potluck.testing.draws import seeded
from potluck.testing.protection import RoundContext, check_protection, judged
from support.hostile.tampering import altering
from support.mpc.mask_rogue import seat_of

LIAR = site("s0")
GUESS = Secret(b"\5" * 32)


def sitting(server="lying", play=None, vanish=None, number=1, **more):
    n, c, d = 6, 1, 1
    sites = tuple(site(f"s{i}") for i in range(n))
    picks, least = thresholds(n, c, d, server)
    terms = Terms(RoundId("run", number), b"d" * 32, "once", sites, n - d, 4, 32)
    words = np.random.default_rng(1).integers(0, 2**32, (n, 4), dtype="<u4")
    shape = Shape(n, picks, least, server == "lying")
    given = dict(zip(sites, words, strict=True))
    gone = vanish or {}
    return RoundContext(
        Mask(shape), terms, given, play=play or {}, vanish=lambda p, r, step: gone.get(p) == step, **more
    )


class Liar:
    """Site s0 as it could be: it runs its half, and rewrites what it deals, properly signed.

    rewrite: (liar, roster, dealt) -> dealt.
    """

    def __init__(self, rewrite):
        self.rewrite = rewrite
        self.roster = None

    def play(self, seat, half):
        spied = self.spy(half)
        return altering(self._change)(seat, spied)

    def spy(self, half):
        """Pass everything through, but read the roster on the way."""
        inbox = None
        while True:
            try:
                exchange = half.send(inbox)
            except StopIteration as stop:
                return stop.value
            inbox = yield exchange
            if exchange.label.step == m.ROSTER:
                self.body = inbox.got[SERVER]

    def _change(self, seat, to, step, body):
        if step != m.SHARE:
            return body
        self.seat = seat
        return dump(self.rewrite(self, load(body, m.Dealt)))

    def note(self, sat, index, note):
        """The note to site `index`, signed anew."""
        party = sat.terms.sites[index]
        statement = m.note_statement(self.settled(sat).hash, LIAR, party, note)
        return change(note, signature=self.seat.sign(statement))

    def settled(self, sat):
        return table(sat.protection.shape, sat.terms, self.body)

    def half(self, sat, index, sealed, committed):
        """A pair's half for site `index`: one value sealed, perhaps another committed to."""
        settled, party = self.settled(sat), sat.terms.sites[index]
        box = PublicBoxKey(settled.adverts[index].pair).seal(
            sealed.expose(), m.box_info(settled.hash, LIAR, party, m.SHARE)
        )
        return m.DealtHalf(m.commitment(settled.hash, LIAR, party, PAIR, committed), box)

    def shares(self, sat, index, sealed, committed):
        """Both shares for site `index`: those sealed, perhaps others committed to."""
        settled, party = self.settled(sat), sat.terms.sites[index]
        key = PublicBoxKey(settled.adverts[index].channel)
        box = key.seal(sealed.root.expose() + sealed.seed.expose(), m.box_info(settled.hash, LIAR, party, m.SHARE))
        root = m.commitment(settled.hash, LIAR, party, ROOT, committed.root)
        seed = m.commitment(settled.hash, LIAR, party, SEED_SHARE, committed.seed)
        return m.Shares(m.Kept(root, seed), box)


def lie(server, vanish, rewrite, number=1, **more):
    """One round with the liar; rewrite: (liar, sitting, dealt) -> dealt. Returns (outcome, desks, sitting)."""
    sat = sitting(server, vanish={LIAR: vanish} if vanish else None, number=number, **more)
    liar = Liar(lambda liar, dealt: rewrite(liar, sat, dealt))
    sat.play = {LIAR: liar.play}
    desks = sat.run()
    return judged(sat, desks), desks, sat


def per_note(build):
    """Rewrite every note: build(liar, sitting, index, note) -> note."""

    def rewrite(liar, sat, dealt):
        notes = [change(n, note=liar.note(sat, n.site, build(liar, sat, n.site, n.note))) for n in dealt.notes]
        return change(dealt, notes=tuple(notes))

    return rewrite


def consistent_wrong_half(liar, sat, index, note):
    """Another half than the root gives, sealed and committed to alike: nobody can see it until the root is rebuilt."""
    return change(note, half=liar.half(sat, index, GUESS, GUESS))


def uncommitted_half(liar, sat, index, note):
    return change(note, half=liar.half(sat, index, GUESS, Secret(b"\6" * 32)))


def garbage_half(liar, sat, index, note):
    return change(note, half=change(note.half, box=bytes(len(note.half.box))))


def consistent_wrong_shares(liar, sat, index, note):
    held = Held(Secret(bytes([index]) * 32), Secret(bytes([index + 9]) * 32))
    return change(note, shares=liar.shares(sat, index, held, held))


def uncommitted_shares(liar, sat, index, note):
    held, other = Held(GUESS, GUESS), Held(GUESS, Secret(b"\6" * 32))
    return change(note, shares=liar.shares(sat, index, held, other))


def garbage_shares(liar, sat, index, note):
    return change(note, shares=change(note.shares, box=bytes(len(note.shares.box))))


SERVERS = ["lying", "curious"]


@pytest.mark.parametrize("server", SERVERS)
def test_a_site_that_seals_a_wrong_half_masks_with_it_and_vanishes_is_named(server):
    """Without the commitments to the halves this sum would be wrong, silently."""
    outcome, desks, _ = lie(server, m.INPUT, per_note(consistent_wrong_half))
    assert isinstance(outcome, Abort)
    assert (outcome.cause, outcome.party) == (Cause.DEALER, LIAR)
    assert desks[SERVER].result is None


@pytest.mark.parametrize("server", SERVERS)
@pytest.mark.parametrize("vanish", [None, m.INPUT])
def test_wrong_shares_are_noticed_when_they_are_joined_and_their_dealer_named(server, vanish):
    outcome, _, _ = lie(server, vanish, per_note(consistent_wrong_shares))
    assert isinstance(outcome, Abort)
    assert (outcome.cause, outcome.party) == (Cause.DEALER, LIAR)


@pytest.mark.parametrize("server", SERVERS)
def test_a_root_that_fits_the_halves_but_not_the_advertised_keys_is_noticed(server):
    """Shares of another root, halves from that root, all committed to: only the advertised keys say otherwise."""

    def rewrite(liar, sat, dealt):
        other = Root(GUESS, session(sat.terms))
        shape = sat.protection.shape
        shares = split(GUESS, shape.least, range(1, 7), seeded("other"))
        seeds = split(Secret(b"\6" * 32), shape.least, range(1, 7), seeded("seeds"))

        def build(liar, sat, index, note):
            half = other.toward(sat.terms.sites[index])
            held = Held(shares[index + 1], seeds[index + 1])
            both = liar.shares(sat, index, held, held)
            return change(note, shares=both, half=liar.half(sat, index, half, half))

        return per_note(build)(liar, sat, dealt)

    outcome, _, _ = lie(server, m.INPUT, rewrite)
    assert isinstance(outcome, Abort)
    assert (outcome.cause, outcome.party) == (Cause.DEALER, LIAR)


@pytest.mark.parametrize("server", SERVERS)
def test_a_commitment_to_another_seed_is_noticed(server):
    def rewrite(liar, sat, dealt):
        return change(dealt, seed=bytes(32))

    outcome, _, _ = lie(server, None, rewrite)
    assert (outcome.cause, outcome.party) == (Cause.DEALER, LIAR)


@pytest.mark.parametrize(
    ("build", "cause"),
    [
        (uncommitted_half, Cause.COMMITMENT),
        (uncommitted_shares, Cause.COMMITMENT),
        (garbage_half, Cause.BOX),
        (garbage_shares, Cause.BOX),
    ],
)
@pytest.mark.parametrize("server", SERVERS)
def test_what_does_not_open_or_match_makes_its_receiver_stop_and_name_the_dealer(server, build, cause):
    outcome, desks, sat = lie(server, None, per_note(build))
    assert isinstance(outcome, Abort)
    assert outcome.cause is Cause.TOO_FEW
    for party in sat.terms.sites[1:]:
        assert (desks[party].abort.cause, desks[party].abort.party) == (cause, LIAR)
    # The server knows both ends of every accusation, so that the next round can do without the liar.
    assert {(who, why, whom) for who, why, whom in desks[SERVER].notices if whom} == {
        (party, cause, LIAR) for party in sat.terms.sites[1:]
    }


def to_one_site(build):
    return per_note(lambda liar, sat, index, note: build(liar, sat, index, note) if index == 3 else note)


@pytest.mark.parametrize("build", [uncommitted_shares, garbage_shares])
def test_garbage_shares_for_one_site_cost_one_drop_out(build):
    """The receiver and the dealer are both named, the rest goes on as long as the cohort holds."""
    outcome, desks, sat = lie("lying", None, to_one_site(build))
    assert isinstance(outcome, Opened)
    assert outcome.givers == set(sat.terms.sites) - {sat.terms.sites[3]}
    assert (desks[sat.terms.sites[3]].abort.party, desks[SERVER].notices[0][0]) == (LIAR, sat.terms.sites[3])


@pytest.mark.parametrize("build", [uncommitted_half, garbage_half])
def test_a_garbage_half_for_one_site_ends_the_round_and_names_its_dealer(build):
    """Its receiver left, so its root is rebuilt and the box opened: nobody knows what the dealer masked with."""
    outcome, desks, sat = lie("lying", None, to_one_site(build))
    assert isinstance(outcome, Abort)
    assert (outcome.cause, outcome.party) == (Cause.DEALER, LIAR)
    assert desks[sat.terms.sites[3]].abort.party == LIAR


@pytest.mark.parametrize("server", SERVERS)
def test_a_note_with_a_bad_signature_is_a_drop_out_of_its_dealer(server):
    """The server checks what it relays: the dealer is gone, nobody else stops."""

    def rewrite(liar, sat, dealt):
        first = dealt.notes[0]
        return change(dealt, notes=(change(first, note=change(first.note, signature=bytes(64))), *dealt.notes[1:]))

    outcome, _, sat = lie(server, None, rewrite)
    assert isinstance(outcome, Opened)
    assert outcome.givers == set(sat.terms.sites) - {LIAR}


def drop_last_note(liar, sat, dealt):
    return change(dealt, notes=dealt.notes[:-1])


def note_to_itself(liar, sat, dealt):
    return change(dealt, notes=(change(dealt.notes[0], site=0), *dealt.notes[1:]))


def no_own(liar, sat, dealt):
    return change(dealt, own=None)


def no_half(liar, sat, dealt):
    return per_note(lambda liar, sat, index, note: change(note, half=None))(liar, sat, dealt)


@pytest.mark.parametrize("rewrite", [drop_last_note, note_to_itself, no_own, no_half])
def test_incomplete_dealing_is_a_drop_out(rewrite):
    outcome, _, sat = lie("lying", None, rewrite)
    assert isinstance(outcome, Opened)
    assert outcome.givers == set(sat.terms.sites) - {LIAR}


@pytest.mark.parametrize("step", [m.ADVERTISE, m.SHARE, m.INPUT, m.SIGN, m.UNMASK])
@pytest.mark.parametrize(
    "nonsense", [lambda b: b"", lambda b: b[:-1], lambda b: b + b"\0", lambda b: bytes(len(b)), lambda b: b"\xff" * 40]
)
def test_nonsense_from_one_site_is_a_drop_out(step, nonsense):
    sat = sitting(play={LIAR: altering(lambda seat, to, at, body: nonsense(body) if at == step else body)})
    outcome = check_protection(sat)
    assert isinstance(outcome, Opened)
    early = step in (m.ADVERTISE, m.SHARE, m.INPUT)
    assert (LIAR not in outcome.givers) == early


@pytest.mark.parametrize("server", SERVERS)
def test_a_wrong_share_at_the_end_is_its_submitters_fault_and_the_sum_is_right(server):
    """Sealed to the server as it should be, under the right info: only the commitments tell."""
    sat = sitting(server)
    liar = Liar(lambda liar, dealt: dealt)

    def turn(seat, to, step, body):
        if step != m.UNMASK:
            return body
        settled = liar.settled(sat)
        return Sending(settled.server, m.server_info(settled.hash, LIAR)).seal(bytes(32 * 6), m.UNMASK.encode())

    sat.play = {LIAR: lambda seat, half: altering(turn)(seat, liar.spy(half))}
    opened = check_protection(sat)
    assert isinstance(opened, Opened)
    assert opened.givers == set(sat.terms.sites)


def test_a_sealed_input_is_no_answer_to_the_survivors_although_both_are_of_one_context():
    said = {}

    def turn(seat, to, step, body):
        said[step] = body
        return said[m.INPUT] if step == m.UNMASK else body

    opened = check_protection(sitting(play={LIAR: altering(turn)}))
    assert isinstance(opened, Opened)
    assert said[m.INPUT][:HEAD] == said[m.UNMASK][:HEAD]
    assert said[m.INPUT] != said[m.UNMASK]


def test_a_signature_over_another_survivor_set_is_a_drop_out_and_the_sum_is_right():
    """Were it relayed, every other site would stop."""

    def other(seat, to, step, body):
        return dump(m.Signed(seat.sign(b"another set"))) if step == m.SIGN else body

    outcome = check_protection(sitting(play={LIAR: altering(other)}))
    assert isinstance(outcome, Opened)
    assert LIAR in outcome.givers


@pytest.mark.parametrize("kind", ["channel", "mask", "pair"])
def test_a_site_that_advertises_malformed_keys_is_a_drop_out(kind):
    def bad(seat, to, step, body):
        if step != m.ADVERTISE:
            return body
        advert = load(body, m.Advert)
        key = getattr(advert, kind)
        advert = change(advert, **{kind: key[:-32] + bytes(32)})
        statement = m.advert_statement(sat.terms, LIAR, advert)
        return dump(change(advert, signature=seat.sign(statement)))

    sat = sitting(play={LIAR: altering(bad)})
    outcome = check_protection(sat)
    assert isinstance(outcome, Opened)
    assert outcome.givers == set(sat.terms.sites) - {LIAR}


def test_the_round_after_an_abort_goes_on_without_the_liar():
    """Same ledgers, next number: what was opened of the step is nothing, so the others may open it."""
    ledgers = {site(f"s{i}"): Volatile() for i in range(6)}
    outcome, _, _ = lie("lying", m.INPUT, per_note(consistent_wrong_half), ledgers=ledgers)
    assert outcome.party == LIAR
    again = sitting(number=2, vanish={LIAR: m.ADVERTISE}, ledgers=ledgers)
    opened = check_protection(again)
    assert isinstance(opened, Opened)
    assert opened.givers == set(again.terms.sites) - {LIAR}


def test_a_sites_secrets_of_two_rounds_share_nothing():
    """Keys are fresh every round even from the same random source position."""
    sat, later = sitting(number=1), sitting(number=2)
    shape = sat.protection.shape
    one = fresh(shape, sat.terms, seat_of(sat.terms, LIAR))
    two = fresh(shape, later.terms, replace(seat_of(later.terms, LIAR), draw=seat_of(sat.terms, LIAR).draw))
    assert one.root.root.expose() == two.root.root.expose()
    assert not set(one.root.public) & set(two.root.public)
