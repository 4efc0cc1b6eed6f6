"""Shares of values and means of numbers of a site, which nobody asked for, are read off sums where nothing hides."""

import numpy as np
import pytest

import potluck
from potluck.audits.attack import Until
from potluck.audits.reconstruction import property as attacked
from potluck.audits.reconstruction.nobodys import drawn, means, places, site
from potluck.audits.reconstruction.property import COUNTED, LEVEL, PROPERTY, Shares, ridge
from potluck.audits.trial import trials
from potluck.core.seeded import generator
from potluck.learning.data.encode import encoding
from potluck.learning.data.table import read
from support.audits.recorded import LOGISTIC, frames, plan, seen

NOISE = {"noise": "site", "unit": "row", "epsilon": 8.0, "delta": 1e-5, "clip": 1.0}
FOREVER = Until(float("inf"), generator(0))


def unlike(rows=40):
    """Sites that differ."""
    draw, found = np.random.default_rng(5), frames(rows)
    found["a"]["c"], found["a"]["u"] = draw.choice(list("pqr"), rows, p=[0.8, 0.1, 0.1]), draw.uniform(-1, -0.2, rows)
    found["b"]["c"], found["b"]["v"] = draw.choice(list("pqr"), rows, p=[0.1, 0.2, 0.7]), draw.uniform(0.1, 1, rows)
    return found


def results(folder, spec, rows, *who, made=100):
    """By whose: what came of it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(attacked, "MOST", made)
        known = seen(folder, spec, *who)
        truth = {name: read(frame, known.plan, name) for name, frame in rows.items()}
        return {one.of: one for one in trials(known, truth, 600, 0, lambda name: None, [PROPERTY])}


@pytest.fixture(scope="module")
def clear(tmp_path_factory):
    spec, rows = plan(model=LOGISTIC), unlike()
    return potluck.run(spec, rows, out=tmp_path_factory.mktemp("clear") / "run", record=True).folder, spec, rows


def test_shares_and_means_of_each_site_are_read_off_its_sums(clear):
    found = results(*clear, "server")
    assert set(found) == {("a",), ("b",), ("c",)}
    for one in found.values():
        assert one.verdict.succeeded
        assert one.verdict.score > 0.98 > 0.96 > one.verdict.baseline
        assert one.control
        assert "8 shares of values and means of numbers" in one.verdict.words


@pytest.mark.slow
def test_masks_hide_them_of_each_site_and_not_of_the_rest_of_colluders(tmp_path):
    spec, rows = plan("mask", model=LOGISTIC, rounds=6, rate=1.0), unlike()
    folder = potluck.run(spec, rows, out=tmp_path / "run", record=True).folder
    assert "no sum that trains of fewer sites than all" in PROPERTY.fits(seen(folder, spec, "server"))
    (one,) = results(folder, spec, rows, "server", "c").values()
    assert one.of == ("a", "b")
    assert one.verdict.succeeded
    assert one.verdict.score > 0.98


@pytest.mark.usefixtures("repeatable")
def test_noise_hides_them_and_the_control_says_that_it_is_the_noise(tmp_path):
    spec, rows = plan(model=LOGISTIC, privacy=NOISE, expected_rows=120), unlike()
    found = results(potluck.run(spec, rows, out=tmp_path / "run", record=True).folder, spec, rows, "server")
    assert len(found) == 3
    assert [one.verdict.succeeded for one in found.values()] == [False] * 3
    assert all(one.control for one in found.values())


def test_no_share_is_printed_and_without_true_rows_nothing_is_scored(clear):
    folder, spec, _ = clear
    known = seen(folder, spec, "server")
    (one, *_) = PROPERTY.tried(known, FOREVER)
    assert one.judged({}).succeeded is None
    assert one.judged({}).score is None
    assert not any(f"{value:.3f}" in str(one) for value in one.guess)


@pytest.mark.parametrize(
    ("rows", "keys", "why"),
    [(4, {}, "fewer than 8 rows"), (90, {"expected_rows": 270, "batch": 135}, "rows that were drawn for it")],
)
def test_a_site_of_few_rows_or_of_others_in_each_round_is_not_asked_about(tmp_path, rows, keys, why):
    spec = plan(model=LOGISTIC, **keys)
    folder = potluck.run(spec, frames(rows), out=tmp_path / "run", record=True).folder
    assert why in PROPERTY.fits(seen(folder, spec, "server"))


def test_without_time_nothing_is_said(clear):
    folder, spec, rows = clear
    known = seen(folder, spec, "server")
    (one, *_) = PROPERTY.tried(known, Until(0.0, generator(0)))
    it = one.judged({name: read(frame, known.plan, name) for name, frame in rows.items()})
    assert it.succeeded is None
    assert "made up 0 sites of the 100 that it takes" in it.words


def test_shares_are_counted_as_they_are():
    how = encoding(plan().spec)
    table = site(plan().spec, how, 50, generator(3))
    found = means(how, table.features)
    assert len(found) == len(places(how)) == 8
    assert found[:5] == pytest.approx((table.features[:, :5].mean(axis=0) + 1) / 2)
    assert found[5:].sum() == pytest.approx(1)
    assert drawn(how, 4_000, generator(4)).mean(axis=0) == pytest.approx([0.5] * 5 + [1 / 3] * 3, abs=0.03)


@pytest.mark.slow
def test_a_guess_of_another_site_is_right_as_often_as_chance_says():
    how, rng = encoding(plan().spec), generator(2)
    pairs = zip(drawn(how, 400, rng), drawn(how, 400, rng), strict=True)
    alike = np.array([Shares(frozenset("a"), guess, 200, how)._alike(guess, other) for guess, other in pairs]) / COUNTED
    for part in (0.1, 0.5, 0.9):
        six = 6 * np.sqrt(part * (1 - part) / 400)
        assert np.mean(alike < part) == pytest.approx(part, abs=six)


def test_a_ridge_that_is_told_nothing_guesses_the_mean_and_one_that_is_told_all_is_exact():
    draw = np.random.default_rng(1)
    given, truth = draw.normal(size=(60, 5)), draw.normal(size=(5, 2))
    asked = draw.normal(size=5)
    assert ridge(given, given @ truth + 3, asked) == pytest.approx(asked @ truth + 3, abs=1e-6)
    deaf = draw.normal(size=(60, 2))
    assert np.abs(ridge(given, deaf, asked) - deaf.mean(axis=0)).max() < 0.5


@pytest.mark.slow
def test_of_a_thousand_guesses_from_noise_none_or_hardly_one_counts():
    """Expected: a tenth of one."""
    spec = plan(model=LOGISTIC).spec
    how, rng = encoding(spec), generator(6)
    sites = [site(spec, how, 40, rng) for _ in range(150)]
    known = np.stack([means(how, one.features) for one in sites])
    found = 0
    for _ in range(1_000):
        sent = rng.normal(size=(151, 33))
        guess = np.clip(ridge(sent[:150], known, sent[150]), 0, 1)
        true = means(how, site(spec, how, 40, rng).features)
        found += (1 + Shares(frozenset("a"), guess, 150, how)._alike(guess, true)) / (1 + COUNTED) < LEVEL
    assert found <= 4
