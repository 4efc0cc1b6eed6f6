"""Doubles of a Parquet file: the same bits as in the file, fetched from its dictionary before anything is asked."""

import struct

import pyarrow as pa
import pyarrow.parquet as pq

from potluck.learning.data.problems import Problems
from potluck.learning.data.sql.relation import Limits
from potluck.owner.parquet import ParquetFile

NAME = 'a"b'
ODD = [0.0, -0.0, 5e-324, -2.2250738585072014e-308, 1.7976931348623157e308, 0.1, None, -1e-310]


def test_doubles_are_the_bits_of_the_file_and_are_multiplied_by_one(tmp_path):
    """The product is there for speed alone: an engine that leaves it out is as right, and slow again."""
    values = ODD * 100
    pq.write_table(pa.table({NAME: pa.array(values, pa.float64())}), tmp_path / "rows.parquet")
    source = ParquetFile(tmp_path / "rows.parquet", "home", Limits(1_000_000))
    with source.open([NAME], None, Problems("home"), careful=False) as found:
        query = f"SELECT {found.cells[NAME].sql} FROM {found.source}"
        read = [value for (value,) in found.rows(query)]
        asked = f"SELECT count(*) FROM ({query}) AS made (x) WHERE x > CAST('0.0' AS DOUBLE)"
        plan = "".join(text for _, text in found.rows(f"EXPLAIN {asked}"))
    as_bits = [[None if one is None else struct.pack("<d", one) for one in some] for some in (read, values)]
    assert as_bits[0] == as_bits[1]
    assert "* 1.0" in plan
