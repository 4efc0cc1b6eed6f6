"""Scores on secret shares: bit for bit those of plain integers, and nobody but the client gets what opens them."""

from dataclasses import replace

import numpy as np
import pytest

from potluck.core.ledger import Volatile
from potluck.core.party import SERVER
from potluck.core.rounds import Cause, Record
from potluck.mpc.predict import client as predict_client
from potluck.mpc.predict import compute as predict_compute
from potluck.mpc.predict import messages as m
from potluck.mpc.predict.check import WEIGHTS, problems, traffic
from potluck.mpc.replicated import expanded, held, split
from potluck.testing.draws import seeded
from potluck.testing.protection import Bodies
from support.mpc.predict_rig import (
    CLIENT,
    OWNER,
    RANKS,
    Room,
    features,
    integers,
    meeting,
    net,
    plain,
    room,
    scale,
)

SHAPES = [
    pytest.param((3, 1), "", id="logistic"),
    pytest.param((4, 3, 2), "relu", id="relu"),
    pytest.param((4, 3, 2), "square", marks=pytest.mark.slow, id="square"),
    pytest.param((5, 4, 4, 3), "relu", marks=pytest.mark.slow, id="two hidden layers"),
    pytest.param((3, 2, 2, 1), "square", marks=pytest.mark.slow, id="two layers of squares"),
]


@pytest.mark.parametrize(("widths", "word"), SHAPES)
def test_the_ring_computes_what_plain_integers_do_bit_for_bit(engines, widths, word):
    made = net(widths, word, seed=3)
    rows = features(made, 6)
    found = Room(engines, made, rows, meeting(10)).scored()
    assert np.array_equal(found.margins, integers(made, rows))
    assert np.abs(found.margins - plain(made, rows)).max() <= found.bound == scale(made).bound


@pytest.mark.slow
@pytest.mark.parametrize("size", [1.0, 6.0])
def test_tanh_is_within_its_bound_however_large_its_sums(engines, size):
    made = net((4, 6, 2), "tanh", seed=4, size=size)
    rows = features(made, 500)
    found = Room(engines, made, rows, meeting(500)).scored()
    assert np.abs(found.margins - plain(made, rows)).max() <= found.bound < 1e-2 * size


@pytest.mark.slow
def test_many_rows_are_scored_block_after_block(engines, monkeypatch):
    monkeypatch.setitem(predict_compute.BLOCK, 3, 16)
    made = net((4, 1), seed=5)
    rows = features(made, 11)
    sat = Room(engines, made, rows, meeting(11))
    assert np.array_equal(sat.scored().margins, integers(made, rows))
    assert {f"{m.RUN}/{number}" for number in range(3)} <= {move.label.step for move in sat.transcript.moves}


def test_the_owner_writes_down_how_many_rows_before_a_share_of_a_score_leaves(engines):
    ledger, seen = Volatile(), []

    def watched(seat, half):
        inbox = None
        while True:
            try:
                exchange = half.send(inbox)
            except StopIteration as stop:
                return stop.value
            seen.append((exchange.record, sorted(parcel.label.step for parcel in exchange.send.values())))
            inbox = yield exchange

    assert room(engines, count=4, ledgers={OWNER: ledger}, play={OWNER: watched}).scored().margins.shape == (4, 1)
    (record,) = [record for record, _ in seen if record is not None]
    assert (record.key, record.value) == ("scored/run/1", b"4")
    assert seen[-1] == (record, [m.AGREED] * 3)
    again = room(engines, ledgers={OWNER: ledger}).run()
    assert again[OWNER].abort.cause is Cause.REPLAY
    assert again[CLIENT].result is None


# --- What each party gets ---


def letters(sat: Room, to):
    return [(step, sender, body) for step, sender, who, body in sat.transcript.bodies if who == to]


def test_server_and_owner_get_nothing_of_rows_and_scores_and_the_client_nothing_of_weights(engines):
    sat = room(engines, transcript=Bodies())
    margins = sat.scored().margins
    assert {(step, body) for step, _, body in letters(sat, SERVER)} == {(m.DONE, b"")}
    assert {step for step, _, _ in letters(sat, OWNER)} == {m.KEYS, m.COUNTED}
    assert {step for step, _, _ in letters(sat, CLIENT)} == {m.OFFER, m.SCORES}
    numbers = [*sat.rows.ravel(), *sat.made.layers[0].weights.ravel(), *margins.ravel()]
    every = b"".join(body for _, _, _, body in sat.transcript.bodies)
    found = scale(sat.made)
    words = [np.int64(np.rint(one * 2.0**bits)).tobytes() for one in numbers for bits in (26, found.fraction)]
    assert not [one for one in (*(np.float64(n).tobytes() for n in numbers), *words) if one in every]


