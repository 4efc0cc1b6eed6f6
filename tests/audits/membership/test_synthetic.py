"""Who is behind made-up rows, by both sums and by the rows: exact counts of few rows say it, noised ones do not."""

from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd
import pytest

import potluck
from potluck.audits.attack import Until
from potluck.audits.attacks import ATTACKS
from potluck.audits.membership.scored import Scores
from potluck.audits.membership.synthetic import SYNTHETIC, Asked, Remade, _added, _counts, _half, _near, _played
from potluck.audits.record import Record
from potluck.audits.seen import seen_by
from potluck.core.seeded import generator
from potluck.core.wire import dump, load
from potluck.tasks.sources import held
from potluck.tasks.sums.halves import Opening
from support.audits.recorded import changed, verdict
from support.synthesis.ward import COLUMNS, EXACT, plan, sites

DECLARED = {name: one for name, one in COLUMNS.items() if name != "birth"}
NOISED = {"noise": "shared", "unit": "row", "epsilon": 1.0, "delta": 1e-6}


def made(privacy=EXACT, rows=200):
    exact = {"allow_exact": True} if privacy is EXACT else {}
    return plan("mask", privacy, synthesize={"rows": rows, "target": "ill"} | exact,
                data={"columns": DECLARED, "derive": {}, "max_rows": 100})  # fmt: skip


attacked = partial(verdict, SYNTHETIC)
"""(folder, plan, rows): what the server finds."""


def told(folder, rows):
    """What the verb says."""
    found = potluck.attack(folder, data=rows, seed=1).document["attacks"]
    return next(one for one in found if one["name"] == "synthetic")


@pytest.fixture(scope="module")
def exact(tmp_path_factory):
    """(folder, plan, rows) of 60 patients."""
    spec, rows = made(), sites(20)
    return potluck.run(spec, rows, out=tmp_path_factory.mktemp("synthetic") / "run", record=True), spec, rows


def test_exact_counts_say_who_is_in_them_and_so_does_the_control(exact, only):
    run, _, rows = exact
    only(SYNTHETIC)
    assert SYNTHETIC in ATTACKS
    (one,) = (
        one for one in potluck.attack(run.folder, data=rows, seed=1).document["attacks"] if one["name"] == "synthetic"
    )
    assert (one["control"], one["succeeded"]) == (True, True)
    assert one["score"] > 0.3
    assert "by all counts" in one["words"]


@pytest.mark.usefixtures("repeatable")
def test_with_epsilon_1_nobody_is_found_where_the_control_is(tmp_path, only):
    spec, rows = made(NOISED), sites(20)
    folder = potluck.run(spec, rows, out=tmp_path / "run", ledger=tmp_path, record=True).folder
    only(SYNTHETIC)
    (one,) = (
        one for one in potluck.attack(folder, data=rows, seed=1).document["attacks"] if one["name"] == "synthetic"
    )
    assert (one["control"], one["succeeded"]) == (True, False)
    assert one["score"] < 0.2


@pytest.mark.parametrize("steps", [{0, 1}, {1}])
def test_sums_that_were_zeroed_say_nothing(exact, tmp_path, steps):
    run, spec, rows = exact
    opened = sorted(
        {one.line.round for one in Record.read(run.folder / "parcels").letters if one.line.step == "opened"}
    )

    def zeroed(line, body):
        if line["step"] != "opened" or opened.index(line["round"]) not in steps:
            return body
        told = load(body, Opening)
        return dump(Opening(told.givers, bytes(len(told.words))))

    it = attacked(changed(run.folder, tmp_path / "zeros", zeroed), spec, rows)
    assert it.succeeded is None
    assert "are not those of the rows" in it.words


def test_without_rows_time_or_sums_nothing_is_said(exact):
    run, spec, rows = exact
    assert "time was up" in attacked(run.folder, spec, rows, Until(0.0, generator(1))).words
    resolved, _ = held(spec, rows)
    seen = seen_by(Record.read(run.folder / "parcels"), resolved, {"server"})
    (found,) = SYNTHETIC.tried(seen, Until(float("inf"), generator(1)))
    assert found.judged({}).succeeded is None
    assert SYNTHETIC.fits(seen_by(Record.read(run.folder / "parcels"), resolved, {"a"})).endswith("were not all read")
    assert SYNTHETIC.fits(replace(seen, sums=seen.sums[:1])).endswith("were not all read")


