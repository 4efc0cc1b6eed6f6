"""A host that lies to the owners about its enclave: each refuses, names the server, and no update leaves it."""

from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
from msgspec.structs import replace as change

from potluck.core.party import SERVER
from potluck.core.rounds import Abort, Cause
from potluck.core.stages import Opened
from potluck.core.wire import dump, load, pack
from potluck.secret.box import PUBLIC, BoxKey
from potluck.secret.container import Secret
from potluck.secret.keys import SigningKey
from potluck.secret.stream import digest
from potluck.tee.attestation import messages as a
from potluck.tee.attestation.binding import Keys, report_data
from potluck.tee.attestation.demand import demanded
from potluck.tee.sum import messages as m
from potluck.testing.protection import check_protection, judged
from support.tee.rig import NOW, arrays, attest, judge, keep, left, near, room, sitting, stopped, telling

N = 4
OTHER = bytes(range(32))
PRODUCTION = 'version = 1\nformats = ["simulated"]\n[simulated]\nmeasurements = ["{code}"]\n'


def all_refuse(sat, cause=Cause.EVIDENCE, why="", sites=N):
    """Every site stopped before its update left, named the server, and said why."""
    desks = sat.run()
    found = stopped(desks)
    assert set(found) == set(range(sites)), found
    for got, named, detail in found.values():
        assert (got, named) == (cause, SERVER)
        assert why in detail, detail
    assert isinstance(desks[SERVER].abort, Abort)
    assert not left(sat, m.INPUT)


# --- Evidence that is about something else ---


def bound_to(**other):
    """An enclave whose evidence is bound to something else: what is replaced of (nonce, keys, workload, round, policy).

    A host with a real enclave of its own making gets exactly this signed: whatever it likes as report data.
    """

    def show(go, site, body):
        cause, shown = go(site, body)
        asked, said = load(body, a.Nonce), load(shown, a.Shown)
        parts = {
            "nonce": asked.nonce, "keys": Keys(said.box, said.sign), "workload": judge().workload,
            "round_": bound_to.session, "policy": asked.policy,
        } | other  # fmt: skip
        evidence = attest(report_data(**parts))
        return [cause, dump(change(said, raw=evidence.raw))]

    return show


@pytest.mark.parametrize("part", ["nonce", "workload", "round_", "policy"])
def test_evidence_for_another_nonce_workload_round_or_policy_is_refused(part):
    sat = sitting(arrays(N), 1)
    bound_to.session = session_of(sat)
    sat.protection._enclave = near(show=bound_to(**{part: OTHER}))
    all_refuse(sat, why="report_data_mismatch")


def test_the_same_evidence_bound_rightly_is_believed():
    """The control: the tests above fail for what they say."""
    sat = sitting(arrays(N), 1)
    bound_to.session = session_of(sat)
    sat.protection._enclave = near(show=bound_to())
    assert isinstance(check_protection(sat), Opened)


def session_of(sat):
    """The round as its owners compute it. The keys of a sitting repeat."""

    from potluck.drivers.memory import Memory
    from potluck.tee.attestation.binding import session
    from potluck.tee.sum.site import round_of
    from potluck.testing.draws import seeded

    memory = Memory(sat.terms.sites, b"test federation", draw=seeded("keys"))
    return session(round_of(sat.terms, memory.seat(SERVER)))


def test_the_hosts_own_keys_in_place_of_the_enclaves_are_refused():
    """The man in the middle: evidence of a real enclave, and a box that the host can open."""
    mine = BoxKey(Secret(bytes(96)))
    for change_to in ({"box": mine.public}, {"sign": SigningKey(Secret(bytes(32))).public}):
        play = telling(a.EVIDENCE, lambda to, body: dump(change(load(body, a.Shown), **change_to)))  # noqa: B023
        all_refuse(sitting(arrays(N), 1, play=play), why="report_data_mismatch")


