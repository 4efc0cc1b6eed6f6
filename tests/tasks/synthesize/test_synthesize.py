"""Made-up rows end to end: those of every protection are the same, no row breaks a rule, and what a plan cannot have is
refused in words. The oracle of counts is pandas on the pooled rows."""

import json
from datetime import date

import msgspec
import numpy as np
import pandas as pd
import pytest
from msgspec import structs

import potluck
from potluck.cli.door import Voice
from potluck.cli.terminal import Terminal
from potluck.cli.text import finished, show_run
from potluck.core.errors import PlanError
from potluck.core.plan import Statistic, Synthesize, required
from potluck.core.tables.derived import Where
from potluck.core.tables.synthesize import Never
from potluck.learning.data.table import read
from potluck.learning.statistics.course import alone
from potluck.learning.statistics.statistics import courses
from potluck.learning.synthesis.apart import LOUD
from potluck.tasks import catalog
from potluck.tasks.synthesize import written
from support.docs.keys import keys, section
from support.repeated import repeated
from support.synthesis.ward import COLUMNS, EXACT, MADE, NOISE, plan, sites

SCHEMES = ["clear", "mask", *(pytest.param(word, marks=pytest.mark.slow) for word in ("share", "he", "tee"))]
MARGINALS, COUNT = {"name": "m", "kind": "marginals"}, {"name": "n", "kind": "count"}
WIDE = {
    name: {"kind": "category", "values": list(map(str, range(many)))}
    for name, many in (("a", 2000), ("b", 2000), ("class", 16))
}
HUGE = {"cells": {"kind": "number", "low": 0, "high": 1e19}}
OLDER, TOWN = {"column": "age", "above": 17}, {"town": {"kind": "category", "values": ["Łódź"]}}
NAMES = ["birth", "sex", "pressure", "visits", "ill", "pregnant", "age"]


@pytest.fixture(scope="module")
def noised(tmp_path_factory):
    with repeated("made-up rows"):
        return potluck.run(plan(), sites(), out=tmp_path_factory.mktemp("noised") / "run")


@pytest.fixture(scope="module")
def by_hand(tmp_path_factory):
    """The exact run, in the clear."""
    return potluck.run(plan("clear", EXACT), sites(), out=tmp_path_factory.mktemp("exact") / "run")


@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_protection_makes_up_the_rows_of_clear(scheme, by_hand, tmp_path):
    found = potluck.run(plan(scheme, EXACT), sites(), out=tmp_path / "run")
    for file in ("synthetic.csv", "marginals.json"):
        assert (found.folder / file).read_bytes() == (by_hand.folder / file).read_bytes()
    assert pd.read_parquet(found.folder / "synthetic.parquet").equals(
        pd.read_parquet(by_hand.folder / "synthetic.parquet")
    )


def test_exact_counts_are_those_of_pandas(by_hand):
    every = pd.concat(sites().values())
    columns = {one["column"]: one["levels"] for one in by_hand.document["marginals"]["columns"]}
    assert [one["rows"]["value"] for one in columns["ill"]] == every["ill"].value_counts().sort_index().tolist()
    pressure = every["pressure"]
    edges = np.linspace(60, 220, 15)
    inside = np.histogram(pressure[(pressure > 60) & (pressure < 220)], edges)[0].tolist()
    counts = [int((pressure <= 60).sum()), *inside, int((pressure >= 220).sum()), int(pressure.isna().sum())]
    assert [one["rows"]["value"] for one in columns["pressure"]] == counts
    assert [one["value"] for one in columns["pressure"]][-1] == "no value"
    for table in by_hand.document["marginals"]["tables"]:
        if set(table["columns"][:2]) == {"sex", "pregnant"}:
            assert table["value"] == pd.crosstab(every["sex"], every["pregnant"]).to_numpy().tolist()
            break
    else:
        pytest.fail("the rows' closest pair is not in the tree")


def test_rows_have_the_plans_columns_and_no_rule_is_broken(noised):
    assert str(noised.synthetic) == noised.document["synthetic"]
    rows = pd.read_csv(noised.synthetic, keep_default_na=False)
    assert list(rows) == NAMES
    assert len(rows) == MADE["rows"]
    assert not ((rows["sex"] == "m") & (rows["pregnant"] == "yes")).any()
    assert not ((rows["age"] > 53) & (rows["pregnant"] == "yes")).any()
    assert (rows["pregnant"] == "yes").any()
    assert (rows["pressure"] == "").mean() == pytest.approx(0.15, abs=0.06)
    assert set(rows["ill"]) <= {0, 1}
    days = [date(int(text[6:]), int(text[3:5]), int(text[:2])) for text in rows["birth"]]
    ages = [2025 - day.year - ((day.month, day.day) > (1, 1)) for day in days]
    assert rows["age"].tolist() == ages
    assert rows["age"].between(18, 90).all()
    table = pd.read_parquet(noised.document["parquet"])
    assert list(table) == NAMES
    assert table["visits"].dtype == np.int64
    assert table["pressure"].isna().sum() == (rows["pressure"] == "").sum()
    assert table["visits"].tolist() == rows["visits"].tolist()


