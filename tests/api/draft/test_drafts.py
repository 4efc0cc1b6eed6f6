"""A drafted plan says what its rows are, as somebody who cleaned them by hand would; of few rows it says nothing."""

import math
import re
import tomllib
from datetime import date

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import potluck
from potluck.api.draft.begin import sites
from potluck.api.draft.draft import draft
from potluck.api.draft.guess import FEWEST
from potluck.api.draft.guesses.quantity import outwards
from potluck.api.draft.page import page
from potluck.core.errors import DataError, UsageError
from potluck.core.plan import Permit
from potluck.tasks.sums.usefulness import advice
from support.examples import examples

TODAY = date(2025, 1, 1)
YES, NO = ("yes", "Yes", "Y", "ja", "1"), ("no", "N", "nein", "0")


def text_of(sources, **asked):
    return page(draft(sources, today=TODAY, **asked))


def data_of(sources, **asked):
    return tomllib.loads(text_of(sources, **asked))["data"]


def column(cells, **asked):
    """What is said of one column, beside another that any plan can use."""
    frame = pd.DataFrame({"x": cells, "beside": np.arange(len(cells)) % 7 + 0.5})
    return data_of({"a": frame}, **asked)


def clean(seed):
    """Rows as nobody sends them."""
    draw, rows = np.random.default_rng(seed), 120
    smokes, birth = draw.random(rows) < 0.4, draw.integers(1930, 2005, rows)
    frame = pd.DataFrame({
        "birth": [f"{year}-{month:02d}-{day:02d}" for year, month, day in
                  zip(birth, draw.integers(1, 13, rows), draw.integers(1, 29, rows), strict=True)],
        "size": draw.normal(170, 9, rows).round(1),
        "smokes": np.where(smokes, "yes", "no"),
        "ward": draw.choice(["Süd", "Nord"], rows),
    })  # fmt: skip
    frame.loc[::17, "size"] = np.nan
    frame["died"] = np.where(draw.random(rows) < 0.3 + 0.3 * smokes, "yes", "no")
    return frame


def dirty(frame, path, seed, encoding):
    """The same as it is sent: semicolons, decimal commas, days of another format, spellings, gaps, IDs, a note."""
    draw, lines = np.random.default_rng(seed), ["Case No;birth;size;smokes;ward;died;note;empty"]

    def spelt(value):
        return draw.choice(YES if value == "yes" else NO)

    for number, row in enumerate(frame.itertuples()):
        year, month, day = row.birth.split("-")
        size = draw.choice(["k.A.", "", " NA "]) if math.isnan(row.size) else str(row.size).replace(".", ",")
        died = {"yes": "Ja", "no": "nein"}[row.died]
        cells = [f"{path.stem}-{number:04d}", f"{day}.{month}.{year}", size, spelt(row.smokes), row.ward, died]
        lines.append(";".join([*cells, f'"came; was ill ({number}), ""left"" again"', ""]))
    path.write_bytes("\r\n".join([*lines, ""]).encode(encoding))


def by_hand(rows, low, high):
    return potluck.Plan(
        name="by-hand", purpose="p", task="train", federation={"sites": [*rows], "corrupt": 1},
        data={
            "columns": {
                "size": {"kind": "number", "low": low, "high": high, "missing": "flag"},
                "birth": {"kind": "date", "format": "%Y-%m-%d"},
                "smokes": {"kind": "category", "values": ["no", "yes"]},
                "ward": {"kind": "category", "values": ["Nord", "Süd"]},
            },
            "derive": {"age": {"kind": "years", "from": "birth", "to": "2025-01-01", "low": 0, "high": 110}},
            "target": {"column": "died", "positive": ["yes"], "negative": ["no"]},
        },
        model={"kind": "logistic"}, training={"method": "newton"}, protect={"with": "clear"},
        privacy={"noise": "none"},
    )  # fmt: skip


@pytest.mark.parametrize(
    "encoding", ["cp1252", *(pytest.param(one, marks=pytest.mark.slow) for one in ("utf-8-sig", "utf-16"))]
)
def test_a_drafted_plan_reads_dirty_files_as_clean_rows_would_be_read(tmp_path, encoding):
    rows = {site: clean(seed) for seed, site in enumerate(("nord", "süd", "west"))}
    for seed, (site, frame) in enumerate(rows.items()):
        dirty(frame, tmp_path / f"{site}.csv", seed, encoding)
    text = text_of(sites([tmp_path / f"{site}.csv" for site in rows]), target="died")
    assert "Case No" in text.partition("# Left out:")[2]
    assert "came; was ill" not in text
    split = next(line for line in text.splitlines() if line.startswith("split = "))
    (tmp_path / "plan.toml").write_text(text.replace(split, ""))
    settings = ['privacy={noise="none"}', 'training={method="newton"}', 'protect.with="clear"']
    plan = potluck.Plan.read(tmp_path / "plan.toml", settings)
    low, high = plan.spec.data.columns["size"].bounds
    assert low < min(frame["size"].min() for frame in rows.values())
    made = potluck.run(plan, {site: tmp_path / f"{site}.csv" for site in rows}).model
    said = potluck.run(by_hand(rows, low, high), rows).model.predict_proba(rows["west"])
    np.testing.assert_allclose(made.predict_proba(tmp_path / "west.csv"), said, atol=1e-9)


