"""A server that asks for what it likes: a site decrypts one cohort's sum with its own input in it, once, or names it.

Nor does it give shares of a key whose holder may still be there.
"""

import pytest
from msgspec.structs import replace as change

from potluck.core.ledger import Volatile
from potluck.core.party import SERVER, site
from potluck.core.rounds import Cause, Exchange
from potluck.core.wire import dump, load
from potluck.he.sum import messages as m
from potluck.secret.shamir import SIZE
from potluck.secret.statement import indices
from potluck.secret.stream import digest
from potluck.testing.protection import check_protection
from support.examples import fewer
from support.he.rogue import left, me, other, refused, rogue, shifted, sitting
from support.hostile.tampering import altering
from support.mpc.mask_rogue import causes, seat_of

# --- The survivors: what a site is asked to decrypt ---


def only(*kept):
    """A survivor set of some givers alone; kept: functions of the receiver."""

    def hook(to, s):
        staying = {one(to) for one in kept}
        bodies = dict(zip([g.site for g in s.givers if g.site != to], s.bodies, strict=True))
        givers = tuple(g for g in s.givers if g.site in staying)
        return change(s, givers=givers, bodies=tuple(bodies[g.site] for g in givers if g.site != to))

    return hook


def giver(index, build):
    return lambda to, s: change(s, givers=tuple(build(to, s, g) if g.site == index(to) else g for g in s.givers))


def another_signed_by_nobody(to, s):
    body = shifted(s.bodies[0])
    return change(giver(other, lambda to, s, g: change(g, hash=digest(body)))(to, s), bodies=(body, *s.bodies[1:]))


def copied(to, s):
    """One giver's ciphertexts under two names."""
    one, two = [g for g in s.givers if g.site != to][:2]
    givers = tuple(change(one, site=two.site) if g is two else g for g in s.givers)
    return change(s, givers=givers, bodies=(s.bodies[0], s.bodies[0], *s.bodies[2:]))


def as_mine(to, s):
    """My own ciphertexts under another's name: a sum of twice mine."""
    mine = next(g for g in s.givers if g.site == to)
    return change(s, givers=tuple(change(mine, site=g.site) for g in s.givers))


SURVIVORS = {
    "me alone": (only(me), Cause.COHORT),
    "below the cohort": (only(me, other), Cause.COHORT),
    "nobody": (only(), Cause.SURVIVORS),
    "I am not in it": (only(other, lambda to: 2 if to != 2 else 3, lambda to: 3 if to != 3 else 2), Cause.SURVIVORS),
    "a giver twice": (lambda to, s: change(s, givers=(s.givers[0], *s.givers)), Cause.MALFORMED),
    "out of order": (lambda to, s: change(s, givers=s.givers[::-1]), Cause.MALFORMED),
    "a stranger": (lambda to, s: change(s, givers=(*s.givers, change(s.givers[0], site=4))), Cause.MALFORMED),
    "my ciphertexts were changed": (giver(me, lambda to, s, g: change(g, hash=b"\0" * 32)), Cause.SURVIVORS),
    "my signature was changed": (giver(me, lambda to, s, g: change(g, signature=b"\0" * 64)), Cause.SIGNATURE),
    "another's ciphertexts were changed": (
        lambda to, s: change(s, bodies=(shifted(s.bodies[0]), *s.bodies[1:])), Cause.SURVIVORS),
    "another's ciphertexts and hash were changed": (
        another_signed_by_nobody, Cause.SIGNATURE),
    "two givers' ciphertexts were swapped": (
        lambda to, s: change(s, bodies=(s.bodies[1], s.bodies[0], *s.bodies[2:])), Cause.SURVIVORS),
    "one giver's under two names": (copied, Cause.SURVIVORS),
    "mine under all names": (as_mine, Cause.SURVIVORS),
    "ciphertexts are missing": (lambda to, s: change(s, bodies=s.bodies[1:]), Cause.MALFORMED),
    "one more ciphertext": (lambda to, s: change(s, bodies=(*s.bodies, s.bodies[0])), Cause.MALFORMED),
    "other dealers": (lambda to, s: change(s, dealers=digest(indices([0, 1, 2]))), Cause.SURVIVORS),
}  # fmt: skip
SELDOM = (
    "a giver twice", "a stranger",
    "two givers' ciphertexts were swapped", "mine under all names", "one more ciphertext",
)  # fmt: skip
"""Those whose check another one meets too."""


