"""Statistics against pandas on the pooled rows; sensitivities against what single rows and persons can add."""

import itertools
import json
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from potluck.core.asks import Kind
from potluck.core.plan import PrivacyPlan, Statistic
from potluck.core.rounds import Abort
from potluck.learning.data.table import read
from potluck.learning.loops import build
from potluck.secret.random import system
from support.examples import examples
from support.learning.sums import (
    HEART,
    HOSPITALS,
    answer,
    category,
    frames,
    heart,
    hospitals,
    number,
    replaced,
    run,
    stats,
    summed,
)

AGE, SEX, CP = number(20, 90), category("0", "1"), category("1", "2", "3", "4")
EVERY = (
    Statistic(name="rows", kind="count"),
    Statistic(name="rows_by", kind="count", by="sex"),
    Statistic(name="total", kind="sum", column="chol", by="sex"),
    Statistic(name="average", kind="mean", column="age"),
    Statistic(name="average_by", kind="mean", column="chol", by="cp"),
    Statistic(name="spread", kind="variance", column="age", by="sex"),
    Statistic(name="bars", kind="histogram", column="age", bins=7, by="sex"),
    Statistic(name="table", kind="contingency", columns=("sex", "cp")),
)


def plan(**keys):
    spec = heart()
    data = replaced(spec.data, target=None, split=None)
    return heart(**{"task": "statistics", "data": data, "statistics": EVERY, "model": None, "training": None} | keys)


def pandas_rows():
    names = list(heart().data.columns)
    """All rows: who has no blood pressure has an age all the same."""
    every = [pd.read_csv(HEART / f"processed.{n}.data", header=None, names=names, na_values="?") for n in HOSPITALS]
    return pd.concat(every)


def test_statistics_of_the_heart_are_pandas_on_the_pooled_rows():
    spec = plan()
    found = run(build(spec), hospitals(spec)).document()
    rows = pandas_rows()
    assert list(found) == [one.name for one in EVERY]
    assert found["rows"] == {"value": len(rows), "low": len(rows), "high": len(rows)}
    by = {value: found["rows_by"]["by"][value]["value"] for value in "01"}
    assert by == {"0": int((rows["sex"] == 0).sum()), "1": int((rows["sex"] == 1).sum())}
    assert found["rows_by"]["value"] == len(rows)
    assert found["total"]["value"] == pytest.approx(rows["chol"].sum())
    assert found["total"]["by"]["1"]["value"] == pytest.approx(rows.query("sex == 1")["chol"].sum())
    assert found["average"]["value"] == pytest.approx(rows["age"].mean())
    for value in "1234":
        expected = rows[rows["cp"] == int(value)]["chol"].mean()
        assert found["average_by"]["by"][value]["value"] == pytest.approx(expected)
    assert found["average_by"]["value"] == pytest.approx(rows["chol"].mean())
    assert found["spread"]["value"] == pytest.approx(rows["age"].var(ddof=0))
    assert found["spread"]["by"]["0"]["value"] == pytest.approx(rows.query("sex == 0")["age"].var(ddof=0))
    counts, edges = np.histogram(rows["age"], bins=7, range=(20, 90))
    assert found["bars"]["value"] == found["bars"]["low"] == tuple(counts.tolist())
    assert found["bars"]["edges"] == pytest.approx(edges.tolist())
    assert found["bars"]["by"]["1"]["edges"] == found["bars"]["edges"]
    assert [list(line) for line in found["table"]["value"]] == pd.crosstab(rows["sex"], rows["cp"]).to_numpy().tolist()
    assert "by" not in found["average"]
    assert "edges" not in found["average"]
    json.dumps(found, allow_nan=False)


@settings(max_examples=examples(60))
@given(st.lists(st.sampled_from([0.0, 0.1, 0.3, 0.5, 0.7, 0.999999, 1.0]), min_size=1, max_size=50), st.integers(1, 12))
def test_histogram_bins_are_numpys_closed_open_and_closed_at_the_end(values, bins):
    spec = stats({"x": number(0, 1)}, Statistic(name="h", kind="histogram", column="x", bins=bins))
    found = run(build(spec), frames(spec, pd.DataFrame({"x": values}))).results["h"]
    edges = np.array(found.edges)
    assert list(found.value) == np.histogram(values, bins=edges)[0].tolist()


def small(*wanted, privacy=None):
    columns = {"x": number(-2, 10, "flag"), "g": category("a", "b", missing="flag"), "h": category("u", "v")}
    spec = stats(columns, *wanted, **({"privacy": privacy} if privacy else {}))
    return replaced(spec, data=replaced(spec.data, person="who"))


ROWS = pd.DataFrame(
    {
        "x": [1.0, 2.0, np.nan, 4.0, 50.0, -9.0],
        "g": ["a", "b", "a", "zzz", "", "b"],
        "h": list("uvuvuv"),
        "who": [1, 1, 2, 1, 3, 4],
    }
)


def test_undeclared_values_are_in_the_total_and_in_no_cell():
    spec = small(Statistic(name="n", kind="count", by="g"), Statistic(name="t", kind="contingency", columns=("g", "h")))
    found = run(build(spec), frames(spec, ROWS)).results
    assert found["n"].value == 5  # the row without a group is left out
    assert {name: one.value for name, one in found["n"].by.items()} == {"a": 2, "b": 2}
    assert found["t"].value == ((2, 0), (0, 2))


