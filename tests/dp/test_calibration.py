"""From epsilon to noise: for every combination what is added keeps the promise, and no more than that by a hundredth.

The oracle is dp-accounting, asked with what leaves the sites: shares in whole steps, how far one unit moves a sum in
the same steps, and how many sums there are. Nothing of the project's own accountant is used.
"""

import math
from itertools import product

import dp_accounting
import numpy as np
import pytest
from dp_accounting.pld import PLDAccountant
from dp_accounting.rdp import RdpAccountant

from potluck.core.plan import Data, Federation, Model, PrivacyPlan, Protect, Split, Target, Training
from potluck.dp.mechanism import mechanism, noise_of
from potluck.learning.loops import build
from support.learning.sums import category, make, number

SITES, CORRUPT, DROPOUTS = 6, 2, 1
SURE = {"shared": SITES - DROPOUTS - CORRUPT, "site": 1, "reveal": 1}
DELTA, ROWS, CLIP = 1e-5, 6000, 0.7
ORDERS = 1 + np.exp(np.linspace(-5, 8, 4000))
METRICS, OF_DELTA = 0.25, 0.1
"""What metrics take of epsilon in these plans, and of delta by rule."""
RELATION = dp_accounting.NeighboringRelation.ADD_OR_REMOVE_ONE


def plan(noise, unit, epsilon, batch=None, rounds=20, redo=2, method="gradient", **training):
    columns = {"who": number(0, 1e4), "x": number(-3, 3), "z": number(-3, 3), "y": category("0", "1")}
    more = {} if unit == "row" else {"evaluation": METRICS * epsilon}
    return make(
        federation=Federation(sites=tuple("abcdef"), corrupt=CORRUPT, dropouts=DROPOUTS, server="curious"),
        data=Data(columns=columns, person="who", target=Target(column="y", positive=("1",)), split=Split(test=0.2)),
        protect=Protect(scheme="mask"),
        privacy=PrivacyPlan(noise=noise, unit=unit, epsilon=epsilon, delta=DELTA, clip=CLIP, redo=redo, **more),
        model=Model(kind="logistic"),
        training=Training(method=method, rounds=rounds, batch=batch, expected_rows=ROWS, **training),
    )


def kept(spec, count=None, ask=None):
    """(what all sums cost, by dp-accounting and the noise of honest shares alone; what they may cost)."""
    bound = noise_of(mechanism(spec, ask or next(build(spec).lead())))
    sure = SURE[spec.privacy.noise]
    moved = [limit / part.step for limit, part in zip(bound.limit.l2, bound.grid.parts, strict=True)]
    sigma = [math.sqrt(sure) * share for share in bound.share]
    ratios = np.array(sigma) / np.array(moved)
    count = count or (spec.training.rounds + spec.privacy.redo) * (spec.training.steps or 1)
    apart = spec.privacy.unit != "row"
    delta = DELTA * (1 - OF_DELTA) if apart else DELTA
    allowed = spec.privacy.epsilon * (1 - METRICS) if apart else spec.privacy.epsilon
    if spec.training.batch is None:
        ratio = 1 / math.sqrt(np.sum(1 / ratios**2))
        # A Gaussian's divergences are those of the discrete one, and of a sum of them, at most (to 1e-66).
        accountant = RdpAccountant(ORDERS, RELATION).compose(dp_accounting.GaussianDpEvent(ratio), count)
    else:
        ratio = math.sqrt(sigma[0] ** 2 - 4) / moved[0]
        rate = spec.training.batch * (SITES if spec.training.method == "average" else 1) / ROWS
        event = dp_accounting.PoissonSampledDpEvent(rate, dp_accounting.GaussianDpEvent(ratio))
        accountant = PLDAccountant(RELATION).compose(event, count)
    return accountant.get_epsilon(delta), allowed


WHERE = [("shared", "row"), ("site", "row"), ("reveal", "row"), ("shared", "person"), ("site", "site")]


@pytest.mark.parametrize(("noise", "unit"), WHERE)
@pytest.mark.parametrize("epsilon", [0.1, 1.0, 8.0])
def test_all_units_in_every_round(noise, unit, epsilon):
    spent, allowed = kept(plan(noise, unit, epsilon))
    assert 0.99 * allowed <= spent <= allowed * (1 + 1e-6)


@pytest.mark.parametrize("unit", ["row", "person"])
def test_units_of_numbers_in_the_first_round_and_gradients_in_them_after_it(unit):
    spec = plan("shared", unit, 1.0, standardize=True)
    for ask in (next(build(spec).lead()), build(spec).usual):
        spent, allowed = kept(spec, ask=ask)
        assert 0.99 * allowed <= spent <= allowed * (1 + 1e-6)


@pytest.mark.parametrize("epsilon", [0.1, 8.0])
def test_a_site_that_steps_by_itself_and_is_hidden_whole(epsilon):
    spent, allowed = kept(plan("shared", "site", epsilon, method="average"))
    assert 0.99 * allowed <= spent <= allowed * (1 + 1e-6)


@pytest.mark.parametrize("unit", ["row", "person"])
@pytest.mark.parametrize("batch", [None, pytest.param(50, marks=pytest.mark.slow)])
def test_steps_of_sites_own(unit, batch):
    spent, allowed = kept(plan("site", unit, 1.0, batch, 5, method="average", steps=4))
    assert 0.99 * allowed <= spent <= allowed * (1 + 1e-3)


DRAWN = [
    ("shared", "row", 1.0, 300, 100),
    *(
        pytest.param(*case, marks=pytest.mark.slow)
        for case in product(("shared", "site"), ("row", "person"), (0.3, 8.0), (60, 600), (30,))
    ),
]


@pytest.mark.parametrize(("noise", "unit", "epsilon", "batch", "rounds"), DRAWN)
def test_units_that_are_drawn(noise, unit, epsilon, batch, rounds):
    spent, allowed = kept(plan(noise, unit, epsilon, batch, rounds))
    assert 0.99 * allowed <= spent <= allowed * (1 + 1e-3)  # grids of losses differ


def test_the_control_noise_for_fewer_sums_or_for_more_honest_shares_is_too_little():
    """What the tests above would say of a calibration that forgot sums that are run again, or who colludes."""
    spent, allowed = kept(plan("shared", "row", 1.0, redo=0), count=22)
    assert spent > 1.04 * allowed
    assert SURE["shared"] == 3
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(SURE, "shared", 2)
        spent, allowed = kept(plan("shared", "row", 1.0))
    assert spent > 1.2 * allowed