@pytest.mark.parametrize("what", fewer(SURVIVORS, *(one for one in SURVIVORS if one not in SELDOM)))
def test_a_sum_that_cannot_be_is_decrypted_by_nobody(workers, what):
    hook, cause = SURVIVORS[what]
    refused(workers, m.SURVIVORS, hook, cause)


@pytest.mark.parametrize("what", ["me alone", "below the cohort", "I am not in it", "mine under all names"])
def test_without_recheck_too_a_cohort_must_have_signed(workers, what):
    def hook(to, s):
        return change(SURVIVORS[what][0](to, change(s, bodies=(b"",) * (len(s.givers) - 1))), bodies=s.bodies)

    refused(workers, m.SURVIVORS, hook, SURVIVORS[what][1], recheck=False)


@pytest.mark.parametrize("bodies", [lambda one: (), lambda one: (one, one), lambda one: (one[:-8],)])
def test_without_recheck_the_server_shows_one_whole_sum(workers, bodies):
    hook = lambda to, s: change(s, bodies=bodies(s.bodies[0]))  # noqa: E731
    refused(workers, m.SURVIVORS, hook, Cause.MALFORMED, recheck=False)


@pytest.mark.parametrize("n", [pytest.param(2, marks=pytest.mark.slow), 3])
def test_where_all_must_stay_nobody_decrypts_less_than_all(workers, n):
    refused(workers, m.SURVIVORS, only(me), Cause.COHORT, n=n, d=0)


def test_a_giver_whose_key_is_not_in_the_joint_key_is_refused(workers):
    """An accomplice that left early signed ciphertexts of its own."""
    sat = sitting(workers, 5, 2, leaves={4: m.SHARE})

    def hook(to, s):
        body, party = shifted(s.bodies[0]), sat.terms.sites[4]
        roster = next(body for step, _, _, body in sat.transcript.bodies if step == m.ROSTER)
        statement = m.input_statement(m.roster_hash(sat.terms, roster), range(4), party, digest(body))
        more = m.Giver(4, digest(body), seat_of(sat.terms, party).sign(statement))
        return change(s, givers=(*s.givers, more), bodies=(*s.bodies, body))

    sat.play = {SERVER: rogue({m.SURVIVORS: hook})}
    found = causes(sat.run())
    assert {i: found[i] for i in range(4)} == dict.fromkeys(range(4), (Cause.SURVIVORS, SERVER))
    assert not left(sat, m.PARTIAL)


def test_a_signed_ciphertext_that_is_no_polynomial_is_the_servers_fault(workers):
    """An accomplice signed it; an honest server would not have shown it."""
    sat = sitting(workers, 4, 1)

    def hook(to, s):
        body, party = b"\xff" * len(s.bodies[0]), sat.terms.sites[other(to)]
        roster = next(body for step, _, _, body in sat.transcript.bodies if step == m.ROSTER)
        statement = m.input_statement(m.roster_hash(sat.terms, roster), range(4), party, digest(body))
        signature = seat_of(sat.terms, party).sign(statement)
        givers = [change(g, hash=digest(body), signature=signature) if g.site == other(to) else g for g in s.givers]
        return change(s, givers=tuple(givers), bodies=(body, *s.bodies[1:]))

    sat.play = {SERVER: rogue({m.SURVIVORS: hook})}
    assert causes(sat.run()) == dict.fromkeys(range(4), (Cause.MALFORMED, SERVER))
    assert not left(sat, m.PARTIAL)


# --- Once: one decryption a round, one survivor set a step ---


