"""Attacks on a prediction over secret shares: numbers out of range, other programs, gone parties, changed letters."""

import os
import signal
from itertools import count

import numpy as np
import pytest
from msgspec.structs import replace as change

from potluck.core.ledger import Volatile
from potluck.core.party import SERVER
from potluck.core.predicting import Scored
from potluck.core.rounds import Abort, Cause
from potluck.core.wire import dump, load
from potluck.drivers.once import root_cause
from potluck.mpc.engine import Engine
from potluck.mpc.predict import client as predict_client
from potluck.mpc.predict import messages as m
from potluck.mpc.predict import scale as predict_scale
from support.hostile.tampering import altering, duplicated, flipped, reordered, replayed, swallowed, truncated
from support.mpc.predict_rig import ALPHA, BETA, CLIENT, GAMMA, OWNER, RANKS, end, integers, net, room, steps


def ended(sat, desks):
    """Nobody got a score; what the driver would raise."""
    assert desks[CLIENT].result is None
    aborts = {party: desk.abort for party, desk in desks.items() if desk.abort}
    return root_cause(aborts.pop(SERVER, None), aborts)


# --- Numbers out of range ---


def test_a_client_whose_features_are_out_of_range_is_named_and_reads_nothing(engines, monkeypatch):
    monkeypatch.setattr(predict_client, "check_features", lambda meeting, features: None)
    sat = room(engines)
    sat.rows = sat.rows.copy()
    sat.rows[2, 1] = 1.0 + 2.0**-25
    abort = ended(sat, sat.run())
    assert (abort.cause, abort.party) == (Cause.RANGE, CLIENT)
    assert m.COUNTED not in steps(sat)


@pytest.mark.parametrize("factor", [1.0, pytest.param(-(2.0**20), marks=pytest.mark.slow)])
def test_an_owner_whose_weights_are_beyond_its_norms_is_named_and_nobody_reads_anything(engines, monkeypatch, factor):
    """One weight alone is as large as all of its output's may be together; or a million times larger."""
    made = net((3, 1), seed=2)
    low = predict_scale.norms(made)
    monkeypatch.setattr(predict_scale, "norms", lambda net: low)
    made.layers[0].weights[0, 1] = factor * 2.0 ** low[0]
    sat = room(engines, made)
    abort = ended(sat, sat.run())
    assert (abort.cause, abort.party) == (Cause.RANGE, OWNER)
    assert m.COUNTED not in steps(sat)


@pytest.mark.slow
@pytest.mark.parametrize("word", [-(2**63), 2**63 - 1, 2**62, -(2**62), -(2**62) - 1])
@pytest.mark.parametrize("who", [OWNER, CLIENT])
def test_any_ring_element_out_of_range_is_found(engines, monkeypatch, word, who):
    """Elements of a liar's own choice, where negation and sums wrap."""
    honest = {"weights": predict_scale.weights, "features": predict_scale.features}

    def lying(name):
        def found(*given):
            words = honest[name](*given).copy()
            words.view(np.int64)[1] = word
            return words

        return found

    name = "weights" if who == OWNER else "features"
    monkeypatch.setattr(predict_scale, name, lying(name))
    sat = room(engines)
    abort = ended(sat, sat.run())
    assert (abort.cause, abort.party) == (Cause.RANGE, who)


# --- Parties that are gone ---

STEPS = [m.KEYS, m.OFFER, m.HELD, m.READY, m.LINK, f"{m.RUN}/0", m.JUDGED, m.COUNTED, m.SCORES]


@pytest.mark.slow
@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("who", [ALPHA, GAMMA])
def test_a_compute_party_that_vanishes_is_named_and_nobody_hangs(engines, step, who):
    end(engines)
    sat = room(engines, patience=3, vanish=lambda party, round, at: party == who and at == step)
    desks = sat.run()
    assert all(desk.done for party, desk in desks.items() if party != who)
    abort = ended(sat, desks)
    assert (abort.cause, abort.party) == (Cause.SILENT, who)


def test_a_compute_party_that_is_gone_from_the_start_is_named(engines):
    sat = room(engines, patience=3, vanish=lambda party, round, at: party == BETA)
    abort = ended(sat, sat.run())
    assert (abort.cause, abort.party) == (Cause.SILENT, BETA)


@pytest.mark.slow
@pytest.mark.parametrize("step", [m.READY, m.LINK, f"{m.RUN}/0"])
def test_an_engine_that_is_killed_is_named_and_the_next_round_starts_afresh(engines, step):
    end(engines)

    def killed(seat, half):
        inbox = None
        while True:
            exchange = half.send(inbox)
            if exchange.label.step == step:
                os.kill(engines[BETA].pid, signal.SIGKILL)
            inbox = yield exchange

    sat = room(engines, patience=4, play={BETA: killed})
    abort = ended(sat, sat.run())
    assert (abort.cause, abort.party) == (Cause.ENGINE, BETA), abort
    assert isinstance(room(engines, number=2).scored(), Scored)


@pytest.mark.slow
@pytest.mark.parametrize(("who", "step"), [(OWNER, m.MODEL), (OWNER, m.AGREED), (CLIENT, m.ROWS)])
def test_an_end_that_vanishes_ends_the_round(engines, who, step):
    sat = room(engines, patience=3, vanish=lambda party, round, at: party == who and at == step)
    desks = sat.run()
    assert all(desk.done for party, desk in desks.items() if party != who)
    assert isinstance(ended(sat, desks), Abort)
    assert m.SCORES not in steps(sat)


# --- Other programs, other models ---


