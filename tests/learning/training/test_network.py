"""Small networks: initial weights that anyone can check, and steps that are plain SGD."""

from importlib.util import find_spec

import numpy as np
import pandas as pd
import pytest

from potluck.core.plan import Data, Model, Split, Target, Training
from potluck.core.rounds import Abort, Cause
from potluck.learning.loops import build
from potluck.learning.models import layers
from support.learning.sums import category, frames, heart, hospitals, make, number, replaced, run
from support.learning.tiny import FOLD

pytestmark = [pytest.mark.torch, pytest.mark.skipif(find_spec("torch") is None, reason="the networks extra is missing")]

AVERAGE = Training(method="average", rounds=30, epochs=2, batch=16, rate=0.3)


def net(goal, activation="tanh", **keys):
    columns = {"x": number(-1, 1), "z": number(-1, 1)}
    target = {
        "binary": Target(column="y", positive=("1",)),
        "classes": Target(column="y", classes=("a", "b", "c")),
        "number": Target(column="y"),
    }[goal]
    if goal == "number":
        columns["y"] = number(-1, 1)
    return make(
        **{
            "data": Data(columns=columns, target=target, split=Split(test=0.3)),
            "model": Model(kind="network", layers=(16,), activation=activation, l2=0.01, seed=1),
            "training": AVERAGE,
        }
        | keys
    )


def problem(goal):
    """What no linear model can learn: a product of two features."""
    rng = np.random.default_rng(0)
    x, z = rng.uniform(-1, 1, (2, 400))
    y = {
        "binary": (x * z > 0).astype(int),
        "classes": np.where(x * z > 0.1, "a", np.where(x * z < -0.1, "b", "c")),
        "number": x * z,
    }[goal]
    frame = pd.DataFrame({"x": x, "z": z, "y": y})
    return frame.iloc[:250], frame.iloc[250:]


@pytest.mark.parametrize(
    "activation", ["tanh", *(pytest.param(one, marks=pytest.mark.slow) for one in ("relu", "square"))]
)
def test_two_sides_are_learnt(activation):
    spec = net("binary", activation)
    outcome = run(build(spec), frames(spec, *problem("binary")))
    assert outcome.metrics.auc > 0.9
    assert outcome.model.coefficients == {}


@pytest.mark.slow
def test_several_classes_are_learnt():
    spec = net("classes", training=replaced(AVERAGE, rounds=60))
    outcome = run(build(spec), frames(spec, *problem("classes")))
    assert outcome.metrics.accuracy > 0.7
    assert outcome.metrics.auc is None


@pytest.mark.slow
def test_a_number_is_learnt():
    spec = net("number")
    outcome = run(build(spec), frames(spec, *problem("number")))
    assert outcome.metrics.r2 > 0.8


def test_a_network_learns_the_heart():
    spec = heart(model=Model(kind="network", layers=(8,)), training=Training(method="average", rounds=20))
    assert run(build(spec), hospitals(spec)).metrics.auc > 0.8


def test_two_runs_give_the_same_bytes():
    spec = net("binary", training=replaced(AVERAGE, rounds=3))
    tables = frames(spec, *problem("binary"))
    assert run(build(spec), tables).model.files() == run(build(spec), tables).model.files()


def test_initial_weights_are_the_public_seeds_and_are_checked():
    spec = net("binary")
    task = build(spec)
    first = next(task.lead())
    shapes = ((2, 16), (16, 1))
    assert first.state == layers.initial(1, shapes).tobytes()
    assert len(first.state) == 8 * layers.size(shapes)
    with pytest.raises(Abort) as caught:
        task.ask(first.kind, 0, layers.initial(2, shapes).tobytes())
    assert caught.value.cause is Cause.TERMS
    weights = layers.initial(1, shapes)
    assert np.abs(weights).max() <= 1 / np.sqrt(2)
    assert (weights[32:48] == 0).all()


@pytest.mark.parametrize("goal", ["binary", "classes", "number"])
@pytest.mark.parametrize("activation", ["tanh", "relu", "square"])
def test_a_step_is_the_numerical_gradient(goal, activation):
    """Central differences of the loss, computed by the prediction's own forward pass in NumPy."""
    from potluck.learning.models.model import model
    from potluck.learning.models.slopes import slope

    spec = net(goal, activation)
    rng = np.random.default_rng(5)
    outputs = 3 if goal == "classes" else 1
    shapes = ((2, 16), (16, outputs))
    weights = rng.normal(0, 0.5, layers.size(shapes))
    x = rng.uniform(-1, 1, (7, 2))
    y = rng.integers(0, 3 if goal == "classes" else 2, 7).astype(float)

    def loss(w):
        found = model(spec, w)
        margins = found.margins(x)
        if goal == "number":
            return ((margins[:, 0] - y) ** 2).mean() / 2
        scores = found.scored_features(x)
        if goal == "classes":
            return -np.log(scores[np.arange(7), y.astype(int)]).mean()
        return -np.where(y == 1, np.log(scores), np.log(1 - scores)).mean()

    exact = np.concatenate(slope(shapes, activation, model(spec, weights).target)(weights, x, y, None))
    step = 1e-6
    for place in rng.choice(len(weights), 12, replace=False):
        nudge = np.zeros(len(weights))
        nudge[place] = step
        assert exact[place] == pytest.approx((loss(weights + nudge) - loss(weights - nudge)) / (2 * step), abs=1e-6)


def test_biases_are_free_of_the_penalty():
    free = layers.penalised(((2, 3), (3, 1)), intercept_first=False)
    assert free.tolist() == [1] * 6 + [0] * 3 + [1] * 3 + [0]
    assert layers.penalised(((2, 1),), intercept_first=True).tolist() == [0, 1, 1]


def test_threads_are_left_as_they_were():
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(before + 1)
    spec = net("binary", training=replaced(AVERAGE, rounds=1))
    run(build(spec), frames(spec, *problem("binary")))
    threads = torch.get_num_threads()
    torch.set_num_threads(before)
    assert threads == before + 1


def test_one_class_shows_for_networks_too():
    from potluck.core.errors import DataError

    data = Data(
        columns={"x": number(0, 1), "y": category("a", "b")}, target=Target(column="y", positive=("a",)), split=FOLD
    )
    spec = net("binary", data=data)
    frame = pd.DataFrame({"x": [0.1, 0.2, 0.3], "y": ["a", "a", "b"], "fold": ["", "", "test"]})
    with pytest.raises(DataError, match="one class"):
        run(build(spec), frames(spec, frame))