def test_frames_parquet_and_csv_give_one_plan(tmp_path):
    frame = clean(5).drop(columns="birth")
    frame.to_parquet(tmp_path / "a.parquet")
    frame.to_csv(tmp_path / "a.csv", index=False)
    every = [text_of({"a": one}, target="died") for one in (frame, tmp_path / "a.parquet", tmp_path / "a.csv")]
    assert every[0] == every[1] == every[2]


def test_what_is_typed_or_no_value_is_taken_as_it_is():
    frame = pd.DataFrame({
        "when": pd.to_datetime("2020-01-01") + pd.to_timedelta(np.arange(60), unit="D"),
        "ok": np.arange(60) % 3 == 0,
        "grade": pd.array(np.arange(60) % 4 + 1, dtype="Int64"),
        "weight": np.where(np.arange(60) % 20 == 0, -99, 60.0 + np.arange(60) % 13),
        "bytes": [b"x"] * 60,
        "constant": 1,
    })  # fmt: skip
    plan = potluck.Plan.from_frames({"a": frame, "b": frame, "c": frame}, target="ok")
    assert [*plan.spec.data.columns] == ["grade", "weight"]
    assert plan.spec.data.columns["weight"].bounds == (60.0, 72.0)
    assert plan.spec.data.missing == ("", "-99")
    assert plan.spec.data.target.positive == ("1",)
    assert 'when = { kind = "date"' in plan.source.partition("# Left out:")[2]
    assert potluck.check(plan, data={"a": frame, "b": frame, "c": frame}).ok


@pytest.mark.parametrize("rows", range(1, 8))
def test_values_of_few_rows_are_counted_and_never_written(rows):
    cells = ["red"] * 20 + ["green"] * 20 + ["Baron von Stein"] * rows
    frame = pd.DataFrame({"colour": cells, "beside": np.arange(len(cells)) % 7 + 0.5})
    text = text_of({"a": frame[::2], "b": frame[1::2]})
    assert ("Baron" in text) == (rows >= FEWEST)
    assert ("1 rarer value is not written here" in text) == (rows < FEWEST)


def test_rows_of_a_rare_class_are_left_out_by_a_condition():
    frame = pd.DataFrame({"stage": ["I", "II", "III"] * 20, "x": np.arange(60) % 9 + 0.25})
    rows = {"a": pd.concat([frame, frame[:2].assign(stage="IV")]), "b": frame, "c": frame}
    plan = potluck.Plan.from_frames(rows, target="stage")
    assert plan.spec.data.target.classes == ("I", "II", "III")
    assert plan.spec.model.kind == "logistic"
    assert "IV" not in plan.source
    verdict = potluck.check(plan, data=rows)
    assert verdict.ok
    assert verdict.data["a"].unmet == 2
    rows = {site: one.assign(stage=one["stage"].replace("III", "I")) for site, one in rows.items()}
    plan = potluck.Plan.from_frames(rows, target="stage")
    assert (plan.spec.data.target.positive, plan.spec.data.target.negative) == (("II",), ("I",))
    assert potluck.check(plan, data=rows).data["a"].unmet == 2


def test_a_derived_column_takes_no_name_that_is_taken():
    birth = pd.Series(["1950-01-31", "1960-02-28"] * 20)
    rows = pd.DataFrame({"birth": birth, "geb": birth, "age": np.arange(40) % 9 + 0.5})
    assert [*data_of({"a": rows})["derive"]] == ["birth_age", "geb_age"]


@settings(max_examples=examples(20), deadline=None)
@given(st.floats(-1e9, 1e9), st.floats(1e-6, 1e9))
def test_ranges_are_rounded_outwards_to_few_steps(low, width):
    high = low + width
    assume(high - low > 1e-9 * max(abs(low), abs(high)))
    below, above = outwards(low, high)
    slack = 1e-9 * max(abs(low), abs(high), 1.0)
    assert below <= low + slack
    assert above >= high - slack
    assert above - below <= 1.45 * (high - low) + slack
    assert not (low >= 0 > below)
    step = next(s * 10.0**k for k in range(-9, 12) for s in (1, 2, 5) if s * 10.0**k >= (high - low) / 10 * (1 - 1e-9))
    assert (above - below) / step == pytest.approx(round((above - below) / step), abs=1e-5)


