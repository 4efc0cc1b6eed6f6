"""A site that deals or shares wrongly: a drop-out where it shows at once, named as soon as its key is rebuilt."""

import numpy as np
import pytest
from msgspec.structs import replace as change

from potluck.core.party import SERVER, site
from potluck.core.rounds import Abort, Cause
from potluck.core.stages import Opened
from potluck.core.wire import dump, load
from potluck.he.sum import messages as m
from potluck.he.sum.parameters import WIRE
from potluck.he.sum.residues import dump as flat
from potluck.secret.box import PublicBoxKey
from potluck.secret.container import Secret
from potluck.secret.shamir import PRIME
from potluck.secret.stream import digest
from potluck.testing.protection import check_protection, judged
from support.examples import fewer
from support.he.lying import NONSENSE, lie, noise
from support.he.rogue import left, said, sitting
from support.hostile.tampering import altering
from support.mpc.mask_rogue import causes

N, D = 5, 1
LIARS = [0, pytest.param(2, marks=pytest.mark.slow)]
"""The one who adds c0, and another."""


@pytest.mark.parametrize("what", fewer(["nothing", "too short", "a residue too short", "too long", "twice"], "nothing"))
def test_a_vault_of_another_size_is_a_drop_out(workers, what):
    sat = lie(workers, 0, {"export": NONSENSE[what]})
    opened = check_protection(sat)
    assert isinstance(opened, Opened)
    assert sat.terms.sites[0] not in opened.givers


# --- What it deals ---


def another_key(body, parameters):
    """A ternary polynomial, but not the key."""
    found = np.frombuffer(body, "<u8").reshape(WIRE, -1)
    return flat(np.roll(found, 1, axis=1))


def one_tower_of_another(body, parameters):
    found = np.frombuffer(body, "<u8").reshape(WIRE, -1).copy()
    found[1] = np.roll(found[1], 1)
    return flat(found)


FALSE_KEYS = {
    "another key": another_key,
    "another key at one tower": one_tower_of_another,
    "noise": noise(WIRE),
    "zero": lambda body, parameters: bytes(len(body)),
    "no polynomial": NONSENSE["all ones"],
    "one residue beyond its prime": NONSENSE["a residue that is its prime"],
}


@pytest.mark.parametrize("liar", LIARS)
@pytest.mark.parametrize("what", fewer(FALSE_KEYS, "another key", "no polynomial"))
def test_a_vault_that_does_not_hold_the_key_names_its_dealer_once_it_is_missing(workers, what, liar):
    sat = lie(workers, liar, {"export": FALSE_KEYS[what]}, leaves={liar: m.PARTIAL})
    abort = check_protection(sat)
    assert isinstance(abort, Abort)
    assert (abort.cause, abort.party) == (Cause.DEALER, sat.terms.sites[liar])


@pytest.mark.parametrize("what", fewer(FALSE_KEYS, "another key"))
def test_while_it_stays_nobody_opens_its_vault(workers, what):
    sat = lie(workers, 0, {"export": FALSE_KEYS[what]})
    assert isinstance(check_protection(sat), Opened)
    assert not left(sat, m.REBUILD)


def dealing(sat, rewrite):
    """Site 0 rewrites what it deals: rewrite(sign, roster's hash, dealt) -> dealt."""

    def turn(seat, to, step, body):
        if step != m.SHARE:
            return body
        roster = next(body for at, _, who, body in sat.transcript.bodies if at == m.ROSTER and who == seat.party)
        return dump(rewrite(seat.sign, m.roster_hash(sat.terms, roster), load(body, m.Dealt)))

    sat.play = {sat.terms.sites[0]: altering(turn)}
    return sat


def resigned(sat, sign, roster, vault, note):
    statement = m.note_statement(roster, sat.terms.sites[0], sat.terms.sites[note.site], digest(vault), note)
    return change(note, signature=sign(statement))


def per_note(sat, build, victims=range(N)):
    """Every note to the victims rebuilt and signed anew: build(roster's hash, note) -> note."""

    def rewrite(sign, roster, dealt):
        notes = [
            resigned(sat, sign, roster, dealt.vault, build(roster, note)) if note.site in victims else note
            for note in dealt.notes
        ]
        return change(dealt, notes=tuple(notes))

    return rewrite