def test_a_box_that_is_no_key_is_refused_even_where_evidence_binds_it():
    bad = b"\xff" * PUBLIC

    def show(go, site, body):
        cause, shown = go(site, body)
        asked, said = load(body, a.Nonce), load(shown, a.Shown)
        bound = report_data(asked.nonce, Keys(bad, said.sign), judge().workload, session_of(sat), asked.policy)
        return [cause, dump(change(said, box=bad, raw=attest(bound).raw))]

    sat = sitting(arrays(N), 1, enclave=near(show=show))
    all_refuse(sat, Cause.KEYS)


def test_one_owners_evidence_shown_to_another_is_refused():
    shown = {}

    def swap(to, body):
        shown[to] = body
        return shown[0] if to else body

    sat = sitting(arrays(N), 1, play=telling(a.EVIDENCE, swap))
    desks = sat.run()
    assert set(stopped(desks)) >= {1, 2, 3}
    assert all(stopped(desks)[i][0] is Cause.EVIDENCE for i in (1, 2, 3))
    assert left(sat, m.INPUT) <= {sat.terms.sites[0]}


def test_last_rounds_evidence_is_refused():
    """A replay of a whole round: nonces are fresh, so nothing of it answers this one's."""
    old = {}
    first = sitting(arrays(N), 1, play=telling(a.EVIDENCE, lambda to, body: old.setdefault(to, body)))
    assert isinstance(check_protection(first), Opened)
    second = sitting(arrays(N), 1, number=2, play=telling(a.EVIDENCE, lambda to, body: old[to]))
    all_refuse(second, why="report_data_mismatch")


def test_another_enclaves_code_is_refused():
    """The same protocol by other code, which hands its host the updates."""
    other = room(attest=partial(attest, code=OTHER))
    all_refuse(sitting(arrays(N), 1, enclave=near(other)), why="measurement_not_allowed")


def test_a_roster_of_the_hosts_own_is_another_round():
    """The host begins a round whose other members are all itself: it would open the one honest owner's update."""

    def begin(go, body):
        from potluck.tee.attestation.binding import Spec

        spec = load(body, Spec)
        mine = tuple(change(one, key=spec.members[1].key) for one in spec.members[1:])
        return go(dump(change(spec, members=(spec.members[0], *mine))))

    sat = sitting(arrays(N), 1, enclave=near(begin=begin))
    desks = sat.run()
    assert isinstance(desks[SERVER].abort, Abort)
    assert not left(sat, m.INPUT)


def test_a_production_policy_believes_no_simulated_enclave_even_where_it_lists_it():
    text = PRODUCTION.format(code=judge().workload.hex())
    all_refuse(sitting(arrays(N), 1, by=judge(demanded(text, "policy.toml"))), why="simulated")


def test_each_owner_judges_under_its_own_policy():
    """One of four demands more: it alone refuses, and the others go on without it."""
    sat = sitting(arrays(N), 1)
    strict = judge(demanded(PRODUCTION.format(code=judge().workload.hex()), "policy.toml"))
    plain = sat.protection.give
    from potluck.tee.sum import site as halves

    sat.protection = SimpleNamespace(
        open=sat.protection.open,
        helpers=sat.protection.helpers,
        give=lambda terms, me, guarded: (
            halves.give(strict, terms, me, guarded) if me.party == terms.sites[2] else plain(terms, me, guarded)
        ),
    )
    desks = sat.run()
    opened = judged(sat, desks)
    assert isinstance(opened, Opened)
    assert opened.givers == {s for i, s in enumerate(sat.terms.sites) if i != 2}
    assert stopped(desks)[2][:2] == (Cause.EVIDENCE, SERVER)


def test_evidence_that_is_too_old_is_refused():
    text = judge_text("max_evidence_age_s = 60\n")
    old = room(attest=partial(attest, now=NOW - 61))
    all_refuse(sitting(arrays(N), 1, enclave=near(old), by=judge(demanded(text, "p"))), why="evidence_too_old")
    fresh = sitting(arrays(N), 1, by=judge(demanded(text, "p")))
    assert isinstance(check_protection(fresh), Opened)