WRITTEN = [
    {},
    {"separator": ";", "decimal": ",", "encoding": "cp1252", "missing": ["?", "n/a"]},
    {"separator": "\t", "encoding": "utf-16", "header": False, "missing": ["-", ""]},
    {"separator": ",", "decimal": ",", "header": False},
]


@pytest.mark.parametrize("how", WRITTEN)
def test_the_plan_that_made_rows_up_reads_the_same_rows_from_them(how, tmp_path):
    """Whatever marks owners' files are written with, what separates cells inside a value included."""
    columns = {
        "seen": {"kind": "date", "format": "%d/%m/%Y"},
        "note": {"kind": "ignore"},
        "x": {"kind": "number", "low": -3, "high": 1000, "missing": "flag"},
        "k": {"kind": "category", "values": ["=1+1", "a;b,c", 'sag "ü"', "1"], "missing": "flag"},
    }
    ago = {"kind": "days", "from": "seen", "to": "2024-12-31", "low": 0, "high": 2000}
    spec = plan(
        "clear", EXACT, {"rows": 300}, data={"columns": columns, "derive": {"ago": ago}, "max_rows": 1000, **how}
    ).spec  # fmt: skip
    draw = np.random.default_rng(1)
    (mine,) = courses(spec).values()
    given = {
        "x": np.where(draw.random(300) < 0.1, np.nan, draw.uniform(-3, 1000, 300)),
        "k": draw.integers(0, 5, 300).astype(float),
        "ago": draw.integers(0, 2001, 300).astype(float),
    }
    given["k"][given["k"] == 4] = np.nan
    found = alone(mine, given, 300)
    written.write(found, tmp_path)
    back = read(tmp_path / written.CSV, spec, "a").columns
    for name, values in found.made.columns.items():
        assert np.array_equal(back[name], values, equal_nan=True), name
    assert np.isnan(found.made.columns["k"]).any()


def test_every_key_of_its_document_is_documented(noised):
    found = keys(msgspec.to_builtins(noised.document), frozenset("abc"))
    assert found >= {"synthetic", "marginals", "labels", "drawn", "blur", "mean_pair_most"}
    assert found - section("run, demo, up, server run") == set()


def test_check_says_how_well_columns_will_be_known_and_from_how_many_rows_on(noised):
    ahead = potluck.check(plan()).document()["forecast"]
    halves = []
    for column in noised.document["marginals"]["columns"]:
        rows = column["levels"][0]["rows"]
        halves.append((rows["high"] - rows["low"]) / 2)
    assert 0.8 < max(halves) / ahead["marginals"] < 1 + 1e-9  # pairs tell of columns too
    loudest = max(pair["blur"] for pair in noised.document["quality"]["pairs"])
    rows = sum(map(len, sites().values()))
    said = LOUD * ahead["marginals_reach"]["least_rows"] / rows
    assert said / 2.5 < loudest < said * 2.5  # a table's own rows are noised, by about a tenth here
    assert any("noise leaves little" in one for one in noised.warnings) is (loudest > LOUD)


def test_what_it_cost_is_charged_and_what_is_opened_has_intervals(noised):
    epsilon = noised.document["privacy"]["epsilon"]
    assert set(epsilon) == {"a", "b", "c"}
    assert all(0.99 * NOISE["epsilon"] < one <= NOISE["epsilon"] for one in epsilon.values())
    assert len(noised.document["rounds"]) == 2
    levels = noised.document["marginals"]["columns"][0]["levels"]
    assert all(one["rows"]["low"] < one["rows"]["value"] < one["rows"]["high"] for one in levels)
    kept = json.loads((noised.folder / "marginals.json").read_text())
    assert kept == noised.document["marginals"] | {"quality": noised.document["quality"]}
    report = (noised.folder / "report.html").read_text(encoding="utf-8")
    assert "what they are not for" in report
    assert "made-up rows are too narrow" in report
    assert "Errors of pairs, from 0 to 2; empty where noise hides them" in report


def test_the_terminal_says_what_all_pairs_are_off_at_most(noised, by_hand, capsys):
    for done in (noised, by_hand):
        show_run(Terminal(), done)
        quality, said = done.document["quality"], capsys.readouterr().out
        assert f"off from what was opened by at most {quality['mean_pair_most']:.2g} of 2 on average" in said
        hidden = quality["hidden_pairs"]
        assert ("noise hides" in said) is (hidden > 0)
        assert done is not by_hand or hidden == 0