def asking_twice(second):
    """A server that sends its survivors, and, once the partials are here, others."""

    def play(seat, half):
        inbox = None
        while True:
            try:
                exchange = half.send(inbox)
            except StopIteration as stop:
                return stop.value
            inbox = yield exchange
            if exchange.label.step == m.PARTIAL:
                again = {to: second(int(to.name[1:]), parcel) for to, parcel in exchange.send.items()}
                yield Exchange(exchange.label, send=again, expect=frozenset(again))

    return play


@pytest.mark.parametrize("d", [pytest.param(0, marks=pytest.mark.slow), 1])
@pytest.mark.parametrize("same", [True, False])
def test_a_site_decrypts_once_a_round_however_often_it_is_asked(workers, same, d):
    def second(to, parcel):
        body = parcel.body if same else dump(only(me, other, lambda to: 2)(to, load(parcel.body, m.Survivors)))
        return type(parcel)(parcel.label, body)

    sat = sitting(workers, 4, d, play={SERVER: asking_twice(second)})
    sat.run()
    sent = [move.sender for move in sat.transcript.moves if move.label.step == m.PARTIAL]
    assert sorted(sent) == sorted(sat.terms.sites)


def test_a_later_round_of_the_same_step_opens_no_other_survivor_set(workers):
    """The difference of two sums would be one site's update. Its record outlives the round."""
    ledgers = {site(f"s{i}"): Volatile() for i in range(4)}
    opened = check_protection(sitting(workers, 4, 1, ledgers=ledgers))
    assert len(opened.givers) == 4
    later = sitting(workers, 4, 1, number=2, leaves={3: m.INPUT}, ledgers=ledgers)
    desks = later.run()
    assert causes(desks) == dict.fromkeys(range(3), (Cause.REPLAY, None))
    assert not left(later, m.PARTIAL)
    same = sitting(workers, 4, 1, number=3, ledgers=ledgers)
    assert check_protection(same).givers == opened.givers
    other_step = sitting(workers, 4, 1, number=4, once="another", leaves={3: m.INPUT}, ledgers=ledgers)
    assert len(check_protection(other_step).givers) == 3


def test_the_same_round_is_never_begun_again(workers):
    ledgers = {site(f"s{i}"): Volatile() for i in range(3)}
    check_protection(sitting(workers, ledgers=ledgers))
    again = sitting(workers, ledgers=ledgers)
    assert causes(again.run()) == dict.fromkeys(range(3), (Cause.REPLAY, None))
    assert not left(again, m.INPUT)


# --- The missing: whose keys may be rebuilt ---


def signers(build):
    return lambda to, missing: change(missing, signers=tuple(build(to, missing.signers)))


def forged(to, listed):
    return [change(s, signature=b"\0" * 64) if s.site == (1 if to != 1 else 2) else s for s in listed]


def elses(to, listed):
    mine = next(s for s in listed if s.site == to)
    return [change(s, signature=mine.signature) for s in listed]


MISSING = {
    "below the cohort": (signers(lambda to, listed: [s for s in listed if s.site in (to, other(to))]), Cause.COHORT),
    "me alone": (signers(lambda to, listed: [s for s in listed if s.site == to]), Cause.COHORT),
    "nobody": (signers(lambda to, listed: []), Cause.SURVIVORS),
    "I am not in it": (signers(lambda to, listed: [s for s in listed if s.site != to]), Cause.SURVIVORS),
    "a forged signature": (signers(forged), Cause.SURVIVORS),
    "my signature under others' names": (signers(elses), Cause.SURVIVORS),
    "the missing one, forged": (
        signers(lambda to, listed: [change(listed[0], site=0), *listed]), Cause.SURVIVORS),
    "out of order": (signers(lambda to, listed: listed[::-1]), Cause.MALFORMED),
    "a stranger": (signers(lambda to, listed: [*listed, change(listed[0], site=4)]), Cause.MALFORMED),
}  # fmt: skip


@pytest.mark.parametrize(
    "what",
    fewer(
        MISSING, "below the cohort", "I am not in it", "a forged signature", "the missing one, forged", "out of order"
    ),
)
def test_signers_that_cannot_be_get_no_share(workers, what):
    hook, cause = MISSING[what]
    refused(workers, m.MISSING, hook, cause, gives=m.REBUILD, leaves={0: m.PARTIAL})


