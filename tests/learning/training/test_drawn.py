"""Batches of `gradient`: the rows that a public PRF draws, and what their sums stand for."""

import hashlib

import numpy as np
import pandas as pd
import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from msgspec.structs import replace

import potluck
from potluck.core.plan import Model, PrivacyPlan, Split, Training
from potluck.learning.check import check
from potluck.learning.data.table import read
from potluck.learning.loops import build
from potluck.learning.training.drawn import a_round, chance, drawn, stands_for
from support.learning.sums import frames, gridded, make, run

TURNS = 2**64


def plan(batch=80, expected=200, **training):
    keys = {"method": "gradient", "rounds": 4, "batch": batch, "expected_rows": expected} | training
    return make(training=Training(**keys), model=Model(kind="logistic", l2=2.0))


def rows(seed=0, n=160):
    draw = np.random.default_rng(seed)
    x = draw.uniform(0, 10, n)
    y = (x + draw.normal(0, 3, n) > 5).astype(int)
    return pd.DataFrame({"x": x, "c": draw.choice(["u", "v"], n), "y": y})


def test_a_round_is_over_the_rows_that_the_prf_draws():
    spec = plan(seed=9)
    table = read(rows(), spec, "a")
    for step in (0, 3):
        key = hashlib.sha256("\0".join(["potluck marks", "9", "gradient", str(step), "rows"]).encode()).digest()[:16]
        wanted = []
        for number in np.flatnonzero(table.train):
            body = np.append(table.features[number], table.target[number]).astype("<f8").tobytes() + bytes(8)
            one = hashlib.blake2b(b"a\0" + body, digest_size=8).digest()
            block = Cipher(algorithms.AES128(key), modes.ECB()).encryptor().update(one + bytes(8))
            if int.from_bytes(block[:8], "little") < 80 * TURNS // 200:
                wanted.append(number)
        assert drawn(spec, step, table).tolist() == wanted
        assert 25 < len(wanted) < 75


def test_neither_order_nor_who_asks_again_matters_and_sites_draw_apart():
    spec = plan()
    whole, turned_round = read(rows(), spec, "a"), read(rows()[::-1], spec, "a")
    first = whole.features[drawn(spec, 1, whole)]
    assert sorted(map(tuple, first)) == sorted(map(tuple, turned_round.features[drawn(spec, 1, turned_round)]))
    assert (drawn(spec, 1, whole) == drawn(spec, 1, whole)).all()
    assert drawn(spec, 2, whole).tolist() != drawn(spec, 1, whole).tolist()
    assert drawn(spec, 1, read(rows(), spec, "b")).tolist() != drawn(spec, 1, whole).tolist()


def test_equal_rows_are_drawn_one_by_one():
    spec = plan()
    same = pd.DataFrame({"x": [5.0] * 2000, "c": ["u"] * 2000, "y": [1] * 2000})
    found = len(drawn(spec, 0, read(same, spec, "a")))
    assert abs(found - 0.4 * 1500) < 100  # of about 1,500 training rows, five standard errors


def test_all_expected_rows_are_all_rows():
    table = read(rows(), plan(200), "a")
    assert drawn(plan(200), 0, table).tolist() == np.flatnonzero(table.train).tolist()
    assert stands_for(plan(200)) == 1
    assert stands_for(plan(50)) == 4
    assert a_round(plan(50), 101) == 25


def test_steps_go_down_the_sum_over_the_rows_drawn():
    """Logistic: w -= rate (N/B times the sum over the batch + l2 w) / N, written out."""
    spec = plan(rate=0.8)
    tables = frames(spec, rows(0), rows(1))
    found = run(build(spec), tables, grid=True).model.weights
    weights = np.zeros(len(found))
    for step in range(4):
        total = 2.0 * weights * (np.arange(len(weights)) > 0)
        for table in tables.values():
            some = drawn(spec, step, table)
            x = np.column_stack([np.ones(len(some)), table.features[some]])
            total += 2.5 * x.T @ (1 / (1 + np.exp(-x @ weights)) - table.target[some])
        weights = weights - 0.8 / 200 * total
    np.testing.assert_allclose(found, weights, rtol=0, atol=1e-9)
    assert np.abs(found).max() > 0.1


def test_the_opened_count_is_of_all_training_rows():
    spec = plan()
    tables, task = frames(spec, rows(0), rows(1)), build(plan())
    found = gridded(next(task.lead()), task, tables).part("rows").values
    assert found.sum() == sum(int(table.train.sum()) for table in tables.values())


def test_batches_say_nothing_of_whether_descent_has_arrived():
    assert run(build(plan()), frames(plan(), rows(0), rows(1)), grid=True).warnings == ()


def test_with_noise_nothing_public_draws_and_beside_newton_it_is_ignored():
    noise = PrivacyPlan(noise="site", unit="row", epsilon=1.0, delta=1e-5, clip=1.0)
    noised = make(training=plan().training, privacy=noise)
    assert check(noised)[0] == []
    table = read(rows(), noised, "a")
    assert drawn(noised, 0, table).tolist() == np.flatnonzero(table.train).tolist()
    assert (chance(noised), chance(plan())) == ((80, 200), None)
    apart = make(training=Training(method="average", batch=80, expected_rows=200), privacy=noise)
    assert chance(apart) == (160, 200)  # each of the two sites draws its own
    assert chance(replace(apart, privacy=replace(noise, unit="site"))) is None
    _, warnings = check(make(training=Training(method="newton", batch=5), data=make().data))
    assert any(line.startswith("training.batch: is ignored: every round of newton") for line in warnings)
    assert make().data.split == Split(test=0.25)


@pytest.mark.parametrize("word", ["mask", pytest.param("tee", marks=pytest.mark.slow)])
def test_protections_give_the_same_bytes(word, tmp_path):
    data = {"a": rows(0), "b": rows(1), "c": rows(2)}
    number = {"kind": "number", "low": 0, "high": 10}
    made = {
        one: potluck.run(
            potluck.Plan(
                name="batches", purpose="test", task="train", federation={"sites": list(data), "server": "curious"},
                data={"columns": {"x": number}, "target": {"column": "y", "positive": ["1"]}, "max_rows": 200},
                model={"kind": "logistic"}, privacy={"noise": "none"}, protect={"with": one},
                training={"method": "gradient", "rounds": 3, "batch": 240, "expected_rows": 480, "optimizer": "adam"},
            ),
            data, out=tmp_path / one,
        ).document["model"]["digest"]
        for one in ("clear", word)
    }  # fmt: skip
    assert made["clear"] == made[word]
