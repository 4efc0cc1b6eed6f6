"""Generated plans over generated rows: the same vectors, the same tally and the same table from every kind of source,
and the integers that Python's own arithmetic gives of the typed rows."""

import math
import re
from collections import defaultdict
from datetime import date

import numpy as np
import pytest
from hypothesis import given, settings

from potluck.core.errors import DataError
from potluck.dp.mechanism import mechanism
from potluck.learning.data.sources import arrow, csv_file, memory
from potluck.learning.data.table import read
from potluck.learning.loops import build
from potluck.owner import sql
from potluck.tasks.sums.rows import rows_of
from support.examples import examples
from support.learning.sums import replaced, stats
from support.owner.engines import (
    DATA,
    IN_PROCESS,
    ROWS,
    VALUES,
    WANTED,
    first_rows,
    in_postgresql,
    in_spark,
    opened,
    persons,
    statistics,
    trainings,
)

FIELDS = ("features", "target", "test", "person")


@pytest.fixture(autouse=True)
def as_large(monkeypatch):
    """Small files are read as large ones are, and all that is streamed comes in several batches."""
    monkeypatch.setattr(csv_file, "FEW", 0)
    for streaming in (csv_file, arrow, memory, sql):
        monkeypatch.setattr(streaming, "CHUNK", 5)


@pytest.fixture(scope="session")
def engines():
    """(name, maker) of every source that the same rows are put into."""
    return IN_PROCESS


@pytest.fixture
def fetched_and_asked(engines, database):
    """A file, and a table of PostgreSQL whose rows are fetched, or added up where they are."""
    fetched = ("postgresql, fetched", in_postgresql(database, "duckdb"))
    inside = [(f"postgresql, texts: {one}", in_postgresql(database, "postgresql", one)) for one in (False, True)]
    return [engines[0], fetched, *inside]


@pytest.fixture
def file_and_spark(engines, spark):
    """A file, and Spark."""
    return [engines[0], *((f"spark, texts: {one}", in_spark(one)) for one in (False, True))]


def outcomes(engines, folder, rows, plan, how):
    """By engine, what is made of the rows, or the words of the error."""
    found = {}
    for name, make in engines:
        try:
            found[name] = how(opened(make(folder, rows, plan.data), plan.data), plan)
        except DataError as error:
            found[name] = unplaced(str(error))
    return found


def unplaced(text):
    """An error without lines, which engines that have no order do not know: how many there are."""

    def counted(match):
        count = match[1].count(",") + 1 + int((match[2] or "0").replace(",", ""))
        return f"{count:,} row{'s' * (count > 1)}"

    bare = re.sub(r" \(lines? [^)]*\)", "", text)
    return re.sub(r"lines? ((?:\d+, )*\d+)(?: and ([\d,]+) more)?", counted, bare)


def alike(found):
    """All outcomes are the first one."""
    first, *others = found
    for other in others:
        assert found[other] == found[first], f"{other} differs from {first}"
    return found[first]


def added(source, plan):
    """What a site hands over of statistics, and what its owner is told."""
    grid = mechanism(plan, next(build(plan).lead())).grid
    table = rows_of(source, plan, "a")
    assert table.sums is not None  # not laid out row by row
    return table.sums.encode(grid, None).words.tobytes(), table.tally


def laid_out(source, plan):
    """What a site trains on."""
    table = read(source, plan, "a")
    columns = {name: values.tobytes() for name, values in table.columns.items()}
    return [getattr(table, name).tobytes() for name in FIELDS], table.schema, table.tally, columns


def in_any_order(source, plan):
    """The same, without the order of rows and the numbers of persons, who are told by their rows."""
    table = read(source, plan, "a")
    rows = [
        (one.tobytes(), float(target), bool(test))
        for one, target, test in zip(table.features, table.target, table.test, strict=True)
    ]
    persons = defaultdict(list)
    for person, row in zip(table.person, rows, strict=True):
        persons[int(person)].append(row)
    return sorted(map(sorted, persons.values())), table.schema, table.tally


@pytest.mark.slow
@settings(max_examples=examples(6), deadline=None)
@given(ROWS, statistics())
def test_statistics_are_the_same_words_from_every_source_and_those_of_python(tmp_path_factory, engines, rows, plan):
    check_statistics(tmp_path_factory.mktemp("rows"), engines, rows, plan)


@pytest.mark.slow
@given(ROWS, statistics())
def test_statistics_are_the_same_words_often(tmp_path_factory, engines, rows, plan):
    check_statistics(tmp_path_factory.mktemp("rows"), engines, rows, plan)