def sealed(sat, roster, note, share):
    """A box with this share for the note's holder."""
    adverts, holder = said(sat, m.KEYS, m.Advert), sat.terms.sites[note.site]
    return PublicBoxKey(adverts[note.site].channel).seal(share, m.box_info(roster, sat.terms.sites[0], holder))


def committed(sat, roster, note, share):
    """Another share, sealed and committed to alike."""
    promise = m.commitment(roster, sat.terms.sites[0], sat.terms.sites[note.site], Secret(share))
    return change(note, box=sealed(sat, roster, note, share), commitment=promise)


GUESS = b"\5" * 32
UNFIT = {
    "another commitment": (lambda sat, roster, note: change(note, commitment=b"\0" * 32), Cause.COMMITMENT),
    "another share": (lambda sat, roster, note: change(note, box=sealed(sat, roster, note, GUESS)), Cause.COMMITMENT),
    "a box that does not open": (lambda sat, roster, note: change(note, box=b"\1" * len(note.box)), Cause.BOX),
}


@pytest.mark.parametrize("what", UNFIT)
def test_a_share_that_does_not_fit_its_commitment_names_the_dealer(workers, what):
    build, cause = UNFIT[what]
    sat = sitting(workers, N, D)
    dealing(sat, per_note(sat, lambda roster, note: build(sat, roster, note)))
    found = causes(sat.run())
    liar = sat.terms.sites[0]
    assert {i: found[i] for i in range(1, N)} == dict.fromkeys(range(1, N), (cause, liar))
    assert left(sat, m.INPUT) <= {0}


@pytest.mark.parametrize("what", UNFIT)
def test_to_one_victim_it_is_the_victims_drop_out(workers, what):
    build, _ = UNFIT[what]
    sat = sitting(workers, N, D)
    dealing(sat, per_note(sat, lambda roster, note: build(sat, roster, note), victims=[3]))
    opened = check_protection(sat)
    assert opened.givers == {s for i, s in enumerate(sat.terms.sites) if i != 3}


@pytest.mark.parametrize("share", [GUESS, b"\0" * 32, PRIME.to_bytes(32, "big"), b"\xff" * 32])
def test_false_shares_that_are_committed_to_name_the_dealer_once_it_is_missing(workers, share):
    """Nobody can see it before: each holder's share fits its commitment."""
    sat = sitting(workers, N, D, leaves={0: m.PARTIAL})
    dealing(sat, per_note(sat, lambda roster, note: committed(sat, roster, note, share)))
    abort = check_protection(sat)
    assert (abort.cause, abort.party) == (Cause.DEALER, sat.terms.sites[0])


def swapped_vault(sat):
    def rewrite(sign, roster, dealt):
        vault = bytes(len(dealt.vault))
        return m.Dealt(vault, tuple(resigned(sat, sign, roster, vault, note) for note in dealt.notes))

    return rewrite


def test_a_vault_that_its_shares_do_not_open_names_the_dealer_once_it_is_missing(workers):
    sat = sitting(workers, N, D, leaves={0: m.PARTIAL})
    abort = check_protection(dealing(sat, swapped_vault(sat)))
    assert (abort.cause, abort.party) == (Cause.DEALER, sat.terms.sites[0])


INCOMPLETE = {
    "no notes": lambda sign, roster, dealt: change(dealt, notes=()),
    "one note less": lambda sign, roster, dealt: change(dealt, notes=dealt.notes[1:]),
    "a note twice": lambda sign, roster, dealt: change(dealt, notes=(dealt.notes[0], *dealt.notes)),
    "a note to itself": lambda sign, roster, dealt: change(
        dealt, notes=(change(dealt.notes[0], site=0), *dealt.notes[1:])),
    "another vault": lambda sign, roster, dealt: change(dealt, vault=bytes(len(dealt.vault))),
    "another's signature": lambda sign, roster, dealt: change(
        dealt, notes=(change(dealt.notes[0], signature=dealt.notes[1].signature), *dealt.notes[1:])),
}  # fmt: skip


