"""One unit more or less moves no statistic by more than its noise is reckoned for, whatever a plan derives, leaves out,
joins or reduces: the whole way from cells to words, for rows and for persons. Differences are taken in whole steps."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from potluck.core.errors import DataError
from potluck.core.plan import Column, Data, Federation, PrivacyPlan, Protect, Statistic
from potluck.core.tables.derived import Derive, Join, Reduce, Reduced, Where
from potluck.dp.mechanism import guarded, mechanism
from potluck.learning.data.joining import joined
from potluck.learning.data.source import limits_of, opened
from potluck.learning.loops import build
from potluck.secret.random import system
from potluck.tasks.catalog import check
from potluck.tasks.sums.rows import rows_of
from support.learning.sums import category, number, stats

COLUMNS = ["who", "x", "c", "d", "n"]
ROWS = st.lists(
    st.tuples(
        st.integers(0, 5).map(lambda who: f"p{who}"),
        st.floats(-5, 15).map(str) | st.sampled_from(["0", "10", "-0.0", "1e300", "5e-324", "", "-9"]),
        st.sampled_from(["u", "v", "w", "U", "else", ""]),
        st.dates(pd.Timestamp("1900-01-01").date(), pd.Timestamp("2020-12-31").date()).map(str),
        st.sampled_from(["0.5", "1", "5", "9", ""]),
    ),
    min_size=2,
    max_size=14,
)
LABS = st.dictionaries(
    st.integers(0, 6).map(lambda who: f"p{who}"), st.sampled_from(["0", "100", "1e9", ""]), min_size=1
)
WHERE = st.lists(
    st.sampled_from(
        [Where(column="x", at_least=1.0), Where(column="c", not_in=("w",)), Where(column="age", below=80.0)]
    ),
    max_size=2,
)
DERIVE = {
    "age": Derive(kind="years", source="d", to="2025-01-01", low=0.0, high=110.0, missing="flag"),
    "group": Derive(kind="bins", source="x", edges=(3.0, 6.0), values=("l", "m", "h"), missing="flag"),
    "log": Derive(kind="log", source="n", low=-2.0, high=2.0, missing="flag"),
}
REDUCE = {
    "mean": Reduced(kind="mean", source="x"),
    "most": Reduced(kind="max", source="n"),
    "least": Reduced(kind="min", source="age"),
    "count": Reduced(kind="count", low=0.0, high=3.0),
    "any": Reduced(kind="any", source="c", values=("u",)),
    "last": Reduced(kind="last", source="group"),
    "first": Reduced(kind="first", source="log"),
}
NOISE = {"noise": "reveal", "epsilon": 1.0, "delta": 1e-6}
"""The server's: what a site adds has none in it."""
CURIOUS, MASK = Federation(sites=("a", "b", "c"), server="curious"), Protect(scheme="mask")
CASES = [("row", False, False), ("person", False, False), ("person", False, True), ("person", True, True)]
FEW = [CASES[0], CASES[3]]


def statistics(measured, named):
    """Of each kind, drawn, and named by their places."""
    column, by = st.sampled_from(measured), st.none() | st.sampled_from(named)
    kinds = st.one_of(
        st.fixed_dictionaries({"kind": st.just("count"), "by": by}),
        st.fixed_dictionaries({"kind": st.sampled_from(["sum", "mean", "variance"]), "column": column, "by": by}),
        st.fixed_dictionaries({"kind": st.just("histogram"), "column": column, "by": by, "bins": st.integers(1, 5)}),
        st.just({"kind": "contingency", "columns": named}),
    )
    some = st.lists(kinds, min_size=1, max_size=4)
    return some.map(lambda each: [Statistic(name=f"s{place}", **one) for place, one in enumerate(each)])


