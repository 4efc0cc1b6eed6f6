"""A simulation of a plan's own sites is the plan's run; its cohorts, noise and epsilon are what they are said to be."""

from dataclasses import replace
from importlib.util import find_spec
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats

from potluck.core.asks import Ask, Block, Kind
from potluck.core.errors import UsageError
from potluck.core.fixed import decode
from potluck.core.plan import Model, PrivacyPlan, Training
from potluck.core.rounds import Abort, Cause
from potluck.core.seeded import generator
from potluck.dp.account import spent
from potluck.dp.mechanism import Noised, mechanism
from potluck.dp.noise import LARGEST
from potluck.simulation.rounds import Rounds, peopled
from potluck.simulation.wanted import Wanted
from potluck.simulation.ways import Way, at_reveal, on_grid, way_of
from support.learning.sums import heart, hospitals, replaced
from support.simulation.scene import cohorts, run_by_hand, simulated

if find_spec("torch") is None:
    pytest.skip("the networks extra is missing", allow_module_level=True)

from potluck.learning.data.table import read
from support.graph import trained as drawn

pytestmark = pytest.mark.torch
LOGISTIC = Model(kind="logistic")
LAYERS = Model(kind="network", layers=(4,))
RUNS = {
    "newton": (LOGISTIC, Training(method="newton", rounds=3), Way.ROWS),
    "gradient": (LOGISTIC, Training(method="gradient", rounds=3), Way.ROWS),
    "layers": (LAYERS, Training(method="gradient", rounds=3, rate=0.1), Way.ROWS),
    "average": (LOGISTIC, Training(method="average", rounds=3), Way.STACKED),
    "average of layers": (LAYERS, Training(method="average", rounds=3, local="prox", mu=0.1), Way.STACKED),
    "scaffold": (LOGISTIC, Training(method="average", rounds=3, local="scaffold", steps=4), Way.ALONE),
}


FAST = ("gradient", "average")


@pytest.mark.parametrize("name", [pytest.param(one, marks=[pytest.mark.slow] * (one not in FAST)) for one in RUNS])
def test_a_simulation_of_the_plans_own_sites_is_its_run(name):
    model, training, way = RUNS[name]
    spec = heart(model=model, training=training)
    tables = hospitals(spec)
    found, wanted = simulated(spec, tables).trained.model.weights, run_by_hand(spec, tables).weights
    assert way_of(spec)[0] is way
    assert np.abs(wanted).max() > 0.05
    assert np.abs(found - wanted).max() < 1e-6
    if name in ("gradient", "scaffold"):
        assert np.array_equal(found, wanted)  # the same words on the same grid


@pytest.mark.parametrize("drop", [0.0, pytest.param(0.5, marks=pytest.mark.slow)])
def test_a_graph_is_trained_as_in_its_run(drop, tmp_path):
    graph = drawn.made(drawn.mlp(1, drop=drop), tmp_path / "net.graph")
    plan = drawn.plan(graph, training={"rounds": 3})
    tables = {name: read(frame, plan.spec, name) for name, frame in drawn.frames().items()}
    found, wanted = simulated(plan.spec, tables).trained.model, run_by_hand(plan.spec, tables)
    assert (way_of(plan.spec)[0] is Way.ALONE) == bool(drop)
    for name, array in wanted.graph.network.tensors.items():
        assert np.abs(found.graph.network.tensors[name] - array).max() < 1e-6
    assert (found.simulated, wanted.simulated) == (True, False)


@pytest.mark.parametrize("method", ["average", pytest.param("gradient", marks=pytest.mark.slow)])
def test_how_many_processes_there_are_changes_no_bit_and_the_seed_does(method):
    spec = heart(training=Training(method=method, rounds=3))
    tables = hospitals(spec)
    asked = {"split": "dirichlet:0.3", "sites": 30, "cohort": 12}
    one, two, other = (simulated(spec, tables, **asked, **more) for more in ({}, {"processes": 2}, {"seed": 1}))
    weights = [found.trained.model.weights for found in (one, two, other)]
    assert np.array_equal(weights[0], weights[1])
    assert not np.array_equal(weights[0], weights[2])