@pytest.mark.slow
def test_persons_are_hidden_with_all_their_rows(tmp_path):
    some = {name: frame.assign(who=np.arange(len(frame)) // 2) for name, frame in sites(200).items()}
    spec = plan(privacy=NOISE | {"unit": "person", "rows_per_person": 2})
    spec = spec.set("data.person", "who")
    found = potluck.run(spec, some, out=tmp_path / "run")
    assert found.document["privacy"]["person"] == "who"
    assert "who" not in pd.read_csv(found.document["synthetic"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"privacy": {"noise": "none"}, "synthesize": {}}, "privacy.noise: .*or synthesize.allow_exact = true"),
        ({"data": {"columns": HUGE}, "synthesize": {"whole": ["cells"]}}, "cells is whole, and its range goes beyond"),
        ({"synthesize": {"target": "height"}}, "synthesize.target: height is no column"),
        ({"synthesize": {"target": "birth"}}, "synthesize.target: birth is no column"),
        ({"synthesize": {"whole": ["sex"]}}, "synthesize.whole: sex is no column of numbers"),
        ({"synthesize": {"never": [{"together": [{"column": "sex", "in": ["x"]}] * 2}]}}, "x is no value of sex"),
        ({"synthesize": {"never": [{"together": [{"column": "sex", "in": ["m"]}]}]}}, "fewer than two conditions"),
        ({"synthesize": {"never": [{"together": [{"column": "no", "in": ["m"]}] * 2}]}}, "no is no column"),
        (
            {"synthesize": {"never": [{"together": [{"column": "sex", "in": ["m", "f"]}, OLDER]}]}},
            "synthesize.never.1: refuses every row",
        ),
        ({"data": {"columns": COLUMNS | TOWN, "encoding": "latin-1"}}, "data.columns.town: latin-1"),
        ({"synthesize": {"bins": 1}}, "synthesize.bins"),
        ({"synthesize": {"rows": 0}}, "synthesize.rows"),
        ({"statistics": [MARGINALS, COUNT]}, "statistics: rows are made up of marginals alone"),
        ({"task": "statistics", "synthesize": None, "statistics": [MARGINALS]}, "marginals are what"),
        ({"task": "statistics", "statistics": [COUNT]}, 'synthesize: is for task = "synthesize"'),
        ({"data": {"columns": {"x*": {"kind": "number", "low": 0, "high": 1}}}}, "is a pattern"),
        ({"data": {"columns": {"x": {"kind": "string", "length": 3}}}}, "no string is made up"),
        ({"data": {"columns": {"x": {"kind": "ignore"}}}}, "no column is of numbers or values"),
        (
            {"data": {"columns": {f"x{i}": {"kind": "number", "low": 0, "high": 1} for i in range(1000)}}},
            "1,000 columns have 499,500 pairs",
        ),
        (
            {"data": {"columns": {name: {"kind": "category", "values": list(map(str, range(9000)))} for name in "ab"}}},
            "a sum, or a table made of it, would have 81,0",
        ),
        (
            {"data": {"columns": WIDE}, "synthesize": {"target": "class"}},
            "would have 64,000,000 numbers, 30,000,000 are the most",  # 2,000 x 2,000 x 16
        ),
        ({"data": {"columns": {"ill": COLUMNS["ill"]}}, "synthesize": {"target": "ill"}}, "there is no other column"),
    ],
)  # fmt: skip
def test_a_plan_that_cannot_be_is_refused_in_words(change, message):
    base = {"synthesize": {}} if "data" in change else {}
    with pytest.raises(PlanError, match=message):
        plan(**({"privacy": NOISE} | base | change)).require()


def test_exact_marginals_are_warned_about_and_so_is_a_date_that_is_not_drawn():
    warnings = plan(privacy=EXACT).require()
    assert any("synthesize.allow_exact: exact marginals tell who is alone" in one for one in warnings)
    spec = plan(data={"columns": COLUMNS, "max_rows": 10}, synthesize={})
    assert any("data.columns.birth: made-up rows have no such date" in one for one in spec.require())


@pytest.mark.parametrize("ends", [(3, 3), (5, 3)], ids=str)
def test_a_range_that_cannot_be_is_refused_in_words_with_rules_too(ends):
    column = dict(zip(("low", "high"), ends, strict=True))
    rule = {"together": [{"column": "z", "above": 3}, {"column": "sex", "in": ["m"]}]}
    for whole in ([], ["z"]):
        made = {"never": [rule], "whole": whole}
        with pytest.raises(PlanError, match=r"data\.columns\.z: the range is upside down"):
            plan(data={"columns": COLUMNS | {"z": {"kind": "number", **column}}}, synthesize=made).require()