def test_an_accomplice_that_signed_another_survivor_set_gets_no_share_out_of_the_others(workers):
    sat = sitting(workers, 4, 1, leaves={0: m.PARTIAL})

    def hook(seat, to, step, body):
        if step != m.MISSING or to == sat.terms.sites[3]:
            return body
        roster = next(body for step, _, _, body in sat.transcript.bodies if step == m.ROSTER)
        asked = next(body for step, _, _, body in sat.transcript.bodies if step == m.SURVIVORS)
        fewer = load(asked, m.Survivors).givers[1:]
        statement = m.survivors_statement(m.roster_hash(sat.terms, roster), range(4), fewer)
        signature = seat_of(sat.terms, sat.terms.sites[3]).sign(statement)
        found = load(body, m.Missing)
        return dump(m.Missing(tuple(change(s, signature=signature) if s.site == 3 else s for s in found.signers)))

    sat.play = {SERVER: altering(hook)}
    found = causes(sat.run())
    assert {i: found[i] for i in (1, 2)} == dict.fromkeys((1, 2), (Cause.SURVIVORS, SERVER))
    assert left(sat, m.REBUILD) <= {3}


def test_an_accomplice_whose_key_is_not_in_the_joint_key_does_not_count_among_those_who_decrypted(workers):
    """It signs what the others signed, so that one more of them passes for missing."""
    sat = sitting(workers, 5, 2)

    def hook(to, missing):
        roster = next(body for step, _, _, body in sat.transcript.bodies if step == m.ROSTER)
        asked = next(body for step, _, _, body in sat.transcript.bodies if step == m.SURVIVORS)
        statement = m.survivors_statement(m.roster_hash(sat.terms, roster), range(4), load(asked, m.Survivors).givers)
        signed = m.Signer(4, seat_of(sat.terms, sat.terms.sites[4]).sign(statement))
        gone = 3 if to != 3 else 2
        return m.Missing((*(s for s in missing.signers if s.site != gone), signed))

    sat.vanish = lambda party, round, step: {"s4": m.SHARE, "s0": m.PARTIAL}.get(party.name) == step
    sat.play = {SERVER: rogue({m.MISSING: hook})}
    found = causes(sat.run())
    assert {i: found[i] for i in (1, 2, 3)} == dict.fromkeys((1, 2, 3), (Cause.SURVIVORS, SERVER))
    assert not left(sat, m.REBUILD)


@pytest.mark.parametrize(
    ("n", "d"), [(4, 1), *(pytest.param(*more, marks=pytest.mark.slow) for more in ((5, 2), (7, 3)))]
)
def test_a_server_that_tells_everybody_of_other_missing_sites_never_gets_all_keys(workers, n, d):
    """All stayed. To each site it names others as missing, as many as the plan lets vanish, and takes what it gets."""

    def hook(to, missing):
        gone = {(to + 1 + k) % n for k in range(d)}
        return change(missing, signers=tuple(s for s in missing.signers if s.site not in gone))

    sat = sitting(workers, n, d)
    heard = {}

    def play(seat, half):
        inbox = None
        while True:
            try:
                exchange = half.send(inbox)
            except StopIteration as stop:
                return stop.value
            if exchange.label.step != m.MISSING:
                inbox = yield exchange
                continue
            label = sat.terms.label(m.REBUILD)
            send = {
                to: type(parcel)(parcel.label, dump(hook(int(to.name[1:]), load(parcel.body, m.Missing))))
                for to, parcel in exchange.send.items()
            }
            inbox = yield Exchange(label, send=send, expect=frozenset(send))
            heard.update({int(p.name[1:]): load(body, m.Shares).shares for p, body in inbox.got.items()})

    sat.play = {SERVER: play}
    sat.run()
    assert {len(shares) for shares in heard.values()} == {d * SIZE}
    held = {dealer: sum((dealer - to) % n in range(1, d + 1) for to in heard) for dealer in range(n)}
    assert sum(held.values()) == n * d
    assert sum(count >= sat.protection.he.least for count in held.values()) < n
