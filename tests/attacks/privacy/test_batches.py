"""An exact sum over one row is the row: a site gives none over a few rows of many, and a policy's fewest rows are
those of each sum that trains or looks."""

import msgspec
import numpy as np
import pandas as pd
import pytest

import potluck
from potluck.core.asks import Kind
from potluck.core.errors import Refused
from potluck.core.plan import PrivacyPlan, Split, Training
from potluck.core.rounds import Abort, Cause
from potluck.learning.check import check
from potluck.learning.data.table import read
from potluck.learning.loops import build
from potluck.learning.training import drawn
from potluck.learning.views import opened
from potluck.owner.judge import rows_allowed
from potluck.owner.policy import Allow, Policy, Source
from potluck.secret.random import system
from potluck.tasks.sums.rows import least_summed
from support.learning.sums import gridded, make


def plan(batch, expected, **more):
    return make(training=Training(method="gradient", rounds=200, batch=batch, expected_rows=expected, **more))


def rows(n=200):
    draw = np.random.default_rng(3)
    x = draw.uniform(0, 10, n)
    return pd.DataFrame({"x": x, "c": draw.choice(["u", "v"], n), "y": (x > 5).astype(int)})


def divided(split, training=None):
    base = make()
    data = msgspec.structs.replace(base.data, split=split)
    return make(data=data, training=training or Training(method="gradient"))


FEW = [(1, 150), (31, 150), (1_000, 10**9)]
"""Few of the rows that there are, and many of rows that there are not."""


@pytest.mark.parametrize(("batch", "expected"), FEW)
def test_a_batch_over_a_few_rows_of_a_site_is_refused_before_anything_is_given(batch, expected):
    spec = plan(batch, expected)
    table, task = read(rows(), spec, "a"), build(spec)
    ask = next(task.lead())
    for step in range(200):
        assert ask.kind is Kind.TRAIN
        with pytest.raises(Abort, match="a batch would be over too few of this site's rows") as found:
            [*task.contribute(type(ask)(ask.kind, step, ask.blocks, ask.state), table, system)]
        assert found.value.cause is Cause.REFUSED


def test_the_control_without_the_rule_a_sum_is_the_row(monkeypatch):
    spec = plan(1, 150)
    table, task = read(rows(), spec, "a"), build(spec)
    ask = next(task.lead())
    monkeypatch.setattr(drawn, "LEAST", 0)
    alone = next(step for step in range(200) if len(drawn.drawn(spec, step, table)) == 1)
    (row,) = drawn.drawn(spec, alone, table)
    found = gridded(type(ask)(ask.kind, alone, ask.blocks, ask.state), task, {"a": table}).part("gradient").values
    off = found[0]  # 1/2 - y at zero weights
    assert np.allclose(found[1:] / off, table.features[row])
    assert off == 0.5 - table.target[row]


def test_a_batch_that_leaves_a_few_rows_out_is_refused_for_two_rounds_differ_by_a_row(monkeypatch):
    spec = plan(149, 150)
    table, task = read(rows(), spec, "a"), build(spec)
    ask = next(task.lead())
    with pytest.raises(Abort, match="what a batch leaves out would be over too few of this site's rows"):
        [*task.contribute(ask, table, system)]
    assert any("149 leaves few rows out" in line for line in check(spec)[1])
    monkeypatch.setattr(drawn, "LEAST", 0)  # the control: rounds that leave nothing out, and one row
    left = {step: set(np.flatnonzero(table.train)) - set(drawn.drawn(spec, step, table)) for step in range(200)}
    none, one = (next(step for step, gone in left.items() if len(gone) == n) for n in (0, 1))
    sums = [
        gridded(type(ask)(ask.kind, n, ask.blocks, ask.state), task, {"a": table}).part("gradient").values
        for n in (none, one)
    ]
    found = sums[0] - sums[1]
    (row,) = left[one]
    assert np.allclose(found[1:] / found[0], table.features[row])


def test_half_of_the_rows_are_given():
    spec = plan(75, 150)
    table, task = read(rows(), spec, "a"), build(spec)
    assert [*task.contribute(next(task.lead()), table, system)]


