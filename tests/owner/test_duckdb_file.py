"""DuckDB's own files: read and never written, whatever they hold; what cannot be read is told by its reason."""

import contextlib
import os
import sqlite3
import struct
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from potluck.core.errors import DataError, UsageError
from potluck.core.plan import Data
from potluck.learning.data.problems import Problems
from potluck.learning.data.source import limits_of
from potluck.learning.data.sql.duck import attached
from potluck.learning.data.table import read
from potluck.owner.policy import Source
from potluck.owner.source import open_source
from potluck.secret.container import Secret
from support.learning.sums import number, replaced, stats

HIDDEN = "s3cr3t-31337"
URL = b"duckdb:///rows.duckdb"


@pytest.fixture
def folder(tmp_path):
    """With a file of rows and views, and one that nobody is to read."""
    (tmp_path / "hidden.csv").write_text(f"x\n{HIDDEN}\n")
    with contextlib.closing(duckdb.connect(str(tmp_path / "rows.duckdb"))) as made:
        made.execute("CREATE TABLE rows AS SELECT i AS x, 'c' || i AS c FROM range(5) AS t(i)")
        made.execute("CREATE VIEW few AS SELECT * FROM rows WHERE x < 2")
        made.execute(f"CREATE VIEW other AS SELECT * FROM read_csv('{tmp_path}/hidden.csv')")
        made.execute(f"CREATE MACRO theirs() AS TABLE SELECT content AS x FROM read_text('{tmp_path}/hidden.csv')")
        made.execute("CREATE SEQUENCE counter")
    with contextlib.closing(duckdb.connect(str(tmp_path / "hidden.duckdb"))) as made:
        made.execute(f"CREATE TABLE rows AS SELECT '{HIDDEN}' AS x")
    return tmp_path


def opened(folder, query="SELECT * FROM rows", url=URL):
    return open_source(Source(url=Secret(url), query=query), folder, Data(max_rows=100), "home")


def numbers(folder, query="SELECT * FROM rows", url=URL):
    return read(opened(folder, query, url), stats({"x": number(0, 9)}), "home").columns["x"].tolist()


def fails(folder, query="SELECT * FROM rows", url=URL, kind=DataError):
    with pytest.raises(kind) as caught:
        numbers(folder, query, url)
    said = str(caught.value)
    assert HIDDEN not in said
    assert str(folder) not in said
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    return said


def test_the_rows_of_a_query_are_read_from_the_policys_folder_or_from_anywhere(folder, tmp_path_factory):
    assert numbers(folder) == [0, 1, 2, 3, 4]
    elsewhere = tmp_path_factory.mktemp("policy")
    assert numbers(elsewhere, "WITH q AS (SELECT 1) SELECT x FROM few",
                   f"duckdb:///{folder}/rows.duckdb".encode()) == [0, 1]  # fmt: skip
    assert opened(folder, "-- all\nSELECT x AS a, x AS A, c FROM rows -- of them").names() == (
        "a", "A", "c",
    )  # fmt: skip


def test_columns_whose_names_differ_in_case_alone_are_told_apart(folder):
    rows = opened(folder, "SELECT x AS age, x + 1 AS Age, x + 2 AS AGE FROM rows ORDER BY x LIMIT 1")
    for name, value in (("age", 0), ("Age", 1), ("AGE", 2)):
        with rows.open([name], None, Problems("home"), careful=True) as relation:
            assert relation.rows(f"SELECT {relation.cells[name].sql} FROM {relation.source}") == [(value,)]
    with pytest.raises(DataError, match="'age' is there more than once"):
        read(opened(folder, "SELECT x AS age, x AS age FROM rows"), stats({"age": number(0, 9)}), "home")


@pytest.mark.parametrize(
    "query",
    [
        "SELECT * FROM other",
        "SELECT * FROM theirs()",
        "SELECT * FROM 'hidden.csv'",
        "SELECT * FROM read_csv('{folder}/hidden.csv')",
        "SELECT content AS x FROM read_text('{folder}/hidden.csv')",
        "SELECT file AS x FROM glob('{folder}/*')",
        "SELECT * FROM read_duckdb('{folder}/hidden.duckdb')",
        "SELECT name AS x FROM duckdb_secrets()",
        "SELECT * FROM 'https://127.0.0.1:1/x.parquet'",
    ],
)
def test_no_other_file_is_read_whatever_a_query_or_a_view_says(folder, query):
    assert "the database did not give the rows (" in fails(folder, query.format(folder=folder))


def test_control_outside_of_its_bounds_the_view_reads_the_other_file(folder):
    with contextlib.closing(duckdb.connect(str(folder / "rows.duckdb"), read_only=True)) as free:
        assert free.execute("SELECT * FROM other").fetchall() == [(HIDDEN,)]


@pytest.mark.parametrize(
    "query",
    [
        "WITH gone AS (DELETE FROM rows RETURNING *) SELECT * FROM gone",
        "WITH more AS (INSERT INTO rows VALUES (7, 'x') RETURNING *) SELECT * FROM more",
        "SELECT nextval('counter') AS x",
    ],
)
def test_nothing_is_written(folder, query):
    before = (folder / "rows.duckdb").read_bytes()
    assert "the database did not give the rows (" in fails(folder, query)
    assert (folder / "rows.duckdb").read_bytes() == before
    assert sorted(path.name for path in folder.iterdir()) == ["hidden.csv", "hidden.duckdb", "rows.duckdb"]