def test_the_ends_of_a_range_do_not_show_in_its_rounding():
    assert outwards(18.3, 91.7) == (10, 100)
    assert outwards(0.31, 2.17) == (0.2, 2.2)
    assert outwards(-3.2, 4) == (-4, 4)


@pytest.mark.parametrize(
    ("cells", "kind", "said"),
    [
        (["31.12.1999", "1.2.2000"] * 9, "date", {"format": "%d.%m.%Y"}),
        (["12/31/1999", "01/02/2000"] * 9, "date", {"format": "%m/%d/%Y"}),
        (["19991231", "20000229"] * 9, "date", {"format": "%Y%m%d"}),
        (["2020-01-31T10:00:00Z", "2020-02-01"] * 9, "date", {"format": "%Y-%m-%d"}),
    ],
)
def test_formats_of_dates_are_found(cells, kind, said):
    frame = pd.DataFrame({"birth": cells, "beside": np.arange(len(cells)) % 7 + 0.5})
    found = data_of({"a": frame})
    assert found["columns"]["birth"] == {"kind": kind, **said}
    assert found["derive"]["age"]["to"] == "2025-01-01"


@pytest.mark.parametrize(
    ("cells", "why"),
    [
        (["31.12.99", "01.02.00"] * 9, "different texts"),
        ([f"{n % 28 + 1}.12.{n % 90 + 10}" for n in range(60)], "dates with years of two digits, whose century nobody"),
        (
            [*(f"{n}.5" for n in range(1, 41)), "<0.5", "< 0.5", ">100"],
            '= { kind = "number", low = 0, high = 45 }  # numbers, but 3 cells have < or > before them, of a (first',
        ),
        (
            [*(str(n % 20) for n in range(60)), "<5"],
            '= { kind = "number", low = 0, high = 20 }  # numbers, but 1 cell has <',
        ),
        (["30.02.2000", "01.02.2000"] * 9 + ["30.02.2001"] * 30, None),
        ([f"{n:05d}" for n in range(40)], "all its texts differ"),
        ([*map(str, range(1, 61))], "it counts rows"),
        (["", "NA", "n/a"] * 9, "no cell has a value"),
        ([*["1.5", "2.5", "3.5"] * 20, "inf"], "numbers, but not in all cells of a (first in line 61)"),
        (["N", "S", "E", "W"], "fewer than two of its values have 5 rows"),
        ([f"said {n} and then more of it" for n in range(30)] * 2, "free text"),
    ],
)
def test_what_is_left_out_is_left_out_with_its_reason(cells, why):
    frame = pd.DataFrame({"x": cells, "beside": np.arange(len(cells)) % 7 + 0.5})
    text = text_of({"a": frame})
    entry = tomllib.loads(text)["data"]["columns"].get("x")
    if why is None:
        assert entry["kind"] == "category"  # no such day, so no date
    elif why == "different texts":
        assert entry is None or entry["kind"] == "category"
    else:
        assert entry is None
        assert f"# x{' ' if why.startswith('=') else ': '}{why}" in text


def test_numbers_with_a_stray_text_are_named_by_site_and_line(tmp_path):
    for name, odd in (("a", "1.5"), ("b", "about 2")):
        cells = [f"{n}.25,{n % 3}.5" for n in range(40)]
        cells[7] = f"{odd},0.5"
        (tmp_path / f"{name}.csv").write_text("\n".join(["x,y", *cells, ""]))
    text = text_of(sites([tmp_path / "a.csv", tmp_path / "b.csv"]))
    assert "# x: numbers, but not in all cells of b (first in line 9)" in text
    assert "about 2" not in text


@pytest.mark.slow
def test_a_drafted_table_of_columns_with_gaps_runs():
    """Spellings and dates of birth make columns; a row without a value is left out of these and of what they are of."""
    cells = ["yes", "Y", "no", "N", "NA", ""] * 20
    rows = pd.DataFrame({"smoker": cells, "birth": ["1950-01-31", "1960-02-28", "", "1970-03-31"] * 30})
    rows["x"] = np.arange(120) % 9 + 0.5
    frames = dict.fromkeys("abc", rows)
    plan = potluck.Plan.from_frames(frames)
    assert potluck.check(plan, data=frames).ok
    counted = potluck.run(plan.set("privacy.noise", "none"), frames).data["a"].statistics
    assert (counted["table1/smoker_yes"], counted["table1/age"], counted["table1/x"]) == (80, 90, 120)