def test_another_program_at_one_party_is_caught_and_named_before_anything_is_computed(engines, monkeypatch):
    """GAMMA compiles a check with another bound."""
    honest = Engine.program

    def programs(engine, program, numbers):
        other = {**numbers, "high": numbers["high"] - 1}
        return honest(engine, program, other if engine is engines[GAMMA] else numbers)

    monkeypatch.setattr(Engine, "program", programs)
    sat = room(engines)
    abort = ended(sat, sat.run())
    assert f"{m.RUN}/0" not in steps(sat)
    assert (abort.cause, abort.party) == (Cause.TERMS, GAMMA)


def test_an_owner_that_deals_a_model_to_each_is_named(engines):
    sat = room(engines, patience=3, play={OWNER: altering(_another_model)})
    desks = sat.run()
    assert (desks[CLIENT].abort.cause, desks[CLIENT].abort.party) == (Cause.COMMITMENT, OWNER)
    assert f"{m.RUN}/0" not in steps(sat)


def _another_model(seat, to, step, body):
    """beta gets a model of other norms, signed as it is; its parts are those that were promised."""
    if step != m.MODEL or to != BETA:
        return body
    given = load(body, m.Given)
    offer = change(given.model.offer, norms=tuple(one + 1 for one in given.model.offer.norms))
    agreed = m.session(room({}).meeting, RANKS)
    signature = seat.sign(m.model_statement(agreed, offer, given.model.promise))
    return dump(change(given, model=change(given.model, offer=offer, signature=signature)))


def test_a_compute_party_that_shows_the_client_another_model_is_named(engines):
    def shown(seat, to, step, body):
        if step != m.OFFER:
            return body
        said = load(body, m.Shown)
        return dump(change(said, model=change(said.model, offer=change(said.model.offer, norms=(9,)))))

    sat = room(engines, patience=3, play={ALPHA: altering(shown)})
    desks = sat.run()
    assert (desks[CLIENT].abort.cause, desks[CLIENT].abort.party) == (Cause.SIGNATURE, ALPHA)


@pytest.mark.slow
def test_a_compute_party_that_tells_the_owner_of_fewer_rows_is_named(engines):
    def fewer(seat, to, step, body):
        return dump(change(load(body, m.Rows), count=1)) if step == m.COUNTED else body

    sat = room(engines, patience=3, play={GAMMA: altering(fewer)})
    desks = sat.run()
    assert (desks[OWNER].abort.cause, desks[OWNER].abort.party) == (Cause.SIGNATURE, GAMMA)
    assert desks[CLIENT].result is None


@pytest.mark.slow
def test_a_share_that_was_changed_is_noticed_by_the_client(engines):
    """Sealed and signed as it should be: gamma adds 1 to what it holds of the first score."""
    from potluck.mpc.predict import compute as predict_compute

    whole = predict_compute.box_key

    class Off:
        def __init__(self, party, raw):
            self.key = whole(party, raw)

        def seal(self, body, info):
            return self.key.seal(bytes([body[0] ^ 1]) + body[1:], info)

    def play(seat, half):
        inbox = None
        while True:
            try:
                predict_compute.box_key = Off
                exchange = half.send(inbox)
            except StopIteration as stop:
                return stop.value
            finally:
                predict_compute.box_key = whole
            inbox = yield exchange

    sat = room(engines, patience=3, play={GAMMA: play})
    desks = sat.run()
    assert desks[CLIENT].abort.cause is Cause.COMMITMENT
    assert desks[CLIENT].result is None


# --- Letters on the way ---

NUMBERS = count(100)
EVERY = [m.KEYS, m.MODEL, m.OFFER, m.ROWS, m.HELD, m.READY, m.JUDGED, m.COUNTED, m.AGREED, m.SCORES]


def some(tamper, step):
    return tamper(lambda letter: letter.label.step == step)


@pytest.mark.slow
@pytest.mark.parametrize("step", EVERY)
@pytest.mark.parametrize("tamper", [flipped, truncated, swallowed])
def test_a_letter_that_does_not_arrive_as_it_was_ends_the_round_without_a_score(engines, tamper, step):
    sat = room(engines, patience=3, number=next(NUMBERS), carry=some(tamper, step))
    assert isinstance(ended(sat, sat.run()), Abort)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("tamper", "which"), [(duplicated, EVERY), (replayed, EVERY), (reordered, [m.HELD, m.READY, m.JUDGED])]
)
def test_letters_that_come_again_or_in_another_order_change_nothing(engines, tamper, which):
    """Of each two letters the later first: of steps in which an even number of them is under way at once."""
    sat = room(engines, patience=3, number=next(NUMBERS), carry=tamper(lambda letter: letter.label.step in which))
    assert np.array_equal(sat.scored().margins, integers(sat.made, sat.rows))


@pytest.mark.parametrize("step", [m.MODEL, m.ROWS])
def test_parts_from_an_earlier_round_are_refused(engines, step):
    first = room(engines, number=next(NUMBERS))
    first.scored()
    sender = OWNER if step == m.MODEL else CLIENT
    old = {to: body for at, who, to, body in first.transcript.bodies if at == step and who == sender}
    again = altering(lambda seat, to, at, body: old[to] if at == step else body)
    sat = room(engines, patience=3, number=next(NUMBERS), play={sender: again})
    abort = ended(sat, sat.run())
    assert abort.cause is Cause.SIGNATURE
    ledger = Volatile()
    assert isinstance(room(engines, number=next(NUMBERS), ledgers={OWNER: ledger}).scored(), Scored)
