"""How files are written, dates, derived columns and conditions: the same values as pandas and `datetime` give."""

import math
import re
from datetime import date, timedelta

import duckdb
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import UNSET

from potluck.core.errors import DataError
from potluck.core.plan import Column, Data, Target
from potluck.core.tables.derived import Derive, Where
from potluck.learning import made_up
from potluck.learning.data.encode import encoding
from potluck.learning.data.sources import csv_file
from potluck.learning.data.table import read
from potluck.learning.models.card import fault
from potluck.learning.models.model import model
from potluck.owner import source as _source  # noqa: F401  Parquet is a kind of source that owners have
from support.examples import examples
from support.learning import days
from support.learning.sums import category, make, number, replaced, stats

BIRTH = Column(kind="date", format="%d.%m.%Y")


def plan(**keys):
    base = make()
    return replaced(base, data=replaced(base.data, **keys))


def written(folder, text, encoding="utf-8", name="rows.csv"):
    path = folder / name
    path.write_bytes(text.encode(encoding))
    return path


def columns(source, spec):
    """Of statistics all declared columns, as read."""
    return {name: values.tolist() for name, values in read(source, spec, "home").columns.items()}


def fails(source, spec):
    with pytest.raises(DataError) as caught:
        read(source, spec, "home")
    assert "31337" not in str(caught.value)
    return str(caught.value)


def of(data):
    """A plan of statistics over such data."""
    return replaced(stats({}), data=data)


# Files


@pytest.mark.parametrize("separator", [",", ";", "\t", "|", ":"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1", "cp1252", "utf-16"])
def test_a_file_is_read_as_the_plan_says_that_it_is_written(tmp_path, separator, encoding):
    rows = [("größe", "ort"), ("1.5", "Köln"), ("2", '"a\nb"'), ("3.25", "x")]
    path = written(tmp_path, "\r\n".join(separator.join(row) for row in rows) + "\r\n", encoding)
    data = Data(
        separator=separator,
        encoding="utf-8" if encoding.startswith("utf-8") else encoding,
        columns={"größe": number(0, 10), "ort": category("Köln", "a\nb")},
    )
    assert columns(path, of(data)) == {"größe": [1.5, 2.0, 3.25], "ort": [0.0, 1.0, -1.0]}


def test_a_decimal_comma_is_read_where_the_plan_says_it(tmp_path):
    path = written(tmp_path, "x;c\n1,5;1,0\n-0,25;2\n 3 ;n\n1e2;\n-9,0;2,5\n")
    data = Data(
        separator=";",
        decimal=",",
        missing=("", "-9,00"),
        columns={"x": number(-100, 200, "flag"), "c": category("1", "2", "2,50", "n", missing="flag")},
    )
    found = columns(path, of(data))
    assert found["x"][:4] == [1.5, -0.25, 3.0, 100.0]
    assert math.isnan(found["x"][4])
    assert found["c"][:3] == [0.0, 1.0, 3.0]
    assert found["c"][4] == 2.0


@pytest.mark.parametrize(("decimal", "cell"), [(".", "3,1337"), (",", "3.1337")])
def test_another_decimal_mark_is_named_with_the_key_to_set(tmp_path, decimal, cell):
    said = fails(
        written(tmp_path, f"x;c\n1;u\n{cell};u\n"),
        of(Data(separator=";", decimal=decimal, columns={"x": number(0, 10)})),
    )
    assert "line 3" in said
    assert "data.decimal" in said
    assert "source.decimal" in said  # the owner's own key: the plan's would break all other sites


def test_an_empty_cell_that_does_not_fit_is_called_so(tmp_path):
    data = Data(missing=("NA",), columns={"x": number(0, 10)})
    said = fails(written(tmp_path, "x,c\n1,u\n,u\nten,u\n  ,u\n"), of(data))
    assert "column 'x', lines 3, 5: empty, and to the plan, with data.missing = [\"NA\"], an empty cell is not" in said
    assert "column 'x', line 4: nan, inf or text" in said
    control = fails(written(tmp_path, "x,c\n1,u\nten,u\n"), of(replaced(data, missing=("", "NA"))))
    assert "nan, inf or text" in control
    assert "empty" not in control


def test_a_wrong_separator_is_named_with_the_key_to_set(tmp_path):
    said = fails(written(tmp_path, "x;c;y\n1;u;0\n"), plan())
    assert 'data.separator = ";"' in said
    assert "source.separator in the policy" in said


def test_a_wrong_encoding_is_named_with_the_key_to_set(tmp_path):
    path = written(tmp_path, "x,c,y\n1,ü,0\n", "latin-1")
    assert "data.encoding" in fails(path, plan())
    said = fails(path, plan(encoding="ascii"))
    assert "data.encoding" in said


def test_case_is_folded_where_the_plan_says_so_and_nowhere_else(tmp_path):
    path = written(tmp_path, "c\nJa\nNEIN\n ja \nÄRGER\nnA\nstraße\nSTRASSE\n")
    declared = {"c": category("ja", "Nein", "ärger", "Straße", missing="flag")}
    found = columns(path, of(Data(fold=True, missing=("na",), columns=declared)))["c"]
    assert found[:4] == [0, 1, 0, 2]
    assert math.isnan(found[4])
    assert found[5:] == [3, -1]  # a letter that folds to two is left alone
    strict = columns(path, of(Data(missing=("na",), columns=declared)))["c"]
    assert strict == [-1, -1, 0, -1, -1, -1, -1]


@settings(max_examples=examples(25), deadline=None)
@given(
    st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0\r\n"), max_size=6), min_size=1, max_size=8),
    st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=4), max_size=3),
)
def test_folding_is_that_of_single_letters(cells, more):
    """The independent rule: letter by letter `str.lower`, where that is one letter."""

    def small(text):
        return "".join(one.lower() if len(one.lower()) == 1 else one for one in text.strip())

    def as_number(text):
        try:
            return math.isfinite(float(text)) and text.isascii() and "_" not in text
        except ValueError:
            return False

    values = [one for one in dict.fromkeys(map(small, [*more, *cells[:2], "Ω", "K"])) if one and not as_number(one)]
    spec = of(Data(fold=True, missing=(), columns={"c": category(*values)}))
    some = [one for one in cells if not as_number(one.strip())] or ["K"]
    found = columns(pd.DataFrame({"c": some}), spec)["c"]
    assert found == [values.index(small(one)) if small(one) in values else -1 for one in some]


