"""A CSV file is read in two ways, which give the same rows; hostile files are refused, or harmless."""

import bz2
import contextlib
import gzip
import io
import lzma
import math
import os
import re
import sqlite3
import zipfile

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from potluck.core.errors import DataError
from potluck.learning.data.problems import Doubt, Problems
from potluck.learning.data.source import opened
from potluck.learning.data.sources import csv_file
from potluck.learning.data.sql.duck import Duck
from potluck.learning.data.table import read
from support.examples import examples
from support.learning.sums import category, number, replaced, stats


@pytest.fixture(autouse=True)
def quickly(monkeypatch):
    """Small files are read as large ones are."""
    monkeypatch.setattr(csv_file, "FEW", 0)


def rows(path, names, *, careful, layout=None):
    """The texts of some columns, in order. Raises Doubt, DataError."""
    problems = Problems("home", careful)
    with problems, opened(path, "home").open(names, layout, problems, careful) as relation:
        wanted = ", ".join(f"{cell.sql} as c{place}" for place, cell in enumerate(relation.cells.values()))
        return relation.rows(f"select {wanted} from {relation.source}")


CELLS = st.text("ab1,\"; \t\n\r'\\#_\u00e4", max_size=4)


@settings(max_examples=examples(120))
@given(st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=8), st.sampled_from(["\n", "\r\n", "\r"]), st.booleans())
@example([("a", "b"), (' "1"', "2")], "\n", False)
@example([("a", "b"), ("", "")], "\n", True)
def test_the_quick_way_gives_the_rows_of_the_careful_one_or_is_in_doubt(tmp_path_factory, table, line, mark):
    """Files as spreadsheets write them, quoted where they need it."""
    path = tmp_path_factory.mktemp("csv") / "rows.csv"
    frame = pd.DataFrame(table, columns=["x", "y"])
    text = frame.to_csv(index=False, lineterminator=line)
    path.write_bytes(b"\xef\xbb\xbf" * mark + text.encode())
    _same(path, ["x", "y"])


@settings(max_examples=examples(200))
@given(st.text('ab1,"\n\r \t\x00_', max_size=30))
@example('"x"y,2\n')
@example('x"y,2\n')
@example(' "1",2\n"1" ,2\n')
@example("1,2\n3\n")
@example("1,2\r\n3,4\n")
@example('"1\n')
@example("\n\n1,2\n")
@example("1,2\n\n\n3,4")
@example(',  "')
@example('1,  "a" \n')
@example('  "1",2\n')
@example('"x,y" "x",2\n')
@example('"x,y"  "\n')
@example('""  ,2\n')
@example('1,""  ')
def test_whatever_a_file_holds_both_ways_give_the_same_or_one_is_in_doubt(tmp_path_factory, text):
    path = tmp_path_factory.mktemp("csv") / "rows.csv"
    path.write_bytes(b"x,y\n" + text.encode())
    _same(path, ["x", "y"])


def _same(path, names):
    try:
        quick = rows(path, names, careful=False)
    except Doubt:
        return
    except DataError as error:
        with pytest.raises(DataError, match=re.escape(str(error))):
            rows(path, names, careful=True)
        return
    careful = rows(path, names, careful=True)
    # Blanks beside quotes are read in two ways, and are no part of a cell's value in any.
    assert [[cell.strip() for cell in row] for row in quick] == [[cell.strip() for cell in row] for row in careful]


def test_the_quick_way_is_taken_and_doubts_what_it_must(tmp_path):
    """The control of the two tests above: they would hold as well if the quick way always doubted."""
    path = tmp_path / "rows.csv"
    path.write_text('x,y\n1,"a, b"\n2,"c ""d"""\n')
    assert rows(path, ["x", "y"], careful=False) == [("1", "a, b"), ("2", 'c "d"')]
    path.write_text("x,y\n1,2\n3\n")
    with pytest.raises(Doubt):
        rows(path, ["x", "y"], careful=False)
    with pytest.raises(DataError, match="line 3 has 1 columns where 2 are expected"):
        rows(path, ["x", "y"], careful=True)