NAMES = (
    "Nachname", "Vorname", "surname", "last_name", "Familienname", "Name", "patient_name", "Hausarzt", "Strasse",
    "Straße", "Prénom", "nom", "phone number", "E-Mail", "LastName", "Anschrift", "Nom de famille",
)  # fmt: skip


def test_names_of_persons_are_left_out_however_often_they_stand():
    rows = dict.fromkeys(NAMES, ["Müller", "Kurz", "Weber"] * 20)
    text = text_of({"a": pd.DataFrame({**rows, "x": np.arange(60) % 9 + 0.5})})
    assert "Müller" not in text
    assert text.count("by its name it says who somebody is") == len(NAMES)


def test_columns_that_only_sound_like_names_of_persons_stay():
    rows = dict.fromkeys(("ward", "drug name", "mobility", "Patientenverfügung"), ["red", "green", "blue"] * 20)
    rows |= {"phone_calls": [0, 3, 5] * 20, "Hausarzt": ["ja", "nein", "nein"] * 20}
    assert {*rows} == {*data_of({"a": pd.DataFrame(rows)})["columns"]}


def test_texts_most_of_which_few_rows_have_are_left_out_by_whatever_name():
    cells = ["Müller"] * 40 + ["Weber"] * 40 + [f"Name{n}burg" for n in range(30)]
    text = text_of({"a": pd.DataFrame({"what": cells, "x": np.arange(110) % 9 + 0.5})})
    assert "Müller" not in text
    assert "# what: 30 of its texts have fewer than 5 rows each" in text


@pytest.mark.parametrize(
    ("cells", "out"),
    [
        ([770_000 + n for n in range(450)], True),
        ([5_000 + 2 * n for n in range(300)], True),
        ([7_000_000_000 + 3 * n for n in range(300)], True),
        ([n * 7919 % 899_981 + 100_000 for n in range(300)], True),
        ([20 + n * 13 % 75 for n in range(450)], False),  # ages
        ([1930 + n * 13 % 75 for n in range(25)], False),  # years of birth
        ([150_000 + n * 37 % 101 * 1_000 for n in range(450)], False),  # platelets
        ([300 + n * 7919 % 20_011 for n in range(300)], False),  # costs
    ],
)
def test_whole_numbers_that_all_differ_are_left_out_where_they_look_like_ids(cells, out):
    """Whichever way the numbers come, and never where they are what is to be predicted."""
    for typed in (cells, list(map(str, cells))):
        rows = {"a": pd.DataFrame({"case": typed, "x": np.arange(len(cells)) % 9 + 0.5})}
        assert ("case" in data_of(rows)["columns"]) != out
        assert "case" in data_of(rows, target="case")["columns"]


@pytest.mark.parametrize(
    ("cells", "beside", "why"),
    [
        (["300", "2.987", "20.001"], "170,3", '"."'),
        (["300", "2.987", "20.001"], "170", '"."'),
        (["300", "2.987", "20.001"], "170.3", '"."'),
        (["3.001", "2.987", "2.101"], "170,3", '"."'),
        (["3.001", "2.987", "2.101"], "170", '"."'),
        (["754,55", "4.754,55", "12.000,10"], "170,3", '"."'),
        (["1.234.567", "2.987", "12"], "170,3", '"."'),
        (["345.67", "12,345.67", "1,000.00"], "170.3", '","'),
        (["345", "12,345", "1,000"], "170.3", '","'),
        (["345", "12 345", "1 000"], "170.3", '" "'),
        (["345", "12'345", "1'000"], "170.3", '"\'"'),
    ],
)
def test_thousands_are_never_read_as_decimals(cells, beside, why):
    rows = {"a": pd.DataFrame({"cost": cells * 20, "beside": [beside, f"1{beside}"] * 30, "sex": ["m", "f"] * 30})}
    text = text_of(rows)
    assert f"# cost: {why} stands before three digits" in text
    assert "beside" in tomllib.loads(text)["data"]["columns"]
    with pytest.raises(UsageError, match=r"cannot be predicted: .* stands before three digits"):
        text_of(rows, target="cost")


@pytest.mark.parametrize(
    ("cells", "beside", "low", "high"),
    [
        (["3.001", "2.987", "2.101"], "170.3", 2.1, 3.1),  # three decimals in all cells, and the mark is shown
        (["0.125", "2.987", "2.101"], "170", 0, 3),
        (["3.01", "2.987", "2.101"], "170", 2.1, 3.1),
        (["3,01", "2,987", "2,101"], "170,5", 2.1, 3.1),
    ],
)
def test_decimals_are_no_thousands(cells, beside, low, high):
    found = data_of({"a": pd.DataFrame({"x": cells * 20, "beside": [beside, f"1{beside}"] * 30})})["columns"]["x"]
    assert (found["low"], found["high"]) == (low, high)