# Dates


def dates(*cells, form="%d.%m.%Y", to="2025-01-01", kind="years"):
    entry = Derive(kind=kind, source="birth", to=to, low=-1e6, high=1e6, missing="flag")
    data = Data(columns={"birth": Column(kind="date", format=form)}, derive={"age": entry})
    return columns(pd.DataFrame({"birth": pd.Series(cells, dtype=object)}), of(data))["age"]


def years(birth, to):
    return to.year - birth.year - ((to.month, to.day) < (birth.month, birth.day))


@settings(max_examples=examples(12), deadline=None)
@given(
    st.lists(st.dates(min_value=date(1, 1, 1)), min_size=1, max_size=20),
    st.dates(min_value=date(1, 1, 1)),
    st.sampled_from(["%d.%m.%Y", "%Y-%m-%d", "%m/%d/%Y", "%Y%m%d", "%d-%m-%Y %H:%M:%S", "%Y-%m-%dT%H:%M"]),
)
def test_years_and_days_are_those_of_the_calendar(births, to, form):
    cells = [
        form.replace("%d", f"{one.day:02}").replace("%m", f"{one.month:02}").replace("%Y", f"{one.year:04}")
        .replace("%H", "23").replace("%M", "59").replace("%S", "07")
        for one in births
    ]  # fmt: skip
    assert dates(*cells, form=form, to=f"{to.year:04}-{to:%m-%d}") == [years(one, to) for one in births]
    found = dates(*cells, form=form, to=f"{to.year:04}-{to:%m-%d}", kind="days")
    assert found == [(to - one).days for one in births]


def test_a_birthday_on_the_leap_day_is_on_the_first_of_march():
    assert dates("29.02.2000", to="2021-02-28") == [20]
    assert dates("29.02.2000", to="2021-03-01") == [21]
    assert dates("29.02.2000", to="2024-02-29") == [24]


def test_days_and_months_may_have_one_digit_where_the_format_parts_them():
    assert dates("1.2.2000", "01.2.2000", " 1.02.2000 ", form="%d.%m.%Y", to="2000-02-11", kind="days") == [10, 10, 10]


