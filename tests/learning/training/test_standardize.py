"""Units that a noised first round opens: what they are, what is clipped in them, and what a lying server gains."""

import numpy as np
import pandas as pd
import pytest
from msgspec.structs import replace

from potluck.core.asks import Answer, Kind
from potluck.core.fixed import decode
from potluck.core.plan import Data, Model, PrivacyPlan, Training
from potluck.core.rounds import Abort, Cause
from potluck.core.stages import Clip, Grid, GridBlock, Release, Update
from potluck.dp.account import promise
from potluck.dp.mechanism import mechanism
from potluck.learning.check import check
from potluck.learning.loops import build
from potluck.learning.models.layers import design
from potluck.learning.training.fit_check import check as check_fit
from potluck.learning.training.units import Units, numbers
from potluck.secret.random import system
from support.learning.columns import plan as of_columns
from support.learning.sums import before_noise, category, frames, heart, hospitals, make, number
from support.learning.tiny import pooled

NOISE = PrivacyPlan(noise="shared", unit="row", epsilon=3.0, delta=1e-5, clip=1.0)
FLAGS = numbers(heart())
Q = int(FLAGS.sum())


def standardized(rounds=8, privacy=NOISE, **training):
    keys = {"method": "gradient", "rounds": rounds, "expected_rows": 500, "standardize": True} | training
    return heart(privacy=privacy, training=Training(**keys))


def quiet(ask, tables, task, std=0.0):
    """A sum on a grid that is far finer than the plan's, without noise: what the sites' own code adds."""
    blocks = tuple(GridBlock(one.name, one.size, 2.0**-40, one.high) for one in ask.blocks)
    fine, clip = Grid(blocks, 64), Clip(tuple(one.l2 for one in ask.blocks))
    total = np.zeros(sum(one.size for one in ask.blocks))
    for table in tables.values():
        for one in task.contribute(task.ask(ask.kind, ask.step, ask.state), table, system):
            if isinstance(one, Update):
                total += one.values.sum(axis=0)
            else:
                total += decode(one.encode(fine, clip).words, fine)
    return Answer(Release(total, np.full(len(total), std), frozenset()), fine)


def trained(spec, tables):
    """The asks of a run without noise, and its last model, which is what metrics are asked at."""
    task = build(spec)
    lead = task.lead()
    asks = [next(lead)]
    while asks[-1].kind is Kind.TRAIN:
        asks.append(lead.send(quiet(asks[-1], tables, task)))
    return asks[:-1], np.frombuffer(asks[-1].state)


def stated(model, centers, scales):
    return np.concatenate([model, centers, scales]).tobytes()


def by_hand(x, y, rounds, spec, step):
    """Clipped descent on rows less their mean, over their standard deviation. v: weights of those."""
    some = FLAGS[1:]
    centers = x[:, some].mean(axis=0)
    scales = 1 / np.sqrt(np.clip(x[:, some].var(axis=0), 1 / 64, 1))
    z = x.copy()
    z[:, some] = (x[:, some] - centers) * scales
    z = design(z)
    ridge = np.append(0, np.ones(x.shape[1]))
    ridge[FLAGS] = scales**2
    v = np.zeros(z.shape[1])
    for _ in range(rounds):
        rows = (1 / (1 + np.exp(-z @ v)) - y)[:, None] * z
        rows *= np.minimum(1, spec.privacy.clip / np.linalg.norm(rows, axis=1))[:, None]
        v = step(v, (rows.sum(axis=0) + ridge * v) / 500)
    return z @ v


def plain(v, slope):
    return v - 0.5 * slope


def heavy():
    velocity = 0.0

    def step(v, slope):
        nonlocal velocity
        velocity = 0.9 * velocity + slope
        return v - 0.5 * velocity

    return step


def adaptive():
    mean, square, count = 0.0, 0.0, 0

    def step(v, slope):
        nonlocal mean, square, count
        count += 1
        mean, square = 0.9 * mean + 0.1 * slope, 0.999 * square + 0.001 * slope**2
        return v - 0.5 * mean / (1 - 0.9**count) / (np.sqrt(square / (1 - 0.999**count)) + 1e-8)

    return step


