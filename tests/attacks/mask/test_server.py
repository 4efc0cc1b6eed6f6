"""A server that may do anything: it never gets both shares of one peer, and whoever notices names it."""

import numpy as np
import pytest
from msgspec.structs import replace as change

from potluck.core.ledger import Volatile
from potluck.core.party import SERVER, site
from potluck.core.rounds import Abort, Cause, RoundId, Terms
from potluck.core.wire import dump
from potluck.mpc.mask import messages as m
from potluck.mpc.mask.graph import Shape, thresholds
from potluck.mpc.mask.notes import ROOT, SEED
from potluck.mpc.mask.roster import accept, fresh
from potluck.secret.box import SEED as BOX_SEED
from potluck.secret.box import BoxKey
from potluck.secret.container import Secret
from potluck.secret.statement import indices
from potluck.secret.stream import digest
from potluck.testing.draws import seeded
from support.mpc.mask_rogue import assert_no_site_gave_both, attack, causes, seat_of, signing_keys


def without(message, *gone):
    return change(message, givers=tuple(i for i in message.givers if i not in gone))


def two_groups(victim, seeing_it_dead):
    """Tell some sites that the victim gave, the others that it vanished."""
    return lambda to, message: without(message, victim) if to in seeing_it_dead else message


# --- Alive and dropped: two survivor sets to two groups ---


def test_two_survivor_sets_leave_neither_group_with_enough_signatures():
    rogue, desks, _ = attack(7, 1, 2, corrupt=[6], survivors=two_groups(0, {3, 4, 5}))
    assert not any(rogue.replied.values())
    assert rogue.opens(0) is None
    assert set(causes(desks).values()) == {(Cause.SURVIVORS, SERVER)}


def test_the_same_attack_opens_an_update_where_the_threshold_is_too_low():
    """The harness can win: with t = 4 of 7 and one accomplice 2t is not above n + c. So the test above can fail."""
    rogue, _, sat = attack(7, 1, 2, least=4, corrupt=[6], survivors=two_groups(0, {3, 4, 5}))
    assert np.array_equal(rogue.opens(0), sat.words[sat.terms.sites[0]])


def test_more_accomplices_than_planned_break_it_as_the_views_say():
    """t = 5 of 7: 2t - n = 3 colluding sites and the server open an update, two do not."""
    for corrupt, opened in (([5, 6], False), ([4, 5, 6], True)):
        rogue, _, sat = attack(7, 1, 2, corrupt=corrupt, survivors=two_groups(0, {2, 3}))
        found = rogue.opens(0)
        assert (found is not None and np.array_equal(found, sat.words[sat.terms.sites[0]])) == opened


def test_a_curious_threshold_does_not_bear_a_lying_server():
    """What the views say of `server = "curious"`: it breaks where the server departs from the protocol."""
    rogue, _, sat = attack(7, 2, 2, "curious", corrupt=[5, 6], survivors=two_groups(0, {3, 4}))
    assert np.array_equal(rogue.opens(0), sat.words[sat.terms.sites[0]])


@pytest.mark.parametrize("split", range(1, 7))
@pytest.mark.parametrize("victims", [{0}, {0, 1}])
def test_no_honest_site_gives_both_shares_however_the_sites_are_divided(victims, split):
    def survivors(to, message):
        return without(message, *(victims - {to})) if to < split else message

    rogue, _, _ = attack(7, 1, 2, corrupt=[6], survivors=survivors)
    assert_no_site_gave_both(rogue)
    for victim in range(6):
        assert not all(len(rogue.shares[victim, kind]) >= rogue.shape.least for kind in (ROOT, SEED))
        assert rogue.opens(victim) is None


# --- One survivor set, but not one that may be ---


@pytest.mark.parametrize(
    ("alter", "cause"),
    [
        (lambda to, s: without(s, to), Cause.SURVIVORS),  # I am not in it
        (lambda to, s: without(s, *[i for i in range(7) if i != to][:3]), Cause.COHORT),  # below the cohort
        (lambda to, s: change(s, givers=(*s.givers, 7)), Cause.MALFORMED),  # a stranger
        (lambda to, s: change(s, givers=tuple(sorted((*s.givers, to)))), Cause.MALFORMED),  # one site twice
        (lambda to, s: change(s, givers=s.givers[::-1]), Cause.MALFORMED),
        (lambda to, s: change(s, dealers=digest(indices(range(6)))), Cause.SURVIVORS),  # other dealers
    ],
)
@pytest.mark.parametrize("server", ["lying", "curious"])
def test_a_survivor_set_that_cannot_be_is_refused_by_every_site(server, alter, cause):
    rogue, desks, _ = attack(7, 1, 2, server, survivors=alter)
    assert causes(desks) == dict.fromkeys(range(7), (cause, SERVER))
    assert not rogue.replied