@pytest.mark.parametrize(
    ("standin", "rows", "others", "gone"),
    [
        (999, 16, [], True),
        (999, 2, [1200], True),
        (999, 1, [1200], False),
        (999, 3, [400, 600, 700, 800], False),
        (-99, 2, [], True),
        (-9, 2, [-3, -2, -8], False),
    ],
)
def test_stand_ins_are_found_beside_an_outlier(standin, rows, others, gone):
    cells = [80.0 + n % 90 for n in range(400)]
    cells[: rows + len(others)] = [*[standin] * rows, *others]
    found = column(cells)
    assert (str(standin) in found.get("missing", ())) == gone
    assert found["columns"]["x"]["high"] >= max([169, *others])


def test_dates_of_several_forms_are_named_as_such():
    cells = [f"{n % 28 + 1}.12.{1930 + n}" if n % 2 else f"12/{n % 28 + 1}/{1930 + n}" for n in range(60)]
    text = text_of({"a": pd.DataFrame({"birth": cells, "x": np.arange(60) % 9 + 0.5})})
    assert "# birth: dates of more than one form, or days that are none" in text


def test_notes_are_left_out_however_often_one_stands_there():
    rows = {"Notiz": ["kam zu Fuß", "ging zu Fuß"] * 30, "ward": ["North Wing", "South"] * 30, "x": np.arange(60) % 9}
    text = text_of({"a": pd.DataFrame(rows)})
    assert "# Notiz: notes, by its name: they may say anything of anybody" in text
    assert "zu Fuß" not in text
    assert tomllib.loads(text)["data"]["columns"]["ward"]["values"] == ["North Wing", "South"]


def drafted(rows, persons, target):
    """A plan of three sites with so many rows each, as `init` writes it."""
    draw = np.random.default_rng(3)
    frames = {}
    for site in "abc":
        x = draw.normal(50, 9, (rows, 8)).round(1)
        y = x[:, :3] @ [0.4, -0.3, 0.1] + draw.normal(0, 3, rows)
        frame = pd.DataFrame(x, columns=list("abcdefgh")).assign(y=y.round(2), who=[f"p{n}" for n in range(rows)])
        frame["ill"] = np.where(y > np.median(y), "yes", "no")
        frames[site] = frame.drop(columns=[] if persons else "who").drop(columns="ill" if target == "y" else "y")
    return potluck.Plan.from_frames(frames, target=target, person="who" if persons else None), frames


@pytest.mark.slow
def test_a_drafted_linear_plan_is_advised_nothing_and_does_not_diverge(monkeypatch):
    """Its rate of old, 1, led away from every model."""
    monkeypatch.setattr(advice, "PASSES", 4)
    plan, frames = drafted(400, False, "y")
    assert plan.spec.training.rate < 1
    assert "rate = " in plan.source
    verdict = potluck.check(plan, data=frames)
    assert not any("may diverge" in line for line in verdict.warnings)
    assert [one["key"] for one in verdict.advice if one["key"] != advice.EPSILON] == []


@pytest.mark.parametrize(("rows", "held"), [(60, False), (3000, True)])
def test_a_drafted_part_of_epsilon_for_metrics_is_of_use_or_is_not_there(rows, held):
    plan, frames = drafted(rows, True, "ill")
    spec = plan.spec
    assert (spec.data.split is not None) == (spec.privacy.evaluation is not None) == held
    assert ("No rows are held out" in plan.source) == (not held)
    verdict = potluck.check(plan, data=frames)
    assert verdict.ok
    assert not any("says nothing of a model" in line for line in verdict.warnings)


def test_a_class_that_may_mean_no_value_is_asked_about():
    rows = pd.DataFrame({"outcome": ["alive", "dead", "unknown"] * 20, "x": np.arange(60) % 9 + 0.5})
    line = next(one for one in text_of({"a": rows}, target="outcome").splitlines() if one.startswith("outcome = "))
    assert "unknown may be no class: then list it in data.missing" in line


def test_what_is_no_mapping_of_frames_is_refused():
    frame = pd.DataFrame({"x": [1.5, 2.5], "y": [1.5, 2.5]})
    for frames in (frame, [frame], None):
        with pytest.raises(UsageError, match="frames have to be given by site"):
            potluck.Plan.from_frames(frames)


def test_numbers_with_another_mark_than_those_of_other_columns_are_named():
    other = [f"{n % 5}.5" for n in range(40)]
    rows = pd.DataFrame({"x": other, "y": [f"{n % 7},5" for n in range(40)], "z": [f"{n % 6},25" for n in range(40)]})
    text = text_of({"a": rows})
    assert tomllib.loads(text)["data"]["decimal"] == ","
    assert '# x: its numbers are written with ".", those of other columns with ","' in text