@st.composite
def plans(draw, unit, reduced, labs):
    measured, named = ("mean", "most", "least", "count", "first"), ("any", "last")
    if not reduced:
        measured, named = ("x", "n", "age", "log"), ("c", "group")
    lab = {"lab": number(0, 100, "flag")} if labs else {}
    persons = (
        {"reduce": Reduce(order="d", columns=REDUCE | {name: Reduced(kind="max") for name in lab})} if reduced else {}
    )
    data = Data(
        columns={
            "x": number(0, 10, "flag"),
            "c": category("u", "v", "w", missing="flag"),
            "d": Column(kind="date", format="%Y-%m-%d"),
            "n": number(0, 5, "flag"),
            **lab,
        },
        derive=DERIVE,
        where=tuple(draw(WHERE)),
        person="who" if unit == "person" else None,
        missing=("", "-9"),
        join=Join(table="labs", on="who", columns=("lab",)) if labs else None,
        max_rows=100,
        **persons,
    )
    most = draw(st.integers(1, 3)) if unit == "person" and not reduced else None
    made = stats(
        {},
        *draw(statistics((*measured, *lab), named)),
        data=data,
        federation=CURIOUS,
        protect=MASK,
        privacy=PrivacyPlan(**NOISE, unit=unit, rows_per_person=most),
    )
    assert check(made)[0] == []
    return made


def words(spec, rows, labs):
    """What a site of these rows adds, in whole steps, and the noise that covers it. Without rows it takes no part."""
    limits = limits_of(spec.data)
    source = opened(pd.DataFrame(rows, columns=COLUMNS), "a", limits)
    if spec.data.join is not None:
        table = pd.DataFrame(list(labs.items()), columns=["who", "lab"])
        source = joined(source, opened(table, "a", limits), spec.data, "a")
    task = build(spec)
    ask = next(task.lead())
    privacy = mechanism(spec, ask)
    try:
        given = guarded(privacy, task.contribute(ask, rows_of(source, spec, "a"), system), system).words
    except DataError as error:
        assert "no row meets data.where" in str(error) or not rows
        return np.zeros(privacy.grid.length, dtype=np.int64), privacy
    return given.view(f"i{given.itemsize}").astype(np.int64), privacy


def beyond(spec, rows, labs, unit):
    """By how much a unit moves each statistic, as a share of what its noise is reckoned for: the largest."""
    if unit == "row":
        left, kept = rows[1:], labs
    else:
        left = [row for row in rows if row[0] != rows[0][0]]
        kept = {who: lab for who, lab in labs.items() if who != rows[0][0]} or {"nobody": "0"}
    (before, privacy), (after, _) = words(spec, rows, labs), words(spec, left, kept)
    moved, start = [], 0
    for part, most in zip(privacy.grid.parts, privacy.limit.l2, strict=True):
        difference = (before - after)[start : start + part.size].astype(float)
        moved.append(np.linalg.norm(difference) * part.step / most)
        start += part.size
    return max(moved)


@pytest.mark.parametrize(("unit", "reduced", "labs"), FEW)
@settings(max_examples=5, deadline=None)
@given(ROWS, LABS, st.data())
def test_a_row_or_a_person_moves_no_statistic_by_more_than_is_reckoned(unit, reduced, labs, rows, table, data):
    assert beyond(data.draw(plans(unit, reduced, labs)), rows, table, unit) <= 1 + 1e-12


@pytest.mark.slow
@pytest.mark.parametrize(("unit", "reduced", "labs"), CASES)
@given(ROWS, LABS, st.data())
def test_a_row_or_a_person_moves_none_by_more_often(unit, reduced, labs, rows, table, data):
    assert beyond(data.draw(plans(unit, reduced, labs)), rows, table, unit) <= 1 + 1e-12


def test_control_a_person_of_three_rows_moves_what_is_reckoned_for_one_by_three():
    wanted = (Statistic(name="s", kind="sum", column="x"),)
    spec = stats(
        {"x": number(0, 10)}, *wanted, privacy=PrivacyPlan(**NOISE, unit="row"), federation=CURIOUS, protect=MASK
    )
    rows = [("p0", "10", "u", "2000-01-01", "1")] * 3 + [("p1", "5", "u", "2000-01-01", "1")]
    assert beyond(spec, rows, {}, "person") == pytest.approx(3)
