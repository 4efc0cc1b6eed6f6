"""Attacks on the three-server sum: killed parties, other programs, changed and replayed letters, lying sites."""

import os
import signal
from dataclasses import replace

import numpy as np
import pytest
from msgspec.structs import replace as change

from potluck.core.ledger import Volatile
from potluck.core.party import SERVER
from potluck.core.rounds import Abort, Cause, Limit
from potluck.core.stages import Opened
from potluck.core.wire import dump, load
from potluck.mpc.coordination import Ready
from potluck.mpc.engine import Engine
from potluck.mpc.replicated import Piece
from potluck.mpc.share import messages as m
from potluck.testing.protection import check_protection, judged
from support.hostile.tampering import altering, duplicated, flipped, reordered, replayed, swallowed, truncated
from support.mpc.share_rig import (
    ALPHA,
    BETA,
    GAMMA,
    RANKS,
    end,
    named,
    promised,
    rogue,
    sitting,
    steps,
    terms,
    words_of,
)

LIMITS = [Limit(3, 1000)]
ROWS = [[1, 2, 3], [40, 50, 60], [-7, 8, -9], [100, 200, 300]]
WORDS = words_of(ROWS)


def cohort(d=0, **more):
    return terms(4, 3, d=d, limits=LIMITS, **more)


def opened_without(found, sat, bad):
    """The sum over all but one, and that one's cause."""
    assert isinstance(found, Opened), str(found)
    assert found.givers == set(sat.terms.sites) - {bad}
    return Cause(found.refused[bad])


# --- A compute party that is gone ---


AFRESH = ["share/held", "share/run", "share/ready", "share/link", "share/accepted", "share/survivors"]
STEPS = ["share/keys", "share/result", *(pytest.param(step, marks=pytest.mark.slow) for step in AFRESH)]


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("who", [ALPHA, pytest.param(GAMMA, marks=pytest.mark.slow)])
def test_a_compute_party_that_vanishes_is_named_and_nothing_opens(engines, step, who):
    if step in AFRESH:
        end(engines)
    # A short patience is for engines that are linked anew and wait in vain.
    sat = sitting(engines, WORDS, cohort(), **({"patience": 6} if step in AFRESH else {}), leaves={who: step})
    desks = sat.run()
    assert isinstance(judged(sat, desks), Abort)
    assert all(desk.done for party, desk in desks.items() if party != who)
    abort = named(desks)
    assert abort.party == who, abort
    assert abort.cause is Cause.SILENT


@pytest.mark.slow
@pytest.mark.parametrize("step", ["share/run", "share/ready", "share/link"])
def test_an_engine_that_is_killed_is_named_and_the_next_round_starts_fresh(engines, step):
    end(engines)

    def killed(seat, half):
        inbox = None
        while True:
            exchange = half.send(inbox)
            if exchange.label.step == step:
                os.kill(engines[BETA].pid, signal.SIGKILL)
            inbox = yield exchange

    sat = sitting(engines, WORDS, cohort(), patience=4, play={BETA: killed})
    desks = sat.run()
    assert isinstance(judged(sat, desks), Abort)
    abort = named(desks)
    assert (abort.cause, abort.party) == (Cause.ENGINE, BETA), abort
    assert isinstance(check_protection(sitting(engines, WORDS, cohort(number=2))), Opened)


# --- Other programs ---


@pytest.fixture
def elsewise(engines, monkeypatch):
    """GAMMA compiles a check with a wider bound."""
    honest = Engine.compile

    def compiles(engine, sites, limits):
        wider = [replace(one, bound=one.bound + 1) for one in limits]
        return honest(engine, sites, wider if engine is engines[GAMMA] else limits)

    monkeypatch.setattr(Engine, "compile", compiles)


@pytest.mark.usefixtures("elsewise")
def test_another_program_at_one_party_is_caught_and_named_before_anything_is_computed(engines):
    sat = sitting(engines, WORDS, cohort())
    desks = sat.run()
    assert isinstance(judged(sat, desks), Abort)
    assert "share/run" not in steps(sat)
    assert all((desks[one].abort.cause, desks[one].abort.party) == (Cause.TERMS, GAMMA) for one in RANKS)


@pytest.mark.slow
def test_a_party_that_says_one_program_and_runs_another_is_caught_by_the_engines(engines, request):
    end(engines)
    assert isinstance(check_protection(sitting(engines, WORDS, cohort())), Opened)
    honest = engines[ALPHA].compile(4, LIMITS).digest
    request.getfixturevalue("elsewise")
    said = altering(lambda seat, to, step, body: lying(step, body, honest))
    sat = sitting(engines, WORDS, cohort(number=2), patience=3, play={GAMMA: said})
    # It takes its own word for the others' too, so it goes on.
    desks = sat.run()
    assert isinstance(judged(sat, desks), Abort)
    assert not {"share/accepted", "share/result"} & steps(sat)
    end(engines)