def test_a_survivor_that_never_dealt_is_refused():
    """The server hides site 6's dealing, then claims its input: nobody masked with it."""

    def relay(to, message):
        if to == 6:
            return None
        return change(message, dealers=message.dealers[:-1], notes=tuple(n for n in message.notes if n.site != 6))

    def survivors(to, message):
        return change(message, dealers=digest(indices(range(6))), givers=tuple(range(7)))

    rogue, desks, _ = attack(7, 1, 2, relay=relay, survivors=survivors)
    assert causes(desks, range(6)) == dict.fromkeys(range(6), (Cause.SURVIVORS, SERVER))
    assert not rogue.replied


@pytest.mark.parametrize(
    "alter",
    [
        lambda to, s: change(s, signers=s.signers[:4]),  # one fewer than t
        lambda to, s: change(s, signers=()),
        lambda to, s: change(s, signers=(*s.signers[:4], m.Signer(s.signers[4].site, bytes(64)))),  # forged
        lambda to, s: change(
            s, signers=(*s.signers[:4], m.Signer(s.signers[4].site, s.signers[3].signature))
        ),  # another's
    ],
)
def test_too_few_true_signatures_unmask_nothing(alter):
    rogue, desks, _ = attack(7, 1, 2, signatures=alter)
    assert causes(desks) == dict.fromkeys(range(7), (Cause.SURVIVORS, SERVER))
    assert not rogue.replied


def test_one_signature_counted_twice_is_refused():
    rogue, desks, _ = attack(7, 1, 2, signatures=lambda to, s: change(s, signers=(*s.signers[:4], s.signers[3])))
    assert causes(desks) == dict.fromkeys(range(7), (Cause.MALFORMED, SERVER))
    assert not rogue.replied


def test_signatures_of_sites_outside_the_survivor_set_do_not_count():
    """Two accomplices are declared dropped, yet sign: they are no survivors."""
    gone = {5, 6}
    rogue, desks, _ = attack(
        7, 1, 2, corrupt=gone, survivors=lambda to, s: None if to in gone or to == 4 else without(s, *gone)
    )
    assert causes(desks, range(4)) == dict.fromkeys(range(4), (Cause.SURVIVORS, SERVER))
    assert not rogue.replied


# --- The roster ---


def swap_advert(victim, **keys):
    """Put other keys in the place of one site's."""

    def hook(to, roster):
        listed = [
            change(one, advert=change(one.advert, **keys)) if one.site == victim else one for one in roster.listed
        ]
        return change(roster, listed=tuple(listed))

    return hook


@pytest.mark.parametrize("kind", ["channel", "mask", "pair"])
def test_a_replaced_key_is_noticed_by_everybody(kind):
    mine, _, _ = attack(4, 1, 1, number=9)
    key = getattr(mine.table.adverts[2], kind)
    rogue, desks, _ = attack(4, 1, 1, roster=swap_advert(2, **{kind: key}))
    assert causes(desks, (0, 1, 3)) == dict.fromkeys((0, 1, 3), (Cause.SIGNATURE, SERVER))
    assert causes(desks, [2]) == {2: (Cause.KEYS, SERVER)}
    assert not rogue.inputs


def test_one_sites_keys_under_anothers_name_are_noticed():
    def hook(to, roster):
        first, second, *rest = roster.listed
        return change(roster, listed=(change(first, advert=second.advert), change(second, advert=first.advert), *rest))

    _, desks, _ = attack(4, 1, 1, roster=hook)
    assert causes(desks, (2, 3)) == dict.fromkeys((2, 3), (Cause.SIGNATURE, SERVER))
    assert causes(desks, (0, 1)) == dict.fromkeys((0, 1), (Cause.KEYS, SERVER))


def test_keys_of_an_earlier_round_are_noticed():
    old, _, _ = attack(4, 1, 1, number=1)

    def hook(to, roster):
        listed = [change(one, advert=old.table.adverts[2]) if one.site == 2 else one for one in roster.listed]
        return change(roster, listed=tuple(listed))

    _, desks, _ = attack(4, 1, 1, number=2, roster=hook)
    assert causes(desks, (0, 1, 3)) == dict.fromkeys((0, 1, 3), (Cause.SIGNATURE, SERVER))


@pytest.mark.parametrize(
    ("alter", "cause"),
    [
        (lambda r: change(r, listed=r.listed[:2]), Cause.COHORT),
        (lambda r: change(r, listed=(*r.listed, m.Listed(9, r.listed[0].advert))), Cause.MALFORMED),
        (lambda r: change(r, listed=(r.listed[0], *r.listed)), Cause.MALFORMED),
        (lambda r: change(r, listed=r.listed[::-1]), Cause.MALFORMED),
        (lambda r: change(r, server=r.server[:-32] + bytes(32)), Cause.KEYS),
        (lambda r: change(r, server=b"\xff" * len(r.server)), Cause.KEYS),
        (lambda r: change(r, server=r.server[:-1]), Cause.MALFORMED),
    ],
)
def test_a_roster_that_cannot_be_is_refused(alter, cause):
    rogue, desks, _ = attack(4, 1, 1, roster=lambda to, roster: alter(roster))
    assert {cause for cause, _ in causes(desks).values()} == {cause}
    assert set(causes(desks)) >= {0, 1}
    assert not rogue.inputs


