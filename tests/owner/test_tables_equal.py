"""Persons of rows, and rows joined to a second table: the same from every kind of source, and of any two of them."""

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from potluck.core.plan import Column, Data, Statistic
from potluck.core.tables.derived import Derive, Join, Reduce, Reduced, Where
from potluck.dp.mechanism import mechanism
from potluck.learning.data.joining import joined
from potluck.learning.data.sources import csv_file
from potluck.learning.data.table import read
from potluck.learning.loops import build
from potluck.tasks.sums.rows import rows_of
from support.examples import examples
from support.learning.sums import category, number, replaced, stats
from support.owner.engines import IN_PROCESS, in_postgresql, in_spark, opened

DAY = Column(kind="date", format="%Y-%m-%d")
COLUMNS = {
    "x": number(-5, 13, "flag"),
    "n": number(0, 110, "flag"),
    "price": number(0, 12, "flag"),
    "c": category("ja", "nein", missing="flag"),
    "d": DAY,
}
REDUCE = Reduce(
    order="d",
    columns={
        "x": Reduced(kind="mean"),
        "n": Reduced(kind="last"),
        "lowest": Reduced(kind="min", source="price"),
        "c": Reduced(kind="any", values=("ja",)),
        "first": Reduced(kind="first", source="c"),
        "rows": Reduced(kind="count", low=0, high=30),
        "years": Reduced(kind="max"),
    },
)
PERSONS = Data(
    person="who",
    missing=("", "NA", "-9"),
    columns=COLUMNS,
    derive={"years": Derive(kind="years", source="d", to="2025-01-01", low=0.0, high=110.0)},
    where=(Where(column="d", at_least="1900-01-01"),),
    reduce=REDUCE,
)
TABLES = Data(
    missing=("", "NA"),
    columns={"x": number(-5, 13, "flag"), "price": number(0, 12, "flag"), "c": category("ja", "nein", missing="flag")},
    join=Join(table="other", on="who", columns=("price", "c")),
)
STATISTICS = {
    "x": Statistic(name="x", kind="variance", column="x", by="c"),
    "n": Statistic(name="n", kind="mean", column="n", by="first"),
    "rows": Statistic(name="rows", kind="histogram", column="rows", bins=5),
    "price": Statistic(name="price", kind="mean", column="price", by="c"),
}
ROW = st.tuples(
    st.integers(1, 5).map(lambda one: 2**53 + one),
    st.none() | st.integers(-60, 140).map(lambda one: one / 7),
    st.none() | st.integers(-20, 120) | st.just(-9),
    st.none() | st.decimals(places=2, min_value=Decimal("0.01"), max_value=Decimal("11.00")),
    st.none() | st.booleans(),
    st.none() | st.sampled_from(["ja", "nein", "NA", " ja", "Ja", "größe"]),
    st.none() | st.dates(date(1890, 1, 1), date(2024, 12, 31)),
    st.none(),
)


@pytest.fixture(autouse=True)
def quickly(monkeypatch):
    """Small files are read as large ones are."""
    monkeypatch.setattr(csv_file, "FEW", 0)


def outcome(source, plan):
    """What it adds, and each column."""
    grid = mechanism(plan, next(build(plan).lead())).grid
    added, table = rows_of(source, plan, "a"), read(source, plan, "a")
    assert added.tally == table.tally
    columns = {name: values.tobytes() for name, values in table.columns.items()}
    return added.sums.encode(grid, None).words.tobytes(), table.tally, columns


@settings(max_examples=examples(6), deadline=None)
@given(st.lists(ROW, min_size=1, max_size=12), st.randoms(use_true_random=False))
def test_persons_are_the_same_from_every_source_and_in_any_order(tmp_path_factory, rows, drawn):
    check_persons(IN_PROCESS, tmp_path_factory, rows, drawn)


@settings(max_examples=3, deadline=None)
@given(st.lists(ROW, min_size=1, max_size=12), st.randoms(use_true_random=False))
def test_persons_are_the_same_inside_postgresql(tmp_path_factory, database, rows, drawn):
    inside = [(f"postgresql, texts: {one}", in_postgresql(database, "postgresql", one)) for one in (False, True)]
    check_persons([IN_PROCESS[0], *inside], tmp_path_factory, rows, drawn)


@pytest.mark.slow
@settings(max_examples=3, deadline=None)
@given(st.lists(ROW, min_size=1, max_size=12), st.randoms(use_true_random=False))
def test_persons_are_the_same_inside_spark(tmp_path_factory, spark, rows, drawn):
    inside = [(f"spark, texts: {one}", in_spark(one)) for one in (False, True)]
    check_persons([IN_PROCESS[0], *inside], tmp_path_factory, rows, drawn)


def check_persons(engines, tmp_path_factory, rows, drawn):
    if not any(row[6] and row[6] >= date(1900, 1, 1) for row in rows):
        rows = [(*rows[0][:6], date(2000, 1, 1), None), *rows]
    plan = replaced(stats({}, *(STATISTICS[name] for name in ("x", "n", "rows"))), data=PERSONS)
    found, folder = {}, tmp_path_factory.mktemp("rows")
    for name, make in engines:
        mixed = list(rows)
        drawn.shuffle(mixed)
        found[name] = outcome(opened(make(folder, mixed, plan.data), plan.data), plan)
    first, *others = found
    for other in others:
        assert found[other] == found[first], f"{other} differs from {first}"


@pytest.mark.slow
@settings(max_examples=examples(6), deadline=None)
@given(st.lists(ROW, min_size=1, max_size=8), st.lists(ROW, max_size=5, unique_by=lambda row: row[0]), st.data())
def test_two_tables_are_joined_alike_whichever_two_kinds_they_are(tmp_path_factory, rows, table, data):
    table = table or [(1, None, None, None, None, None, None, None)]
    plan = replaced(stats({}, STATISTICS["x"], STATISTICS["price"]), data=TABLES)
    alone = replaced(TABLES, join=None, columns={**TABLES.columns, "d": DAY})
    mine, theirs = tmp_path_factory.mktemp("rows"), tmp_path_factory.mktemp("table")
    found = {}
    for place, (name, make) in enumerate(IN_PROCESS):
        other, make_other = IN_PROCESS[(place + data.draw(st.integers(0, len(IN_PROCESS) - 1))) % len(IN_PROCESS)]
        if name == other == "relation":  # one connection of the caller's answers one question at a time
            continue
        one, two = opened(make(mine, rows, alone), alone), opened(make_other(theirs, table, alone), alone)
        found[f"{name} and {other}"] = outcome(joined(one, two, plan.data, "a"), plan)
    first, *others = found
    for other in others:
        assert found[other] == found[first], f"{other} differs from {first}"