@pytest.mark.parametrize("name", ["a*.csv", "a?.csv", "a[bc].csv", "o'clock.csv", 'a"b.csv', "a b;--.csv", "{ab}.csv"])
def test_a_path_names_one_file_whatever_letters_it_has(name, tmp_path):
    (tmp_path / "ab.csv").write_text("x\n9\n9\n")
    (tmp_path / name).write_text("x\n1\n")
    assert rows(tmp_path / name, ["x"], careful=False) == [("1",)]


ROWS = b"x\n" + b"1\n" * 1_000_000


def zipped(data):
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("rows.csv", data)
    return made.getvalue()


@pytest.mark.parametrize(
    ("name", "encoding"),
    [
        ("rows.csv", "utf-8"),
        *(pytest.param(*one, marks=pytest.mark.slow) for one in (("rows.csv.gz", "utf-8"), ("rows", "latin-1"))),
    ],
)
@pytest.mark.parametrize(
    ("pack", "said"),
    [
        (gzip.compress, "is compressed (gzip), not CSV"),
        (zipped, "is a zip archive or a spreadsheet, not CSV"),
        (bz2.compress, "is compressed (bzip2), not CSV"),
        (lzma.compress, "is compressed (xz), not CSV"),
        (lambda data: pa.compress(data, "zstd", asbytes=True), "is compressed (zstd), not CSV"),
    ],
)
def test_a_packed_file_is_no_csv_whatever_its_name_and_is_never_unpacked(name, encoding, pack, said, tmp_path):
    """A bomb of a few kilobytes would unpack to gigabytes."""
    path = tmp_path / name
    path.write_bytes(pack(ROWS))
    assert path.stat().st_size < 10_000
    spec = stats({"x": number(0, 9)})
    with pytest.raises(DataError, match=re.escape(said)):
        read(path, replaced(spec, data=replaced(spec.data, encoding=encoding)), "home")


def test_a_file_of_another_kind_is_told_by_what_it_is(tmp_path):
    path = tmp_path / "rows.csv"
    pq.write_table(pa.table({"x": [1]}), path)
    with pytest.raises(DataError, match=r"is a Parquet file, not CSV. hint: call it .parquet"):
        read(path, stats({"x": number(0, 9)}), "home")
    feather.write_feather(pa.table({"x": [1]}), path)
    with pytest.raises(DataError, match=r"is an Arrow file, not CSV. hint: write it as Parquet"):
        read(path, stats({"x": number(0, 9)}), "home")
    for connect in (sqlite3.connect, duckdb.connect):
        path.unlink()
        with contextlib.closing(connect(str(path))) as made:
            made.execute("create table rows (x integer)")
        with pytest.raises(DataError, match=r"is a database, not CSV. hint: source.url"):
            read(path, stats({"x": number(0, 9)}), "home")


