"""Predictions between two who compute: bit for bit what three compute, and the same liars and losses are named."""

import os
import signal

import numpy as np
import pytest
from msgspec.structs import replace as change

from potluck.core.party import SERVER
from potluck.core.rounds import Abort, Cause
from potluck.core.wire import dump, load
from potluck.drivers.once import root_cause
from potluck.mpc import dealing as mpc_dealing
from potluck.mpc.predict import compute as predict_compute
from potluck.mpc.predict import messages as m
from potluck.mpc.predict import scale as predict_scale
from potluck.mpc.predict.protection import traffic
from potluck.testing.protection import Bodies
from support.hostile.tampering import altering
from support.mpc.predict_rig import (
    ALPHA,
    BETA,
    CLIENT,
    OWNER,
    RANKS,
    Room,
    end,
    features,
    integers,
    meeting,
    net,
    plain,
    scale,
)

TWO = (ALPHA, BETA)


@pytest.fixture(scope="module")
def engines(mpc_engine):
    made = {}
    yield made
    end(made)


def room(engines, made=None, count=4, **more):
    made = made or net((3, 1), seed=2)
    return Room(engines, made, features(made, count), meeting(500), **{"ranks": TWO, **more})


def ended(desks):
    assert desks[CLIENT].result is None
    aborts = {party: desk.abort for party, desk in desks.items() if desk.abort}
    return root_cause(aborts.pop(SERVER, None), aborts)


class Nothing:
    """In place of an engine, where a round ends before one is asked for more than its address."""

    def offer(self, party, round_):
        raise Abort(Cause.ENGINE, party=party, detail="there is none")

    def close(self):
        pass


# --- Without an engine ---


def dealing(held):
    """A play: this party deals otherwise. held: instead of the right choice of parts."""
    right = mpc_dealing.held

    def play(seat, half):
        inbox = None
        while True:
            mpc_dealing.held = held
            try:
                exchange = half.send(inbox)
            except StopIteration as stop:
                return stop.value
            finally:
                mpc_dealing.held = right
            inbox = yield exchange

    return play


WRONG = {
    "two parts to one of two": (TWO, lambda pieces, rank: pieces),
    "one part to one of three": (RANKS, lambda pieces, rank: pieces[rank : rank + 1]),
}


@pytest.mark.parametrize("ranks_held", WRONG.values(), ids=list(WRONG))
@pytest.mark.parametrize("who", [OWNER, CLIENT], ids=["owner", "client"])
def test_who_deals_another_number_of_parts_is_named(who, ranks_held):
    """Both parts of two would be the secret itself."""
    ranks, held = ranks_held
    sat = room({party: Nothing() for party in ranks}, ranks=ranks, play={who: dealing(held)}, patience=3)
    abort = ended(sat.run())
    assert (abort.cause, abort.party) == (Cause.MALFORMED, who)
    assert "another number of compute parties" in abort.detail


@pytest.mark.parametrize("who", [OWNER, CLIENT], ids=["owner", "client"])
def test_each_of_two_gets_one_part_and_never_the_others(who):
    sat = room({party: Nothing() for party in TWO}, patience=3)
    opened = {}
    right = predict_compute.load

    def kept(body, schema, sender=None):
        found = right(body, schema, sender)
        if schema is mpc_dealing.Dealt and sender == who:
            opened[len(opened)] = found.held
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(predict_compute, "load", kept)
        sat.run()
    (first,), (second,) = opened.values()
    assert (first.rest, len(second.rest) % 8) == (b"", 0)
    assert first.seed != second.seed


def test_a_forecast_counts_one_part_of_two_that_is_no_seed():
    """The seed costs nothing, the other part 8 bytes a number; of three, two parties hold that one."""
    keys, rows, scores = traffic((30, 1), 100, 2)
    assert (rows, scores) == (8 * 3000, 2 * 8 * 100)
    assert [keys, rows, scores] < list(traffic((30, 1), 100))


def test_more_rows_than_two_take_at_once_go_block_after_block():
    assert predict_compute.blocks(5000, (30, 1), 2) == [4369, 631]
    assert predict_compute.blocks(5000, (30, 1), 3) == [5000]


