"""Sites trained side by side add what each adds by itself, through the code of a run."""

from importlib.util import find_spec
from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from potluck.core.plan import Model, PrivacyPlan, Training
from potluck.core.rounds import Abort, Cause
from potluck.learning.data.table import read
from potluck.learning.loops import TrainTask
from potluck.learning.models.form import Batch
from potluck.secret.random import system
from potluck.simulation import stacked
from potluck.simulation.graph_models import Moved
from potluck.simulation.stacked import Stacked, obstacle
from potluck.simulation.stride import strides
from potluck.simulation.wanted import Wanted
from potluck.simulation.ways import parts_of
from support.learning.sums import heart, hospitals
from support.simulation.scene import cohorts

if find_spec("torch") is None:
    pytest.skip("the networks extra is missing", allow_module_level=True)

from support.graph import trained as drawn

pytestmark = pytest.mark.torch
KINDS = {"logistic": Model(kind="logistic", l2=2.0), "layers": Model(kind="network", l2=2.0, layers=(5,))}
HOW = {
    "epochs": {"batch": 16, "epochs": 2},
    "prox": {"batch": 7, "local": "prox", "mu": 0.5},
    "steps": {"batch": 9, "steps": 5},
    "expected": {"batch": 500, "expected_rows": 400, "class_weights": {"positive": 3.0}},
}
CLIPPED = PrivacyPlan(noise="shared", unit="site", epsilon=1.0, delta=1e-5, clip=0.05)


def method_of(spec):
    return TrainTask(spec, evaluated=False)._method


def side_by_side(spec, tables, weights, step=1):
    x = np.vstack([table.features[table.train] for table in tables.values()])
    y = np.concatenate([table.target[table.train] for table in tables.values()])
    ends = np.cumsum([0, *(int(table.train.sum()) for table in tables.values())])
    rows = [np.arange(start, stop) for start, stop in pairwise(ends)]
    return Stacked(method_of(spec)).added(weights, step, rows, x, y)


def one_by_one(spec, tables, weights, step=1):
    method = method_of(spec)
    return sum(next(method.contribute(weights, step, table, system)).values[0] for table in tables.values())


FAST = [("logistic", "epochs"), ("layers", "expected")]
REST = [pair for pair in product(KINDS, HOW) if pair not in FAST]


@pytest.mark.parametrize(("kind", "how"), [*FAST, *(pytest.param(*pair, marks=pytest.mark.slow) for pair in REST)])
def test_hospitals_of_all_sizes_add_what_each_adds_by_itself(kind, how):
    spec = heart(model=KINDS[kind], training=Training(method="average", rounds=2, rate=0.3, **HOW[how]))
    tables = hospitals(spec)
    assert obstacle(spec) == ""
    weights = np.random.default_rng(0).normal(0, 0.2, len(method_of(spec).initial()))
    found, wanted = side_by_side(spec, tables, weights), one_by_one(spec, tables, weights)
    assert np.abs(wanted[:-2]).max() > 1
    assert np.abs(found - wanted).max() < 1e-10


@pytest.fixture(scope="module")
def graph(tmp_path_factory):
    return drawn.made(drawn.mlp(3), tmp_path_factory.mktemp("graphs") / "net.graph")


def test_a_graph_in_float32_agrees_to_its_digits(graph):
    plan = drawn.plan(graph, "classes", training={"batch": 7, "epochs": 2})
    tables = {name: read(frame, plan.spec, name) for name, frame in drawn.frames(kind="classes").items()}
    weights = method_of(plan.spec).initial() + 1e-9  # not a number of the graph's type
    found, wanted = side_by_side(plan.spec, tables, weights), one_by_one(plan.spec, tables, weights)
    rows = wanted[len(weights) :].sum()
    assert np.abs(wanted / rows).max() > 1e-3
    assert np.abs((found - wanted) / rows).max() < 1e-6


@pytest.mark.parametrize("privacy", [PrivacyPlan(noise="none"), CLIPPED], ids=["exact", "clipped"])
def test_torch_has_one_thread_for_all_that_it_does(privacy, monkeypatch):
    """A process that was forked has none of torch's others: what is shared out to them would never come back."""
    import torch

    found = []

    def watched(own):
        def call(*given):
            found.append(torch.get_num_threads())
            return own(*given)

        return call

    monkeypatch.setattr(stacked, "descend_all", watched(stacked.descend_all))
    for name in ("furthest", "norms", "total"):
        monkeypatch.setattr(Moved, name, watched(getattr(Moved, name)))
    spec = heart(privacy=privacy, training=Training(method="average", rounds=1, batch=16))
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        side_by_side(spec, hospitals(spec), np.zeros(len(method_of(spec).initial())))
        assert (found, torch.get_num_threads()) == ([1, 1, 1], 2)
    finally:
        torch.set_num_threads(threads)


