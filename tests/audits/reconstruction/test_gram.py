"""An exact Gram matrix gives away a row with a value that it alone has, under every protection, and two rows."""

import numpy as np
import pytest

import potluck
from potluck.audits.attack import Until
from potluck.audits.reconstruction.gram import GRAM_ROWS
from potluck.core.seeded import generator
from support.audits.recorded import LOGISTIC, NUMBERS, frames, plan, seen


def run(tmp_path, word, rows, model=None, target=None):
    spec = plan(word, model or LOGISTIC | {"l2": 1.0}, method="newton", rate=1.0)
    spec = spec.set("data.target", target) if target else spec
    return spec, potluck.run(spec, rows, out=tmp_path / "run", record=True).folder


def found(spec, folder, *who):
    return {one.of: one.guesses for one in GRAM_ROWS.tried(seen(folder, spec, *who), Until(np.inf, generator(0)))}


@pytest.mark.parametrize("word", [pytest.param("clear", marks=pytest.mark.slow), "mask"])
def test_a_row_with_a_value_of_its_own_comes_out_of_a_sum_over_many(tmp_path, only, word):
    only(GRAM_ROWS)
    rows = frames(40)
    for frame in rows.values():
        frame["c"] = np.where(frame["c"] == "r", "q", frame["c"])
    rows["b"].loc[17, "c"] = "r"
    spec, folder = run(tmp_path, word, rows)
    guesses = found(spec, folder, "server", "a")
    of = frozenset("b") if word == "clear" else frozenset("bc")
    assert set(guesses) == {of}
    assert guesses[of][:, :5] == pytest.approx(rows["b"].loc[[17], list(NUMBERS)].to_numpy(float), abs=1e-6)
    it = {(one.name, one.of): one for one in potluck.attack(folder, "server,a", data=rows).results}
    assert it["gram", tuple(sorted(of))].verdict.score == 1 / (40 if word == "clear" else 80)
    assert it["gram", tuple(sorted(of))].control


@pytest.mark.parametrize("each", [1, 2])
@pytest.mark.parametrize("target", [None, {"column": "y", "classes": ["0", "1"]}])
def test_one_row_and_two_rows_are_found_whatever_they_hold(tmp_path, each, target):
    """Also of a target of classes, with a Gram matrix for each two of them."""
    rows = frames(each, seed=5)
    for frame in rows.values():
        frame["c"] = "p"
    spec, folder = run(tmp_path, "clear", rows, target=target)
    for site, guesses in found(spec, folder, "server").items():
        true = rows[next(iter(site))][list(NUMBERS)].to_numpy(float)
        order = np.lexsort(true.T[::-1]), np.lexsort(guesses.T[::-1])
        assert guesses[order[1], :5] == pytest.approx(true[order[0]], abs=1e-5)


def test_nothing_is_found_where_every_value_is_shared(tmp_path):
    rows = frames(40)
    assert all(frame["c"].value_counts().min() > 1 for frame in rows.values())
    spec, folder = run(tmp_path, "clear", rows)
    assert found(spec, folder, "server") == {}
