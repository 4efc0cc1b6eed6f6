"""Optimizers: step by step as torch has them or as their papers do, in slices as in one, and replayed after a crash."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from potluck.core.errors import PlanError
from potluck.core.plan import Training
from potluck.learning.check import check
from potluck.learning.loops import build
from potluck.learning.models.layers import design
from potluck.learning.training.average import _moved
from potluck.learning.training.fit_check import check as check_fit
from potluck.learning.training.methods import OPTIMIZERS
from potluck.learning.training.steps import ADAM, SGD, YOGI
from potluck.learning.training.units import units
from support.learning.columns import plan
from support.learning.sums import answer, heart, hospitals, run
from support.learning.tiny import pooled

WORDS = ("sgd", "momentum", "nesterov", "adam", "yogi")
TORCH = {
    "sgd": ("SGD", {}),
    "momentum": ("SGD", {"momentum": 0.9}),
    "nesterov": ("SGD", {"momentum": 0.9, "nesterov": True}),
    "adam": ("Adam", {"betas": (0.9, 0.999), "eps": 1e-8}),
}
NUMBERS = st.floats(-1e6, 1e6)


def gradients(seed, size=7, steps=60):
    """Sums of rows: of very different sizes, some of them 0."""
    draw = np.random.default_rng(seed)
    sizes = 10.0 ** draw.uniform(-6, 3, size)
    return [draw.normal(size=size) * sizes * (draw.random(size) > 0.1) for _ in range(steps)]


def stepped(step, state, totals, rate, count=13.0):
    """What is taken off, a row a step."""
    moves = []
    for total in totals:
        move, state = step(total, count, rate, state)
        moves.append(move)
    return np.array(moves)


def adaptive(totals, rate, second, least, grown, count=13.0):
    """Adam's or Yogi's steps of one coordinate, as the papers write them, in plain Python with powers."""
    mean = square = 0.0
    moves = []
    for number, total in enumerate(totals, 1):
        now = total / count
        mean = 0.9 * mean + 0.1 * now
        square = grown(square, now**2, second)
        moves.append(rate * (mean / (1 - 0.9**number)) / (math.sqrt(square / (1 - second**number)) + least))
    return moves


def by_adam(square, now, second):
    return second * square + (1 - second) * now


def by_yogi(square, now, second):
    return square - (1 - second) * (1 if square > now else -1) * now


def test_the_words_are_those_of_the_table():
    assert OPTIMIZERS.words() == WORDS


def test_a_plain_step_is_rate_times_gradient_to_the_bit():
    total, rate = np.array([0.1, -3.0, 7e-9]), 0.3
    move, state = SGD.step(total, 7.0, rate, SGD.begin(3))
    assert move.tolist() == (rate * total / 7.0).tolist()
    assert not len(state)


@pytest.mark.parametrize("word", TORCH)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_steps_are_those_of_torch(word, seed):
    torch = pytest.importorskip("torch")
    name, keys = TORCH[word]
    totals, rate, ours = gradients(seed), 0.07, np.ones(7)
    weights = torch.nn.Parameter(torch.ones(7, dtype=torch.float64))
    theirs = getattr(torch.optim, name)([weights], lr=rate, **keys)
    one = OPTIMIZERS.of(word)
    for total, move in zip(totals, stepped(one.step, one.begin(7), totals, rate), strict=True):
        weights.grad = torch.from_numpy(total / 13.0)
        theirs.step()
        ours = ours - move
        np.testing.assert_allclose(ours, weights.detach().numpy(), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("step", "begin", "second", "least", "grown", "by"),
    [
        (YOGI.step, YOGI.begin, 0.999, 1e-3, by_yogi, 1),
        (ADAM.step, ADAM.begin, 0.999, 1e-8, by_adam, 1),
        (YOGI.join, YOGI.begin, 0.99, 1e-3, by_yogi, 0.1),
        (ADAM.join, ADAM.begin, 0.99, 1e-3, by_adam, 0.1),
    ],
    ids=["yogi", "adam", "yogi joined", "adam joined"],
)
def test_steps_of_one_size_are_those_of_their_papers(step, begin, second, least, grown, by):
    totals = gradients(5)
    found = stepped(step, begin(7), totals, 0.07)
    for place in range(7):
        wanted = adaptive([total[place] for total in totals], 0.07 * by, second, least, grown)
        np.testing.assert_allclose(found[:, place], wanted, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("word", WORDS)
@given(cut=st.integers(0, 7), seed=st.integers(0, 1000))
def test_each_coordinate_is_by_itself_to_the_bit(word, cut, seed):
    one, totals = OPTIMIZERS.of(word), gradients(seed, steps=5)
    whole = stepped(one.step, one.begin(7), totals, 0.3)
    left = stepped(one.step, one.begin(cut), [total[:cut] for total in totals], 0.3)
    right = stepped(one.step, one.begin(7 - cut), [total[cut:] for total in totals], 0.3)
    assert np.hstack([left, right]).tobytes() == whole.tobytes()


@pytest.mark.parametrize("word", WORDS)
def test_a_step_changes_no_argument(word):
    one, total = OPTIMIZERS.of(word), np.array([1.0, -2.0])
    _, state = one.step(total, 2.0, 0.1, one.begin(2))
    before = state.copy()
    one.step(total, 2.0, 0.1, state)
    assert total.tolist() == [1.0, -2.0]
    assert state.tobytes() == before.tobytes()


@given(st.lists(st.tuples(NUMBERS, NUMBERS), min_size=1, max_size=5), st.floats(1, 1e6))
def test_a_plain_step_of_average_adds_the_mean_change_to_the_bit(pairs, divisor):
    weights, change = (np.array(side) for side in zip(*pairs, strict=True))
    assert (
        _moved(weights, change, divisor, SGD.step, [SGD.begin(1)]).tobytes() == (weights + change / divisor).tobytes()
    )


def test_adam_goes_as_torch_does_on_features_in_quarters_of_a_range():
    torch = pytest.importorskip("torch")
    spec = heart(training=Training(method="gradient", rounds=25, rate=0.2, optimizer="adam"))
    tables = hospitals(spec)
    features, y = pooled(tables)
    numbers = units(spec).numbers[1:]
    assert numbers.sum() == 5
    x = torch.from_numpy(design(np.where(numbers, 2 * (features + 1), features)))
    penalised, weights = np.append(0, np.where(numbers, 4.0, 1.0)), torch.nn.Parameter(torch.zeros(x.shape[1]).double())
    theirs = torch.optim.Adam([weights], lr=0.2)
    for _ in range(25):
        theirs.zero_grad()
        loss = torch.nn.functional.binary_cross_entropy_with_logits(x @ weights, torch.from_numpy(y), reduction="sum")
        ((loss + (torch.from_numpy(penalised) * weights**2).sum() / 2) / len(y)).backward()
        theirs.step()
    found = design(features) @ run(build(spec), tables).model.weights
    np.testing.assert_allclose(found, (x @ weights).detach().numpy(), atol=1e-9)


OWN = units(heart())


@given(st.lists(NUMBERS, min_size=len(OWN.numbers), max_size=len(OWN.numbers)), st.integers(0, 99))
def test_units_change_no_margin_and_follow_the_chain_rule(step, seed):
    own, inside = OWN, np.array(step)
    x = np.random.default_rng(seed).uniform(-1, 1, (5, len(inside) - 1))
    turned = design(np.where(own.numbers[1:], 2 * (x + 1), x))
    np.testing.assert_allclose(design(x) @ own.moved(inside), turned @ inside, rtol=1e-9, atol=1e-6)
    residual = np.random.default_rng(seed + 1).normal(size=5)
    np.testing.assert_allclose(own.gradient(design(x).T @ residual), turned.T @ residual, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    ("method", "iterates"),
    [
        ("gradient", "last"),
        ("average", "averaged"),
        pytest.param("gradient", "averaged", marks=pytest.mark.slow),
        pytest.param("average", "last", marks=pytest.mark.slow),
    ],
)
@pytest.mark.parametrize("word", WORDS)
def test_the_state_at_the_server_comes_back_when_the_loop_is_replayed(word, method, iterates):
    spec = heart(training=Training(method=method, rounds=5, rate=0.1, optimizer=word, iterates=iterates))
    tables, answers, states = hospitals(spec), [], []
    lead = build(spec).lead()
    ask = next(lead)
    for _ in range(5):
        states.append(ask.state)
        answers.append(answer(ask, build(spec), tables))
        ask = lead.send(answers[-1])
    again = build(spec).lead()
    replayed = next(again)
    for known, state in zip(answers, states, strict=True):
        assert replayed.state == state
        replayed = again.send(known)
    assert replayed.state == ask.state


def test_the_servers_step_joins_what_sites_trained_by_themselves():
    """FedAdam over two rounds, written out: sites take plain steps, whatever the optimizer."""
    plain = heart(training=Training(method="average", rounds=2, rate=0.1))
    spec = heart(training=Training(method="average", rounds=2, rate=0.1, optimizer="adam"))
    tables, task = hospitals(spec), build(spec)
    lead = task.lead()
    ask, weights, changes = next(lead), None, []
    for _ in range(2):
        weights = np.frombuffer(ask.state)
        known = answer(ask, build(plain), tables)
        changes.append(known.part("delta").values / known.part("rows").values.sum())
        ask = lead.send(known)
    mean = [0.1 * changes[0], 0.09 * changes[0] + 0.1 * changes[1]]
    square = [0.01 * changes[0] ** 2, 0.0099 * changes[0] ** 2 + 0.01 * changes[1] ** 2]
    after = 0.1 * (mean[0] / 0.1) / (np.sqrt(square[0] / 0.01) + 1e-3)
    np.testing.assert_allclose(weights, after, rtol=1e-12)
    after = after + 0.1 * (mean[1] / 0.19) / (np.sqrt(square[1] / 0.0199) + 1e-3)
    np.testing.assert_allclose(np.frombuffer(ask.state), after, rtol=1e-12)


@pytest.mark.parametrize("word", WORDS[1:])
def test_a_method_that_takes_no_steps_warns_and_a_fit_refuses(word):
    _, warnings = check(heart(training=Training(method="newton", optimizer=word)))
    assert any("training.optimizer: is ignored: newton takes no steps" in line for line in warnings)
    made = plan(training__method="gradient", training__optimizer=word)
    assert any("training.optimizer: programs on shares take plain steps" in line for line in check_fit(made.spec))


def test_a_word_that_no_table_has_is_refused():
    with pytest.raises(PlanError, match=r"does not know 'adams'.*known: sgd, momentum, nesterov, adam, yogi"):
        plan(training__optimizer="adams")
    with pytest.raises(PlanError, match='did you mean "adam"'):
        plan(training__optimizer="adams")