@pytest.mark.parametrize("statement", ["INSTALL httpfs", "LOAD sqlite", "ATTACH 'x.duckdb'", "COPY rows TO 'x.csv'",
                                       "SET enable_external_access = true", "RESET lock_configuration"])  # fmt: skip
def test_what_no_select_can_ask_for_is_shut_off_too(folder, statement):
    limits = limits_of(Data(max_rows=100))
    with (
        attached(limits, folder / "rows.duckdb", lambda error: error) as made,
        pytest.raises(duckdb.Error, match=r"disabled|locked|read-only"),
    ):
        made.execute(statement)


def test_what_is_no_select_is_refused(folder):
    assert "not a SELECT" in fails(folder, "ATTACH 'x.duckdb'", kind=UsageError)
    assert "more than one statement" in fails(folder, "SELECT 1; INSTALL httpfs", kind=UsageError)


@pytest.mark.parametrize("url", [b"duckdb:", b"duckdb://", b"duckdb:///", b"duckdb://rows.duckdb",
                                 b"duckdb:///:memory:", b"duckdb:///rows.duckdb?access_mode=read_write"])  # fmt: skip
def test_an_address_that_names_no_file_is_refused(folder, url):
    assert "names no DuckDB file" in fails(folder, url=url, kind=UsageError)


def checked(header: bytes) -> int:
    """DuckDB's checksum of whole words: a multiplicative hash of each, all of them exclusive-ored."""
    found = 5381
    for (word,) in struct.iter_unpack("<Q", header):
        found ^= word * 0xBF58476D1CE4E5B9 % 2**64
    return found


def as_newer(path: Path) -> None:
    whole = bytearray(path.read_bytes())
    assert struct.unpack_from("<Q", whole)[0] == checked(whole[8:4096])
    struct.pack_into("<Q", whole, 12, 9999)
    struct.pack_into("<Q", whole, 0, checked(whole[8:4096]))
    path.write_bytes(whole)


def as_sqlite(path: Path) -> None:
    path.unlink()
    with contextlib.closing(sqlite3.connect(path)) as made, made:
        made.execute("create table rows (x)")


def flipped(path: Path) -> None:
    whole = bytearray(path.read_bytes())
    whole[5000] ^= 255
    path.write_bytes(whole)


SPOILT = {
    "is no DuckDB file": lambda path: path.write_text(HIDDEN * 1000),
    "is no DuckDB file.": lambda path: path.write_bytes(b""),
    "is no DuckDB file. hint": as_sqlite,
    "was written by another version of DuckDB": as_newer,
    "is damaged": flipped,
    "is damaged.": lambda path: path.write_bytes(path.read_bytes()[:9000]),
    "there is no such DuckDB file": lambda path: path.unlink(),
    "there is no such DuckDB file.": lambda path: (path.unlink(), path.mkdir()),
    "there is no such DuckDB file. hint": lambda path: (path.unlink(), os.mkfifo(path)),
}


@pytest.mark.parametrize("said", SPOILT)
def test_a_file_that_cannot_be_read_is_told_by_its_reason(folder, said):
    SPOILT[said](folder / "rows.duckdb")
    assert said in fails(folder)


def test_a_file_that_another_program_may_write_to_is_told(folder):
    holds = "import duckdb, sys; held = duckdb.connect(sys.argv[1]); print('held', flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", holds, folder / "rows.duckdb"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout.readline() == b"held\n"
        assert "is in use by a program that may write to it" in fails(folder)
        other.stdin.close()
    assert numbers(folder) == [0, 1, 2, 3, 4]


def test_a_file_that_this_program_has_open_is_told(folder):
    with contextlib.closing(duckdb.connect(str(folder / "rows.duckdb"))):
        assert "is in use by this program itself" in fails(folder)


def test_a_link_is_followed_as_its_owner_named_it(folder):
    (folder / "link.duckdb").symlink_to("rows.duckdb")
    assert numbers(folder, url=b"duckdb:///link.duckdb") == [0, 1, 2, 3, 4]


def test_errors_of_a_query_quote_no_value(folder):
    assert "(CatalogException)" in fails(folder, "SELECT * FROM absent")
    assert "(BinderException)" in fails(folder, "SELECT absent FROM rows")
    assert "(ConversionException)" in fails(folder, f"SELECT CAST('{HIDDEN}' AS INTEGER) AS x FROM rows")
    assert "holds values of type" in fails(folder, "SELECT [x] AS x FROM rows")


def test_more_rows_than_a_plan_allows_are_told(folder):
    spec = stats({"x": number(0, 1000)})
    spec = replaced(spec, data=replaced(spec.data, max_rows=100))
    with pytest.raises(DataError, match=r"more rows than data.max_rows \(100\)"):
        read(opened(folder, "SELECT i AS x FROM range(101) AS t(i)"), spec, "home")


def test_memory_is_bounded_by_the_policy(folder):
    source = Source(
        url=Secret(URL), query="SELECT max(i) AS x FROM range(30000000) AS t(i) GROUP BY i", memory=64 << 20
    )
    rows = open_source(source, folder, Data(max_rows=100), "home")
    with pytest.raises(DataError, match=r"needs more memory than source\.memory"):
        read(rows, stats({"x": number(0, 9)}), "home")