def test_a_roster_without_me_is_refused():
    _, desks, _ = attack(4, 1, 1, roster=lambda to, r: change(r, listed=tuple(o for o in r.listed if o.site != to)))
    assert causes(desks) == dict.fromkeys(range(4), (Cause.KEYS, SERVER))


@pytest.mark.parametrize("server", ["lying", "curious"])
def test_two_rosters_to_two_groups_end_before_anything_is_masked(server):
    """Half of the sites see one site fewer: no note signed under one roster counts under the other."""

    def hook(to, roster):
        return roster if to < 3 else change(roster, listed=roster.listed[1:])

    rogue, desks, _ = attack(7, 1, 2, server, roster=hook)
    stopped = causes(desks)
    assert set(stopped) == set(range(7))
    assert {cause for cause, _ in stopped.values()} <= {Cause.SIGNATURE, Cause.MALFORMED}
    assert {party for _, party in stopped.values()} == {SERVER}
    assert not rogue.inputs


def test_two_server_keys_to_two_groups_are_two_rosters():
    other = attack(4, 1, 1, number=2)[0].key.public
    rogue, desks, _ = attack(4, 1, 1, roster=lambda to, r: change(r, server=other) if to == 3 else r)
    assert set(causes(desks).values()) == {(Cause.SIGNATURE, SERVER)}
    assert not rogue.inputs


# --- The relay ---


def swap_notes(to, message):
    """Each dealer's note under the next dealer's name."""
    notes = message.notes
    turned = tuple(change(note, note=other.note) for note, other in zip(notes, notes[1:] + notes[:1], strict=True))
    return change(message, notes=turned)


def plant_half(to, message):
    """A half of the server's own making, sealed to the site's true pair key, in the place of the dealer's."""
    notes = []
    for addressed in message.notes:
        half = addressed.note.half
        planted = half and change(half, box=bytes(len(half.box)), commitment=bytes(32))
        notes.append(change(addressed, note=change(addressed.note, half=planted)))
    return change(message, notes=tuple(notes))


@pytest.mark.parametrize(
    ("alter", "cause"),
    [
        (swap_notes, Cause.SIGNATURE),
        (plant_half, Cause.SIGNATURE),
        (lambda to, r: change(r, notes=r.notes[:-1]), Cause.MALFORMED),
        (lambda to, r: change(r, notes=(*r.notes, r.notes[-1])), Cause.MALFORMED),
        (lambda to, r: change(r, dealers=tuple(i for i in r.dealers if i != to)), Cause.SURVIVORS),
        (lambda to, r: change(r, dealers=r.dealers[:2] if to < 2 else (to - 1, to)), Cause.COHORT),
        (lambda to, r: change(r, dealers=(*r.dealers, 11)), Cause.MALFORMED),
    ],
)
def test_what_the_relay_changes_is_noticed(alter, cause):
    rogue, desks, _ = attack(4, 1, 1, relay=alter)
    stopped = causes(desks)
    # Site 0 gets no half, since it comes first: for it a planted half is none.
    expected = set(range(1, 4)) if alter is plant_half else set(range(4))
    assert expected <= set(stopped)
    assert {cause for i, (cause, _) in stopped.items() if i in expected} == {cause}
    assert {party for i, (_, party) in stopped.items() if i in expected} == {SERVER}
    assert not set(rogue.inputs) & expected


def test_a_cohort_cannot_be_filled_up_with_sites_that_are_not_in_the_roster():
    """Four of six dealt where five must: the server counts one that it never listed."""

    def roster(to, message):
        return None if to == 5 else change(message, listed=message.listed[:5])

    def relay(to, message):
        return change(message, dealers=(0, 1, 2, 3, 5), notes=tuple(n for n in message.notes if n.site < 4))

    rogue, desks, _ = attack(6, 1, 1, "curious", roster=roster, relay=lambda to, r: relay(to, r) if to < 4 else None)
    assert set(causes(desks, range(4)).values()) == {(Cause.MALFORMED, SERVER)}
    assert not rogue.inputs