@pytest.mark.parametrize("what", fewer(INCOMPLETE, "one note less", "another vault", "another's signature"))
def test_incomplete_dealing_is_a_drop_out(workers, what):
    sat = sitting(workers, N, D)
    opened = check_protection(dealing(sat, INCOMPLETE[what]))
    assert isinstance(opened, Opened)
    assert sat.terms.sites[0] not in opened.givers


# --- At the end ---


def at_step(liar, step, schema, turn):
    """One site changes what it says in one step: turn(seat, message) -> message or bytes."""

    def altered(seat, to, at, body):
        if at != step:
            return body
        found = turn(seat, load(body, schema))
        return found if isinstance(found, bytes) else dump(found)

    return {site(f"s{liar}"): altering(altered)}


@pytest.mark.parametrize(
    "body",
    [b"\5" * 32, b"\5" * 31, *(pytest.param(body, marks=pytest.mark.slow) for body in (b"", b"\xff" * 32, b"\5" * 64))],
)
def test_a_wrong_share_at_the_end_counts_its_holder_as_gone_and_the_sum_is_right(workers, body):
    play = at_step(3, m.REBUILD, m.Shares, lambda seat, shares: m.Shares(body))
    sat = sitting(workers, N, D, leaves={0: m.PARTIAL}, play=play)
    desks = sat.run()
    assert desks[SERVER].lost[sat.terms.sites[3]] in (Cause.COMMITMENT, Cause.MALFORMED)
    opened = check_protection(sitting(workers, N, D, leaves={0: m.PARTIAL}, play=play))
    assert opened.givers == set(sat.terms.sites)


def test_too_many_wrong_shares_at_the_end_open_nothing(workers):
    play = {}
    for i in (2, 3):
        play |= at_step(i, m.REBUILD, m.Shares, lambda seat, shares: m.Shares(GUESS))
    abort = check_protection(sitting(workers, N, D, leaves={0: m.PARTIAL}, play=play))
    assert abort.cause is Cause.TOO_FEW


@pytest.mark.parametrize("liar", LIARS)
def test_a_signature_over_another_sum_is_a_drop_out_and_the_sum_is_right(workers, liar):
    """Were it relayed, all others would stop."""
    play = at_step(liar, m.PARTIAL, m.Partial, lambda seat, said: change(said, signature=seat.sign(b"another sum")))
    sat = sitting(workers, N, D, play=play)
    desks = sat.run()
    assert judged(sat, desks).givers == set(sat.terms.sites)
    assert {party for party, desk in desks.items() if desk.abort} <= {sat.terms.sites[liar]}


@pytest.mark.parametrize("liar", LIARS)
def test_a_signature_over_other_ciphertexts_is_a_drop_out_and_the_others_sum_is_right(workers, liar):
    """Were they added up, all others would stop."""
    play = at_step(liar, m.INPUT, m.Input, lambda seat, said: change(said, signature=seat.sign(b"other ciphertexts")))
    sat = sitting(workers, N, D, play=play)
    opened = check_protection(sat)
    assert opened.givers == set(sat.terms.sites) - {sat.terms.sites[liar]}


@pytest.mark.parametrize("step", [m.KEYS, m.SHARE, m.INPUT, m.PARTIAL])
@pytest.mark.parametrize(
    "nonsense",
    [
        lambda b: b[:-1],
        lambda b: bytes(len(b)),
        *(
            pytest.param(one, marks=pytest.mark.slow)
            for one in (lambda b: b"", lambda b: b + b"\0", lambda b: b"\xff" * 40)
        ),
    ],
)
def test_nonsense_in_place_of_a_message_is_a_drop_out(workers, step, nonsense):
    liar = site("s1")
    sat = sitting(workers, N, D, play={liar: altering(lambda seat, to, at, b: nonsense(b) if at == step else b)})
    opened = check_protection(sat)
    assert isinstance(opened, Opened)
    assert (liar in opened.givers) == (step == m.PARTIAL)