@pytest.mark.parametrize(
    "cell",
    ["31.04.2000", "29.02.1900", "00.01.2000", "01.13.2000", "1.1.99", "2000/01/01", "01.01.2000x", "x01.01.2000",
     "01.01.2000 00:00", "01,01,2000", "١.١.2000", "1.1.20000", "-1.1.2000", "01.01.0000"],
)  # fmt: skip
def test_what_is_no_day_is_told_by_line_and_key(cell):
    frame = pd.DataFrame({"birth": ["01.01.2000", cell]})
    entry = Derive(kind="years", source="birth", to="2025-01-01", low=0.0, high=110.0)
    said = fails(frame, of(Data(columns={"birth": BIRTH}, derive={"age": entry})))
    assert "column 'birth', line 2" in said
    assert "data.columns.birth.format" in said


def test_days_of_a_typed_source_are_read_whatever_the_format(tmp_path):
    days = [date(1960, 2, 29), date(2000, 12, 31)]
    entry = Derive(kind="years", source="birth", to="2025-01-01", low=0.0, high=110.0)
    spec = of(Data(columns={"birth": BIRTH}, derive={"age": entry}))
    frame = pd.DataFrame({"birth": pd.to_datetime(days)})
    frame.to_parquet(tmp_path / "rows.parquet")
    pd.DataFrame({"birth": days}).to_parquet(tmp_path / "days.parquet")
    text = written(tmp_path, "birth\n29.02.1960\n31.12.2000\n")
    for source in (frame, pd.DataFrame({"birth": days}), tmp_path / "rows.parquet", tmp_path / "days.parquet", text):
        assert columns(source, spec) == {"age": [64.0, 24.0]}


# Derived columns


def test_a_number_becomes_bins_whose_edges_belong_above():
    entry = Derive(kind="bins", source="x", edges=(2.0, 4.5, 6.0))
    spec = of(Data(columns={"x": number(0, 10, "flag")}, derive={"g": replaced(entry, missing="flag")}))
    found = columns(pd.DataFrame({"x": [1.0, 2.0, 4.4, 4.5, 6.0, 99.0, None]}), spec)["g"]
    assert found[:6] == [0, 1, 1, 2, 3, 3]
    assert math.isnan(found[6])


def test_values_are_recoded_and_what_is_not_named_is_not_declared():
    entry = Derive(kind="recode", source="c", map={"I": "early", "II": "early", "IV": "late"})
    spec = of(Data(columns={"c": category("I", "II", "III", "IV")}, derive={"s": entry}))
    found = columns(pd.DataFrame({"c": ["I", "II", "III", "IV", "V"]}), spec)
    assert found["s"] == [0, 0, -1, 1, -1]


@settings(max_examples=examples(10), deadline=None)
@given(st.lists(st.floats(min_value=1e-21, max_value=1e21), min_size=1, max_size=200))
def test_the_logarithm_is_within_two_units_in_the_last_place(values):
    entry = Derive(kind="log", source="x", low=-50, high=50)
    spec = of(Data(columns={"x": number(0, 1e22)}, derive={"l": entry}))
    found = np.array(columns(pd.DataFrame({"x": values}), spec)["l"])
    truth = np.log(np.array(values))
    assert (np.abs(found - truth) <= 2 * np.spacing(np.maximum(np.abs(truth), 2**-52))).all()


def test_beyond_its_range_a_logarithm_is_still_beyond_it():
    entry = Derive(kind="log", source="x", low=0, high=5)
    spec = of(Data(columns={"x": number(0, 10)}, derive={"l": entry}))
    found = columns(pd.DataFrame({"x": [5e-324, 1e-300, 0.5, 0.99, 150.0, 1e9, 1.7e308]}), spec)["l"]
    assert all(value < 0 for value in found[:4])
    assert all(value > 5 for value in found[4:])


@pytest.mark.parametrize("value", [0.0, -1.0, -1e308])
def test_what_has_no_logarithm_is_told(value):
    entry = Derive(kind="log", source="x", low=0, high=5)
    spec = of(Data(columns={"x": number(0, 10)}, derive={"l": entry}))
    said = fails(pd.DataFrame({"x": [1.0, value]}), spec)
    assert "column 'l', line 2" in said
    assert "no logarithm" in said