@pytest.mark.slow
def test_what_a_compute_party_holds_of_two_clients_is_uniform(engines):
    """Parts of rows that are all 1, and of rows that are all -1: bytes of either as often as of random ones."""
    counts = []
    for value in (1.0, -1.0):
        made = net((200, 1), seed=6)
        keys, opened = {}, []

        def spied(seat, half, keys=keys, opened=opened):
            whole = predict_compute._opened

            def looking(here, sender, promise, sealed, length):
                share = whole(here, sender, promise, sealed, length)
                if sender == CLIENT:
                    opened.append(share)
                return share

            predict_compute._opened = looking
            try:
                return (yield from half)
            finally:
                predict_compute._opened = whole

        Room(engines, made, np.full((60, 200), value), meeting(60), play={RANKS[1]: spied}).scored()
        counts.append(np.bincount(np.frombuffer(opened[0], np.uint8), minlength=256))
    for count in counts:
        expected = count.sum() / 256
        statistic = ((count - expected) ** 2 / expected).sum()
        assert 150 < statistic < 400  # 255 degrees of freedom: beyond with probability below 1e-8


def test_parts_of_two_parties_open_and_of_one_do_not():
    rows = np.array([2**26, -(2**26)]).view(np.uint64)
    pieces = split(rows, b"i", seeded("parts"))
    whole = sum(expanded(piece, b"i", 2) for piece in pieces)
    assert whole.tolist() == rows.tolist()
    mine = {piece.seed for piece in held(pieces, 0)}
    others = {piece.seed for piece in held(pieces, 1)}
    assert len(mine) == 2
    assert len(mine | others) == 3


# --- Outlines ---


@pytest.mark.slow
def test_the_forecast_is_what_letters_take(engines):
    sat = room(engines, made=net((30, 1)), count=200, most=200)
    sat.scored()
    sizes = {}
    for move in sat.transcript.moves:
        sizes[move.label.step] = sizes.get(move.label.step, 0) + move.size
    keys, query, reply = traffic((30, 1), 200)
    assert sizes[m.ROWS] == pytest.approx(query, rel=0.15)
    assert sizes[m.SCORES] == pytest.approx(reply, rel=0.5)
    small = (m.KEYS, m.MODEL, m.OFFER, m.HELD, m.READY, m.LINK)
    assert sum(sizes.get(one, 0) for one in small) == pytest.approx(keys, rel=0.3)


@pytest.mark.parametrize(
    ("widths", "rows", "words"),
    [
        ((30, 1), 1_000_000, "predict.max_rows = 559240"),
        ((70_000, 1), 1, "a layer of over 65536 numbers"),
        ((5000, 5000, 1), 1, f"share carries {WEIGHTS}"),
        ((2, *[2] * 15, 1), 1, "over 15 layers"),
    ],
)
def test_more_than_shares_carry_is_said_before_anything_starts(widths, rows, words):
    assert any(words in line and ". hint: " in line for line in problems(widths, rows))
    assert problems((30, 1), 1000) == problems((784, 64, 10), 1000) == []


# --- More rows than agreed ---


def test_a_client_with_more_rows_than_agreed_refuses_by_itself(engines):
    desks = room(engines, count=6, most=5, patience=2).run()
    assert (desks[CLIENT].abort.cause, desks[CLIENT].abort.party) == (Cause.REFUSED, CLIENT)


def test_a_client_that_asks_for_more_rows_all_the_same_is_refused_by_who_computes(engines, monkeypatch):
    monkeypatch.setattr(predict_client, "check_features", lambda meeting, features: None)
    ledger = Volatile()
    desks = room(engines, count=6, most=5, patience=2, ledgers={OWNER: ledger}).run()
    assert {(desks[one].abort.cause, desks[one].abort.party) for one in RANKS} == {(Cause.REFUSED, CLIENT)}
    assert desks[CLIENT].result is None
    ledger.write(Record("scored/run/1", b""))  # nothing was written under this key


@pytest.mark.slow
def test_the_owner_counts_too_where_those_who_compute_do_not(engines, monkeypatch):
    monkeypatch.setattr(predict_client, "check_features", lambda meeting, features: None)
    generous = {one: replace(meeting(6), digest=meeting(5).digest) for one in (*RANKS, CLIENT)}
    monkeypatch.setattr(m, "session", lambda meeting, ranks: b"s" * 32)
    desks = room(engines, count=6, most=5, patience=2, theirs=generous).run()
    assert (desks[OWNER].abort.cause, desks[OWNER].abort.party) == (Cause.REFUSED, CLIENT)
    assert desks[CLIENT].result is None