def test_different_dealers_to_two_groups_never_unmask():
    """Some sites masked with site 6, others did not: what they sign differs, so nobody answers."""

    def relay(to, message):
        if to > 2:
            return message
        return change(message, dealers=message.dealers[:-1], notes=tuple(n for n in message.notes if n.site != 6))

    def survivors(to, message):
        dealers = range(6) if to <= 2 else range(7)
        return change(message, dealers=digest(indices(dealers)), givers=tuple(i for i in message.givers if i != 6))

    rogue, desks, _ = attack(7, 1, 2, relay=relay, survivors=survivors)
    assert not any(rogue.replied.values())
    assert set(causes(desks, range(6)).values()) == {(Cause.SURVIVORS, SERVER)}


# --- A step is opened once ---


def test_a_second_survivor_set_for_the_same_step_is_refused_under_any_round_number():
    """Open {0..6}, claim a crash, open {0..5}: the difference would be site 6's update."""
    ledgers = {}
    first, desks, _ = attack(7, 1, 2, number=1, ledgers=keep(ledgers, 7))
    assert len(first.replied) == 7
    second, desks, _ = attack(
        7, 1, 2, number=2, ledgers=ledgers, survivors=lambda to, s: without(s, 6) if to != 6 else None
    )
    assert not second.replied
    assert causes(desks, range(6)) == dict.fromkeys(range(6), (Cause.REPLAY, None))


def test_the_same_survivor_set_may_be_opened_again():
    ledgers = {}
    attack(7, 1, 2, number=1, ledgers=keep(ledgers, 7))
    again, desks, _ = attack(7, 1, 2, number=2, ledgers=ledgers)
    assert len(again.replied) == 7
    assert not causes(desks)


def test_with_noise_each_round_is_a_release_of_its_own():
    """`once` then names the round, and the charge is what limits it."""
    ledgers = {}
    attack(7, 1, 2, number=1, once="step 1 round 1", ledgers=keep(ledgers, 7))
    again, _, _ = attack(
        7,
        1,
        2,
        number=2,
        once="step 1 round 2",
        ledgers=ledgers,
        survivors=lambda to, s: without(s, 6) if to != 6 else None,
    )
    assert set(again.replied) == set(range(6))


def test_a_round_number_is_used_once():
    ledgers = {}
    attack(4, 1, 1, number=1, ledgers=keep(ledgers, 4))
    again, desks, _ = attack(4, 1, 1, number=1, ledgers=ledgers)
    assert causes(desks) == dict.fromkeys(range(4), (Cause.REPLAY, None))
    assert not again.inputs


def keep(ledgers, n):
    ledgers.update({site(f"s{i}"): Volatile() for i in range(n)})
    return ledgers


# --- The sparse graph ---


def test_the_server_cannot_choose_a_sites_neighbours():
    def hook(to, roster):
        listed = [
            change(one, advert=change(one.advert, picks=tuple(range(1, 1 + len(one.advert.picks)))))
            if one.site == 0
            else one
            for one in roster.listed
        ]
        return change(roster, listed=tuple(listed))

    rogue, desks, _ = attack(100, 1, 1, roster=hook)
    stopped = causes(desks)
    assert stopped.pop(0) == (Cause.KEYS, SERVER)
    assert set(stopped.values()) == {(Cause.SIGNATURE, SERVER)}
    assert not rogue.inputs


def test_a_site_whose_neighbours_the_server_hides_stops():
    """Leaving out the holders of one site's shares, within the drop-outs of the plan, ends with that site."""
    n, d = 300, 30
    picks, least = thresholds(n, 30, d, "lying")
    assert picks - least < d
    shape, sites = Shape(n, picks, least, True), tuple(site(f"s{i}") for i in range(n))
    terms = Terms(RoundId("run", 1), b"d" * 32, "once", sites, n - d, 4, 32)
    keys, box = signing_keys(sites), BoxKey(Secret(seeded("box")(BOX_SEED)))
    me = seat_of(terms, sites[0])
    own = fresh(shape, terms, me)
    adverts = {
        i: own.advert if i == 0 else fresh(shape, terms, seat_of(terms, sites[i], keys)).advert for i in range(n)
    }

    def seen(hidden):
        listed = tuple(m.Listed(i, advert) for i, advert in adverts.items() if i not in hidden)
        return accept(shape, terms, me, own, dump(m.Roster(box.public, listed)))

    assert len(seen(own.advert.picks[: picks - least]).adverts) == n - picks + least
    with pytest.raises(Abort) as stopped:
        seen(own.advert.picks[: picks - least + 1])
    assert stopped.value.cause is Cause.TOO_FEW


@pytest.mark.slow
def test_two_survivor_sets_in_a_sparse_graph_open_nobody():
    for dead_for in (range(0, 100, 2), range(50), range(66)):
        rogue, _, _ = attack(100, 2, 2, corrupt=[98, 99], survivors=two_groups(1, set(dead_for) - {1}))
        assert_no_site_gave_both(rogue)
        assert all(rogue.opens(victim) is None for victim in range(98))