def judge_text(more):
    from potluck.tee.attestation.demand import built_in_text

    return built_in_text().replace("[simulated]", f"{more}[simulated]")


@pytest.mark.parametrize("what", ["another format", "no format", "too many parts", "a flipped bit"])
def test_evidence_that_is_none_is_refused(what):
    lies = {
        "another format": lambda s: change(s, format="snp"),
        "no format": lambda s: change(s, format="no such"),
        "too many parts": lambda s: change(s, endorsements=(b"",) * 9),
        "a flipped bit": lambda s: change(s, raw=s.raw[:100] + bytes([s.raw[100] ^ 1]) + s.raw[101:]),
    }  # fmt: skip
    play = telling(a.EVIDENCE, lambda to, body: dump(lies[what](load(body, a.Shown))))
    all_refuse(sitting(arrays(N), 1, play=play))


# --- Whose parcels count ---


def survivors_of(hook):
    return telling(m.SURVIVORS, lambda to, body: dump(hook(to, load(body, m.Survivors))))


def nobody_confirms(sat, causes):
    desks = sat.run()
    found = stopped(desks)
    assert {cause for cause, *_ in found.values()} <= causes, found
    assert len(found) == N
    assert not left(sat, m.CONFIRM)
    assert isinstance(desks[SERVER].abort, Abort)


def test_an_owner_who_is_left_out_notices():
    """Told to each: "you were too late". Nobody confirms a set without itself."""
    nobody_confirms(
        sitting(arrays(N), 1, play=survivors_of(lambda to, s: without(s, to))), {Cause.SURVIVORS}
    )  # fmt: skip


def without(said, *gone):
    return change(said, givers=tuple(one for one in said.givers if one.site not in gone))


def test_an_owner_who_was_dropped_silently_is_missed_by_the_others_signature():
    """Each is told of a set with itself and without another: the enclave signed no such set."""
    sat = sitting(arrays(N), 1, play=survivors_of(lambda to, s: without(s, (to + 1) % N)))
    nobody_confirms(sat, {Cause.SIGNATURE})


def test_a_set_below_the_cohort_is_refused():
    sat = sitting(arrays(N), 1, play=survivors_of(lambda to, s: without(s, *({0, 1, 2, 3} - {to}))))
    nobody_confirms(sat, {Cause.COHORT})


def test_my_parcel_exchanged_for_another_is_noticed():
    def exchanged(to, said):
        listed = [change(one, hash=digest(b"other")) if one.site == to else one for one in said.givers]
        return change(said, givers=tuple(listed))

    nobody_confirms(sitting(arrays(N), 1, play=survivors_of(exchanged)), {Cause.SURVIVORS})


def test_a_parcel_that_its_owner_did_not_sign_is_noticed_by_the_others():
    """Even an enclave that lies (one whose key was broken) must show each giver's own signature."""
    own = {}

    def survivors(go):
        cause, body = go()
        said = load(body, m.Survivors)
        forged = tuple(change(one, hash=digest(b"forged")) if one.site == 0 else one for one in said.givers)
        statement = m.survivors_statement(own["session"], own["room"].keys.sign, forged)
        return [cause, dump(m.Survivors(forged, own["room"]._sign.sign(statement)))]

    inside = room()
    sat = sitting(arrays(N), 1, enclave=near(inside, survivors=survivors))
    own |= {"session": session_of(sat), "room": inside}
    nobody_confirms(sat, {Cause.SIGNATURE, Cause.SURVIVORS})


@pytest.mark.parametrize("words", [np.zeros(5, "<u8"), np.zeros(4, "<u4"), np.zeros((4, 1), "<u8")])
def test_an_owner_whose_words_are_not_what_the_terms_say_seals_nothing(words):
    """A host that says other lengths than the owner's own plan gets no bytes of it."""
    sat = sitting(arrays(N), 1)
    sat.words = dict(sat.words) | {sat.terms.sites[2]: words}
    desks = sat.run()
    assert stopped(desks)[2][0] is Cause.TERMS
    assert left(sat, m.INPUT) == {one for i, one in enumerate(sat.terms.sites) if i != 2}