def test_rows_without_a_value_are_left_out_of_that_statistic_alone_and_numbers_are_clamped():
    spec = small(
        Statistic(name="n", kind="count"),
        Statistic(name="m", kind="mean", column="x"),
        Statistic(name="s", kind="sum", column="x"),
        Statistic(name="given", kind="count", column="x"),
    )
    found = run(build(spec), frames(spec, ROWS)).results
    clamped = ROWS["x"].clip(-2, 10)
    assert found["n"].value == 6
    assert found["given"].value == 5
    assert found["m"].value == pytest.approx(clamped.mean())
    assert found["s"].value == pytest.approx(clamped.sum())


def test_a_cell_without_rows_has_no_mean():
    spec = small(
        Statistic(name="m", kind="mean", column="x", by="g"), Statistic(name="v", kind="variance", column="x", by="g")
    )
    found = run(build(spec), frames(spec, ROWS[ROWS["g"] == "a"])).results
    for one in (found["m"].by["b"], found["v"].by["b"]):
        assert (one.value, one.low, one.high) == (None, None, None)
    assert found["m"].by["a"].value == pytest.approx(1)


def noised(unit="row", **more):
    return PrivacyPlan(noise="shared", unit=unit, epsilon=1.0, delta=1e-5, **more)


FIVE = (
    Statistic(name="n", kind="count", by="g"),
    Statistic(name="s", kind="sum", column="x"),
    Statistic(name="m", kind="mean", column="x", by="g"),
    Statistic(name="v", kind="variance", column="x"),
    Statistic(name="h", kind="histogram", column="x", bins=10),
    Statistic(name="t", kind="contingency", columns=("g", "h")),
)


def units(spec, frames_):
    """What each of some frames adds, by block: a frame a privacy unit."""
    task = build(spec)
    ask = task.ask(Kind.STATISTICS, 0, b"")
    given = [next(task.contribute(ask, read(frame, spec, "a"), system)) for frame in frames_]
    values = np.vstack([summed(one, ask) for one in given])
    edges = np.cumsum([0] + [block.size for block in ask.blocks])
    return ask.blocks, [values[:, a:b] for a, b in itertools.pairwise(edges)]


def each(frame):
    return [frame.iloc[[place]] for place in range(len(frame))]


def test_no_row_adds_more_than_its_blocks_sensitivity():
    blocks, parts = units(small(*FIVE, privacy=noised()), each(ROWS))
    known = [1, 10, math.sqrt(2), math.sqrt(3), 1, 1]
    for block, part, limit in zip(blocks, parts, known, strict=True):
        assert len(part) == 6
        assert block.l2 == pytest.approx(limit)
        assert (np.linalg.norm(part, axis=1) <= block.l2 * (1 + 1e-12)).all()
        assert np.abs(part).max() <= block.high
        if block.single:
            assert ((part != 0).sum(axis=1) <= 1).all()
    assert [block.single for block in blocks] == [True, True, False, False, True, True]
    assert [block.parts for block in blocks] == [1, 0, 0, 0, 1, 1]


@pytest.mark.parametrize("most", [pytest.param(1, marks=pytest.mark.slow), 2])
def test_a_person_adds_the_first_rows_only_summed_into_one_unit(most):
    privacy = noised("person", rows_per_person=most)
    people = [ROWS[ROWS["who"] == name] for name in dict.fromkeys(ROWS["who"])]
    blocks, parts = units(small(*FIVE, privacy=privacy), people)
    rows = small(*FIVE, privacy=noised())
    _, single = units(rows, each(ROWS))
    _, (together, *_) = units(small(*FIVE, privacy=privacy), [ROWS])
    assert np.allclose(together, parts[0].sum(axis=0))
    for block, part, one in zip(blocks, parts, single, strict=True):
        assert len(part) == 4
        assert np.allclose(part[0], one[:most].sum(axis=0))
        assert np.allclose(part[1:], one[[2, 4, 5]])
        assert (np.linalg.norm(part, axis=1) <= block.l2 * (1 + 1e-12)).all()
        assert np.abs(part).max() <= block.high
    assert blocks[1].l2 == 10 * most
    assert blocks[0].single is (most == 1)


def test_a_plan_of_statistics_has_one_sum():
    task = build(small(*FIVE))
    for kind, step, state in ((Kind.STATISTICS, 1, b""), (Kind.STATISTICS, 0, b"x"), (Kind.TRAIN, 0, b"")):
        with pytest.raises(Abort):
            task.ask(kind, step, state)


def test_noised_values_are_neither_clamped_nor_rounded_and_intervals_are_around_them():
    spec = small(*FIVE, privacy=noised())
    tables = frames(spec, ROWS)
    task = build(spec)
    ask = next(task.lead())
    total = answer(ask, task, tables).release.values

    def noise(ask, values):
        return values - 20.25, np.full_like(values, 3.0)

    found = run(task, tables, noise).results
    assert found["n"].by["a"].value == 2 - 20.25
    assert found["n"].by["a"].low == pytest.approx(2 - 20.25 - 1.96 * 3, abs=1e-3)
    assert found["n"].high == pytest.approx(5 - 3 * 20.25 + 1.96 * 3 * math.sqrt(3), abs=1e-2)
    assert found["s"].value == total[3] - 20.25
    assert found["m"].value is None  # fewer than no rows: the noise leaves no mean
    assert (found["m"].low, found["m"].high) == (-2, 10)
    assert found["h"].value[0] == total[3 + 1 + 6 + 3] - 20.25
    assert len(found["h"].low) == 10
