"""A host that asks the enclave for more than it may have: the room refuses, by name, and everybody's round goes on."""

import numpy as np
import pytest
from msgspec.structs import replace as change

from potluck.core.party import Party, Role
from potluck.core.rounds import Abort, Cause, Rule
from potluck.core.wire import dump, load, pack, unpack
from potluck.secret.box import PublicBoxKey
from potluck.secret.container import Secret
from potluck.secret.keys import SigningKey
from potluck.secret.statement import named
from potluck.secret.stream import digest
from potluck.tee.attestation import messages as a
from potluck.tee.attestation.binding import Member, session, spec
from potluck.tee.sum import messages as m
from support.tee.rig import CODE, attest, room, terms_of

N = 4
POLICY = b"\7" * 32


class Owners:
    """N owners and one host in front of a room, a step at a time."""

    def __init__(self, inside=None, d=1, **said):
        self.terms = terms_of(N, d, length=2, **said)
        self.keys = [SigningKey(Secret(bytes([i + 1]) * 32)) for i in range(N)]
        members = zip(self.terms.sites, self.keys, strict=True)
        self.spec = spec(self.terms, tuple(Member(named(site), key.public) for site, key in members))
        self.session = session(self.spec)
        self.room = inside or room()

    def begin(self):
        self.room.begin(dump(self.spec))
        return self

    def name(self, i):
        return named(self.terms.sites[i])

    def nonce(self, i, by=None, agreed=None):
        nonce = bytes([i]) * 32
        statement = a.nonce_statement(agreed or self.session, self.name(i), nonce, POLICY)
        return dump(a.Nonce(nonce, POLICY, self.keys[i if by is None else by].sign(statement)))

    def show(self, i):
        return load(self.room.show(i, self.nonce(i)), a.Shown)

    def parcel(self, i, shown, words=(1, 2), by=None, agreed=None, name=None):
        agreed, name = agreed or self.session, name or self.name(i)
        info = m.parcel_info(agreed, name, a.evidence_hash(shown), POLICY)
        sealed = PublicBoxKey(shown.box).seal(pack(vector(*words)), info)
        statement = m.input_statement(agreed, name, shown.sign, digest(sealed))
        signature = self.keys[i if by is None else by].sign(statement)
        return m.Parcel(i, a.evidence_hash(shown), POLICY, m.Input(sealed, signature))

    def take(self, *indices):
        for i in indices or range(N):
            self.room.take(dump(self.parcel(i, self.show(i))))
        return self

    def survivors(self):
        return load(self.room.survivors(), m.Survivors)

    def signed(self, said, indices, by=None):
        statement = m.survivors_statement(self.session, self.room.keys.sign, said.givers)
        return dump(m.Signers(tuple(m.Signer(i, self.keys[i if by is None else by].sign(statement)) for i in indices)))


def vector(*values):
    return np.array(values, "<u8")


def refused(cause, go, *args):
    with pytest.raises(Abort) as stop:
        go(*args)
    assert stop.value.cause is cause, stop.value
    return stop.value


# --- Whose parcel it is ---


def test_a_parcel_in_another_owners_name_is_refused_whoever_signs_it():
    """The host seals words of its own to the enclave, as anybody can: HPKE does not say who sealed."""
    for by in range(1, N):
        owners = Owners().begin()
        forged = owners.parcel(0, owners.show(0), words=(9, 9), by=by)
        refused(Cause.SIGNATURE, owners.room.take, dump(forged))
    assert owners.take(1, 2, 3).survivors().givers[0].site == 1


def test_two_owners_parcels_cannot_be_swapped():
    owners = Owners().begin()
    shown = [owners.show(i) for i in range(N)]
    first, second = (owners.parcel(i, shown[i]) for i in (0, 1))
    for one, at in ((first, 1), (second, 0)):
        refused(Cause.SIGNATURE, owners.room.take, dump(change(one, site=at)))
        refused(Cause.SIGNATURE, owners.room.take, dump(change(one, site=at, evidence=a.evidence_hash(shown[at]))))
    swapped = change(first, input=change(first.input, sealed=second.input.sealed))
    refused(Cause.SIGNATURE, owners.room.take, dump(swapped))


def test_a_box_that_was_sealed_for_another_place_does_not_open_even_where_its_owner_signs_it():
    """An accomplice signs what the host took from another owner: it opens under that owner's name alone."""
    owners = Owners().begin()
    shown = [owners.show(i) for i in range(N)]
    stolen = owners.parcel(0, shown[0]).input.sealed
    statement = m.input_statement(owners.session, owners.name(1), shown[1].sign, digest(stolen))
    mine = m.Parcel(1, a.evidence_hash(shown[1]), POLICY, m.Input(stolen, owners.keys[1].sign(statement)))
    refused(Cause.BOX, owners.room.take, dump(mine))