# --- From round to round ---


def test_an_enclave_that_was_started_again_is_refused_within_the_run():
    ledgers = keep(N)
    assert isinstance(check_protection(sitting(arrays(N), 1, enclave=near(room("boot", 1)), ledgers=ledgers)), Opened)
    again = sitting(arrays(N), 1, enclave=near(room("boot", 2)), ledgers=ledgers, number=2)
    desks = again.run()
    assert {i: (cause, why) for i, (cause, _, why) in stopped(desks).items()} == dict.fromkeys(
        range(N), (Cause.REPLAY, "enclave")
    )
    assert not left(again, m.INPUT)
    other_run = sitting(arrays(N), 1, enclave=near(room("boot", 2)), ledgers=ledgers, run="another run")
    assert isinstance(check_protection(other_run), Opened)


def test_an_enclave_that_was_rolled_back_finds_nobody_to_confirm_a_second_sum():
    """The same boot from a snapshot: it has forgotten what it opened. One owner less, and the difference is its own."""
    ledgers = keep(N)
    first = sitting(arrays(N), 1, enclave=near(room("boot")), ledgers=ledgers)
    assert isinstance(check_protection(first), Opened)
    leaves = {0: a.NONCE}
    again = sitting(arrays(N), 1, enclave=near(room("boot")), ledgers=ledgers, number=2, leaves=leaves)
    desks = again.run()
    assert {i: (cause, why) for i, (cause, _, why) in stopped(desks).items()} == dict.fromkeys(
        (1, 2, 3), (Cause.REPLAY, "survivors")
    )
    assert not left(again, m.CONFIRM)
    assert desks[SERVER].result is None


def test_a_rolled_back_enclave_may_repeat_the_very_sum():
    ledgers = keep(N)
    words = arrays(N)
    first = sitting(words, 1, enclave=near(room("boot")), ledgers=ledgers)
    again = sitting(words, 1, enclave=near(room("boot")), ledgers=ledgers, number=2)
    sums = [check_protection(one) for one in (first, again)]
    assert np.array_equal(sums[0].words, sums[1].words)


def test_a_round_that_is_played_again_is_refused_by_the_owners():
    ledgers = keep(N)
    assert isinstance(check_protection(sitting(arrays(N), 1, enclave=near(room("boot")), ledgers=ledgers)), Opened)
    again = sitting(arrays(N), 1, enclave=near(room("boot")), ledgers=ledgers)
    desks = again.run()
    assert {cause for cause, *_ in stopped(desks).values()} == {Cause.REPLAY}
    assert not left(again, m.INPUT)


# --- What the host sees ---


def test_the_host_carries_sealed_bytes_alone():
    words = arrays(N, length=60)
    letters = []

    def carry(letter):
        letters.append(letter.data)
        return (letter,)

    sat = sitting(words, 1, leaves={2: m.CONFIRM})
    sat.carry = carry
    enclave = sat.protection._enclave._worker
    assert isinstance(judged(sat, sat.run()), Opened)
    handed = [buffer for _, buffers in enclave.asked for buffer in buffers]
    seen = b"".join([*letters, *(body for *_, body in sat.transcript.bodies), *handed])
    plain = [bytes(pack(one)[at : at + 8]) for one in words for at in range(0, 480, 8)]
    assert len(set(plain)) == N * 60
    assert not any(value in seen for value in plain)
    assert {step for step, _, to, _ in sat.transcript.bodies if to == SERVER} == {a.NONCE, m.INPUT, m.CONFIRM}


def test_the_same_words_are_sealed_to_other_bytes_every_time():
    sealed = set()
    for number in range(3):
        sat = sitting(arrays(N), 1, number=number + 1)
        sat.run()
        sealed |= {load(body, m.Input).sealed for step, _, _, body in sat.transcript.bodies if step == m.INPUT}
    assert len(sealed) == 3 * N