def test_a_policys_fewest_rows_are_those_of_a_round():
    spec, all_rows = (divided(None, Training(method="gradient", batch=n, expected_rows=150)) for n in (75, None))
    table = read(rows(), spec, "a")
    held = int(table.train.sum())
    assert least_summed(spec, table) == held // 2 < held == least_summed(all_rows, table)
    policy = Policy(version=1, source=Source(file="rows.csv"), allow=Allow(min_rows=held // 2 + 1))
    with pytest.raises(Refused, match="fewer rows to learn from"):
        rows_allowed(policy, least_summed(spec, table))


@pytest.mark.parametrize("word", ["clear", "mask"])
def test_a_run_over_few_rows_ends_by_name_in_its_first_round(word, tmp_path):
    number = {"kind": "number", "low": 0, "high": 10}
    one = potluck.Plan(
        name="few", purpose="test", task="train", federation={"sites": ["a", "b", "c"], "server": "curious"},
        data={"columns": {"x": number}, "target": {"column": "y", "positive": ["1"]}},
        model={"kind": "logistic"}, privacy={"noise": "none"}, protect={"with": word},
        training={"method": "gradient", "rounds": 3, "batch": 6, "expected_rows": 600},
    )  # fmt: skip
    with pytest.raises(Abort, match="a batch would be over too few") as found:
        potluck.run(one, dict.fromkeys("abc", rows()), out=tmp_path / "out")
    assert found.value.cause is Cause.REFUSED


def test_owners_are_told_of_few_rows_and_of_many_rounds():
    spec = plan(20, 150)
    _, warnings = check(spec)
    assert any("20 over 2 sites is few" in line for line in warnings)
    assert any("exact sums over many drawn subsets can tell more of single rows" in line for line in warnings)
    assert "which many rounds tell more of" in opened(spec)
    assert not any("training.batch" in line for line in check(plan(None, 150))[1])


@pytest.mark.parametrize(("batch", "steps"), [(1, 1), (1, 31), (31, 1)])
def test_a_few_steps_of_a_site_are_over_rows_enough(batch, steps, monkeypatch):
    spec = make(training=Training(method="average", rounds=3, batch=batch, steps=steps, range=1e6, rate=1.0))
    table, task = read(rows(), spec, "a"), build(spec)
    ask = next(task.lead())
    with pytest.raises(Abort, match="a round would be over too few of this site's rows") as found:
        [*task.contribute(ask, table, system)]
    assert found.value.cause is Cause.REFUSED
    assert least_summed(spec, table) == batch * steps
    if batch * steps == 1:  # the control: without the rule the change is the row
        monkeypatch.setattr(drawn, "LEAST", 0)
        made = gridded(ask, task, {"a": table}).part("delta").values / table.train.sum()
        away = np.abs(table.features - made[1:] / made[0]).max(axis=1)
        assert (away < 1e-6).sum() == 1


def test_sites_of_few_rows_take_steps_over_all_of_them_and_noise_needs_no_fewest():
    few = make(training=Training(method="average", rounds=3, batch=4, steps=5))
    table = read(rows(20), few, "a")
    assert [*build(few).contribute(next(build(few).lead()), table, system)]
    hidden = PrivacyPlan(noise="reveal", unit="site", epsilon=1.0, delta=1e-5, clip=1.0)
    noised = make(training=Training(method="average", rounds=3, batch=1, steps=1), privacy=hidden)
    table = read(rows(), noised, "a")
    assert [*build(noised).contribute(next(build(noised).lead()), table, system)]


def test_a_policys_fewest_rows_are_those_of_each_look_too():
    split = Split(test=0.25, validation=0.02)
    with_looks = Training(method="gradient", rounds=200, evaluate_every=1)
    found = read(rows(), looked := divided(split, with_looks), "a")
    assert 0 < (few := int(found.validation.sum())) < 10
    assert least_summed(looked, found) == few
    assert least_summed(divided(split), found) == int(found.train.sum())  # the control: nothing looks


def test_rows_that_weigh_next_to_nothing_hide_nobody():
    frame = rows().assign(y=(np.arange(200) == 7).astype(int))
    for weights, most in (
        ({"negative": 1e-12}, 1),
        ({"positive": 1e6, "negative": 1e-300}, 1),
        ({"positive": 2.0}, 200),
    ):
        spec = divided(None, Training(method="gradient", class_weights=weights))
        table = read(frame, spec, "a")
        assert table.train.sum() == 200
        assert least_summed(spec, table) <= most
    assert least_summed(spec, table) == 199  # (199 + 2)^2 / (199 + 4)
    one = divided(None, Training(method="gradient", class_weights={"negative": 1e-12}))
    ask, task = next(build(one).lead()), build(one)
    found = gridded(ask, task, {"a": table}).part("gradient").values
    assert np.allclose(found[1:] / found[0], table.features[7])  # why: what is opened is that row