def test_what_is_derived_may_be_derived_again():
    derive = {
        "age": Derive(kind="years", source="birth", to="seen", low=0.0, high=110.0),
        "group": Derive(kind="bins", source="age", edges=(18.0, 65.0), values=("child", "adult", "old")),
        "grown": Derive(kind="recode", source="group", map={"child": "no", "adult": "yes", "old": "yes"}),
    }
    dated = Column(kind="date", format="%Y-%m-%d")
    spec = of(Data(columns={"birth": dated, "seen": dated}, derive=derive))
    frame = pd.DataFrame({"birth": ["2000-06-01"] * 3, "seen": ["2018-05-31", "2018-06-01", "2065-06-01"]})
    assert columns(frame, spec) == {"age": [17, 18, 65], "group": [0, 1, 2], "grown": [0, 1, 1]}


def test_without_what_it_is_made_of_a_derived_column_has_no_value(tmp_path):
    entry = Derive(kind="years", source="birth", to="2025-01-01", low=0.0, high=110.0)
    path = written(tmp_path, "birth\n01.01.2000\n\n?\n")
    spec = of(Data(missing=("?",), columns={"birth": BIRTH}, derive={"age": entry}))
    assert "'age' has no value" in fails(path, spec)
    dropped = replaced(spec, data=replaced(spec.data, derive={"age": replaced(entry, missing="drop")}))
    assert math.isnan(columns(path, dropped)["age"][1])


# Conditions


@pytest.mark.parametrize(
    ("condition", "rows"),
    [
        (Where(column="x", at_least=2.0), [1, 2, 3]),
        (Where(column="x", above=2.0), [2, 3]),
        (Where(column="x", at_most=2.0), [0, 1]),
        (Where(column="x", below=2.0), [0]),
        (Where(column="c", within=("u",)), [0, 2]),
        (Where(column="c", not_in=("u",)), [1, 3, 4]),
        (Where(column="d", above="2020-01-31"), [2, 3, 4]),
        (Where(column="d", at_most="2020-01-31"), [0, 1]),
        (Where(column="age", at_least=20.0), [0, 1]),
    ],
)
def test_only_rows_that_meet_every_condition_are_read(condition, rows):
    frame = pd.DataFrame(
        {
            "x": [1.0, 2.0, 3.0, 99.0, None],
            "c": ["u", "v", "u", "strange", "v"],
            "d": ["2000-01-01", "2005-01-31", "2020-02-01", "2021-01-01", "2024-01-01"],
        }
    )
    entry = Derive(kind="years", source="d", to="2025-01-30", low=0.0, high=110.0)
    entry = entry if condition.column != "age" else replaced(entry, to="2025-01-31")
    data = Data(
        columns={"x": number(0, 10, "flag"), "c": category("u", "v"), "d": Column(kind="date", format="%Y-%m-%d")},
        derive={"age": entry},
        where=(condition,),
    )
    table = read(frame, of(data), "home")
    expected = frame["x"].to_numpy()[rows]
    assert np.array_equal(table.columns["x"], expected, equal_nan=True)
    assert (table.tally.read, table.tally.used, table.tally.unmet) == (5, len(rows), 5 - len(rows))


def test_lines_are_those_of_the_file_whatever_is_left_out(tmp_path):
    path = written(tmp_path, "x,z\n1,1\n9,31337x\n2,1\n9,nope\n")
    data = Data(columns={"x": number(0, 10), "z": number(0, 10)}, where=(Where(column="x", at_least=5.0),))
    assert "lines 3, 5" in fails(path, of(data))
    other = replaced(data, where=(Where(column="x", below=5.0),))
    assert columns(path, of(other)) == {"x": [1, 2], "z": [1, 1]}


def test_what_does_not_fit_a_condition_is_never_left_out_in_silence(tmp_path):
    path = written(tmp_path, "x\n1\nmany\n")
    assert "line 3" in fails(path, of(Data(columns={"x": number(0, 10)}, where=(Where(column="x", at_least=5.0),))))


def test_conditions_that_no_row_meets_are_said(tmp_path):
    path = written(tmp_path, "x\n1\n2\n")
    said = fails(path, of(Data(columns={"x": number(0, 10)}, where=(Where(column="x", at_least=5.0),))))
    assert "no row meets data.where" in said


# Training, and scoring what is new