def test_other_words_for_no_value_hold_among_numbers_and_not_in_categories():
    assert column(["1.5", "2.5", "unknown"] * 9)["missing"] == ["", "unknown"]
    assert "unknown" in column(["red", "green", "unknown"] * 9)["columns"]["x"]["values"]


CELLS = {
    "number": ["1.5", "2.25", "3.5", "12.75", "7.5"],
    "comma": ["1,5", "2,25", "3,5", "12,75", "7,5"],
    "counted": ["12", "55", "150", "230", "310", "999"],
    "date": ["2001-02-03", "1999-12-31", "1950-06-07"],
    "pair": ["yes", "Y", "ja", "no", "N", "nein"],
    "sex": ["m", "male", "F", "w"],
    "ward": ["A", "b", "B", "unknown", "Unknown", "999"],
}
STRAYS = ("unknown", "Unknown", "unbekannt", "-99", "999", "999.0", "vielleicht", "NA", "", "k.A.", "<5", "None", "d")


@st.composite
def dirty_frames(draw):
    """Two sites with columns of several kinds, in each of which some cells are something else."""
    names = draw(st.lists(st.sampled_from([*CELLS]), min_size=2, max_size=5))
    rows, seed = draw(st.sampled_from([30, 60])), draw(st.integers(0, 99))
    chance, frames = np.random.default_rng(seed), {}
    strays = [draw(st.lists(st.sampled_from(STRAYS), max_size=3)) for _ in names]
    share = [draw(st.sampled_from([0.02, 0.1, 0.3])) for _ in names]
    for site in "ab":
        frame = pd.DataFrame({"beside": [str(n % 7) for n in range(rows)]})
        for place, name in enumerate(names):
            kind = draw(st.sampled_from(["number", "comma"])) if name == "comma" else name
            cells = chance.choice(CELLS[kind], rows).astype(object)
            if strays[place]:
                odd = chance.random(rows) < share[place]
                cells[odd] = chance.choice(strays[place], odd.sum())
            frame[f"{name}{place}"] = cells
        frames[site] = frame
    return frames, draw(st.sampled_from([None, *frame.columns]))


@settings(max_examples=examples(60), deadline=None)
@given(dirty_frames())
def test_every_draft_of_dirty_rows_passes_its_own_check(tmp_path_factory, drawn):
    frames, target = drawn
    try:
        text = text_of(frames, target=target)
    except UsageError as error:
        assert re.search("cannot be predicted: .|could use", str(error))
        return
    path = tmp_path_factory.mktemp("plan") / "plan.toml"
    path.write_text(text)
    assert potluck.Plan.read(path).problems()[0] == []


def checked(rows, **asked):
    frames = dict.fromkeys("abc", rows)
    verdict = potluck.check(potluck.Plan.from_frames(frames, **asked), data=frames)
    assert verdict.ok, verdict.errors
    return text_of(frames, **asked), verdict


def test_a_word_for_no_value_is_no_value_of_a_category_either():
    """It stands in `data.missing`, which holds for all columns."""
    rows = pd.DataFrame({"age": ["unknown", *map(str, range(30, 59))] * 2, "x": np.arange(60) % 9 + 0.5})
    rows["ward"] = ["A", "B", "Unknown"] * 20
    text, _ = checked(rows)
    data = tomllib.loads(text)["data"]
    assert (data["missing"], data["columns"]["ward"]["values"]) == (["", "Unknown", "unknown"], ["A", "B"])
    assert "Unknown is taken for no value, as in other columns" in text
    target = tomllib.loads(text_of({"a": rows}, target="ward"))["data"]["target"]
    assert (target["positive"], target["negative"]) == (["B"], ["A"])


def test_a_dictionary_declares_no_word_that_means_no_value_elsewhere(tmp_path):
    path = tmp_path / "dictionary.csv"
    path.write_text("column;kind;low;high;values\nward;category;;;A|B|unknown\n")
    rows = pd.DataFrame({"age": ["unknown", *map(str, range(30, 59))] * 2, "ward": ["A", "B"] * 30})
    frames = dict.fromkeys("abc", rows)
    plan = potluck.Plan.from_frames(frames, dictionary=path)
    assert potluck.check(plan, data=frames).ok
    text = plan.source
    assert tomllib.loads(text)["data"]["columns"]["ward"]["values"] == ["A", "B"]


