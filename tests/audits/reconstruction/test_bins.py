"""Sums of boosting over one row tell its target and its bins; those over many rows do not."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import potluck
from potluck.audits.attack import Until
from potluck.audits.reconstruction.bins import BINS
from potluck.core.seeded import generator
from potluck.learning.data.table import read
from support.audits.recorded import seen
from support.learning.boosted import BINS as EACH
from support.learning.boosted import dealt, mixed, numbered, plan

FOREVER = Until(float("inf"), generator(0))
TREES = {"training": {"rounds": 2}}
ADDITIVE = TREES | {"model": {"kind": "additive"}}
NOISE = {"noise": "site", "unit": "row", "epsilon": 1.0, "delta": 1e-5}


def few(name):
    frame, columns, target = numbered(name)
    return {site: some[:20] for site, some in dealt(frame).items()}, columns, target


def judged(spec, rows, folder, *names):
    """By the sites that sums are over, what was read off them."""
    potluck.run(spec, rows, out=folder, record=True)
    truth = {name: read(some, spec.spec, name) for name, some in rows.items()}
    return {frozenset(one.of): one.judged(truth) for one in BINS.tried(seen(folder, spec, *names), FOREVER)}


def alone(frames, columns):
    """[n] which rows that train share a bin of some number with no other row."""
    some = pd.concat(frames)
    some, found = some[some.part == "train"], []
    for name, one in columns.items():
        if "low" in one and name != "y":
            which = np.digitize(some[name], np.linspace(one["low"], one["high"], EACH + 1)[1:-1])
            found.append(np.bincount(which, minlength=EACH)[which] == 1)
    return np.any(found, axis=0)


@pytest.mark.parametrize("keys", [ADDITIVE, pytest.param(TREES, marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    "name", ["wine", *(pytest.param(one, marks=pytest.mark.slow) for one in ("diabetes", "cancer"))]
)
def test_rows_that_are_alone_in_a_bin_are_read_off_exact_sums(name, keys, tmp_path):
    rows, columns, target = few(name)
    ((of, all_of_them),) = judged(plan(columns, target, "mask", **keys), rows, tmp_path / "run", "server").items()
    due = alone(rows.values(), columns)
    assert of == {"a", "b", "c"}
    assert 0.2 < due.mean() < 1
    assert all_of_them.succeeded
    if keys is ADDITIVE:
        off = 1.5 / len(due) if name == "diabetes" else 1e-9  # a number of it lies on an edge, as floats round
        assert all_of_them.score == pytest.approx(due.mean(), abs=off)
        assert "all columns" not in all_of_them.words
    else:  # nodes below the first cuts tell more
        assert all_of_them.score >= due.mean() - 1.5 / len(due)


def test_a_row_that_is_alone_in_a_node_is_read_in_all_columns_and_each_site_in_the_clear(tmp_path):
    rows, columns, target = few("cancer")
    found = judged(plan(columns, target, **TREES), rows, tmp_path / "run", "server")
    assert found.keys() == {frozenset(one) for one in "abc"}
    assert all(one.succeeded for one in found.values())
    assert any("the bins of all columns" in one.words for one in found.values())


@pytest.mark.slow
def test_a_colluding_site_takes_its_own_rows_off_the_sum(tmp_path):
    rows, columns, target = few("cancer")
    ((of, one),) = judged(plan(columns, target, "mask", **ADDITIVE), rows, tmp_path / "run", "server", "a").items()
    assert of == {"b", "c"}
    assert one.score == pytest.approx(alone([rows["b"], rows["c"]], columns).mean())


def warned(spec):
    return [one for one in potluck.check(spec).warnings if "some hold one row alone" in one]


def test_check_warns_of_bins_that_are_read_and_not_of_few_over_many_rows(tmp_path):
    _, columns, target = few("cancer")
    assert warned(plan(columns, target, "mask", rows=20, **ADDITIVE))
    assert warned(plan(columns, target, "mask", rows=20, **TREES))
    frame, columns, target = mixed()
    spec = plan(columns, target, "mask", training={"rounds": 1}, model={"kind": "additive", "bins": 4})
    assert not warned(spec)
    assert judged(spec, dealt(frame), tmp_path / "run", "server") == {}


@pytest.mark.slow
def test_the_verb_tries_it_beside_a_control(tmp_path):
    rows, columns, target = few("cancer")
    run = potluck.run(plan(columns, target, "mask", **ADDITIVE), rows, out=tmp_path / "run", record=True)
    found = potluck.attack(run.folder, "server", minutes=1, data=rows, seed=1).document["attacks"]
    assert [(one["succeeded"], one["control"]) for one in found if one["name"] == "bins"] == [(True, True)]


def test_a_guess_that_is_wrong_is_no_success(tmp_path):
    rows, columns, target = few("cancer")
    spec = plan(columns, target, "mask", **ADDITIVE)
    potluck.run(spec, rows, out=tmp_path / "run", record=True)
    (one,) = BINS.tried(seen(tmp_path / "run", spec, "server"), FOREVER)
    other = {name: read(some.assign(y=1 - some.y), spec.spec, name) for name, some in rows.items()}
    assert one.judged(other).succeeded is False
    assert one.judged({}).succeeded is None


def test_sums_with_noise_or_of_weighed_rows_are_not_asked(tmp_path):
    rows, columns, target = few("cancer")
    potluck.run(plan(columns, target, **ADDITIVE), rows, out=tmp_path / "run", record=True)
    noised = plan(columns, target, privacy=NOISE, **ADDITIVE).spec
    weighed = plan(columns, target, training={"class_weights": {"0": 3.0}}).spec
    known = seen(tmp_path / "run", plan(columns, target, **ADDITIVE), "server")
    assert BINS.fits(known) is None
    assert "noise" in BINS.fits(replace(known, plan=noised))
    assert "class" in BINS.fits(replace(known, plan=weighed))