@settings(max_examples=examples(6), deadline=None)
@given(ROWS, trainings())
def test_training_rows_are_the_same_from_every_source(tmp_path_factory, engines, rows, plan):
    alike(outcomes(engines, tmp_path_factory.mktemp("rows"), rows, plan, laid_out))


@pytest.mark.slow
@settings(max_examples=20, deadline=None)
@given(ROWS, trainings())
def test_training_rows_are_the_same_often(tmp_path_factory, engines, rows, plan):
    alike(outcomes(engines, tmp_path_factory.mktemp("rows"), rows, plan, laid_out))


def test_statistics_are_added_up_inside_postgresql(tmp_path_factory, fetched_and_asked):
    @settings(max_examples=examples(24), deadline=None)
    @given(ROWS, statistics())
    def check(rows, plan):
        check_statistics(tmp_path_factory.mktemp("rows"), fetched_and_asked, rows, plan)

    check()


@pytest.mark.slow
def test_statistics_are_added_up_inside_postgresql_often(tmp_path_factory, fetched_and_asked):
    @settings(max_examples=examples(150))
    @given(ROWS, statistics())
    def check(rows, plan):
        check_statistics(tmp_path_factory.mktemp("rows"), fetched_and_asked, rows, plan)

    check()


@pytest.mark.slow
def test_training_rows_of_postgresql_are_those_of_a_file(tmp_path_factory, fetched_and_asked):
    @settings(max_examples=examples(18), deadline=None)
    @given(ROWS, trainings())
    def check(rows, plan):
        alike(outcomes(fetched_and_asked, tmp_path_factory.mktemp("rows"), rows, plan, in_any_order))

    check()


@pytest.mark.slow
def test_persons_are_reduced_inside_postgresql(tmp_path_factory, fetched_and_asked):
    @settings(max_examples=examples(24), deadline=None)
    @given(ROWS, persons())
    def check(rows, plan):
        alike(outcomes(fetched_and_asked, tmp_path_factory.mktemp("rows"), rows, plan, added))

    check()


@pytest.mark.slow
def test_persons_are_reduced_inside_spark(tmp_path_factory, file_and_spark):
    @settings(max_examples=10, deadline=None)
    @given(ROWS, persons())
    def check(rows, plan):
        alike(outcomes(file_and_spark, tmp_path_factory.mktemp("rows"), rows, plan, added))

    check()


@pytest.mark.slow
def test_statistics_are_added_up_inside_spark(tmp_path_factory, file_and_spark):
    @settings(max_examples=15, deadline=None)
    @given(ROWS, statistics())
    def check(rows, plan):
        check_statistics(tmp_path_factory.mktemp("rows"), file_and_spark, rows, plan)

    check()


@pytest.mark.slow
def test_training_rows_of_spark_are_those_of_a_file(tmp_path_factory, file_and_spark):
    @settings(max_examples=8, deadline=None)
    @given(ROWS, trainings())
    def check(rows, plan):
        alike(outcomes(file_and_spark, tmp_path_factory.mktemp("rows"), rows, plan, in_any_order))

    check()


def test_control_an_engine_that_loses_a_digit_or_a_row_is_told(tmp_path):
    rows = [(1, 0.123456789, 3, None, True, "ja", None, None), (2, 1.5, 4, None, False, "x", None, None)]
    plan = replaced(stats({}, *[one for one in WANTED if one.column == "x"]), data=DATA)
    first, *_ = IN_PROCESS
    assert alike(outcomes([first, first], tmp_path, rows, plan, added))
    for broken in (
        lambda folder, rows, data: first[1](folder, [(*row[:1], round(row[1], 6), *row[2:]) for row in rows], data),
        lambda folder, rows, data: first[1](folder, rows[:1], data),
    ):
        with pytest.raises(AssertionError, match="broken differs from csv"):
            alike(outcomes([first, ("broken", broken)], tmp_path, rows, plan, added))


def check_statistics(folder, engines, rows, plan):
    found = alike(outcomes(engines, folder, rows, plan, added))
    kept = [row for row in map(valued(plan), first_rows(rows)) if meets(row, plan)]
    if not kept:
        assert "no row meets data.where" in found
        return
    words, tally = found
    assert (tally.used, tally.unmet) == (len(kept), len(rows) - len(kept))
    grid = mechanism(plan, next(build(plan).lead())).grid
    given, at = np.frombuffer(words, f"<i{grid.bits // 8}").tolist(), 0
    for part in grid.parts:
        mine, expected = given[at : at + part.size], by_hand(plan, part, kept)
        at += part.size
        if part.name == "log":  # two units in the last place of a double, a row
            assert mine[0] == expected[0]
            assert abs(mine[1] - expected[1]) <= len(kept) * (1 + 2**-50 / part.step)
        else:
            assert mine == expected, part.name