def rounds_of(spec, tables, **wanted):
    asked = Wanted(**{"split": "even", **wanted})
    made = cohorts(spec, tables, asked)
    sites = len(made.clients)
    noise = peopled(made.plan, asked.noise_of(asked.cohort_of(sites)))
    return Rounds(made, asked, noise, pool=None, most=None, progress=lambda ask: None)


def test_cohorts_are_drawn_evenly_and_without_replacement():
    """200 draws of 10 of 40 clients: a client is in one with the chance 1/4, so about 50 times; refused once in 1e6."""
    spec = heart(training=Training(method="average", rounds=200))
    rounds = rounds_of(spec, hospitals(spec), sites=40, cohort=10)
    drawn_ = [rounds._cohort(step) for step in range(200)]
    assert all(len(np.unique(one)) == 10 for one in drawn_)
    assert len({tuple(one) for one in drawn_}) > 190
    counts = np.bincount(np.concatenate(drawn_), minlength=40)
    # Var of a count is 200 p (1 - p), and counts add up to a constant: chi-square with 39 degrees over (1 - p) 40/39.
    statistic = ((counts - 50) ** 2).sum() / (200 * 0.25 * 0.75) * 39 / 40
    assert 5e-7 < stats.chi2(39).sf(statistic) < 1 - 5e-7


NOISES = {
    "site": {"noise": "site", "unit": "site"},
    "shared": {"noise": "shared", "unit": "site"},
    "reveal": {"noise": "reveal", "unit": "row"},
}


def wide(spec, size=20_000):
    return Ask(Kind.TRAIN, 0, (Block("delta", size, 1.0, 1.0, 1000),), b"")


@pytest.mark.parametrize("name", ["shared", *(pytest.param(one, marks=pytest.mark.slow) for one in ("site", "reveal"))])
def test_a_sum_has_the_noise_of_a_real_round_with_as_many_clients(name):
    """What a real round of 25 sites owes, from `mechanism` at each site; the ratio of two variances of 20,000 numbers
    each is within 5 % but once in 1e6."""
    privacy = PrivacyPlan(epsilon=2.0, delta=1e-5, clip=1.0, **NOISES[name])
    training = Training(method="average" if name != "reveal" else "gradient", rounds=3, expected_rows=500)
    spec = heart(privacy=privacy, training=training)
    rounds = rounds_of(spec, hospitals(spec), sites=50, cohort=25)
    real = mechanism(peopled(spec, 25), wide(spec))
    made = rounds._privacy(wide(spec))
    assert isinstance(real, Noised)
    assert isinstance(made, Noised)
    givers = 1 if name == "reveal" else 25
    expected = real.real(real.share)[0] * np.sqrt(givers)
    answer = rounds._answer(wide(spec), made, np.zeros(20_000, dtype=f"<u{made.grid.bits // 8}"), 25)
    values = answer.part("delta").values
    assert answer.part("delta").std.max() == pytest.approx(expected, rel=1e-9)
    assert abs(values.std() / expected - 1) < 0.025
    again = rounds._answer(wide(spec), made, np.zeros(20_000, dtype=f"<u{made.grid.bits // 8}"), 25)
    assert np.array_equal(values, again.part("delta").values)  # it is drawn from the public seed


def test_noise_that_is_too_large_to_be_drawn_at_once_is_drawn_in_pieces():
    """Shares of few sites are each within what can be drawn, and all of them together are not."""
    privacy = PrivacyPlan(noise="shared", unit="row", epsilon=2.0, delta=1e-5, clip=1.0)
    spec = heart(privacy=privacy, training=Training(method="gradient", rounds=3, expected_rows=500))
    rounds = rounds_of(spec, hospitals(spec), sites=3)
    made = rounds._privacy(wide(spec))
    assert isinstance(made, Noised)
    made = replace(made, grid=replace(made.grid, bits=64), share=(1.6 * LARGEST,))
    answer = rounds._answer(wide(spec), made, np.zeros(20_000, dtype="<u8"), 3)
    expected = made.real(made.share)[0]
    assert answer.part("delta").std.max() == pytest.approx(expected, rel=1e-9)
    assert abs(answer.part("delta").values.std() / expected - 1) < 0.025