def trained_plan():
    derive = {"age": Derive(kind="years", source="birth", to="2025-01-01", low=0.0, high=110.0)}
    return plan(
        columns={"birth": BIRTH, "x": number(0, 10), "c": category("ja", "nein"), "y": category("0", "1")},
        derive=derive,
        where=(Where(column="age", at_least=18.0),),
        separator=";",
        decimal=",",
        encoding="latin-1",
        fold=True,
    )


def test_a_model_file_says_how_new_rows_are_read_and_derived(tmp_path):
    spec = trained_plan()
    text = "birth;x;c;y\n01.01.1960;1,5;JA;1\n1.1.2020;2,5;ja;0\n31.12.2000;10;Nein;0\n"
    table = read(written(tmp_path, text, "latin-1"), spec, "home")
    assert table.features.tolist() == [[-0.7, 1, 0, 2 * 65 / 110 - 1], [1, 0, 1, 2 * 24 / 110 - 1]]
    made = model(spec, np.array([0.1, 0.2, 0.3, 0.4, 0.5]))
    assert made.encoding.names == ("x", "c=ja", "c=nein", "age")
    made.write(tmp_path / "model.json")
    again = type(made).read(tmp_path / "model.json")
    assert again.digest() == made.digest()
    new = written(tmp_path, "c;x;birth\nja;1,5;01.01.1960\nNEIN;10;31.12.2000\n", "latin-1", "new.csv")
    assert again.features(new).tolist() == table.features.tolist()


def test_recoded_values_stay_in_the_order_of_the_map_in_a_model_file(tmp_path):
    derive = {
        "late": Derive(kind="recode", source="c", map={"II": "yes", "I": "no", "III": "yes"})
    }  # no such order there
    spec = plan(columns={"c": category("I", "II", "III"), "y": category("0", "1")}, derive=derive)
    rows = pd.DataFrame({"c": ["I", "II", "III"], "y": ["0", "1", "1"]})
    made = model(spec, np.array([0.5, -0.5, 0.25]))
    assert made.encoding.names == ("late=yes", "late=no")
    made.write(tmp_path / "model.json")
    again = type(made).read(tmp_path / "model.json")
    assert again.features(rows).tolist() == made.features(rows).tolist() == [[0, 1], [1, 0], [1, 0]]


def test_rows_of_nobody_are_drawn_whatever_columns_are_derived_from():
    derive = {"late": Derive(kind="recode", source="c", map={"II": "yes", "I": "no"})}
    made = plan(columns={"c": category("I", "II"), "y": category("0", "1")}, derive=derive)
    plain = plan(columns={"late": category("yes", "no"), "y": category("0", "1")})
    drawn = made_up.features(encoding(made), 1)
    assert drawn.tolist() == made_up.features(encoding(plain), 1).tolist()
    assert {*map(tuple, drawn.tolist())} == {(0, 1), (1, 0)}  # of 64 rows, from a public seed


def test_a_plan_without_the_words_has_the_encoding_that_it_had():
    text = model(make(), np.zeros(4)).files()[0].decode()
    for word in ("helpers", "decimal", "fold", "separator", "derive", "format"):
        assert f'"{word}"' not in text.replace('"format": "potluck model 1"', "")


def test_a_derived_column_may_be_the_target(tmp_path):
    derive = {"s": Derive(kind="recode", source="c", map={"I": "early", "II": "late", "III": "late"})}
    spec = plan(
        columns={"x": number(0, 10), "c": category("I", "II", "III")},
        derive=derive,
        target=Target(column="s", positive=("late",)),
    )
    table = read(pd.DataFrame({"x": [1.0, 2.0, 3.0], "c": ["I", "II", "III"]}), spec, "home")
    assert table.target.tolist() == [0, 1, 1]
    assert table.features.shape == (3, 1)


def test_a_date_of_a_table_counts_by_one_day():
    start = date(1999, 12, 25)
    cells = [f"{start + timedelta(days=k):%d.%m.%Y}" for k in range(400)]
    assert dates(*cells, to="1999-12-25", kind="days") == [-k for k in range(400)]


