"""What is forecast of an evaluation is what noise then leaves open."""

import numpy as np
import pytest

from potluck.learning.evaluation.finished.foreseen import foreseen
from potluck.learning.evaluation.finished.two_sides import of_counts
from support.learning.judged import NOISE, finished, plan


def made_up(rows, rng):
    """Cells of a model that is right, whose area is .8."""
    apart = np.sqrt(2) * 0.8416212335729143
    sides = np.arange(rows) % 2
    odds = rng.normal((sides - 0.5) * apart**2, apart)
    cells = np.zeros((2, 20))
    np.add.at(cells, (sides, np.minimum((20 / (1 + np.exp(-odds))).astype(int), 19)), 1)
    return cells


@pytest.mark.parametrize("rows", [2_000, 20_000])
def test_a_forecast_is_what_noised_sums_then_say(tmp_path, rows):
    spec = plan(tmp_path, [finished()], word="mask", privacy=NOISE).spec
    ahead = foreseen(spec, {"scores 1": 3.731}, rows).noise["auc"]
    rng = np.random.default_rng(0)
    areas = [of_counts((made_up(rows, rng) + rng.normal(0, 3.731, (2, 20)))[None], 3.731, ("",)) for _ in range(9)]
    halves = [np.diff(one.measures["auc"].noise)[0] / 2 for one in areas]
    assert ahead == pytest.approx(np.median(halves), rel=0.25)


@pytest.mark.slow
@pytest.mark.torch
@pytest.mark.parametrize(("kind", "told"), [("linear", {"r2", "rmse"}), ("classes", {"accuracy"}), ("labels", {"auc"})])
def test_other_targets_have_forecasts_too(tmp_path, kind, told):
    spec = plan(tmp_path, [finished(kind)], word="mask", privacy=NOISE).spec
    names = [f"{part} 1" for part in ("scores", "classes", "sums", "binned")]
    far, near = (foreseen(spec, dict.fromkeys(names, std), 5_000) for std in (8.0, 1.0))
    assert told <= set(near.noise)
    assert all(near.noise[one] < (far.noise[one] or np.inf) for one in told)