# --- With the engine ---


@pytest.mark.slow
@pytest.mark.parametrize(("widths", "word"), [((3, 1), ""), ((4, 3, 2), "relu"), ((4, 3, 2), "square")])
def test_two_compute_what_plain_integers_do_bit_for_bit(engines, widths, word):
    """So what three compute, too: see test_mpc_predict_scores."""
    found = room(engines, net(widths, word, seed=3), 6)
    assert np.array_equal(found.scored().margins, integers(found.made, found.rows))


@pytest.mark.slow
@pytest.mark.parametrize("size", [1.0, 6.0])
def test_tanh_between_two_is_within_its_bound(engines, size):
    sat = room(engines, net((4, 6, 2), "tanh", seed=4, size=size), 200)
    found = sat.scored()
    assert np.abs(found.margins - plain(sat.made, sat.rows)).max() <= found.bound == scale(sat.made).bound


@pytest.mark.slow
def test_blocks_of_two_are_put_together_in_order(engines, monkeypatch):
    monkeypatch.setitem(predict_compute.BLOCK, 2, 16)
    sat = room(engines, net((4, 1), seed=5), 11)
    assert np.array_equal(sat.scored().margins, integers(sat.made, sat.rows))
    assert {f"{m.RUN}/{number}" for number in range(3)} <= {move.label.step for move in sat.transcript.moves}


@pytest.mark.slow
@pytest.mark.parametrize("word", [-(2**63), 2**63 - 1, 2**62, -(2**62) - 1, 2**26 + 1])
@pytest.mark.parametrize("who", [OWNER, CLIENT], ids=["owner", "client"])
def test_any_ring_element_out_of_range_is_found_between_two(engines, monkeypatch, word, who):
    name = "weights" if who == OWNER else "features"
    honest = getattr(predict_scale, name)

    def lying(*given):
        words = honest(*given).copy()
        words.view(np.int64)[1] = word if who == CLIENT or abs(word) > 2**50 else 2**55
        return words

    monkeypatch.setattr(predict_scale, name, lying)
    abort = ended(room(engines).run())
    assert (abort.cause, abort.party) == (Cause.RANGE, who)


@pytest.mark.slow
@pytest.mark.parametrize("step", [m.OFFER, m.HELD, m.LINK, f"{m.RUN}/0", m.JUDGED, m.SCORES])
def test_one_of_two_that_vanishes_is_named_and_nobody_hangs(engines, step):
    end(engines)
    sat = room(engines, patience=3, vanish=lambda party, round, at: party == BETA and at == step)
    desks = sat.run()
    assert all(desk.done for party, desk in desks.items() if party != BETA)
    abort = ended(desks)
    assert (abort.cause, abort.party) == (Cause.SILENT, BETA)


@pytest.mark.slow
@pytest.mark.parametrize("step", [m.READY, m.LINK, f"{m.RUN}/0"])
def test_of_two_the_one_whose_engine_is_killed_is_named(engines, step):
    end(engines)

    def killed(seat, half):
        inbox = None
        while True:
            exchange = half.send(inbox)
            if exchange.label.step == step:
                os.kill(engines[BETA].pid, signal.SIGKILL)
            inbox = yield exchange

    abort = ended(room(engines, patience=10, play={BETA: killed}).run())
    assert (abort.cause, abort.party) == (Cause.ENGINE, BETA), abort


@pytest.mark.slow
def test_an_owner_that_deals_two_models_is_named_by_two(engines):
    """Either holds another part, so what shows it is what the owner signed."""

    def another(seat, to, step, body):
        if step != m.MODEL or to != BETA:
            return body
        given = load(body, m.Given)
        offer = change(given.model.offer, norms=tuple(one + 1 for one in given.model.offer.norms))
        signature = seat.sign(m.model_statement(m.session(meeting(500), TWO), offer, given.model.promise))
        return dump(change(given, model=change(given.model, offer=offer, signature=signature)))

    sat = room(engines, patience=3, play={OWNER: altering(another)}, transcript=Bodies())
    desks = sat.run()
    assert (desks[CLIENT].abort.cause, desks[CLIENT].abort.party) == (Cause.COMMITMENT, OWNER)
