"""A site's values, counted for its owner: what does not fit the plan is told, and where nothing fits it is an error."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from potluck.core.errors import DataError
from potluck.core.plan import Column, Model, PrivacyPlan, Statistic, Target
from potluck.learning.check import check
from potluck.learning.data import tally, tally_words
from potluck.learning.data.columns import read as read_own
from potluck.learning.data.table import read
from potluck.learning.data.tally_words import MOST, required, told, words
from potluck.learning.statistics.statistics import StatisticsTask
from potluck.secret.random import system
from support.learning.sums import HEART, category, heart, hospitals, make, number, replaced, stats, summed

SECRET = "s3cr3t"


def outcome(negative: tuple[str, ...] | None = None, **columns: Column):
    """A plan whose target column has no entry: "Yes" is positive."""
    spec = make()
    target = Target(column="y", positive=("Yes",), negative=negative)
    return replaced(spec, data=replaced(spec.data, columns={"x": number(0, 10)} | columns, target=target))


def patients(yes=100, lower=27, no=176) -> pd.DataFrame:
    answers = ["Yes"] * yes + ["yes"] * lower + ["No"] * no
    return pd.DataFrame({"x": np.linspace(0, 10, len(answers)), "y": answers})


def fails(source, spec) -> str:
    with pytest.raises(DataError) as caught:
        required(read(source, spec, "home").tally, "home")
    assert SECRET not in str(caught.value)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# 27 rows spelled "yes" where the plan says "Yes".


def test_27_lower_case_yes_are_told_to_the_owner(monkeypatch):
    table = read(patients(), outcome(), "home")
    assert table.target.sum() == 100  # the mistake: they count as negative
    (line,) = words(table.tally)
    assert "target 'y': 203 of 303 values are not declared and count as negative, of 2 kinds" in line
    assert "(27 differ in case alone)" in line
    monkeypatch.setattr(
        tally.Counting, "_undeclared", lambda *_: None
    )  # the control: nobody counts, nobody hears of it
    assert words(read(patients(), outcome(), "home").tally) == []


def test_27_lower_case_yes_are_refused_where_the_plan_says_what_is_negative():
    spec = outcome(negative=("No",))
    assert check(spec)[0] == []
    message = fails(patients(), spec)
    assert "column 'y', lines 101, 102, 103, 104, 105 and 22 more: a target value that the plan does not declare" in (
        message
    )
    assert read(patients(lower=0), spec, "home").target.sum() == 100
    # The control: without `negative` the same rows are read, and 27 of the sick are taken for healthy.
    assert read(patients(), outcome(), "home").target.tolist() == [1.0] * 100 + [0.0] * 203


def test_a_plan_that_declares_negative_gives_the_model_file_of_one_that_declares_the_columns_values():
    from potluck.learning.data.target import goal_of

    declared = outcome(y=category("Yes", "No"))
    assert goal_of(outcome(negative=("No",))) == goal_of(declared)


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ({"negative": ()}, "lists none"),
        ({"negative": ("No", "no ", "No")}, "No is there twice"),
        ({"negative": ("Yes",)}, "Yes is there twice, or positive too"),
        ({"negative": ("",)}, "data.missing"),
        ({"positive": None, "classes": ("a", "b"), "negative": ("c",)}, "goes with positive"),
        ({"positive": None, "negative": ("c",)}, "goes with positive"),
    ],
)
def test_a_negative_that_makes_no_sense_is_refused(target, said):
    spec = outcome()
    spec = replaced(spec, data=replaced(spec.data, target=replaced(spec.data.target, **target)))
    assert any(said in line and "hint:" in line for line in check(spec)[0]), check(spec)[0]


def test_a_negative_that_the_column_does_not_declare_is_refused():
    assert (
        "none is no value of the target's column" in check(outcome(negative=("none",), y=category("Yes", "No")))[0][0]
    )


# Values that are what the plan means: "No" beside a plan that says `positive = ["Yes"]` and nothing else.


def test_honest_negatives_are_a_note_and_no_warning(monkeypatch):
    found = read(patients(lower=0), outcome(), "home").tally
    assert words(found) == []
    note = "target 'y': 176 of 276 rows count as negative, all with one value, which data.target.negative may declare"
    assert tally_words.notes(found) == [note]
    read_276 = "276 rows read, 276 rows used: 201 to learn from, 75 held out"
    assert tally_words.for_owner(outcome(), found, "home") == (read_276, note)  # the count is there all the same
    assert tally_words.notes(read(patients(lower=0), outcome(negative=("No",)), "home").tally) == []
    monkeypatch.setattr(tally_words, "_doubtful", lambda one: one.other > 0)  # the control: as it was
    assert "176 of 276 values are not declared" in words(found)[0]


@pytest.mark.parametrize(
    "frame",
    [
        patients(),  # "yes" and "No"
        patients(no=0),  # "yes" alone
        patients(lower=0).replace("No", "no").assign(y=lambda f: f.y.where(f.index < 275, "N/K")),
        patients(yes=0, lower=0),
    ],
)
def test_negatives_that_may_be_something_else_are_warned_of(frame):
    """Misspelt ones, several different ones, and a target of which nothing is positive."""
    found = read(frame, outcome(), "home").tally
    assert "not declared and count as negative" in words(found)[0]
    assert tally_words.notes(found) == []


def test_an_undeclared_target_value_is_told_with_what_the_plan_declares_and_whether_it_is_case_alone():
    frame = patients(yes=2, lower=3, no=4).assign(y=lambda f: f.y.where(f.index != 8, SECRET))
    for spec in (outcome(negative=("No",)), outcome(y=category("Yes", "No"))):
        message = fails(frame, spec)
        assert "column 'y', line 9: a target value that the plan does not declare; " in message
        assert "column 'y', lines 3, 4, 5: a target value that the plan does not declare (only its case differs)" in (
            message
        )
        hint = message.split("hint: ")[1]
        assert hint.startswith('check the spelling and case of positive = ["Yes"] and negative = ["No"], or list the')
    classes = replaced(outcome(), model=Model(kind="network"))
    classes = replaced(classes, data=replaced(classes.data, target=Target(column="y", classes=("No", "Yes"))))
    assert 'check the spelling and case of classes = ["No", "Yes"]' in fails(frame, classes)
    # The control: of a value that is merely another one, nothing is said of its case.
    assert "case differs" not in fails(frame[frame.y != "yes"], outcome(negative=("No",)))


# Nothing fits.


def test_a_target_that_no_row_matches_is_an_error_that_names_the_spelling():
    message = fails(patients(yes=0), outcome())
    assert "target 'y': none of 203 rows has a positive value (27 differ in case alone)" in message
    assert 'positive = ["Yes"]' in message
    assert "data.target.negative" in message
    required(read(patients(yes=1), outcome(), "home").tally, "home")  # the control


def test_a_site_where_nobody_is_ill_is_no_error_where_the_plan_says_what_is_negative():
    for spec in (outcome(negative=("No",)), outcome(y=category("Yes", "No"))):
        table = read(patients(yes=0, lower=0), spec, "home")
        required(table.tally, "home")
        assert words(table.tally) == ["target 'y': none of 176 rows is positive"]


def test_a_column_wholly_undeclared_is_an_error():
    frame = pd.DataFrame({"x": [1.0, 2, 3], "c": ["U", "V", SECRET], "y": [1, 0, 1]})
    message = fails(frame, make())
    assert "column 'c': none of 3 values is a declared one (2 differ in case alone)" in message
    assert 'check the spelling and case of values = ["u", "v"]' in message
    some = read(frame.assign(c=["u", "V", SECRET]), make(), "home")
    required(some.tally, "home")  # the control: one that fits
    line = "column 'c': 2 of 3 values are not declared: their features are 0 (1 differs in case alone)"
    line += ". hint: data.fold = true takes them for what they are"
    assert words(some.tally) == [line]


def test_a_column_wholly_clamped_is_an_error():
    frame = pd.DataFrame({"x": [170.0, 180.5, -20.0], "c": ["u"] * 3, "y": [1, 0, 1]})  # cm where the plan has dm
    message = fails(frame, make())
    assert "column 'x': all 3 values are outside the declared range (1 below low, 2 above high)" in message
    assert "170" not in message
    some = read(frame.assign(x=[170.0, 10.0, 0.0]), make(), "home")  # the ends of the range are in it
    required(some.tally, "home")
    assert words(some.tally) == ["column 'x': 1 of 3 values is clamped (1 above high)"]


def test_a_number_to_predict_is_counted_as_any_column_is():
    data = replaced(make().data, columns={"x": number(0, 10), "y": number(100, 200)}, target=Target(column="y"))
    frame = pd.DataFrame({"x": [1, 2, 3, 4], "y": ["100", "900", "99", ""]})
    table = read(frame, make(data=data), "home")
    assert words(table.tally) == [
        "1 of 4 rows is left out: 1 without 'y'",
        "column 'y': 2 of 3 values are clamped (1 below low, 1 above high)",
    ]
    assert "column 'y': all 3 values are outside" in fails(frame.assign(y=["900", "0", "9", ""]), make(data=data))


def test_a_column_without_any_value_is_not_one_without_a_declared_value():
    columns = {"x": number(0, 10, "flag"), "c": category("u", "v", missing="flag"), "y": category("0", "1")}
    frame = pd.DataFrame({"x": ["", ""], "c": ["", ""], "y": [1, 0]})
    spec = make()
    required(read(frame, replaced(spec, data=replaced(spec.data, columns=columns)), "home").tally, "home")


def test_all_columns_that_do_not_fit_are_told_at_once():
    frame = pd.DataFrame({"x": [99.0], "c": ["w"], "y": ["1"]})
    message = fails(frame, make())
    assert message.startswith("DataError: home: 2 problems: column 'x': its one value is outside")
    assert "column 'c': its one value is not a declared one" in message


def test_only_rows_that_stay_are_counted():
    frame = pd.DataFrame({"x": [1.0, 2, 99], "c": ["u", "u", "w"], "y": ["1", "0", ""]})
    table = read(frame, make(), "home")
    assert words(table.tally) == ["1 of 3 rows is left out: 1 without 'y'"]
    assert (table.tally.read, table.tally.used, table.tally.dropped) == (3, 2, {"y": 1})


def test_the_hearts_counts_are_pandas_own():
    spec = heart()
    for name, table in hospitals(spec).items():
        raw = pd.read_csv(HEART / f"processed.{name}.data", header=None, na_values="?").dropna(
            subset=list(range(3, 10))
        )
        by_name = {one.column: one for one in table.tally.columns}
        assert by_name["age"].values == len(raw)
        assert by_name["trestbps"].below == (raw[3] < 80).sum()
        assert by_name["chol"].above == (raw[4] > 620).sum()
        assert by_name["sex"].undeclared == (~raw[1].isin([0, 1])).sum()
        required(table.tally, name)


# A row is left out only of the statistics that need its missing value.


def test_a_missing_value_leaves_a_row_out_of_the_statistics_that_use_it_alone():
    wanted = (
        Statistic(name="rows", kind="count"),
        Statistic(name="age", kind="mean", column="age"),
        Statistic(name="chol", kind="mean", column="chol", by="sex"),
    )
    columns = {"age": number(0, 100), "chol": number(0, 500, "drop"), "sex": category("f", "m", missing="drop")}
    frame = pd.DataFrame({"age": [20, 40, 60, 80], "chol": ["100", "", "300", ""], "sex": ["f", "m", "", "m"]})
    spec = stats(columns, *wanted)
    table = read(frame, spec, "home")
    assert table.rows == 4
    assert table.tally.statistics == {"rows": 4, "age": 4, "chol": 1}
    assert words(table.tally) == ["statistic 'chol': 1 of 4 rows has a value"]
    task = StatisticsTask(spec)
    ask = next(task.lead())
    (added,) = task.contribute(ask, table, system)
    total = summed(added, ask)
    assert total[0] == 4
    assert (total[2] / total[1] + 1) / 2 * 100 == 50  # pencil and paper: (20 + 40 + 60 + 80) / 4
    # The control: where the row went as a whole, one missing cholesterol changed the age.
    whole = frame[(frame.chol != "") & (frame.sex != "")]
    assert whole.age.mean() == 20


def test_exact_statistics_rest_on_the_rows_of_the_one_that_has_fewest():
    columns = {"a": number(0, 9, "drop"), "b": number(0, 9, "drop"), "e": number(0, 9, "drop")}
    wanted = [Statistic(name=name, kind="mean", column=name) for name in columns]
    frame = pd.DataFrame({"a": [1, 2, 3, 4], "b": ["1", "", "", ""], "e": [""] * 4})
    spec = stats(columns, *wanted)
    found = read(frame, spec, "home").tally
    assert tally.rests_on(spec, found) == 1
    noisy = replaced(spec, privacy=PrivacyPlan(noise="site", unit="row", epsilon=1.0, delta=1e-5))
    assert tally.rests_on(noisy, found) == 4


# All problems of a source are told at once.


def test_all_problems_of_a_source_are_told_at_once(tmp_path):
    path = tmp_path / "rows.csv"
    rows = ["x,c,y,who"] + [f"{SECRET},u,1,p"] * 7 + ["1,u,2,p", "1,u", "1,,1,", "nan,v,0,p", "1,u,1,p,9,9"]
    path.write_text("\n".join(rows))
    spec = make()
    message = fails(path, replaced(spec, data=replaced(spec.data, person="who")))
    assert message.startswith("DataError: home: 6 problems: ")
    for part in (
        "column 'x', lines 2, 3, 4, 5, 6 and 3 more: nan, inf or text where a number is expected",
        "column 'y', line 9: a target value that the plan does not declare",
        "line 10 has 2 columns where 4 are expected",
        "line 13 has 6 columns where 4 are expected",
        "column 'c' has no value in 1 row (line 11)",
        "column 'who', line 11: no person",
    ):
        assert part in message
    assert message.count("correct the cell") == 1


@pytest.mark.slow
def test_a_source_that_fits_nowhere_does_not_fill_the_screen():
    names = [f"c{number}" for number in range(60)]
    frame = pd.DataFrame({name: [SECRET] * 1000 for name in names} | {"y": [1, 0] * 500})
    spec = make()
    columns = {name: number(0, 1) for name in names} | {"y": category("0", "1")}
    message = fails(frame, replaced(spec, data=replaced(spec.data, columns=columns)))
    assert message.startswith("DataError: home: 60 problems: column 'c0', lines 1, 2, 3, 4, 5 and 995 more")
    assert "; and 40 more problems. hint: " in message
    assert len(message) < 3000


def test_an_error_that_ends_the_reading_is_told_with_what_was_found_before(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_bytes(b"x,c,y\n1,u\n" + b"1,u,1\n" * 60_000 + b"1,\xff,1\n")
    message = fails(path, make())
    assert "line 2 has 2 columns" in message
    assert "is not UTF-8 text" in message


def test_a_missing_value_is_no_problem_where_another_column_drops_the_row():
    columns = {"x": number(0, 10, "drop"), "c": category("u", "v"), "y": category("0", "1")}
    frame = pd.DataFrame({"x": ["", "1", SECRET], "c": ["", "u", ""], "y": ["1", "1", "1"]})
    spec = make()
    message = fails(frame, replaced(spec, data=replaced(spec.data, columns=columns)))
    assert "column 'x', line 3" in message
    assert "column 'c' has no value in 1 row (line 3)" in message


# Words and types.


def test_words_are_bounded_and_hold_no_value():
    names = [f"c{number}" for number in range(40)]
    frame = pd.DataFrame({name: [SECRET, "u"] for name in names} | {"y": [1, 0]})
    spec = make()
    columns = {name: category("u") for name in names} | {"y": category("0", "1")}
    found = read(frame, replaced(spec, data=replaced(spec.data, columns=columns)), "home").tally
    assert len(words(found)) == MOST + 1
    assert words(found)[-1] == f"and {40 - MOST} more"
    assert SECRET not in " ".join(words(found)) + str(found) + str(found.document())
    assert told({"a": found})[0].startswith("a: column 'c0': 1 of 2")


def test_a_typed_column_is_counted_as_texts_are():
    frame = pd.DataFrame({"x": [1.0, 2, 3], "c": [1.0, 7.0, np.nan], "y": [1, 0, 1]})
    columns = {"x": number(0, 10), "c": category("1", "2", missing="flag"), "y": category("0", "1")}
    spec = replaced(make(), data=replaced(make().data, columns=columns))
    texts = frame.astype(str).replace("nan", "")
    assert read(frame, spec, "home").tally == read(texts, spec, "home").tally
    assert read(frame, spec, "home").tally.columns[1].undeclared == 1


def test_a_table_does_not_show_its_counts():
    table = read(patients(), outcome(), "home")
    assert "303" not in repr(table)
    assert {one.name for one in dataclasses.fields(table) if one.repr} == {"schema"}


def test_an_owners_columns_of_a_fit_are_counted_too():
    spec = make(
        task="fit",
        data=replaced(
            make().data,
            columns={"x": replaced(number(0, 10), owner="a"), "y": replaced(category("Yes", "No"), owner="a")},
            target=Target(column="y", positive=("Yes",)),
        ),
    )
    own = read_own(patients(lower=0).assign(x=lambda f: f.x + 5), spec, "a")
    assert words(own.tally) == ["column 'x': 138 of 276 values are clamped (138 above high)"]
    with pytest.raises(DataError, match="column 'y', lines 101, 102, 103, 104, 105 and 22 more: a target value"):
        read_own(patients(), spec, "a")


def test_a_value_that_counts_as_missing_beside_a_reference_is_counted_as_undeclared_too():
    frame = pd.DataFrame({"x": [1, 2, 3], "c": ["V", "V", SECRET], "y": [1, 0, 1]})
    columns = {"x": number(0, 10), "c": replaced(category("u", "v", missing="flag"), reference="u")}
    spec = replaced(make(), data=replaced(make().data, columns=columns))
    assert "column 'c': none of 3 values is a declared one (2 differ in case alone)" in fails(frame, spec)
    dropped = {"x": number(0, 10), "c": replaced(category("u", "v", missing="drop"), reference="u")}
    spec = replaced(spec, data=replaced(spec.data, columns=dropped))
    found = read(frame.assign(c=["u", "V", SECRET]), spec, "home")
    assert words(found.tally)[0] == "2 of 3 rows are left out: 2 without 'c' (2 not declared, 1 differs in case alone)"


# The same mistake beside a reference, where such a value counts as missing: 20 of 60 stages spelled "i" where the plan
# says "I".


def stages(rule: str):
    columns = {"x": number(0, 60), "stage": replaced(category("I", "II", "III", missing=rule), reference="II")}
    target = Target(column="y", positive=("1",), negative=("0",))
    return replaced(make(), data=replaced(make().data, columns=columns, target=target))


def staged(wrong=20, empty=0, rows=60) -> pd.DataFrame:
    stage = ["i"] * wrong + [""] * empty + ["I", "II", "III"] * rows
    return pd.DataFrame({"x": range(rows), "stage": stage[:rows], "y": [1, 0] * (rows // 2)})


def test_20_lower_case_stages_that_leave_their_rows_out_are_told_to_the_owner(monkeypatch):
    table = read(staged(empty=5), stages("drop"), "home")
    assert table.rows == 35  # the mistake: a third of the rows is gone
    line = "25 of 60 rows are left out: 25 without 'stage' (20 not declared, 20 differ in case alone)"
    assert words(table.tally) == [line]
    (found,) = (one for one in table.tally.document()["columns"] if one["column"] == "stage")
    assert (found["left_out"], found["left_out_case"], found["undeclared"]) == (20, 20, 0)
    # The control: counted over the rows that stay alone, nobody hears why.
    monkeypatch.setattr(tally.Counting, "_undeclared", lambda *_: None)
    assert words(read(staged(empty=5), stages("drop"), "home").tally) == [
        "25 of 60 rows are left out: 25 without 'stage'"
    ]


def test_a_row_that_another_column_leaves_out_is_not_misspelt():
    spec = stages("drop")
    columns = {**spec.data.columns, "x": number(0, 60, "drop")}
    spec = replaced(spec, data=replaced(spec.data, columns=columns))
    table = read(staged().assign(x=[""] * 10 + ["1"] * 50), spec, "home")
    line = "20 of 60 rows are left out: 10 without 'x', 10 without 'stage' (10 not declared, 10 differ in case alone)"
    assert words(table.tally) == [line]


def test_a_number_of_minus_one_is_no_undeclared_value():
    spec = make(data=replaced(make().data, columns={"x": number(-2, 2, "drop")}))
    table = read(pd.DataFrame({"x": ["-1", "", "1"], "y": [1, 0, 1]}), spec, "home")
    assert words(table.tally) == ["1 of 3 rows is left out: 1 without 'x'"]


def test_a_file_whose_stages_are_all_in_lower_case_names_spelling_and_case():
    message = fails(staged(wrong=60), stages("drop"))
    assert "no rows are left: 60 without 'stage' (60 not declared, 60 differ in case alone)" in message
    assert 'check the spelling and case of values = ["I", "II", "III"]; see data.missing' in message
    empty = fails(staged(wrong=0, empty=60), stages("drop"))  # the control: nothing is spelled at all
    assert "no rows are left: 60 without 'stage'. hint: see data.missing" in empty


def test_20_lower_case_stages_that_stop_the_site_name_spelling_and_case():
    message = fails(staged(), stages("refuse"))
    assert "column 'stage' has no declared value in 20 rows" in message
    assert 'hint: check the spelling and case of values = ["I", "II", "III"]; declare missing = ' in message
    spec = stages("refuse")
    columns = {**spec.data.columns, "stage": category("I", "II", "III")}
    plain = fails(staged(wrong=0, empty=2), replaced(spec, data=replaced(spec.data, columns=columns)))
    assert "spelling" not in plain  # the control: without a reference a gap is no misspelt value


def test_20_lower_case_stages_that_are_flagged_count_as_missing():
    table = read(staged(), stages("flag"), "home")
    assert table.features[:20].tolist() == [[row / 30 - 1, 0.0, 0.0, 1.0] for row in range(20)]  # the last: stage?
    line = "column 'stage': 20 of 60 values are not declared and count as missing (20 differ in case alone)"
    line += ". hint: data.fold = true takes them for what they are"
    assert words(table.tally) == [line]
    spec = stages("flag")
    columns = {**spec.data.columns, "stage": category("I", "II", "III", missing="flag")}
    plain = read(staged(), replaced(spec, data=replaced(spec.data, columns=columns)), "home")
    assert not plain.features[:20, 1:].any()  # the control: without a reference they are no gap
    assert words(plain.tally) == [line.replace(" and count as missing", ": their features are 0")]


def test_one_row_is_told_in_the_singular(monkeypatch):
    frame = pd.DataFrame({"x": [1.0, 99], "y": ["Yes", "yes"]})
    said = [
        "target 'y': 1 of 2 values is not declared and counts as negative, of 1 kind (1 differs in case alone). "
        "hint: data.target.negative says which may",
        "column 'x': 1 of 2 values is clamped (1 above high)",
    ]
    assert words(read(frame, outcome(), "home").tally) == said
    monkeypatch.setattr(tally_words, "agree", lambda number, one, many: many)  # the control
    assert words(read(frame, outcome(), "home").tally)[1] == "column 'x': 1 of 2 values are clamped (1 above high)"
    assert "of 1 kinds" in words(read(frame, outcome(), "home").tally)[0]