def test_a_noise_cohort_makes_the_mean_as_noisy_as_a_large_round_does():
    privacy = PrivacyPlan(noise="shared", unit="site", epsilon=2.0, delta=1e-5, clip=1.0)
    spec = heart(privacy=privacy, training=Training(method="average", rounds=3))
    tables = hospitals(spec)
    small = rounds_of(spec, tables, sites=50, cohort=10, noise_cohort=1000)._privacy(wide(spec))
    large = mechanism(peopled(spec, 1000), wide(spec))
    assert isinstance(small, Noised)
    assert isinstance(large, Noised)
    mean = large.real(large.share)[0] * np.sqrt(1000) / 1000
    assert small.real(small.share)[0] / 10 == pytest.approx(mean, rel=1e-9)
    assert small.cost == large.cost  # and it costs as much


def test_the_mean_of_clipped_changes_is_over_the_cohort_alone():
    """With the noise of so many clients that little is left, at a clip that nobody reaches: to the step of the grid."""
    privacy = PrivacyPlan(noise="shared", unit="site", epsilon=20.0, delta=1e-2, clip=50.0)
    spec = heart(privacy=privacy, training=Training(method="average", rounds=1, batch=500))
    asked = {"split": "even", "sites": 40, "cohort": 8, "noise_cohort": 10**5}
    found = simulated(spec, hospitals(spec), **asked)
    rounds = rounds_of(spec, hospitals(spec), **asked)
    method, start = rounds.cohorts.task._method, rounds.cohorts.task._method.initial()
    tables = [rounds.cohorts.pooled.some(rounds.cohorts.clients[one], "") for one in rounds._cohort(0)]
    each = [next(method.contribute(start, 0, table, None)).values[0] for table in tables]
    assert np.abs(np.mean(each, axis=0)).max() > 0.1
    assert np.abs(found.trained.model.weights - start - np.mean(each, axis=0)).max() < 2e-3


@pytest.mark.slow
def test_steps_along_noised_sums_are_taken_client_by_client():
    privacy = PrivacyPlan(noise="site", unit="row", epsilon=5.0, delta=1e-5, clip=1.0)
    training = Training(method="average", rounds=2, steps=2, expected_rows=500, batch=None, epochs=1)
    spec = heart(privacy=privacy, training=training)
    assert way_of(spec)[0] is Way.ALONE
    found = simulated(spec, hospitals(spec), split="even", sites=5)
    assert found.rounds[-1].epsilon == pytest.approx(5.0, rel=0.01)
    assert np.isfinite(found.trained.model.weights).all()


def test_epsilon_is_what_the_plan_costs_in_reality():
    privacy = PrivacyPlan(noise="shared", unit="site", epsilon=2.0, delta=1e-5, clip=1.0)
    spec = heart(privacy=privacy, training=Training(method="average", rounds=4))
    found = simulated(spec, hospitals(spec), split="even", sites=12, cohort=10)
    real = mechanism(peopled(spec, 10), Ask(Kind.TRAIN, 0, (Block("delta", 19, 1.0, 1.0, 10),), b""))
    assert isinstance(real, Noised)
    assert [one.epsilon for one in found.rounds] == pytest.approx([spent([real.cost] * n, 1e-5) for n in (1, 2, 3, 4)])
    assert 1.9 < found.rounds[-1].epsilon <= 2.0
    assert all(one.epsilon is None for one in simulated(heart(training=spec.training), hospitals(spec)).rounds)