@pytest.mark.parametrize(("word", "step"), [("sgd", plain), ("momentum", heavy()), ("adam", adaptive())])
def test_without_noise_it_is_clipped_descent_on_standardized_columns(word, step):
    spec = standardized(optimizer=word, rate=0.5)
    tables = hospitals(spec)
    asks, weights = trained(spec, tables)
    x, y = pooled(tables)
    assert [ask.blocks[0].name for ask in asks] == ["moments", *["gradient"] * 7]
    np.testing.assert_allclose(design(x) @ weights, by_hand(x, y, 7, spec, step), atol=1e-6)


def test_averaged_models_are_those_of_the_last_half_of_the_rounds_that_train():
    tables = hospitals(standardized())
    asks, _ = trained(standardized(9), tables)
    _, mean = trained(standardized(9, iterates="averaged"), tables)
    _, last = trained(standardized(9), tables)
    models = [np.frombuffer(ask.state)[: len(FLAGS)] for ask in asks[2:]] + [last]  # after each of 8 rounds
    np.testing.assert_allclose(mean, np.mean(models[4:], axis=0), atol=1e-12)


@pytest.mark.parametrize("unit", ["row", "person"])
@pytest.mark.parametrize("which", ["moments", "encoded", "widest"])
def test_no_unit_moves_a_sum_by_more_than_its_clip_whatever_units_are_announced(unit, which):
    rng = np.random.default_rng(3)
    columns = {"who": number(0, 99), "x": number(0, 10), "z": number(0, 1), "c": category("u", "v")}
    spec = make(
        data=Data(columns=columns | {"y": category("0", "1")}, person="who", target=make().data.target),
        privacy=PrivacyPlan(noise="shared", unit=unit, epsilon=2.0, delta=1e-5, clip=0.7),
        training=Training(method="gradient", expected_rows=60, standardize=True),
    )
    rows = frames(spec, _rows(rng, 60))["a"]
    task = build(spec)
    size, count = len(numbers(task.plan)), int(numbers(task.plan).sum())
    assert count == 2
    start = np.frombuffer(next(task.lead()).state)
    if which != "moments":
        scale = 8.0 if which == "widest" else 1.0
        start = np.concatenate([rng.normal(size=size), np.full(count, -1.0), np.full(count, scale)])
    ask = task.ask(Kind.TRAIN, int(which != "moments"), start.tobytes())
    bound = mechanism(spec, ask)
    (most,) = (block.l2 for block in ask.blocks)
    assert most == (pytest.approx(np.sqrt(1 + 2 * count)) if which == "moments" else 0.7)

    def added(table):
        return sum(before_noise(bound, one) for one in task.contribute(ask, table, system))

    moved = []
    for who in range(12):
        one = frames(spec, _rows(np.random.default_rng(who), 1 if unit == "row" else 7, who))["a"]
        moved.append(np.linalg.norm(added(one)))
    assert max(moved) <= most * (1 + 1e-9)
    assert max(moved) > 0.9 * most if (which, unit) != ("moments", "row") else max(moved) > 1
    assert np.isfinite(added(rows)).all()


def _rows(rng, count, who=None):
    x = rng.uniform(0, 10, count)
    return pd.DataFrame(
        {
            "who": np.arange(count) // 2 if who is None else who,
            "x": x,
            "z": rng.uniform(0, 1, count),
            "c": rng.choice(["u", "v"], count),
            "y": (x > 5).astype(int),
        }
    )


@pytest.mark.parametrize(
    ("step", "centers", "scales"),
    [(1, 0.0, 9.0), (1, 1.5, 1.0), (1, 0.0, 0.5), (1, 0.5, 0.0), (0, 0.0, 1.0)],
)
def test_units_that_no_plan_has_are_refused(step, centers, scales):
    task = build(standardized())
    state = stated(np.zeros(len(FLAGS)), np.full(Q, centers), np.full(Q, scales))
    with pytest.raises(Abort) as refused:
        task.ask(Kind.TRAIN, step, state)
    assert refused.value.cause is Cause.TERMS
    task.ask(Kind.TRAIN, 1, stated(np.zeros(len(FLAGS)), np.full(Q, 0.5), np.full(Q, 2.0)))  # the control


