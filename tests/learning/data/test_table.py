"""Reading rows: what is kept, what is dropped and counted, and what stops a site; never a value in a message."""

import weakref
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from potluck.core.errors import DataError
from potluck.core.plan import Column, Data, PrivacyPlan, Split, Target
from potluck.learning.data import table as table_module
from potluck.learning.data.declared import resolve
from potluck.learning.data.sql import duck
from potluck.learning.data.table import header, read
from support.learning.sums import HEART, HOSPITALS, category, heart, hospitals, make, number, replaced, stats

SECRET = "s3cr3t-31337"


def plan(**keys):
    base = make()
    return replaced(base, data=replaced(base.data, **keys))


def csv(folder: Path, text: str) -> Path:
    path = folder / "rows.csv"
    path.write_text(text, encoding="utf-8")
    return path


def fails(source, spec) -> str:
    with pytest.raises(DataError) as caught:
        read(source, spec, "home")
    assert SECRET not in str(caught.value)
    assert "31337" not in str(caught.value)
    assert str(caught.value).startswith("DataError: home: ")
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_csv_becomes_features_in_declared_order(tmp_path):
    table = read(csv(tmp_path, "y,unused,c,x\n1,zzz,u,0\n0,,v,5\n1,q,w,10\n"), plan(), "home")
    assert table.features.tolist() == [[-1, 1, 0], [0, 0, 1], [1, 0, 0]]
    assert table.target.tolist() == [1, 0, 1]
    assert table.rows == 3
    assert [name for name, _ in table.schema] == ["x", "c"]


def test_columns_that_the_plan_does_not_name_are_never_read(tmp_path):
    good = csv(tmp_path, "y,other,c,x\n1,1,u,0\n")
    first = read(good, plan(), "home")
    second = read(csv(tmp_path, f"y,other,c,x\n1,{SECRET},u,0\n"), plan(), "home")
    assert np.array_equal(first.features, second.features)


def test_the_same_rows_give_the_same_table_from_every_kind_of_source(tmp_path):
    text = "x,c,y\n1.5,1,0\n2,0,1\n,1,1\n9,7,0\n"
    spec = plan(columns={"x": number(0, 10, "flag"), "c": category("0", "1"), "y": category("0", "1")})
    path = csv(tmp_path, text)
    expected = read(path, spec, "home")
    typed = pd.read_csv(path)
    texts = pd.read_csv(path, dtype=str, keep_default_na=False)
    for source in (str(path), typed, texts, typed.astype(object), typed.astype({"c": "Int64"}), Polars(typed)):
        found = read(source, spec, "home")
        assert np.array_equal(found.features, expected.features)
        assert np.array_equal(found.target, expected.target)
        assert np.array_equal(found.test, expected.test)
    array = read(typed.to_numpy(), replaced(spec, data=replaced(spec.data, header=False)), "home")
    assert np.array_equal(array.features, expected.features)


class Polars:
    """As much of a polars frame as its interface promises."""

    def __init__(self, frame: pd.DataFrame) -> None:
        self._frame = frame
        self.columns = list(frame.columns)

    def __len__(self) -> int:
        return len(self._frame)

    def __getitem__(self, name: str) -> np.ndarray:
        return self._frame[name].to_numpy()


def test_heart_rows_are_read_and_dropped_as_counted_by_hand():
    spec = heart()
    for name, table in hospitals(spec).items():
        raw = pd.read_csv(HEART / f"processed.{name}.data", header=None, na_values="?")
        kept = raw.dropna(subset=[3, 4, 5, 6, 7, 8, 9])
        assert table.rows == len(kept)
        assert sum(table.tally.dropped.values()) == len(raw) - len(kept)
        assert table.target.tolist() == (kept[13] > 0).astype(float).tolist()
        assert table.features[:, 0].tolist() == pytest.approx((2 * (kept[0] - 20) / 70 - 1).tolist())


def test_rows_without_target_are_dropped_and_counted():
    frame = pd.DataFrame({"x": [1, 2, 3], "c": ["u", "v", "u"], "y": ["1", "", None]})
    table = read(frame, plan(), "home")
    assert (table.rows, dict(table.tally.dropped)) == (1, {"y": 2})