def test_a_parcel_is_taken_once_and_none_after_the_givers_are_said():
    owners = Owners().begin().take(0, 1, 2)
    late = owners.parcel(3, owners.show(3))
    refused(Cause.REPLAY, owners.room.take, dump(owners.parcel(0, shown_again(owners, 0))))
    owners.survivors()
    refused(Cause.REPLAY, owners.room.take, dump(late))


def shown_again(owners, i):
    """Evidence is shown once a round; what was shown is in the parcel's evidence hash alone."""
    with pytest.raises(Abort):
        owners.show(i)
    bound_to = a.Shown(owners.room.keys.box, owners.room.keys.sign, "simulated", *again(owners, i))
    assert owners.room._now.shown[i] == digest(a.evidence_hash(bound_to), POLICY)
    return bound_to


def again(owners, i):
    from potluck.tee.attestation.binding import report_data

    made = attest(report_data(bytes([i]) * 32, owners.room.keys, CODE, owners.session, POLICY))
    return made.raw, made.endorsements


def test_a_parcel_sealed_under_evidence_that_was_not_shown_is_refused():
    owners = Owners().begin()
    shown = owners.show(0)
    other = change(shown, raw=shown.raw + b"x")
    refused(Cause.EVIDENCE, owners.room.take, dump(owners.parcel(0, other)))
    refused(Cause.EVIDENCE, owners.room.take, dump(change(owners.parcel(0, shown), policy=bytes(32))))


# --- Rounds ---


def test_last_rounds_parcel_is_no_parcel_of_this_round():
    owners = Owners().begin()
    old = owners.parcel(0, owners.show(0))
    now = Owners(owners.room, number=2).begin()
    now.show(0)
    refused(Cause.SIGNATURE, owners.room.take, dump(old))


def test_a_rounds_number_is_used_once():
    owners = Owners().begin()
    refused(Cause.REPLAY, owners.room.begin, dump(owners.spec))


@pytest.mark.parametrize(
    "lie",
    [
        {"fewest": 1},
        {"fewest": 5},
        {"members": ()},
        {"length": -1},
    ],
    ids=str,
)
def test_a_round_that_hides_nobody_is_not_begun(lie):
    owners = Owners()
    refused(Cause.TERMS, owners.room.begin, dump(change(owners.spec, **lie)))


def test_one_key_under_many_names_is_not_a_cohort_that_any_owner_agreed_to():
    """The host writes the roster: with its own key for all but one. The one sees another session, and believes none."""
    owners = Owners()
    sybil = tuple(change(one, key=owners.keys[3].public) for one in owners.spec.members[:3])
    owners.room.begin(dump(change(owners.spec, members=(*sybil, owners.spec.members[3]))))
    refused(Cause.SIGNATURE, owners.room.show, 0, owners.nonce(0))
    # To its accomplice it shows evidence, bound to a session that no honest owner computes: test_tee_host.


def test_a_name_twice_is_refused():
    owners = Owners()
    twice = (*owners.spec.members[:3], owners.spec.members[0])
    refused(Cause.TERMS, owners.room.begin, dump(change(owners.spec, members=twice)))


def test_nothing_is_answered_without_a_round():
    inside = room()
    owners = Owners()
    for go in (lambda: inside.show(0, owners.nonce(0)), inside.survivors, lambda: inside.open(dump(m.Signers(())))):
        refused(Cause.REPLAY, go)


# --- Opening ---


def test_fewer_confirmations_than_a_cohort_open_nothing():
    owners = Owners().begin().take()
    said = owners.survivors()
    for few in ([], [0], [0, 1]):
        refused(Cause.COHORT, owners.room.open, owners.signed(said, few))
    words, _ = owners.room.open(owners.signed(said, [0, 1, 2]))
    assert words == pack(vector(4, 8))


def test_confirmations_that_the_host_signs_or_that_are_of_another_set_open_nothing():
    owners = Owners().begin().take()
    said = owners.survivors()
    refused(Cause.SIGNATURE, owners.room.open, owners.signed(said, [0, 1, 2], by=3))
    fewer = change(said, givers=said.givers[:3])
    refused(Cause.SIGNATURE, owners.room.open, owners.signed(fewer, [0, 1, 2]))
    twice = load(owners.signed(said, [0, 1, 2]), m.Signers).signers
    refused(Cause.MALFORMED, owners.room.open, dump(m.Signers((twice[0], twice[0], twice[1]))))


def test_a_confirmation_of_somebody_who_gave_nothing_does_not_count():
    owners = Owners().begin().take(0, 1, 2)
    said = owners.survivors()
    refused(Cause.COHORT, owners.room.open, owners.signed(said, [0, 1, 3]))


def test_too_few_parcels_make_no_set_of_givers_and_open_nothing():
    owners = Owners().begin().take(0, 1)
    refused(Cause.COHORT, owners.room.survivors)
    refused(Cause.COHORT, owners.room.open, dump(m.Signers(())))


def test_a_round_opens_once():
    owners = Owners().begin().take()
    confirmed = owners.signed(owners.survivors(), [0, 1, 2, 3])
    owners.room.open(confirmed)
    refused(Cause.REPLAY, owners.room.open, confirmed)
    refused(Cause.REPLAY, owners.room.survivors)