def test_a_course_over_all_rows_makes_the_rows_of_the_run_and_distances_are_those_of_pandas(exact):
    """So what is scored is what the run released. Numbers are apart by their range, no value from any by 1 (Gower)."""
    run, spec, rows = exact
    resolved, truth = held(spec, rows)
    until = Until(float("inf"), generator(1))
    known, found = _played(resolved, truth, frozenset(truth), until)
    released, own = pd.read_csv(run.synthetic), pd.concat([rows[name] for name in sorted(rows)])
    assert list(found.made.columns["pressure"]) == pytest.approx(list(released["pressure"]), nan_ok=True)
    units = [(name, np.array([row])) for name in sorted(truth) for row in range(truth[name].rows)]
    nearest = []
    for one in own.itertuples():
        far = (released["visits"] - one.visits).abs() / 40
        both = (released["pressure"] - one.pressure).abs() / 160
        far += both.where(released["pressure"].notna() & (one.pressure == one.pressure),
                          released["pressure"].notna() != (one.pressure == one.pressure))  # fmt: skip
        for name in ("sex", "ill", "pregnant"):
            far += released[name].astype(str) != str(getattr(one, name))
        nearest.append(far.min())
    asked = Asked(truth, units, np.arange(60))
    assert -_near(found.made, asked) == pytest.approx(nearest)
    assert len(known) == 2
    for one in known:  # what rows add, one by one, comes to what the sites' own code summed
        total, each = _added(resolved, one.known, asked)
        assert total == pytest.approx(one.values)
        assert each.sum(axis=0) == pytest.approx(one.values)


@pytest.mark.slow
def test_the_second_sum_tells_more_than_the_first_alone(exact):
    """Of two rows 92 and 88 times in 100, over 20 draws of these coins: all of it is seeded."""
    _, spec, rows = exact
    resolved, truth = held(spec, rows)
    until = Until(float("inf"), generator(1))
    known, _ = _played(resolved, truth, frozenset(truth), until)
    asked, areas = Remade(resolved, tuple(one.known for one in known), until)._asked(truth), []
    for _ in range(20):
        inside = until.rng.random(60) < 0.5
        opened, _ = _played(resolved, _half(asked, inside.tolist()), frozenset(truth), until)
        there = inside[asked.some]
        both = [_counts(resolved, some, asked) for some in (opened, opened[:1])]
        areas.append([Scores(one[there], one[~there]).auc for one in both])
    two, first = np.mean(areas, axis=0)
    assert two > first + 0.02


def test_two_tries_count_twice():
    draw = np.random.default_rng(1)
    members, others = draw.normal(0.5, 1, 40), draw.normal(0, 1, 40)
    assert Scores(members, others, 2).chance == pytest.approx(2 * Scores(members, others).chance)


@pytest.mark.slow
def test_noise_lets_nobody_name_more_than_epsilon_allows_and_luck_is_no_success():
    """Of two rows at most e^epsilon / (1 + e^epsilon) are told apart. At an epsilon that hides all, chance is what it
    is said to be: of 300 courses made anew at most 3 are below 1 in 100 on average, more than 17 less than once in
    1e8."""
    rows = sites(20)
    for epsilon, times in ((1.0, 100), (0.01, 300)):
        spec = made(NOISED | {"epsilon": epsilon})
        resolved, truth = held(spec, rows)
        until = Until(float("inf"), generator(7))
        known, _ = _played(resolved, truth, frozenset(truth), until)
        one = Remade(resolved, tuple(each.known for each in known), until)
        found = [one._scores(one._asked(truth), 1) for _ in range(times)]
        # The mean of areas of about 30 and 30 rows has a standard deviation below 0.08 / the root of 100.
        assert all(np.mean([both[place].auc for both in found]) < np.e / (1 + np.e) - 0.05 for place in (0, 1))
        if epsilon < 1:
            assert sum(min(each.chance for each in both) < 0.01 for both in found) < 18