def lying(step, body, digest):
    return dump(change(load(body, Ready), program=digest)) if step == m.READY else body


# --- Letters on the way ---


def to(party, step):
    return lambda letter: letter.to == party and letter.label.step == step


@pytest.mark.parametrize("tamper", [flipped, truncated, swallowed])
def test_a_share_letter_that_is_changed_on_the_way_leaves_its_site_out(engines, tamper):
    agreed = cohort(d=1)
    first = agreed.sites[0]
    carry = tamper(lambda letter: letter.sender == first and to(BETA, m.INPUT)(letter))
    sat = sitting(engines, WORDS, agreed, carry=carry)
    assert opened_without(check_protection(sat), sat, first) is Cause.SILENT


def test_letters_that_come_again_or_out_of_order_change_nothing(engines):
    for number, tamper in enumerate((replayed, duplicated, reordered)):
        sat = sitting(engines, WORDS, cohort(number=number), carry=tamper(lambda letter: letter.label.step == m.INPUT))
        found = check_protection(sat)
        assert isinstance(found, Opened), str(found)
        assert found.words.astype(np.int64).tolist() == np.sum(ROWS, axis=0).tolist()


def test_letters_of_an_earlier_round_say_nothing_in_this_one(engines):
    kept = []

    def keep(letter):
        kept.append(letter)
        return (letter,)

    assert isinstance(check_protection(sitting(engines, WORDS, cohort(number=1), carry=keep)), Opened)
    other = words_of([[5, 5, 5]] * 4)

    def again(letter):
        old = [
            one for one in kept if (one.sender, one.to, one.label.step) == (letter.sender, letter.to, letter.label.step)
        ]
        return (*old, letter)

    found = check_protection(sitting(engines, other, cohort(number=2), carry=again))
    assert isinstance(found, Opened), str(found)
    assert found.words.tolist() == [20, 20, 20]


# --- Lying sites ---


def other_rest(rank, pieces):
    """Party 1 holds another last part than party 2."""
    rest = (np.frombuffer(pieces[2].rest, "<u8") + np.uint64(5)).tobytes()
    return (*pieces[:2], Piece(pieces[2].seed, rest)) if rank == 1 else pieces


def short(rank, pieces):
    return (*pieces[:2], Piece(pieces[2].seed, pieces[2].rest[:-8]))


def promising(agreed, attack):
    """A site that gives each party what `attack` makes of its parts, and a promise of just that."""

    def play(seat, half):
        made = {}

        def pieces_for(rank, pieces):
            made["now"] = attack(rank, pieces)
            return made["now"]

        yield from rogue(agreed, WORDS[3], pieces_for, lambda rank, _: promised(agreed, seat, made["now"]))(seat, half)

    return play


@pytest.mark.parametrize("attack", [other_rest, short])
def test_parts_that_are_not_as_promised_leave_their_site_out(engines, attack):
    agreed = cohort(d=1)
    bad = agreed.sites[3]
    sat = sitting(engines, WORDS, agreed, play={bad: rogue(agreed, WORDS[3], attack)})
    assert opened_without(check_protection(sat), sat, bad) is Cause.COMMITMENT


def test_a_part_of_another_length_that_is_promised_leaves_its_site_out(engines):
    agreed = cohort(d=1)
    bad = agreed.sites[3]

    sat = sitting(engines, WORDS, agreed, play={bad: promising(agreed, short)})
    assert opened_without(check_protection(sat), sat, bad) is Cause.MALFORMED


def test_a_site_that_promises_each_party_something_else_is_left_out(engines):
    """What each party holds fits what it was promised; only together they see that the promises differ."""
    agreed = cohort(d=1)
    bad = agreed.sites[3]

    sat = sitting(engines, WORDS, agreed, play={bad: promising(agreed, other_rest)})
    assert opened_without(check_protection(sat), sat, bad) is Cause.COMMITMENT


def test_a_promise_that_its_site_did_not_sign_leaves_it_out(engines):
    agreed = cohort(d=1)
    bad = agreed.sites[3]
    forged = rogue(agreed, WORDS[3], promise_for=lambda rank, promise: change(promise, signature=bytes(64)))
    sat = sitting(engines, WORDS, agreed, play={bad: forged})
    assert opened_without(check_protection(sat), sat, bad) is Cause.SIGNATURE


# --- A step is opened once ---