def test_rows_have_the_type_of_the_graph_that_takes_them(graph):
    plan = drawn.plan(graph, "classes")
    tables = {name: read(frame, plan.spec, name) for name, frame in drawn.frames(kind="classes").items()}
    made = cohorts(plan.spec, tables, Wanted(split="sites"))
    features = made.pooled.train.features
    assert features.dtype == np.float32
    assert np.array_equal(features, np.vstack([one.features[one.train] for one in tables.values()]).astype(np.float32))
    layers = heart(model=KINDS["layers"], training=Training(method="average", rounds=1))
    assert cohorts(layers, hospitals(layers), Wanted(split="sites")).pooled.train.features.dtype == np.float64


@given(st.integers(1, 500), st.integers(1, 90))
def test_parts_of_a_cohort_are_alike_and_each_client_is_in_one(clients, most):
    parts = np.array_split(np.arange(clients), parts_of(clients, most))
    sizes = [len(one) for one in parts]
    assert max(sizes) <= most
    assert max(sizes) - min(sizes) <= 1
    assert min(sizes) > 0
    assert len(parts) == 1 or len(parts) % 2 == 0 or len(parts) == clients


def test_changes_are_clipped_each_by_itself():
    spec = heart(privacy=CLIPPED, training=Training(method="average", rounds=2, batch=16, rate=0.5))
    tables = hospitals(spec)
    weights = np.zeros(len(method_of(spec).initial()))
    each = [next(method_of(spec).contribute(weights, 1, table, system)).values[0] for table in tables.values()]
    norms = np.array([np.linalg.norm(one) for one in each])
    assert (norms > 0.05).all()  # or nothing would be clipped
    wanted = sum(one * 0.05 / norm for one, norm in zip(each, norms, strict=True))
    assert np.abs(side_by_side(spec, tables, weights) - wanted).max() < 1e-12


def test_norms_of_changes_whose_squares_are_beyond_the_graphs_type_are_found():
    import torch

    after = {
        "a": torch.tensor([[3e-3, 0.0], [3e30, 0.0], [float("nan"), 0.0]]),
        "b": torch.tensor([[4e-3], [4e30], [1.0]]),
    }
    moved = Moved(after, {"a": torch.zeros(2), "b": torch.zeros(1)}, np.zeros(3))
    np.testing.assert_allclose(moved.norms(), [5e-3, 5e30, np.nan], rtol=1e-6)
    fewer = Moved({name: one[:1] for name, one in after.items()}, moved.common, moved.weights)
    np.testing.assert_allclose(fewer.norms(), [5e-3], rtol=1e-6)


def test_a_site_without_a_number_counts_as_zero_where_it_is_clipped():
    noise = PrivacyPlan(noise="shared", unit="site", epsilon=1.0, delta=1e-5, clip=100.0)
    training = Training(method="average", rounds=1, batch=500, expected_rows=100)
    spec = heart(privacy=noise, training=training, model=Model(kind="linear"))
    tables = hospitals(heart())
    method = method_of(spec)
    weights = np.zeros(len(method.initial()))
    x, y = tables["va"].features[tables["va"].train], tables["va"].target[tables["va"].train].copy()
    y[0] = np.inf
    rows = [np.arange(len(y)), np.arange(1, len(y))]
    found = Stacked(method).added(weights, 0, rows, x, y)
    assert np.abs(found - Stacked(method).added(weights, 0, rows[1:], x, y)).max() < 1e-12


def test_a_coefficient_beyond_its_range_stops_as_in_a_run():
    spec = heart(training=Training(method="average", rounds=1, batch=500, rate=1e3))
    with pytest.raises(Abort, match=r"beyond training\.range") as stopped:
        side_by_side(spec, hospitals(spec), np.zeros(len(method_of(spec).initial())), step=0)
    assert stopped.value.cause is Cause.RANGE


@pytest.mark.slow
def test_what_cannot_be_taken_side_by_side_is_said(tmp_path):
    def why(**keys):
        return obstacle(heart(**keys))

    assert "sums over rows" in why(training=Training(method="gradient", rounds=1))
    assert "keep weights" in why(training=Training(method="average", rounds=1, local="scaffold", steps=2))
    dropping = drawn.made(drawn.mlp(1, drop=0.5), tmp_path / "drop.graph")
    assert "dropout" in obstacle(drawn.plan(dropping).spec)
    assert obstacle(drawn.plan(drawn.made(drawn.mlp(), tmp_path / "net.graph")).spec) == ""


def test_filling_takes_no_part_in_a_mean():
    batches = [[Batch(np.array([4, 5, 6]), 0), Batch(np.array([7]), 0)], [Batch(np.array([1, 2]), 0)]]
    first, second = strides(batches)
    values = np.arange(8.0) ** 2
    assert np.allclose((values[first.rows] * first.factors).mean(axis=1), [values[4:7].mean(), values[1:3].mean()])
    assert second.rows.tolist() == [[7]]
    assert second.factors is None
    with pytest.raises(ValueError, match="more steps come first"):
        list(strides(batches[::-1]))
