"""Noise and a second table: one row of it may stand in the rows of many, so that noise for one row or person hides it
only where it is that person's own."""

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from potluck.core.errors import DataError, Refused
from potluck.core.plan import Column, Data, PrivacyPlan, Statistic
from potluck.core.tables.derived import Join, Reduce, Reduced
from potluck.dp.check import check
from potluck.dp.mechanism import mechanism
from potluck.learning.data.joining import joined
from potluck.learning.data.source import limits_of, opened
from potluck.learning.loops import build
from potluck.owner.policy import Allow, Policy
from potluck.secret.random import system
from potluck.tasks.sums.disclosure import known_by
from potluck.tasks.sums.rows import rows_of
from support.examples import examples
from support.learning.sums import NONE, number, replaced, stats
from support.places import ROOT

MOST = 100
"""What a lab value is at most: the most that one row may add to the sum."""


def plan(on: str, unit: str, **data):
    spec = stats({}, Statistic(name="lab", kind="sum", column="lab"))
    several = 1 if unit == "person" and "reduce" not in data else None
    return replaced(
        spec,
        data=Data(
            columns={"lab": number(0, MOST, "flag"), "patient": Column(kind="ignore")},
            person="patient",
            join=Join(table="labs", on=on, columns=("lab",)),
            **data,
        ),
        privacy=PrivacyPlan(noise="site", unit=unit, epsilon=1.0, delta=1e-6, rows_per_person=several),
    )


def joining(spec, rows, labs):
    """The source: rows, and a table [key, lab]."""
    theirs, limits = pd.DataFrame(labs, columns=[spec.data.join.on, "lab"]), limits_of(spec.data)
    return joined(opened(rows, "a", limits), opened(theirs, "a", limits), spec.data, "a")


def total(spec, rows, labs):
    """The sum before its noise: of rows [patient, ward] and of a table [key, lab]."""
    source = joining(spec, pd.DataFrame(rows, columns=["patient", "ward"]), labs)
    task = build(spec)
    ask = next(task.lead())
    grid = mechanism(spec, ask).grid
    (added,) = task.contribute(ask, rows_of(source, spec, "a"), system)
    (words,) = added.encode(grid, None).words.view("int64").tolist()
    return words * grid.parts[0].step


REDUCE = {"reduce": Reduce(columns={"lab": Reduced(kind="max")})}


@pytest.mark.parametrize(("unit", "data"), [("row", {}), ("person", {}), ("person", REDUCE)])
def test_a_row_of_the_table_that_many_rows_share_would_show_and_the_plan_is_refused(unit, data):
    spec = plan("ward", unit, **data)
    rows = [(f"p{place}", "w") for place in range(50)]
    moved = total(spec, rows, [("w", 100.0)]) - total(spec, rows, [("w", 0.0)])
    assert moved == pytest.approx(50 * MOST)
    (error,) = check(spec)[0]
    assert "data.join: noise would hide no row of the table labs" in error
    assert check(replaced(spec, privacy=PrivacyPlan(noise="none")))[0] == []


KEYS = st.sampled_from(["7", "a", "B ", "b", "-1", "1.5"])


@pytest.mark.slow
@settings(max_examples=examples(36), deadline=None)
@given(
    st.lists(KEYS, min_size=1, max_size=12),
    st.dictionaries(KEYS, st.integers(-20, 150).map(float), min_size=1),
    st.sampled_from([{}, REDUCE]),
    st.data(),
)
def test_a_person_whose_own_the_row_of_the_table_is_adds_no_more_than_is_reckoned(persons, labs, data, drawn):
    spec = plan("patient", "person", **data)
    assert check(spec)[0] == []
    gone = drawn.draw(st.sampled_from(persons))
    rows, table = [(name, "w") for name in persons], list(labs.items())
    rest = [row for row in rows if row[0].strip() != gone.strip()]
    if not rest:
        rest = [("nobody else", "w")]
        rows += rest
    left = [row for row in table if row[0].strip() != gone.strip()] or [("no one", 0.0)]
    assert abs(total(spec, rows, table) - total(spec, rest, left)) <= MOST
    assert abs(total(spec, rows, table) - total(spec, rows, left)) <= MOST


@pytest.mark.parametrize("data", [{}, REDUCE])
@pytest.mark.parametrize("names", [("7", "7,0"), ("7", "07"), ("7,5", "7,50")])
def test_two_persons_of_one_key_stop_the_site(names, data):
    spec = plan("patient", "person", decimal=",", separator=";", **data)
    with pytest.raises(DataError, match="in two ways"):
        total(spec, [(name, "w") for name in names], [("7", 100.0)])


def test_a_whole_site_is_hidden_whatever_it_joins():
    spec = replaced(plan("ward", "site"), task="train")
    assert not any("data.join" in line for line in check(spec)[0])


def test_a_joined_column_does_not_hide_one_by_which_rows_are_known_again():
    """A plan that joins one of the same name would make other rows of all, and no earlier sum be compared."""
    rules = Policy(version=1, allow=Allow(columns=("*",), min_cell=5))
    spec = replaced(plan("ward", "row"), privacy=NONE)
    rows, labs = pd.DataFrame({"patient": ["p", "q"], "ward": ["w", "w"]}), [("w", 1.0)]
    assert known_by(joining(spec, rows, labs), spec, rules) == ("patient", "ward")
    assert known_by(joining(spec, rows, labs), spec, Policy(version=1, allow=Allow(dominance=0.5))) == ()
    with pytest.raises(Refused, match="the plan joins a column whose name the rows have too") as refused:
        known_by(joining(spec, rows.assign(lab=1.0), labs), spec, rules)
    what = str(refused.value).partition("policy: ")[2].partition(". hint")[0]
    assert what in (ROOT / "docs" / "guides" / "few-rows.md").read_text(encoding="utf-8")