def test_missing_values_refuse_drop_or_flag():
    frame = pd.DataFrame({"x": [1.0, np.nan, 3.0], "c": ["u", "v", ""], "y": ["1", "0", "1"]})
    message = fails(frame, plan())
    assert "'x' has no value in 1 row" in message
    columns = {"x": number(0, 10, "drop"), "c": category("u", "v", missing="flag"), "y": category("0", "1")}
    table = read(frame, plan(columns=columns), "home")
    assert dict(table.tally.dropped) == {"x": 1}
    assert table.features.tolist() == [pytest.approx([-0.8, 1, 0, 0]), pytest.approx([-0.4, 0, 0, 1])]


def test_a_missing_value_is_only_refused_in_rows_that_are_kept():
    frame = pd.DataFrame({"x": ["", "3"], "c": ["u", "v"], "y": ["", "1"]})
    assert read(frame, plan(), "home").rows == 1


@pytest.mark.parametrize("cell", ["nan", "inf", "-Infinity", "1e999", SECRET, "1_0", "0x10", "1,5", "--"])
def test_text_nan_and_inf_in_a_number_column_name_column_and_line_only(tmp_path, cell):
    message = fails(csv(tmp_path, f'x,c,y\n1,u,0\n"{cell}",u,0\n'), plan())
    assert "'x', line 3" in message
    assert "hint:" in message
    assert f"{cell}'" not in message


def test_nan_is_a_missing_value_where_the_plan_lists_it(tmp_path):
    path = csv(tmp_path, "x,c,y\nnan,u,0\n1,u,1\n")
    columns = {"x": number(0, 10, "drop"), "c": category("u", "v"), "y": category("0", "1")}
    assert read(path, plan(missing=("nan",), columns=columns), "home").rows == 1


def test_an_infinite_number_of_a_frame_is_refused():
    assert "inf" in fails(pd.DataFrame({"x": [1.0, np.inf], "c": ["u", "u"], "y": ["0", "1"]}), plan())


def test_a_missing_text_that_is_a_number_also_means_the_number():
    frame = pd.DataFrame({"x": [-9.0, 1.0], "c": ["u", "u"], "y": ["0", "1"]})
    columns = {"x": number(0, 10, "drop"), "c": category("u", "v"), "y": category("0", "1")}
    assert read(frame, plan(missing=("-9",), columns=columns), "home").rows == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x,c\n1,u\n", "no column 'y'"),
        ("x,c,Y\n1,u,1\n", "no column 'y'"),
        ("x,x,c,y\n1,1,u,1\n", "'x' is there more than once"),
        ("xx,c,y\n1,u,1\n", "no column 'x': 2 of 3 are there"),
        ("x;c;y\n1;u;1\n", 'data.separator = ";"'),
        ("x,c,y\n1,u,1\n1,u\n", "line 3 has 2 columns where 3 are expected. hint: as many as the first line has"),
        ("x,c,y\n1,u,1,31337\n", "line 2 has 4 columns"),
        ("x,c,y\n", "has no rows"),
        ("", "has no header"),
        (f"x,c,y\n1,u,{SECRET}\n", "'y', line 2: a target value that the plan does not declare"),
        ("x;c;y\n1;u;1\n", "no columns 'x', 'c', 'y': 0 of 3"),
    ],
)
def test_a_file_for_another_plan_is_refused(tmp_path, text, said):
    assert said in fails(csv(tmp_path, text), plan())


def test_files_that_cannot_be_read_say_so(tmp_path):
    assert "no such file" in fails(tmp_path / "absent.csv", plan())
    assert "cannot be read" in fails(tmp_path, plan())
    (tmp_path / "latin.csv").write_bytes("x,c,y\n1,ü,1\n".encode("latin-1"))
    assert "UTF-8" in fails(tmp_path / "latin.csv", plan())