def units_of(opened_, std):
    """What a server makes of opened moments."""
    task = build(standardized())
    lead = task.lead()
    ask = next(lead)
    assert ask.blocks[0].size == 1 + 2 * Q == len(opened_)
    grid = Grid((GridBlock("moments", len(opened_), 2.0**-40, 8.0),), 64)
    following = lead.send(Answer(Release(opened_, np.full(len(opened_), std), frozenset()), grid))
    state = np.frombuffer(following.state)[len(FLAGS) :]
    return state[:Q], state[Q:]


def test_units_are_those_of_the_rows_where_noise_is_small_and_as_encoded_where_it_is_all():
    rng = np.random.default_rng(9)
    x = rng.normal(-0.7, 0.2, (50_000, Q)).clip(-1, 1)
    moments = np.concatenate([[len(x)], x.sum(axis=0), (x**2).sum(axis=0)])
    centers, scales = units_of(moments + 30 * rng.normal(size=1 + 2 * Q), 30.0)
    np.testing.assert_allclose(centers, x.mean(axis=0), rtol=0.02)
    np.testing.assert_allclose(scales, 1 / x.std(axis=0), rtol=0.1)
    found = [units_of(100 * rng.normal(size=1 + 2 * Q), 100.0) for _ in range(200)]
    assert np.median([scale for _, scales in found for scale in scales]) < 1.1
    assert max(np.abs(centers).max() for centers, _ in found) <= 1
    assert np.median([np.abs(centers).max() for centers, _ in found]) < 0.5


def test_units_change_no_margin_and_follow_the_chain_rule():
    rng = np.random.default_rng(5)
    own = Units(FLAGS, rng.uniform(-1, 1, Q), rng.uniform(1, 8, Q))
    x, inside, residual = rng.uniform(-1, 1, (6, len(FLAGS) - 1)), rng.normal(size=len(FLAGS)), rng.normal(size=6)
    turned = design(own.rows(x))
    np.testing.assert_allclose(design(x) @ own.moved(inside), turned @ inside, atol=1e-12)
    np.testing.assert_allclose(own.gradient(design(x).T @ residual), turned.T @ residual, atol=1e-12)


def test_every_round_costs_the_same_and_all_of_them_what_the_plan_says():
    spec, without = standardized(), standardized(standardize=False)
    assert promise(spec) == pytest.approx(promise(without))
    task = build(spec)
    first, later = next(task.lead()), task.usual
    assert (first.blocks[0].name, later.blocks[0].name) == ("moments", "gradient")
    costs = [mechanism(spec, ask).cost for ask in (first, later)]
    assert costs[0].event == costs[1].event


def test_a_plan_without_numbers_has_no_units_to_find():
    spec = make(
        data=Data(columns={"c": category("u", "v"), "y": category("0", "1")}, target=make().data.target),
        privacy=NOISE,
        training=Training(method="gradient", expected_rows=60, standardize=True),
    )
    assert next(build(spec).lead()).blocks[0].name == "gradient"


def test_what_it_goes_with_is_said():
    errors, _ = check(standardized(1))
    assert any("training.rounds: the first round finds the units" in line for line in errors)
    assert not check(standardized(2))[0]
    none = PrivacyPlan(noise="none")
    deep = replace(standardized(), model=Model(kind="network", layers=(4,)))
    alone = heart(training=Training(method="newton", standardize=True))
    for spec, told in ((standardized(privacy=none), 1), (deep, 1), (alone, 1), (standardized(), 0)):
        _, warnings = check(spec)
        assert sum("training.standardize: is ignored" in line for line in warnings) == told
    fit = of_columns(training__method="gradient", training__standardize=True)
    assert any("training.standardize: programs on shares" in line for line in check_fit(fit.spec))