# Model files from elsewhere


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda how: {"helpers": how.helpers * 2}, "there twice"),
        (lambda how: {"helpers": UNSET}, "made of what is not there"),
        (lambda how: {"fields": (*how.fields[:-1], replaced(how.fields[-1], high=5.0))}, "cannot be derived"),
        (lambda how: {"fields": (*how.fields[:-1], around(how.fields[-1], source="age"))}, "not there"),
        (lambda how: {"fields": (*how.fields[:-1], around(how.fields[-1], kind="eval"))}, "not in this version"),
        (lambda how: {"fields": (*how.fields[:-1], around(how.fields[-1], to="x"))}, "cannot be derived"),
        (lambda how: {"helpers": (replaced(how.helpers[0], format="%y"),)}, "no format"),
        (lambda how: {"fields": (*how.fields, *how.helpers), "helpers": UNSET}, "would be a feature"),
        (lambda how: {"encoding": "rot13"}, "how its files are written"),
        (lambda how: {"separator": "'"}, "how its files are written"),
    ],
)
def test_a_model_file_that_derives_what_cannot_be_is_refused(change, said):
    made = model(trained_plan(), np.zeros(5))
    assert fault(made.card) == ""
    broken = replaced(made.card, encoding=replaced(made.encoding, **change(made.encoding)))
    assert said in fault(broken)


def around(one, **keys):
    return replaced(one, derive=replaced(one.derive, **keys))


# Dirty files, as hospitals have them: read as declared, or an error with the key to set

CLEAN = {"größe": [1.5, 3.0], "ort": [0.0, 1.0], "stufe": [1.0, 0.0]}
HEAD = ("größe", "ort", "stufe", "notiz")
LINES = (("1.5", "Köln", "2", "erste\nzeile"), ("3", "München", "1.0", ""))
USUAL = Data(columns={"größe": number(0, 10), "ort": category("Köln", "München"), "stufe": category("1", "2")})


def dirty(*, mark=".", separator=",", end="\n", encoding="utf-8", quote=True, before=""):
    """The rows above, written in some way. quote: cells that need it stand in quotes."""
    rows = [
        HEAD,
        *((cells[0].replace(".", mark), *cells[1:2], cells[2].replace(".", mark), cells[3]) for cells in LINES),
    ]
    said = [[f'"{cell}"' if quote and set(cell) & {separator, "\n"} else cell for cell in row] for row in rows]
    return (before + end.join(separator.join(row) for row in said) + end).encode(encoding)