def test_a_byte_order_mark_blank_lines_and_quoted_commas_are_fine(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_bytes(b'\xef\xbb\xbf"x","a, b",y\r\n\r\n 3 ,"u, u",1\r\n\r\n')
    columns = {"x": number(0, 10), "a, b": category("u, u"), "y": category("0", "1")}
    table = read(path, plan(columns=columns), "home")
    assert table.features.tolist() == [pytest.approx([-0.4, 1])]


def test_without_a_header_columns_are_in_file_order_and_counted(tmp_path):
    columns = {"x": number(0, 10), "skip": Column(kind="ignore"), "y": category("0", "1")}
    spec = plan(header=False, columns=columns)
    table = read(csv(tmp_path, f"1,{SECRET},1\n9,,0\n"), spec, "home")
    assert table.features[:, 0].tolist() == pytest.approx([-0.8, 0.8])
    assert "1 has 2 columns where 3 are expected. hint: columns are declared" in fails(csv(tmp_path, "1,0\n"), spec)


def test_more_rows_than_max_rows_stop_the_site():
    frame = pd.DataFrame({"x": [1] * 5, "c": ["u"] * 5, "y": ["1"] * 5})
    assert "max_rows" in fails(frame, plan(max_rows=4))
    assert read(frame, plan(max_rows=5), "home").rows == 5


def test_a_site_whose_rows_are_all_dropped_says_why():
    frame = pd.DataFrame({"x": [1, 2], "c": ["u", "v"], "y": ["", ""]})
    assert "no rows are left: 2 without 'y'." in fails(frame, plan())


def test_a_split_column_decides_and_is_no_feature(tmp_path):
    frame = pd.DataFrame({"x": [1, 2, 3], "c": ["u"] * 3, "y": [1, 0, 1], "fold": ["test", " train", "other"]})
    table = read(frame, plan(split=Split(column="fold")), "home")
    assert table.test.tolist() == [True, False, False]
    assert table.features.shape == (3, 3)


def test_persons_are_codes_in_order_and_no_feature():
    frame = pd.DataFrame({"x": [1, 2, 3], "c": ["u"] * 3, "y": [1, 0, 1], "who": [7, 3, 7]})
    table = read(frame, plan(person="who"), "home")
    assert table.person.tolist() == [0, 1, 0]
    assert table.features.shape == (3, 3)
    assert "'who', line 2: no person" in fails(frame.assign(who=["a", "", "b"]), plan(person="who"))


def test_large_person_numbers_stay_apart():
    frame = pd.DataFrame({"x": [1, 2], "c": ["u"] * 2, "y": [1, 0], "who": [2**60, 2**60 + 1]})
    assert read(frame, plan(person="who"), "home").person.tolist() == [0, 1]


def test_a_person_on_both_sides_of_a_split_column_is_refused_for_unit_person():
    frame = pd.DataFrame({"x": [1, 2], "c": ["u"] * 2, "y": [1, 0], "who": [1, 1], "fold": ["test", "train"]})
    spec = plan(person="who", split=Split(column="fold"))
    spec = replaced(spec, privacy=PrivacyPlan(noise="site", unit="person", epsilon=1.0, delta=1e-5, clip=1.0))
    assert "1 persons have rows on both sides" in fails(frame, spec)


def test_patterns_become_the_matching_columns_in_natural_order():
    spec = plan(columns={"px*": number(0, 16), "x": number(0, 1)}, target=Target(column="px_y", positive=("1",)))
    spec = replaced(spec, data=replaced(spec.data, columns={**spec.data.columns, "px_y": category("0", "1")}))
    found = resolve(spec, {"a": ("px10", "px2", "x", "px_y", "qx"), "b": ("px2", "other", "px10", "x", "px_y")})
    assert list(found.data.columns) == ["px2", "px10", "x", "px_y"]
    assert found.data.columns["px10"] == number(0, 16)


def test_patterns_must_match_the_same_columns_everywhere():
    spec = plan(columns={"px*": number(0, 16)})
    with pytest.raises(DataError, match=r"other columns at a than at b \(2 at a, 1 at b\)"):
        resolve(spec, {"a": ("px1", "px2"), "b": ("px1",)})
    with pytest.raises(DataError, match="matches no column"):
        resolve(spec, {"a": ("x",), "b": ("x",)})


def test_no_message_repeats_the_first_line_of_a_file(tmp_path):
    """With header = true by mistake, that line is a row."""
    row = ("patient7", "patient8", SECRET)
    assert "patient7" not in fails(csv(tmp_path, ",".join(row) + "\n"), plan(columns={"patient": number(0, 1)}))
    for columns in ({"patient*": number(0, 1)}, {"patient*": number(0, 1), "*7": number(0, 1)}):
        with pytest.raises(DataError) as caught:
            resolve(plan(columns=columns), {"a": row, "b": row if len(columns) == 2 else row[1:]})
        assert "patient*" in str(caught.value)
        assert "hint: " in str(caught.value)
        assert not any(cell in str(caught.value) for cell in row)


def test_a_pattern_never_declares_target_person_or_split():
    spec = plan(columns={"p*": number(0, 1)}, target=Target(column="py", positive=("1",)), person="pid")
    spec = replaced(spec, data=replaced(spec.data, split=Split(column="pfold")))
    present = ("p1", "py", "pid", "pfold")
    assert list(resolve(spec, {"a": present, "b": present}).data.columns) == ["p1"]


def test_a_name_that_is_a_column_is_no_pattern_and_brackets_are_letters():
    spec = plan(columns={"a*": number(0, 1), "w [kg]*": number(0, 1)})
    found = resolve(spec, {"a": ("a*", "ab", "w [kg]1")})
    assert list(found.data.columns) == ["a*", "w [kg]1"]


def test_a_plan_without_patterns_is_left_alone():
    assert resolve(plan(), {"a": ("x",)}) is not None
    spec = heart()
    assert resolve(spec, {n: header(HEART / f"processed.{n}.data", spec, n) for n in HOSPITALS}) is spec


def test_a_table_shows_no_value():
    frame = pd.DataFrame({"x": [7.25], "c": ["u"], "y": ["1"], "who": ["31337"]})
    shown = repr(read(frame, plan(person="who"), "home"))
    assert "31337" not in shown
    assert "0.45" not in shown


def test_statistics_keep_raw_columns_and_codes():
    columns = {"x": number(0, 10, "flag"), "c": category("0", "1", missing="flag")}
    frame = pd.DataFrame({"x": [1.5, np.nan, 30], "c": ["1.0", "5", ""]})
    table = read(frame, stats(columns), "home")
    assert np.array_equal(table.columns["x"], [1.5, np.nan, 30], equal_nan=True)
    assert np.array_equal(table.columns["c"], [1, -1, np.nan], equal_nan=True)
    assert not table.test.any()


def test_a_declared_class_is_needed_for_several_classes():
    spec = plan(
        columns={"x": number(0, 10), "y": category("0", "1", "2")},
        target=Target(column="y", classes=("0", "1")),
    )
    frame = pd.DataFrame({"x": [1, 2], "y": ["1", "2"]})
    assert "'y', line 2" in fails(frame, spec)
    assert read(frame.iloc[:1], spec, "home").target.tolist() == [1]


def test_a_target_with_a_header_needs_no_column_entry():
    spec = plan(columns={"x": number(0, 10)}, target=Target(column="y", positive=("yes", "1")))
    frame = pd.DataFrame({"x": [1, 2, 3], "y": ["yes", "1.0", "no"]})
    assert read(frame, spec, "home").target.tolist() == [1, 1, 0]


def test_a_number_target_is_scaled_like_a_number():
    data = Data(columns={"x": number(0, 10), "y": number(100, 200)}, target=Target(column="y"), split=Split(test=0.5))
    frame = pd.DataFrame({"x": [1, 2, 3], "y": [100, 175, 900]})
    assert read(frame, make(data=data), "home").target.tolist() == [-1, 0.5, 1]


def test_features_are_let_go_as_they_are_joined_so_that_no_second_copy_stands(monkeypatch):
    left = []

    def watched(parts, joined=table_module.joined):
        refs = [weakref.ref(part) for part in parts]
        made = joined(parts)
        if made.ndim == 2:
            left.append((len(refs), sum(ref() is not None for ref in refs)))
        return made

    monkeypatch.setattr(table_module, "joined", watched)
    monkeypatch.setattr(duck, "BATCH", 2048)
    frame = pd.DataFrame({"x": np.arange(10_000) % 10, "c": "u", "y": [0, 1] * 5000})
    assert read(frame, plan(), "a").features.shape == (10_000, 3)
    ((parts, held),) = left
    assert parts > 2
    assert held == 0
