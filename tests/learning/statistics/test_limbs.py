"""Numbers in limbs: nothing is lost of one, and of a sum on a grid only what is below the last limb's step."""

from fractions import Fraction

import numpy as np
import pytest

from potluck.learning.statistics.limbs import BITS, finer, joined, limbs

DRAW = np.random.default_rng(3)
NUMBERS = DRAW.uniform(-1, 1, 200) * 2.0 ** DRAW.integers(-40, 1, 200)


@pytest.mark.parametrize("count", [1, 3, 8])
def test_limbs_are_the_number_and_within_their_bounds(count):
    made = limbs(NUMBERS, count)
    assert made.shape == (200, count)
    assert (np.abs(made) <= 1).all()
    assert (np.abs(made[:, 0]) <= np.abs(NUMBERS)).all()
    weights = [Fraction(1, 2 ** (BITS * place)) for place in range(count)]
    for number, each in zip(NUMBERS, made, strict=True):
        assert sum(map(lambda one, weight: Fraction(one) * weight, each.tolist(), weights)) == Fraction(number)


@pytest.mark.parametrize("step", [2.0**-16, 2.0**-31, 2.0**-48])
def test_a_grid_cuts_off_a_sum_of_them_only_below_its_step_by_how_much_finer_they_are(step):
    cut = np.trunc(limbs(NUMBERS, 3) / step).sum(axis=0) * step
    exact = float(sum(map(Fraction, NUMBERS.tolist())))
    assert abs(joined(cut) - exact) <= 200 * step / finer(3) + 2.0**-50