@pytest.mark.parametrize(("many", "named"), [(1, False), (3, True)])
def test_a_stray_word_among_spellings_of_yes_and_no_makes_no_class_and_is_said(many, named):
    cells = ["vielleicht"] * many + (["yes", "Y", "ja", "no", "N", "nein"] * 10)[many:]
    rows = pd.DataFrame({"t": cells, "x": np.arange(60) % 9 + 0.5})
    text, verdict = checked(rows, target="t")
    target = tomllib.loads(text)["data"]["target"]
    assert ({*target["positive"]}, {*target["negative"]}) == ({"yes", "Y", "ja"}, {"no", "N", "nein"})
    said = f"{3 * many} rows say neither yes nor no{' (vielleicht)' if named else ''}, and"
    assert f"{said} are left out" in text
    assert ("vielleicht" in text) == named
    assert verdict.data["a"].unmet == many
    text, _ = checked(rows)
    assert f"{said} count as neither" in text
    assert {*tomllib.loads(text)["data"]["derive"]["t_yes"]["map"]} == {*cells} - {"vielleicht"}


def test_a_third_answer_of_many_rows_stays_one():
    cells = ["ja", "nein", "vielleicht"] * 20
    assert column(cells)["columns"]["x"]["values"] == ["ja", "nein", "vielleicht"]
    assert column(["m", "w"] * 40 + ["d"] * 6)["columns"]["x"]["values"] == ["d", "m", "w"]
    assert column(["0", "1"] * 40 + ["2"] * 5)["columns"]["x"]["kind"] == "number"


def test_a_date_is_refused_as_target():
    rows = pd.DataFrame({"born": ["1950-01-31", "1960-02-28"] * 20, "x": np.arange(40) % 9 + 0.5})
    with pytest.raises(UsageError, match="'born' cannot be predicted: a date"):
        text_of({"a": rows}, target="born")


def test_a_decimal_mark_that_differs_between_sites_is_named_with_them():
    rows = pd.DataFrame({"w": [f"{n % 30}.5" for n in range(60)], "x": [f"{n % 7}.25" for n in range(60)]})
    frames = {"a": rows, "b": rows.assign(w=rows["w"].str.replace(".", ",")), "c": rows}
    said = 'numbers whose decimal mark is "." at a and c and "," at b'
    assert f"# w: {said}" in text_of(frames)
    with pytest.raises(UsageError, match=f"'w' cannot be predicted: {said}"):
        text_of(frames, target="w")


def test_sites_that_differ_are_named(tmp_path):
    (tmp_path / "a.csv").write_text("x;y\n1;2\n")
    (tmp_path / "b.csv").write_text("x,y\n1,2\n")
    with pytest.raises(UsageError, match="differ in their separator \\(a has ';', b has ','\\)") as caught:
        text_of(sites([tmp_path / "a.csv", tmp_path / "b.csv"]))
    assert 'source.separator = "," in the policy of b: draft from the other files' in caught.value.hint
    (tmp_path / "a.csv").write_bytes("ä,y\n1,2\n".encode())
    (tmp_path / "b.csv").write_bytes("ä,y\n1,2\n".encode("cp1252"))
    with pytest.raises(UsageError, match="differ in their encoding \\(a has 'utf-8', b has 'cp1252'\\)"):
        text_of(sites([tmp_path / "a.csv", tmp_path / "b.csv"]))
    frame = pd.DataFrame({"x": np.arange(30) % 8 + 0.5, "y": np.arange(30) % 7 + 0.5})
    assert "# y: not in b" in text_of({"a": frame, "b": frame[["x"]]})


def test_all_that_files_differ_in_is_said_at_once(tmp_path):
    (tmp_path / "a.csv").write_bytes("größe;x\n1;2\n".encode("cp1252"))
    (tmp_path / "b.csv").write_bytes("größe,x\n1,2\n".encode())
    said = r"encoding \(a has 'cp1252', b has 'utf-8'\) and separator \(a has ';', b has ','\).*"
    said += r'encoding = "utf-8" and source.separator = "," in the policy of b'
    with pytest.raises(UsageError, match=said):
        text_of(sites([tmp_path / "a.csv", tmp_path / "b.csv"]))


def test_values_that_no_two_sites_share_are_asked_about():
    x = np.arange(40) % 7 + 0.5
    frames = {"a": pd.DataFrame({"risk": ["low", "high"] * 20, "x": x}),
              "b": pd.DataFrame({"risk": ["gering", "hoch"] * 20, "x": x})}  # fmt: skip
    said = "no value is at all sites: they may spell alike things differently"
    assert said in text_of(frames)
    assert said not in text_of({"a": frames["a"], "b": frames["a"]})