def test_rows_and_persons_of_simulated_clients_are_clipped_as_in_a_run():
    """Noise is set aside: the words of many clients' rows, over their rows, are those of each client by itself."""
    privacy = PrivacyPlan(noise="reveal", unit="row", epsilon=1.0, delta=1e-5, clip=0.3)
    spec = heart(privacy=privacy, training=Training(method="gradient", rounds=2, expected_rows=500))
    made = cohorts(spec, hospitals(spec), Wanted(split="even", sites=20))
    ask = next(made.task.lead())
    real = at_reveal(mechanism(made.plan, ask))
    together = made.added(ask, real, np.arange(20), lambda count: bytes(count))
    each = [made.added(ask, real, np.array([one]), lambda count: bytes(count)) for one in range(20)]
    assert np.array_equal(together, np.sum(each, axis=0, dtype=together.dtype))
    assert together.any()


@pytest.mark.slow
def test_a_networks_rows_are_clipped_in_slots_as_in_a_run():
    """Each client by itself, or all of them in one round of slots: but for the grid's steps the same sum."""
    privacy = PrivacyPlan(noise="shared", unit="row", epsilon=3.0, delta=1e-5, clip=0.5)
    training = Training(method="gradient", rounds=2, rate=0.1, expected_rows=500)
    spec = heart(privacy=privacy, model=LAYERS, training=training)
    made = cohorts(spec, hospitals(spec), Wanted(split="even", sites=8))
    ask = next(made.task.lead())
    real = at_reveal(mechanism(made.plan, ask))
    coins = generator(0, "test").bytes
    together = decode(made.added(ask, real, np.arange(8), coins), real.grid)
    each = sum(decode(made.added(ask, real, np.array([one]), coins), real.grid) for one in range(8))
    assert np.abs(each).max() > 1
    assert np.abs(together - each).max() < 1e-9


def test_what_sites_keep_between_rounds_needs_all_of_them():
    with pytest.raises(UsageError, match="a cohort of 9 of 4"):
        Wanted(cohort=9).cohort_of(4)
    with pytest.raises(UsageError, match="below the cohort"):
        Wanted(noise_cohort=3).noise_of(4)
    for wrong in ({"sites": 1}, {"cohort": 0}, {"every": 0}, {"processes": 0}, {"memory": 0}):
        with pytest.raises(UsageError, match="has to be at least"):
            Wanted(**wrong)


def test_a_sum_beyond_its_grid_is_no_answer():
    spec = heart(training=Training(method="average", rounds=1))
    grid = mechanism(spec, wide(spec, 3)).grid
    assert on_grid(np.array([0.5, -0.25, 0.0]), grid).astype(np.int64).tolist() != [0, 0, 0]
    for value in (np.nan, np.inf, 2 * grid.parts[0].high):
        with pytest.raises(Abort) as stopped:
            on_grid(np.array([0.0, value, 0.0]), grid)
        assert stopped.value.cause is Cause.RANGE


def test_looks_at_held_out_rows_are_exact_and_as_often_as_asked():
    spec = heart(training=Training(method="gradient", rounds=5))
    found = simulated(spec, hospitals(spec), split="even", sites=20, every=2)
    assert [one.round for one in found.rounds if one.metrics is not None] == [2, 4, 5]
    assert found.metrics.rows == sum(int(table.test.sum()) for table in hospitals(spec).values())
    assert found.rounds[-1].loss < found.rounds[1].loss < np.log(2)
    bare = heart(data=replaced(heart().data, split=None), training=spec.training)
    assert all(one.metrics is None for one in simulated(bare, hospitals(bare)).rounds)


def test_seconds_of_a_round_are_of_training_and_not_of_looks(monkeypatch):
    """By a clock that only looks let go on."""
    clock = [0.0]
    monkeypatch.setattr("potluck.simulation.rounds.time", SimpleNamespace(perf_counter=lambda: clock[0]))
    look = Rounds.seen

    def slow(self, found):
        clock[0] += 100.0
        look(self, found)

    monkeypatch.setattr(Rounds, "seen", slow)
    spec = heart(training=Training(method="gradient", rounds=3))
    found = simulated(spec, hospitals(spec))
    assert clock[0] == 300.0
    assert [one.seconds for one in found.rounds] == [0.0, 0.0, 0.0]