# The same by hand


def valued(plan):
    """What a row's cells mean: numbers, places among declared values (the last: another one), None: no value."""
    data = plan.data
    small = [one.lower() for one in VALUES]
    gone = {float(one) for one in data.missing if one.startswith("-")}

    def measured(value):
        return None if value is None or float(value) in gone else float(value)

    def place(text):
        bare = "" if text is None else text.strip()
        plain = "".join(one.lower() if len(one.lower()) == 1 else one for one in bare) if data.fold else bare
        words = [one.lower() if data.fold else one for one in data.missing]
        if plain in words:
            return None
        if bare in ("1", "1.0" if data.decimal == "." else "1"):
            return VALUES.index("1")
        values = small if data.fold else VALUES
        return values.index(plain) if plain in values else len(VALUES)

    def meaning(row):
        born = row["d"]
        age = None if born is None else 2025 - born.year - ((born.month, born.day) > (1, 1))
        c, price = place(row["c"]), measured(row["price"])
        return {
            "x": measured(row["x"]),
            "n": measured(row["n"]),
            "price": price,
            "b": None if row["b"] is None else 0 if row["b"] else 1,
            "c": c,
            "d": born,
            "age": age,
            "group": None if age is None else (age >= 18) + (age >= 65),
            "days": None if born is None else (date(2000, 2, 29) - born).days,
            # "yes", then "no", and what `map` does not name.
            "kind": None if c is None else {0: 0, 1: 1, 3: 0}.get(c, 2),
            "log": None if price is None else math.log(price),
        }

    return meaning


def meets(row, plan):
    names = {"c": VALUES, "group": ("child", "adult", "old")}
    for one in plan.data.where:
        value = row[one.column]
        if value is None:
            return False
        if one.within is not None and not any(names[one.column].index(word) == value for word in one.within):
            return False
        if one.not_in is not None and any(names[one.column].index(word) == value for word in one.not_in):
            return False
        bound = next((b for b in (one.at_least, one.at_most, one.above, one.below) if b is not None), None)
        bound = date.fromisoformat(bound) if isinstance(bound, str) else bound
        if (
            (one.at_least is not None and value < bound)
            or (one.at_most is not None and value > bound)
            or (one.above is not None and value <= bound)
            or (one.below is not None and value >= bound)
        ):
            return False
    return True


def faults_by_hand(plan, part, rows, name, by):
    """What is counted of a column that is missing, below, above or undeclared, row by row."""
    column = {**plan.data.columns, **plan.data.derive}[name]
    out = [0] * part.size
    width = part.size // (1 if by is None else SIZES[by] + 1)
    for row in rows:
        value = row[name]
        if by is not None and row[by] is None:
            continue
        if value is None:
            fault = 1
        elif name in SIZES:
            fault = 2 if value == SIZES[name] else 0
        else:
            fault = 2 if value < column.low else 3 if value > column.high else 0
        out[(0 if by is None else row[by]) * width + fault] += int(1 / part.step)
    return out


SIZES = {"c": 4, "b": 2, "group": 3, "kind": 2}


def by_hand(plan, part, rows):
    """A statistic's whole steps, row by row."""
    name, _, column = part.name.partition("/")
    one = next(one for one in plan.statistics if one.name == name)
    if one.kind == "missing":
        return faults_by_hand(plan, part, rows, column or one.columns[0], one.by)
    columns = {**plan.data.columns, **plan.data.derive}
    low, high = (columns[one.column].low, columns[one.column].high) if one.column else (None, None)
    out = [0] * part.size
    for row in rows:
        if any(row[name] is None for name in (*one.columns, one.column, one.by) if name):
            continue
        x = row[one.column] if one.column else None
        clipped = None if x is None else min(max(x, low), high)
        scaled = None if x is None else 2 * (clipped - low) / (high - low) - 1
        place = 0 if one.by is None else row[one.by]
        if one.kind == "count":
            values = [1]
        elif one.kind == "sum":
            values = [clipped]
        elif one.kind == "mean":
            values = [1, scaled]
        elif one.kind == "variance":
            values = [1, scaled, scaled * scaled]
        elif one.kind == "histogram":
            edges = np.linspace(low, high, one.bins + 1)[1:-1]
            place, values = place * one.bins + int((edges <= x).sum()), [1]
        else:
            first, second = one.columns
            place, values = row[first] * (SIZES[second] + 1) + row[second], [1]
        for offset, value in enumerate(values):
            out[place * len(values) + offset] += math.trunc(value / part.step)
    return out