def test_a_plan_is_called_as_its_target_with_letters_that_can_be_read():
    frame = pd.DataFrame({"Übernahme größer": ["ja", "nein"] * 30, "x": np.arange(60) % 7 + 0.5})
    assert tomllib.loads(text_of({"a": frame}, target="Übernahme größer"))["name"] == "Uebernahme-groesser"


def test_names_from_a_hostile_header_stay_names(tmp_path):
    names = ['a"b', "c\nd = 1", "e]", "#f", "[data.where]", "g*", "ä ö", "h'''", '"""', "\u202ei"]
    frame = pd.DataFrame({name: np.arange(40) % 9 + 0.5 for name in names})
    frame.to_csv(tmp_path / "a.csv", index=False)
    for source in (frame, tmp_path / "a.csv"):
        text = text_of({"a": source}, target="#f")
        assert {*tomllib.loads(text)["data"]["columns"]} == {*names} - {"g*"}
        (tmp_path / "plan.toml").write_text(text)
        assert potluck.check(tmp_path / "plan.toml", data={"a": source}).ok
    frame.columns = [*names[:-1], names[0]]  # there twice
    with pytest.raises(UsageError, match="there is no column"):
        text_of({"a": frame}, target="z")
    assert names[0] not in data_of({"a": frame})["columns"]


def test_a_person_is_the_unit_and_a_target_fits_its_model():
    frame = pd.DataFrame(
        {"who": [f"p{n // 3}" for n in range(90)], "x": np.arange(90) % 8 + 0.5, "y": np.arange(90) % 7 + 0.5}
    )
    plan = potluck.Plan.from_frames(dict.fromkeys("abc", frame), target="x", person="who")
    assert (plan.spec.model.kind, plan.spec.privacy.unit, plan.spec.data.person) == ("linear", "person", "who")
    assert plan.spec.privacy.rows_per_person == 3
    assert potluck.check(plan, data=dict.fromkeys("abc", frame)).ok
    for asked, said in (
        ({"target": "whos"}, "did you mean"),
        ({"target": "who"}, "cannot be predicted"),
        ({"target": "x", "person": "x"}, "both name 'x'"),
    ):
        with pytest.raises(UsageError, match=said):
            text_of({"a": frame}, **asked)


def test_a_dictionary_comes_before_the_rows(tmp_path):
    path = tmp_path / "dictionary.csv"
    path.write_text("column;kind;low;high;values;unit\nage;number;0;110;;years\nward;category;;;N|S;\nnote;;;;;\n")
    frame = pd.DataFrame({"age": np.arange(40) % 30 + 20, "ward": ["N", "S"] * 20, "note": ["x", "y"] * 20})
    plan = potluck.Plan.from_frames({"a": frame, "b": frame}, dictionary=path)
    assert plan.spec.data.columns["age"].bounds == (0, 110)
    assert plan.spec.data.columns["age"].unit == "years"
    assert "note" not in plan.spec.data.columns
    line = next(one for one in plan.source.splitlines() if one.startswith("age"))
    assert "as the dictionary says" in line
    assert "confirm" not in line


def test_what_cannot_be_read_is_refused_by_name(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        text_of(sites([tmp_path / "none.csv"]))
    (tmp_path / "a.csv").write_text("1,2\n3,4\n")
    for content in ("1,2\n3,4\n", "63.0,male,145\n50,female,130\n", "2024-01-01,7,x\n2024-02-01,8,y\n"):
        (tmp_path / "a.csv").write_text(content)
        with pytest.raises(UsageError, match=r"holds numbers or dates, not names.*write the columns' names"):
            text_of(sites([tmp_path / "a.csv"]))
    (tmp_path / "b.csv").write_text("x,y\n1,2\n3\n")
    with pytest.raises(DataError, match="line 3 has 1 columns where 2 are expected"):
        text_of(sites([tmp_path / "b.csv"]))
    for content, said in ((b"x,y\n", "has no rows"), ("x,y\n1,2\n".encode("utf-16-le"), "bytes of 0")):
        (tmp_path / "c.csv").write_bytes(content)
        with pytest.raises(DataError, match=said):
            text_of(sites([tmp_path / "c.csv"]))
    with pytest.raises(UsageError, match="there twice"):
        sites([tmp_path / "a.csv", tmp_path / "a.csv"])


def test_a_draft_has_a_permit_to_fill_in_that_fits_once_it_is_no_comment():
    source = text_of({"a": clean(1)})
    filled = re.sub(r"^# (?=\[permit\]|(number|basis|controller|contact|retention|expires) = )", "", source, flags=re.M)
    permit = tomllib.loads(filled)["permit"]
    assert "permit" not in tomllib.loads(source)
    assert set(permit) == set(Permit.__struct_fields__)
    assert Permit(**permit).last is not None
