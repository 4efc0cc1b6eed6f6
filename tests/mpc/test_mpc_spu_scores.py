"""`logistic_scores`: right to 2^-13 wherever the inputs keep their bounds, and whatever does not keep them is said."""

import numpy as np
import pytest
from mpc_spu_rig import compiled, ran, ring, ring_words

from potluck.core.rounds import Abort
from potluck.engines.worker import Worker
from potluck.mpc.spu import Spu, Value

NEAR = 2.0**-13


@pytest.fixture(scope="module", params=["ABY3", "CHEETAH"])
def protocol(request, mpc_engine):
    """A protocol and its linked engines."""
    with ring(request.param) as engines:
        yield request.param, engines


def scored(protocol, x, weights, bound, weight):
    """Opened scores and faults."""
    name, engines = protocol
    numbers = {"rows": len(x), "columns": len(weights), "bound": bound, "weight": weight}
    programs = compiled(engines, name, "logistic_scores", numbers)
    shares = [engines[0].share_reals(name, x, bound), engines[0].share_reals(name, weights, weight)]
    scores, faults = ran(engines, programs, shares)
    gives = programs[0].gives
    return engines[1].open_reals(name, gives[0], scores), engines[1].open_words(name, gives[1], faults).tolist()


def plain(x, weights):
    return 1 / (1 + np.exp(-np.clip(x @ weights, -15, 15)))


@pytest.mark.slow
def test_scores_are_those_of_plain_numbers(protocol):
    rng, rows = np.random.default_rng(1), 1000 if protocol[0] == "ABY3" else 200
    x, weights = rng.uniform(-4, 4, (rows, 30)), rng.uniform(-2, 2, 30)
    scores, faults = scored(protocol, x, weights, 4, 2)
    assert faults == [0]
    assert np.abs(scores - plain(x, weights)).max() < NEAR


def test_far_from_zero_they_are_0_or_1_and_nothing_else(protocol):
    """Without the clip the library gives 1 for a score of -256."""
    x = np.array([[-4096.0], [-256.0], [-16.0], [-15.0], [15.0], [256.0], [4096.0]])
    scores, faults = scored(protocol, x, np.array([1.0]), 4096, 1)
    assert faults == [0]
    assert np.abs(scores - (x[:, 0] > 0)).max() < NEAR


def test_products_at_the_edge_of_the_range_are_still_right(protocol):
    x = np.array([[8000.0, -8000.0], [8000.0, 8000.0], [-8000.0, -8000.0], [0.001, 0]])
    scores, faults = scored(protocol, x, np.array([4000.0, 4000.0]), 8000, 4000)
    assert faults == [0]
    assert np.abs(scores - plain(x, np.array([4000.0, 4000.0])))[:3].max() < NEAR


@pytest.mark.slow
def test_an_owner_cannot_share_a_value_beyond_its_bound(protocol):
    spare = Spu(Worker("mpc"))
    for value in (4.001, -4.001, np.nan, np.inf):
        with pytest.raises(Abort, match="an element is no number, or beyond its bound"):
            spare.share_reals(protocol[0], np.array([0.0, value]), 4)
    spare.close()


def test_a_lying_owner_whose_elements_would_overflow_is_found_out(protocol):
    """It shares ring elements of its own choice as if they were real numbers."""
    name, engines = protocol
    numbers = {"rows": 6, "columns": 1, "bound": 4, "weight": 1}
    programs = compiled(engines, name, "logistic_scores", numbers)
    edge = 4 << 18
    chosen = [edge, -edge, edge + 1, -edge - 1, 2**63 - 1, -(2**63)]
    shares = [engines[0].share_words(name, ring_words(chosen)), engines[0].share_reals(name, np.array([1.0]), 1)]
    _, faults = ran(engines, programs, shares)
    assert engines[0].open_words(name, programs[0].gives[1], faults).tolist() == [4]
    heavy = engines[0].share_words(name, ring_words([(1 << 18) + 1]))
    _, faults = ran(engines, programs, [engines[0].share_reals(name, np.zeros((6, 1)), 4), heavy])
    assert engines[0].open_words(name, programs[0].gives[1], faults).tolist() == [1]


@pytest.mark.parametrize(
    "numbers", [{"columns": 64, "bound": 1024, "weight": 1024}, {"columns": 1, "bound": 2**13, "weight": 2**13}]
)
def test_a_product_range_that_could_overflow_is_refused_before_anything_runs(protocol, numbers):
    spare = Spu(Worker("mpc"))
    with pytest.raises(Abort, match="products would overflow"):
        spare.compile(protocol[0], "logistic_scores", {"rows": 1, **numbers})
    spare.close()


def test_a_value_says_how_long_its_shares_are():
    assert Value("fixed", (3, 5)).share_bytes("ABY3") == 240
    assert Value("integer", (7,)).share_bytes("CHEETAH") == 56
