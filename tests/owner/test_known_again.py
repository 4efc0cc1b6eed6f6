"""A row is known again in every kind of source, whatever a plan reads of it and in whichever way it is read."""

from datetime import date
from decimal import Decimal

import pytest

from potluck.learning.data.encode import field
from potluck.learning.data.notation import Notation
from potluck.learning.data.parts import Wish, parts
from potluck.learning.data.problems import Problems
from support.learning.sums import number
from support.owner.engines import DATA, IN_PROCESS, TYPES, as_csv, in_postgresql, in_spark, opened

ONE = (1, 1.5, 3, Decimal("2.00"), True, "ja", date(2020, 1, 2), "a")
CHANGED = [
    (2, *ONE[1:]),
    (ONE[0], 1.25, *ONE[2:]),
    (*ONE[:2], 4, *ONE[3:]),
    (*ONE[:3], Decimal("2.01"), *ONE[4:]),
    (*ONE[:4], False, *ONE[5:]),
    (*ONE[:5], "jaa", ONE[6], ONE[7]),
    (*ONE[:6], date(2020, 1, 3), ONE[7]),
    (*ONE[:7], None),
    (*ONE[:5], "j", ONE[6], "aa"),  # the same letters, parted otherwise
    (*ONE[:5], None, *ONE[6:]),
]
GIVEN = [ONE, *CHANGED, ONE]
ALL = tuple(sorted(TYPES))


def hashes(source, names, careful=False, known=ALL):
    """Of the rows, in the order of the source."""
    fields = tuple(field(name, number(-5.0, 12.5, "flag")) for name in names)
    read = parts(source, Wish(fields, Notation(("",)), known=known), Problems("a", careful))
    return [one for part in read for one in part.known.tolist()]


def knows_again(source):
    found = hashes(source, ())
    assert len(set(found[:-1])) == len(GIVEN) - 1  # no two of these rows are alike
    assert found[0] == found[-1]
    assert all(0 <= one < 2**52 for one in found)
    assert hashes(source, ("x", "n")) == found
    assert len(set(hashes(source, ("x",), known=("b", "c")))) < len(set(found))
    return found


@pytest.mark.parametrize("maker", [maker for _, maker in IN_PROCESS], ids=[name for name, _ in IN_PROCESS])
def test_rows_are_known_again(maker, tmp_path):
    knows_again(opened(maker(tmp_path, GIVEN, DATA), DATA))


def test_both_ways_of_reading_a_file_know_the_same_rows(tmp_path, monkeypatch):
    monkeypatch.setattr("potluck.learning.data.sources.csv_file.FEW", 0)
    source = as_csv(tmp_path, GIVEN, DATA)
    assert hashes(source, ("x",), careful=True) == hashes(source, ())


def test_rows_in_postgresql_are_known_again(database, tmp_path):
    for engine in ("duckdb", "postgresql"):
        knows_again(in_postgresql(database, engine)(tmp_path, GIVEN, DATA))


@pytest.mark.slow
def test_rows_in_spark_are_known_again(spark, tmp_path):
    knows_again(in_spark(False)(tmp_path, GIVEN, DATA))