@pytest.mark.parametrize(
    ("given", "words", "key"),
    [
        (dirty(), {}, ""),
        (dirty(before="\ufeff"), {}, ""),
        (dirty(before="\n\n\n", end="\r\n"), {}, ""),
        (dirty(end="\r"), {}, ""),
        (dirty(separator=";"), {"separator": ";"}, 'data.separator = ";"'),
        (dirty(separator="\t"), {"separator": "\t"}, 'data.separator = "\\t"'),
        (dirty(separator="|"), {"separator": "|"}, 'data.separator = "|"'),
        (dirty(encoding="latin-1"), {"encoding": "latin-1"}, "data.encoding"),
        (dirty(encoding="cp1252"), {"encoding": "cp1252"}, "data.encoding"),
        (dirty(encoding="utf-16"), {"encoding": "utf-16"}, "data.encoding"),
        (dirty(mark=","), {"decimal": ","}, "data.decimal"),
        (dirty(mark=",", separator=";", encoding="latin-1", end="\r\n", before=""),
         {"decimal": ",", "separator": ";", "encoding": "latin-1"}, "data.encoding"),
        (dirty(mark=",", separator=";", before="\ufeff"), {"decimal": ",", "separator": ";"}, "data.separator"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("few", [0, 1 << 30])
def test_a_dirty_file_is_read_as_declared_or_the_key_to_set_is_named(tmp_path, monkeypatch, few, given, words, key):
    monkeypatch.setattr(csv_file, "FEW", few)
    path = tmp_path / "rows.csv"
    path.write_bytes(given)
    assert columns(path, of(replaced(USUAL, **words))) == CLEAN
    if key:
        assert key in fails(path, of(USUAL))


def test_a_quote_that_a_file_does_not_write_is_told_by_its_line(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_bytes(dirty(quote=False))
    said = fails(path, of(USUAL))
    assert "line 2 has 3 columns" not in said
    assert "columns where 4 are expected" in said


@pytest.mark.parametrize("cell", ["NaN", "nan", "-nan", "NA", "N/A", "NULL", "null", "None", "#N/A", "-", "?", "k. A.",
                                  "inf", "Infinity", "1e999", "#DIV/0!", "1.234.567"])  # fmt: skip
@pytest.mark.parametrize("few", [0, 1 << 30])
def test_a_text_for_no_number_is_an_error_until_the_plan_lists_it(tmp_path, monkeypatch, few, cell):
    monkeypatch.setattr(csv_file, "FEW", few)
    path = written(tmp_path, f"x,y\n1,2\n{cell},2\n")
    said = fails(path, of(Data(columns={"x": number(0, 10)})))
    assert "column 'x', line 3" in said
    assert "data.missing" in said
    found = columns(path, of(Data(missing=("", cell), columns={"x": number(0, 10, "flag")})))["x"]
    assert found[0] == 1
    assert math.isnan(found[1])


@pytest.mark.parametrize(
    ("form", "cells"),
    [
        ("%d.%m.%Y", ("29.02.1960", "1.12.2000")),
        ("%Y-%m-%d", ("1960-02-29", "2000-12-01")),
        ("%m/%d/%Y", ("02/29/1960", "12/1/2000")),
        ("%d.%m.%Y %H:%M", ("29.02.1960 23:59", "01.12.2000 00:00")),
    ],
)
def test_a_date_is_read_in_its_format_and_in_no_other(tmp_path, form, cells):
    path = written(tmp_path, "birth,x\n" + "".join(f"{cell},1\n" for cell in cells))
    entry = Derive(kind="years", source="birth", to="2025-01-01", low=0.0, high=110.0)

    def spec(form):
        return of(Data(columns={"birth": Column(kind="date", format=form)}, derive={"age": entry}))

    assert columns(path, spec(form)) == {"age": [64.0, 24.0]}
    for other in {"%d.%m.%Y", "%Y-%m-%d", "%m/%d/%Y"} - {form}:
        if form == "%Y-%m-%d":  # what typed sources say: read whatever the format
            assert columns(path, spec(other)) == {"age": [64.0, 24.0]}
        else:
            said = fails(path, spec(other))
            assert "data.columns.birth.format" in said
            assert "column 'birth', line" in said


@pytest.mark.parametrize("few", [0, 1 << 30])
@pytest.mark.parametrize(
    ("form", "every"),
    [("%d.%m.%Y", 8), *(pytest.param(one, 1, marks=pytest.mark.slow) for one in ("%d.%m.%Y", "%Y-%m-%d"))],
)
def test_behind_an_iso_date_stands_a_time_of_day_at_most(tmp_path, monkeypatch, few, form, every):
    monkeypatch.setattr(csv_file, "FEW", few)
    spec = of(days.plan(form))
    path = written(tmp_path, "d,x\n" + "".join(f'"{text}",1\n' for text in days.DAYS))
    assert columns(path, spec) == {"n": [10.0] * len(days.DAYS)}
    for text in days.WRONG[::every]:
        path = written(tmp_path, f'd,x\n2020-01-01,1\n"{text}",1\n')
        said = fails(path, spec)
        assert re.search("column 'd', line [34]: no date as its format says", said), text
        assert "2020-01" not in said


@pytest.mark.parametrize("day", ["DATE '0044-03-15 (BC)'", "TIMESTAMPTZ '0044-03-15 (BC) 10:00:00+00'"])
def test_no_day_is_before_christ(day):
    said = fails(duckdb.sql(f"SELECT {day} AS d"), of(days.plan("%Y-%m-%d")))
    assert "column 'd', line 1: no date" in said


@pytest.mark.parametrize("few", [0, 1 << 30])
def test_whole_numbers_that_are_written_as_floats_are_the_same_values(tmp_path, monkeypatch, few):
    """As pandas writes a column of them that has a gap."""
    monkeypatch.setattr(csv_file, "FEW", few)
    frame = pd.DataFrame({"c": [1, 2, None, 1], "x": [3, None, 4, 5]})
    path = tmp_path / "rows.csv"
    frame.to_csv(path, index=False)
    assert path.read_text().splitlines()[1] == "1.0,3.0"
    spec = of(Data(columns={"c": category("1", "2", missing="flag"), "x": number(0, 10, "flag")}))
    found = columns(path, spec)
    assert np.array_equal(found["c"], [0, 1, np.nan, 0], equal_nan=True)
    assert np.array_equal(found["x"], [3, np.nan, 4, 5], equal_nan=True)