@pytest.mark.parametrize("forgetful", ["nobody", "sites", "compute parties"])
def test_a_second_set_for_one_step_is_refused_by_compute_parties_and_by_sites(engines, forgetful):
    agreed = cohort(d=1, number=1)
    ledgers = {party: Volatile() for party in (*agreed.sites, *RANKS)}
    assert isinstance(check_protection(sitting(engines, WORDS, agreed, ledgers=ledgers)), Opened)
    forgotten = {"nobody": (), "sites": agreed.sites, "compute parties": RANKS}[forgetful]
    ledgers |= {party: Volatile() for party in forgotten}
    second = sitting(engines, WORDS, cohort(d=1, number=2), ledgers=ledgers, leaves={agreed.sites[3]: "share/input"})
    desks = second.run()
    assert isinstance(judged(second, desks), Abort)
    assert m.RESULT not in steps(second)
    refusing = agreed.sites[:3] if forgetful == "compute parties" else RANKS
    assert all(desks[one].abort.cause is Cause.REPLAY for one in refusing)
    assert named(desks).cause is Cause.REPLAY


def test_the_same_set_may_be_opened_again(engines):
    agreed = cohort(number=1)
    ledgers = {party: Volatile() for party in (*agreed.sites, *RANKS)}
    for number in (1, 2):
        sat = sitting(engines, WORDS, cohort(number=number), ledgers=ledgers)
        assert isinstance(check_protection(sat), Opened)


# --- A compute party that departs from the protocol, where that shows ---


def test_a_set_that_one_compute_party_alone_names_is_refused_by_the_sites(engines):
    agreed = cohort(d=1)

    def fewer(seat, to, step, body):
        if step != m.SURVIVORS:
            return body
        givers = load(body, m.Survivors).givers
        return dump(m.Survivors(givers[:3]))

    sat = sitting(engines, WORDS, agreed, play={ALPHA: altering(fewer)})
    desks = sat.run()
    assert isinstance(judged(sat, desks), Abort)
    assert m.RESULT not in steps(sat)
    assert {desks[one].abort.cause for one in agreed.sites} == {Cause.SURVIVORS}


def telling(change_):
    """GAMMA, that tells the others something else of what it holds."""

    def play(seat, to_, step, body):
        return dump(change_(load(body, m.Held), to_)) if step == m.HELD else body

    return altering(play)


def elsewhere(said, to_):
    return change(said, address="127.0.0.1:1") if to_ == ALPHA else said


def forged(said, to_):
    first, *rest = said.listed
    return change(said, listed=(change(first, promise=change(first.promise, signature=bytes(64))), *rest))


def twice(said, to_):
    return change(said, listed=(said.listed[0], *said.listed))


@pytest.mark.parametrize(
    ("lie", "cause"), [(elsewhere, Cause.SURVIVORS), (forged, Cause.SIGNATURE), (twice, Cause.MALFORMED)]
)
def test_lists_that_cannot_be_end_the_round_before_anything_is_computed(engines, lie, cause):
    sat = sitting(engines, WORDS, cohort(), play={GAMMA: telling(lie)})
    desks = sat.run()
    assert isinstance(judged(sat, desks), Abort)
    assert desks[ALPHA].abort.cause is cause
    assert "share/run" not in steps(sat)


def test_a_certificate_of_somebody_else_is_refused_and_named(engines, monkeypatch):
    """GAMMA offers everybody, itself included, a certificate that is not its own."""
    end(engines)

    honest = Engine.offer
    monkeypatch.setattr(
        Engine,
        "offer",
        lambda engine, party, round_: honest(engine, BETA if engine is engines[GAMMA] else party, round_),
    )
    sat = sitting(engines, WORDS, cohort())
    desks = sat.run()
    assert isinstance(judged(sat, desks), Abort)
    assert all((desks[one].abort.cause, desks[one].abort.party) == (Cause.KEYS, GAMMA) for one in RANKS)


def test_a_share_of_the_sum_that_one_party_changed_does_not_fit_the_others(engines):
    def shifted(seat, to, step, body):
        if step != m.RESULT:
            return body
        said = load(body, m.Result)
        return dump(change(said, share=bytes([said.share[0] ^ 1]) + said.share[1:]))

    sat = sitting(engines, WORDS, cohort(), play={BETA: altering(shifted)})
    abort = check_protection(sat)
    assert isinstance(abort, Abort)
    assert abort.cause is Cause.COMMITMENT
    assert "hold different parts" in str(abort)


def test_a_letter_to_a_compute_party_is_sealed_to_a_key_of_the_round(engines):
    """Neither the server, the others nor a stolen long-term key opens it: the body holds no part in the clear."""
    sat = sitting(engines, WORDS, cohort())
    assert isinstance(check_protection(sat), Opened)
    keys = [body for step, sender, to_, body in sat.transcript.bodies if step == m.KEYS and sender == ALPHA]
    assert len(set(keys)) == 1
    again = sitting(engines, WORDS, cohort(number=2))
    assert isinstance(check_protection(again), Opened)
    later = [body for step, sender, to_, body in again.transcript.bodies if step == m.KEYS and sender == ALPHA]
    assert set(keys).isdisjoint(later)
    assert SERVER not in {to_ for step, _, to_, _ in sat.transcript.bodies if step in (m.HELD, m.ACCEPTED)}
