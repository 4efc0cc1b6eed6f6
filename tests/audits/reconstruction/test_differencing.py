"""A row that came between two runs of exact sums comes out of their difference; with noise it does not."""

import pandas as pd
import pytest

import potluck
from potluck.audits.reconstruction.differencing import DIFFERENCING
from support.audits.recorded import LOGISTIC, RELU, frames, plan


@pytest.fixture(autouse=True)
def alone(only):
    only(DIFFERENCING)


def two(tmp_path, spec, one_more):
    """Two runs: 40 rows a site, and one more at b. one_more: which of the runs has it."""
    rows = frames(40)
    fuller = rows | {"b": pd.concat([rows["b"], frames(1, seed=9)["b"]], ignore_index=True)}
    runs = [rows, rows]
    runs[one_more] = fuller
    for number, some in enumerate(runs):
        potluck.run(spec, some, out=tmp_path / str(number), record=True)
    found = potluck.attack(tmp_path / "1", "server", data=runs[1], before=tmp_path / "0")
    return [one for one in found.results if one.name == "differencing"]


OTHERS = [pytest.param("gradient", one, marks=pytest.mark.slow) for one in (LOGISTIC, RELU)]


@pytest.mark.parametrize(("method", "model"), [("newton", LOGISTIC), *OTHERS])
def test_a_row_that_came_is_found_under_masks(tmp_path, method, model):
    (it,) = two(tmp_path, plan("mask", model | {"l2": 1.0}, method=method, rate=1.0, rounds=2), 1)
    assert it.of == ("a", "b", "c")
    assert it.verdict.succeeded
    assert it.verdict.score == 1 / 121
    assert "1 of 121 rows" in it.verdict.words
    assert it.control


@pytest.mark.slow
def test_a_row_that_went_is_found_and_not_compared_with_those_that_are_left(tmp_path):
    (it,) = two(tmp_path, plan("mask", LOGISTIC), 0)
    assert it.verdict.succeeded
    assert it.verdict.score is None


@pytest.mark.slow
@pytest.mark.usefixtures("repeatable")
def test_with_noise_nothing_is_found(tmp_path):
    noise = {"noise": "shared", "unit": "row", "epsilon": 8.0, "delta": 1e-5, "clip": 1.0}
    (it,) = two(tmp_path, plan("mask", privacy=noise, expected_rows=120), 1)
    assert it.verdict.succeeded is False
    assert it.control


def test_without_an_earlier_run_it_is_not_tried(masked):
    (it,) = [one for one in potluck.attack(masked[0], data=masked[2]).results if one.name == "differencing"]
    assert not it.tried
    assert "--before" in it.verdict.words