def test_what_may_be_opened_once_does_not_open_over_other_givers_in_a_later_round():
    """The owners refuse too (test_tee_host), also where the enclave has forgotten."""
    owners = Owners().begin().take()
    owners.room.open(owners.signed(owners.survivors(), range(N)))
    later = Owners(owners.room, number=2).begin().take(0, 1, 2)
    refused(Cause.REPLAY, later.room.open, later.signed(later.survivors(), [0, 1, 2]))
    same = Owners(owners.room, number=3).begin().take()
    same.room.open(same.signed(same.survivors(), range(N)))


# --- Hostile bytes ---


@pytest.mark.parametrize("op", ["begin", "show", "take", "open"])
def test_nonsense_is_refused_and_the_round_goes_on(op):
    owners = Owners().begin()
    for body in (b"", b"\xc1", b"\x90", bytes(1000), dump(m.Signers(()))[:-1]):
        args = (0, body) if op == "show" else (body,)
        refused(Cause.MALFORMED, getattr(owners.room, op), *args)
    owners.take()
    owners.room.open(owners.signed(owners.survivors(), range(N)))


def test_no_site_beyond_the_roster():
    owners = Owners().begin()
    for i in (N, 2**31):
        refused(Cause.MALFORMED, owners.room.show, i, owners.nonce(0))
    refused(Cause.MALFORMED, owners.room.take, dump(change(owners.parcel(0, owners.show(0)), site=N)))


def test_a_parcel_of_another_length_is_refused():
    owners = Owners().begin()
    refused(Cause.MALFORMED, owners.room.take, dump(owners.parcel(0, owners.show(0), words=(1, 2, 3))))


def test_a_rule_that_finds_nobody_with_rows_is_refused_by_name():
    owners = Owners(rule=Rule("median", 1, 5)).begin()
    for i in range(N):
        owners.room.take(dump(owners.parcel(i, owners.show(i), words=(1, 6))))
    error = refused(Cause.RANGE, owners.room.open, owners.signed(owners.survivors(), range(N)))
    assert "no site has rows" in str(error)
    assert error.party == Party(Role.SERVER, "host")


# --- Noise that the enclave owes ---


def noised(inside, number=1, once="once", sigma=1e6):
    """What opens of four sites' (1, 2), with noise of these steps."""
    owners = Owners(inside, number=number, once=once, rule=Rule(noise=((1, sigma), (1, 2 * sigma)))).begin().take()
    words, _ = owners.room.open(owners.signed(owners.survivors(), range(N)))
    return unpack(words, 2, 64).view("<i8") - vector(4, 8).view("<i8"), owners


def test_the_noise_is_in_the_sum_before_the_host_has_it():
    found = np.array([noised(room("boot", seed))[0] for seed in range(300)])
    for column, sigma in ((0, 1e6), (1, 2e6)):
        assert 0.85 < found[:, column].std() / sigma < 1.15
        assert abs(found[:, column].mean()) < sigma / 4


def test_an_enclave_that_was_put_back_adds_the_same_noise_so_that_nothing_averages_it_away():
    """A snapshot before `open`, restored at will: the host has parcels and confirmations, and gets one sum."""
    rule = Rule(noise=((2, 1e6),))
    live = Owners(room("boot"), rule=rule).begin()
    parcels = [dump(live.parcel(i, live.show(i))) for i in range(N)]
    for one in parcels:
        live.room.take(one)
    confirmed = live.signed(live.survivors(), range(N))
    sums = {live.room.open(confirmed)[0]}
    for _ in range(5):
        back = Owners(room("boot"), rule=rule).begin()
        for i, one in enumerate(parcels):
            back.show(i)
            back.room.take(one)
        back.survivors()
        sums.add(back.room.open(confirmed)[0])
    assert len(sums) == 1
    assert unpack(sums.pop(), 2, 64).tolist() != [4, 8]


def test_every_round_and_every_boot_has_noise_of_its_own():
    found = [noised(room("boot", seed), number, f"once {number}")[0] for seed in (1, 2) for number in (1, 2)]
    assert len({tuple(one) for one in found}) == 4


@pytest.mark.parametrize("noise", [((1, 1.0),), ((3, 1.0),), ((2, 0.0),), ((2, -1.0),), ((2, float("nan")),)])
def test_noise_that_does_not_fit_is_refused(noise):
    owners = Owners(rule=Rule(noise=noise))
    with pytest.raises(Abort) as stop:
        owners.begin()
    assert stop.value.cause in (Cause.TERMS, Cause.MALFORMED)


def test_a_host_that_asks_for_less_noise_asks_for_another_round():
    """The noise is in what evidence binds: no owner believes a round with less of it."""
    asked, wanted = (Owners(rule=Rule(noise=((2, sigma),))).session for sigma in (1.0, 1e6))
    assert asked != wanted