@pytest.mark.parametrize("name", ["PAR1", "BZh9", "PK", "ARROW1", "SQLite format 3", "patient,DUCK", "7zXZ"])
def test_names_of_columns_may_be_those_of_other_kinds_of_file(name, tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text(f"{name},x\n" + ("1," * len(name.split(","))) + "2\n")
    assert read(path, stats({"x": number(0, 9)}), "home").columns["x"].tolist() == [2]


@pytest.mark.parametrize("few", [0, 1 << 30])
def test_a_cell_has_so_many_letters_at_most_in_both_ways(few, tmp_path, monkeypatch):
    monkeypatch.setattr(csv_file, "FEW", few)
    path, spec = tmp_path / "rows.csv", stats({"x": number(0, 9), "note": category("b")})
    path.write_text("x,note\n1," + "a" * csv_file.LONGEST + "\n2,b\n")
    assert read(path, spec, "home").columns["x"].tolist() == [1, 2]
    path.write_text("x,note\n1," + "a" * (csv_file.LONGEST + 1) + "\n2,b\n")
    with pytest.raises(DataError, match="line 2 or later has more than 2,000,000 letters"):
        read(path, spec, "home")


def test_a_file_of_one_line_is_not_read_into_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(csv_file, "LINE", 1000)
    path = tmp_path / "rows.csv"
    path.write_text("x" * 2000)
    with pytest.raises(DataError, match="line 1 has more than 1,000 letters"):
        read(path, stats({"x": number(0, 9)}), "home")


def test_long_rows_are_held_a_few_at_a_time(tmp_path, monkeypatch):
    monkeypatch.setattr(csv_file, "LETTERS", 10)
    monkeypatch.setattr(csv_file, "FEW", 1 << 30)
    rows = [(line, ["123456"]) for line in range(5)]
    assert [len(block) for block in csv_file._blocks(rows)] == [2, 2, 1]
    path = tmp_path / "rows.csv"
    path.write_text("x\n" + "".join(f"{k}\n" for k in range(50)))
    assert read(path, stats({"x": number(0, 99)}), "home").columns["x"].tolist() == list(range(50))


@pytest.mark.parametrize("few", [0, 1 << 30])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_end_as_any_machine_ends_them(few, end, tmp_path, monkeypatch):
    monkeypatch.setattr(csv_file, "FEW", few)
    path, spec = tmp_path / "rows.csv", stats({"x": number(0, 99), "y": category("u", "v")})
    path.write_bytes(end.join(["x,y", "1,u", "2,v", ""]).encode())
    assert {name: values.tolist() for name, values in read(path, spec, "home").columns.items()} == {
        "x": [1, 2],
        "y": [0, 1],
    }
    path.write_bytes(end.join(["x,y", "1,u", "ten,v", ""]).encode())
    with pytest.raises(DataError, match="column 'x', line 3: nan, inf or text"):
        read(path, spec, "home")


@pytest.mark.parametrize("few", [0, 1 << 30])
def test_a_link_is_followed_as_its_owner_named_it_and_leads_to_one_file(few, tmp_path, monkeypatch):
    """Whoever may change where it leads may change the rows: it is as if the file were changed."""
    monkeypatch.setattr(csv_file, "FEW", few)
    away = tmp_path / "away"
    away.mkdir()
    (away / "rows.csv").write_text("x\n1\n")
    link = tmp_path / "rows.csv"
    link.symlink_to(away / "rows.csv")
    assert read(link, stats({"x": number(0, 9)}), "home").columns["x"].tolist() == [1]
    link.unlink()
    link.symlink_to("nowhere.csv")
    with pytest.raises(DataError, match="no such file"):
        read(link, stats({"x": number(0, 9)}), "home")
    (tmp_path / "a.csv").symlink_to("b.csv")
    (tmp_path / "b.csv").symlink_to("a.csv")
    with pytest.raises(DataError, match="cannot be read"):
        read(tmp_path / "a.csv", stats({"x": number(0, 9)}), "home")


def test_names_of_columns_are_never_run(tmp_path):
    name = "x\"; drop table rows; select '1"
    path = tmp_path / "rows.csv"
    pd.DataFrame({name: [1, 2], "y'": ["a", "b"]}).to_csv(path, index=False)
    table = read(path, stats({name: number(0, 9), "y'": category("a", "b'); --")}), "home")
    assert table.columns[name].tolist() == [1, 2]
    assert table.columns["y'"].tolist() == [0, -1]


@pytest.mark.parametrize("few", [0, 1 << 30])
@pytest.mark.parametrize("blanks", [0, 1, 2, 7])
def test_blanks_before_a_quote_are_no_part_of_a_value(blanks, few, tmp_path, monkeypatch):
    """With two of them DuckDB takes the quotes for letters."""
    monkeypatch.setattr(csv_file, "FEW", few)
    path = tmp_path / "rows.csv"
    path.write_text("x,c\n" + f'1,{" " * blanks}"a"\n' * 3)
    assert read(path, stats({"x": number(0, 9), "c": category("a")}), "home").columns["c"].tolist() == [0, 0, 0]


def test_formulas_are_texts(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text('x\n"=1+1"\n')
    with pytest.raises(DataError, match="nan, inf or text where a number is expected"):
        read(path, stats({"x": number(0, 9)}), "home")


def test_a_million_columns_are_refused_by_their_number(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text(",".join(map(str, range(1_000_000))) + "\n")
    with pytest.raises(DataError, match="more than 100,000 columns"):
        read(path, stats({"7": number(0, 9)}), "home")


def test_a_file_that_is_a_pipe_or_a_folder_is_an_error(tmp_path):
    (tmp_path / "folder.csv").mkdir()
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "link.csv").symlink_to("/dev/zero")
    for name in ("folder.csv", "pipe.csv", "link.csv"):
        with pytest.raises(DataError, match="cannot be read"):
            read(tmp_path / name, stats({"x": number(0, 9)}), "home")


def test_an_underscore_anywhere_is_no_part_of_a_number(tmp_path):
    """To DuckDB's cast 1_0 is 10, and +-1 is -1. It is asked to look only where the file has such letters."""
    for cell in ("1_0", "+-1"):
        path = tmp_path / "rows.csv"
        path.write_text(f"x\n1\n{cell}\n")
        with pytest.raises(DataError, match=r"column 'x', line 3: nan, inf or text"):
            read(path, stats({"x": number(-9, 99)}), "home")


def test_control_without_the_look_at_the_file_an_underscore_would_pass(tmp_path, monkeypatch):
    monkeypatch.setattr(csv_file, "ODD", ())
    path = tmp_path / "rows.csv"
    path.write_text("x\n1\n1_0\n")
    assert read(path, stats({"x": number(-9, 99)}), "home").columns["x"].tolist() == [1, 10]


@pytest.mark.parametrize("piece", [2, *(pytest.param(one, marks=pytest.mark.slow) for one in (1, 3, 5))])
def test_two_signs_are_found_wherever_a_piece_of_the_file_ends(tmp_path, monkeypatch, piece):
    monkeypatch.setattr(csv_file, "PIECE", piece)
    path = tmp_path / "rows.csv"
    for before in range(12):
        path.write_text("x\n" + "1\n" * before + "+-1\n")
        with pytest.raises(DataError, match=f"column 'x', line {before + 2}:"):
            read(path, stats({"x": number(-9, 99)}), "home")


def test_rows_behind_quotes_over_many_lines_are_told_by_their_last_line(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text('x,note\n1,"a\nb\nc"\nten,d\n')
    with pytest.raises(DataError, match="column 'x', line 5:"):
        read(path, stats({"x": number(0, 9), "note": category("d")}), "home")


@pytest.mark.slow
def test_large_files_keep_their_order_and_every_row(tmp_path):
    """Several threads read it, each a part."""
    count = 400_000
    path, out = tmp_path / "rows.csv", io.StringIO()
    pd.DataFrame({"x": np.arange(count), "note": ["y" * (40 + place % 7) for place in range(count)]}).to_csv(
        out, index=False
    )
    path.write_text(out.getvalue())
    assert path.stat().st_size > 16 << 20 or os.cpu_count() == 1
    table = read(path, stats({"x": number(0, count)}), "home")
    assert np.array_equal(table.columns["x"], np.arange(count))
    assert not math.isnan(table.columns["x"].sum())


@pytest.mark.parametrize("few", [0, 1 << 20])
@pytest.mark.parametrize("row", ['41,"see letter', '41,"see "letter"', '41,"x\\""'])
def test_a_quote_that_is_not_closed_swallows_no_rows(row, few, tmp_path, monkeypatch):
    """Rows behind it were gone without a word, though only another column was read."""
    monkeypatch.setattr(csv_file, "FEW", few)
    path = tmp_path / "rows.csv"
    path.write_text("age,note\n40,a\n40,b\n" + row + "\n" + "40,c\n" * 500)
    with pytest.raises(DataError, match="is not CSV"):
        read(path, stats({"age": number(0, 99)}), "home")


class Interrupted:
    """A connection of the engine while a signal comes."""

    def execute(self, query):
        raise RuntimeError("Query interrupted")


def test_a_signal_while_the_engine_works_is_no_fault_of_the_program():
    with pytest.raises(KeyboardInterrupt):
        Duck(Interrupted(), "a", {}, "a").rows("SELECT 1")
