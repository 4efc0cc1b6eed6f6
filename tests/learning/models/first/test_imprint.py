"""The detector of imprint layers: the layer of Fowl et al. is named, usual first models and trained ones are not."""

import numpy as np
import pytest

from potluck.core.seeded import generator
from potluck.learning.models import layers
from potluck.learning.models.first.imprint import bins_of, imprint_in
from potluck.learning.models.started import started
from support.audits.recorded import LOGISTIC, RELU, plan

pytestmark = pytest.mark.torch
WIDE = 8  # five numbers and three values of a category


def fowl(units, jitter=0.0):
    """Units that measure the mean of a row from thresholds in equal steps, in mixed order: arXiv 2110.13057."""
    draw = generator(1)
    weights = np.full((units, WIDE), 1 / WIDE) + jitter * draw.normal(size=(units, WIDE))
    return weights * draw.uniform(1, 2, (units, 1)), -draw.permutation(np.linspace(-1, 1, units))


def vector(spec, weights, bias):
    return np.concatenate([weights.T.ravel(), bias, np.full(len(bias), 0.1), np.zeros(1)])


def test_units_of_one_direction_are_found_in_the_order_in_which_rows_reach_them():
    weights, bias = fowl(16)
    usual = generator(2).uniform(-1, 1, (8, WIDE))
    (found,) = bins_of(np.vstack([usual, weights, np.zeros((2, WIDE))]), np.concatenate([np.zeros(8), bias, [1, 2]]))
    begins = -bias / np.linalg.norm(weights, axis=1)
    assert list(found) == list(8 + np.argsort(begins))


@pytest.mark.parametrize(("units", "jitter", "named"), [(16, 0.0, True), (16, 1e-5, True), (3, 0.0, False)])
def test_a_plan_that_begins_as_an_imprint_is_named(units, jitter, named):
    spec = plan(model=RELU).spec
    weights, bias = fowl(units, jitter)
    weights = np.vstack([weights, generator(3).normal(size=(16 - units, WIDE))])
    bias = np.concatenate([bias, np.zeros(16 - units)])
    said = imprint_in(started(spec, vector(spec, weights, bias).tobytes()))
    assert (said is not None) is named
    if said:
        assert said.startswith("16 of the 16 units of the model's first layer measure one direction")


@pytest.mark.parametrize("model", [RELU, LOGISTIC, {"kind": "network", "layers": [4096], "seed": 7}])
def test_no_usual_first_model_is_named(model):
    assert imprint_in(plan(model=model).spec) is None


def test_units_alike_at_one_threshold_are_no_imprint():
    """As training from small weights may make them: it grades nothing."""
    weights, _ = fowl(16)
    spec = plan(model=RELU).spec
    assert imprint_in(spec, vector(spec, weights, -0.3 * np.linalg.norm(weights, axis=1))) is None
    assert len(layers.initial(0, ((WIDE, 16), (16, 1)))) == len(vector(spec, weights, np.zeros(16)))