A_CHILD, OF_TWO = {"column": "age", "below": 40}, {"column": "sex", "in": ["f"]}


@pytest.mark.parametrize(
    ("rule", "never"),
    [
        ([OLDER | {"above": 50}, A_CHILD], "age"),
        ([{"column": "age", "above": 49}, {"column": "age", "below": 50}], "age"),  # years are whole
        ([{"column": "age", "at_least": 49}, {"column": "age", "below": 50}], None),
        ([{"column": "pressure", "above": 100}, {"column": "pressure", "below": 100.5}], None),
        ([{"column": "pressure", "above": 100}, {"column": "pressure", "below": 100}], "pressure"),
        ([{"column": "pressure", "at_least": 220}, OF_TWO], None),
        ([{"column": "pressure", "above": 220}, OF_TWO], "pressure"),
        ([OF_TWO, {"column": "sex", "not_in": ["f"]}], "sex"),
        ([OF_TWO, {"column": "pregnant", "in": ["yes"]}], None),
    ],
)
def test_a_rule_that_never_holds_is_named_and_no_other_one(rule, never):
    said = [one for one in plan(synthesize=MADE | {"never": [{"together": rule}]}).require() if "never" in one]
    wanted = f"synthesize.never.1: never holds, whatever the rows are: no value of {never} meets all"
    assert len(said) == (never is not None)
    assert never is None or said[0].startswith(wanted)


@pytest.mark.slow
def test_a_run_whose_rules_leave_no_row_keeps_its_marginals_and_ends_with_4(tmp_path):
    any_visits = {"column": "visits", "at_least": 0}
    rules = [{"together": [{"column": "age", **side}, any_visits]} for side in ({"below": 40}, {"at_least": 40})]
    done = potluck.run(plan(synthesize=MADE | {"never": rules}), sites(50), out=tmp_path / "run")
    assert done.warnings[0].startswith("synthesize.never: rules")
    assert finished(Voice(False, False, False, Terminal(), Terminal(stderr=True)), done) == 4
    assert done.document["marginals"]["columns"]


def test_an_owner_is_told_how_much_is_counted():
    spec = plan().spec
    said = catalog.task_of(spec).learnt(spec, "a")
    assert "2,000 rows are made up from counts of columns and pairs of columns, by 'ill'" in said
    assert "five pairs" not in said  # six columns beside the target have a tree of four edges
    assert "four pairs" in said
    assert required(spec.synthesize).seed == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    "columns",
    [
        {"one": [1.0] * 40},
        {"one": [np.nan] * 40, "two": ["x"] * 40},
        {"two": ["x"] * 40, "three": [2.0] * 40},
    ],
)
def test_columns_of_one_value_or_of_none_have_rows(columns, tmp_path):
    known = {
        "one": {"kind": "number", "low": 0, "high": 2, "missing": "flag"},
        "two": {"kind": "category", "values": ["x"]},
        "three": {"kind": "number", "low": 0, "high": 2, "missing": "flag"},
    }
    some = {name: pd.DataFrame(columns) for name in "abc"}
    spec = plan(data={"columns": {name: known[name] for name in columns}, "max_rows": 50}, synthesize={"rows": 10})
    found = potluck.run(spec, some, out=tmp_path / "run")
    assert len(pd.read_csv(found.document["synthetic"], skip_blank_lines=False)) == 10


def replaced(**tables):
    return structs.replace(plan().spec, **tables)


MADE_OF = Statistic(name="marginals", kind="marginals", rounds=2)


@pytest.mark.parametrize(
    ("sent", "message"),
    [
        ({"synthesize": None}, "synthesize: is missing"),
        ({"statistics": ()}, "statistics: is missing"),
        ({"statistics": (Statistic(name="n", kind="count"),)}, "rows are made up of marginals alone"),
        ({"statistics": (MADE_OF, structs.replace(MADE_OF, name="more"))}, "rows are made up of marginals alone"),
        ({"statistics": (structs.replace(MADE_OF, rounds=1),)}, "marginals of these columns take 2"),
        ({"statistics": (structs.replace(MADE_OF, rounds=90),)}, "marginals of these columns take 2"),
        ({"statistics": (structs.replace(MADE_OF, column="age"),)}, "does not read it"),
        ({"synthesize": Synthesize(never=(Never(together=()),))}, "fewer than two conditions"),
        ({"synthesize": Synthesize(bins=10**6)}, "synthesize.bins"),
        ({"synthesize": Synthesize(never=(Never(together=(Where(column="age"),) * 2),))}, "says 0 conditions"),
    ],
)
def test_a_plan_that_a_server_made_up_is_refused_and_breaks_nothing(sent, message):
    errors, _ = catalog.check(replaced(**sent))
    assert any(message in line for line in errors), errors
