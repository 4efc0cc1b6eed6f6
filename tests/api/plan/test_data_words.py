"""Words of [data] in a plan: what is refused, by key, and what an owner is told of them."""

import json

import pandas as pd
import pytest

import potluck
from potluck.api.plan.grammar import parse, read_toml
from potluck.core.errors import PlanError
from potluck.core.plan import canonical
from potluck.owner.reach import columns_read
from potluck.tasks import catalog

PLAN = """
version = 1
name = "adults"
purpose = "test"
task = "{task}"
federation.sites = ["a", "b", "c"]
protect.with = "mask"
privacy.noise = "none"
[data]
separator = ";"
decimal = ","
encoding = "latin-1"
fold = true
{data}
[data.columns]
birth = {{ kind = "date", format = "%d.%m.%Y" }}
x = {{ kind = "number", low = 1, high = 10 }}
stage = {{ kind = "category", values = ["I", "II", "III"] }}
[data.derive]
age = {{ kind = "years", from = "birth", to = 2025-01-01, low = 0, high = 110 }}
group = {{ kind = "bins", from = "age", edges = [40, 60] }}
late = {{ kind = "recode", from = "stage", map = {{ I = "no", II = "no", III = "yes" }} }}
size = {{ kind = "log", from = "x", low = 0, high = 3 }}
{derive}
{where}
[[statistics]]
name = "mean_age"
kind = "mean"
column = "age"
by = "group"
"""
WHERE = """
[[data.where]]
column = "age"
at_least = 18
[[data.where]]
column = "birth"
below = 2000-01-01
[[data.where]]
column = "stage"
not_in = ["i"]
"""


def plan(where=WHERE, derive="", data="", task="statistics"):
    return parse(read_toml(PLAN.format(where=where, derive=derive, data=data, task=task), "p"), "p")


def errors(**keys):
    return "\n".join(catalog.check(plan(**keys))[0])


def test_all_words_together_are_a_plan():
    assert errors() == ""
    spec = plan()
    assert spec.data.where[1].below == "2000-01-01"
    assert spec.data.derive["age"].to == "2025-01-01"


def test_every_word_is_in_the_hash():
    known = {canonical(plan())}
    for change in (
        {"where": WHERE.replace("18", "19")},
        {"where": ""},
        {"where": WHERE.replace("not_in", "in")},
        {"derive": 'more = { kind = "log", from = "x", low = 0, high = 1 }'},
    ):
        known.add(canonical(plan(**change)))
    for old, new in (('";"', '"|"'), ('decimal = ","', 'decimal = "."'), ("latin-1", "utf-8"), ("= true", "= false")):
        text = PLAN.replace(old, new)
        known.add(
            canonical(parse(read_toml(text.format(where=WHERE, derive="", data="", task="statistics"), "p"), "p"))
        )
    assert len(known) == 9


@pytest.mark.parametrize(
    ("derive", "said"),
    [
        ('x = { kind = "log", from = "x", low = 0, high = 1 }', "derive.x: is a column of data.columns too"),
        ('d = { kind = "log", from = "stage", low = 0, high = 1 }', "d.from: stage is a category"),
        ('d = { kind = "log", from = "birth", low = 0, high = 1 }', "d.from: birth is a date"),
        ('d = { kind = "log", from = "nobody", low = 0, high = 1 }', "d.from: nobody is not a declared column"),
        ('d = { kind = "log", from = "d", low = 0, high = 1 }', "d.from: d is not a declared column"),
        ('d = { kind = "log", from = "x" }', "d: needs low and high"),
        ('d = { kind = "log", from = "x", low = 0, high = 1000 }', "d: low and high are of the logarithm"),
        ('d = { kind = "log", from = "x", low = 3, high = 0 }', "d: low and high are of the logarithm"),
        ('d = { kind = "log", from = "x", low = 0, high = 1, to = "birth" }', "d.to: log does not read it"),
        ('d = { kind = "years", from = "birth", low = 0, high = 1 }', "d.to: is missing"),
        ('d = { kind = "years", from = "birth", to = "2025-02-30", low = 0, high = 1 }', "d.to: 2025-02-30 is not"),
        ('d = { kind = "years", from = "birth", to = "x", low = 0, high = 1 }', "d.to: x is a number"),
        ('d = { kind = "bins", from = "x" }', "d.edges: is missing"),
        ('d = { kind = "bins", from = "x", edges = [2, 1] }', "d.edges: each is above"),
        ('d = { kind = "bins", from = "x", edges = [2], values = ["a"] }', "d.values: 1 edges make 2 bins"),
        ('d = { kind = "bins", from = "x", edges = [2], values = ["a", "A"] }', "d: A is there twice"),
        ('d = { kind = "recode", from = "stage" }', "d.map: is missing"),
        ('d = { kind = "recode", from = "stage", map = { IV = "x" } }', "d.map: IV is no value of stage"),
        ('d = { kind = "recode", from = "stage", map = { I = "x" }, values = ["y"] }', "d.map: x is not among"),
    ],
)
def test_a_derived_column_that_cannot_be_is_named(derive, said):
    assert said in errors(derive=derive)


def test_columns_are_not_derived_from_one_another_without_end():
    """Each time is a layer of the query; 500 of them ended in an error of recursion at the site."""

    def chain(count):
        link = 'd{} = {{ kind = "log", from = "{}", low = 0, high = 1 }}'.format
        return "\n".join(link(place, f"d{place - 1}" if place else "x") for place in range(count))

    assert errors(derive=chain(20)) == ""
    assert "data.derive.d20: is derived from derived columns 20 times over" in errors(derive=chain(500))


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        ('column = "nobody"\nat_least = 1', "data.where.1.column: nobody is not a declared column"),
        ('column = "x"', "data.where.1: says 0 conditions"),
        ('column = "x"\nat_least = 1\nbelow = 3', "data.where.1: says 2 conditions"),
        ('column = "x"\nin = ["1"]', "data.where.1.in: x is a number"),
        ('column = "x"\nat_least = "1"', "data.where.1.at_least: does not fit x"),
        ('column = "x"\nat_least = nan', "data.where.1.at_least: does not fit x"),
        ('column = "stage"\nat_least = 1', "data.where.1.at_least: stage is a category"),
        ('column = "stage"\nin = ["IV"]', "data.where.1.in: IV is no value of stage"),
        ('column = "stage"\nin = []', "data.where.1.in: lists none"),
        ('column = "birth"\nbelow = "1.1.2000"', "data.where.1.below: does not fit birth"),
        ('column = "birth"\nbelow = 5', "data.where.1.below: does not fit birth"),
    ],
)
def test_a_condition_that_cannot_be_is_named(condition, said):
    assert said in errors(where=f"[[data.where]]\n{condition}\n")


@pytest.mark.parametrize(
    "form", ["%d.%m.%y", "%d.%m", "%Y", "%Y-%d-%m", "%d.%m.%Y %d", "%j.%Y", "%d'%m'%Y", "%d1%m%Y", "x%"]
)
def test_a_format_that_cannot_be_read_alike_everywhere_is_refused(form):
    text = PLAN.replace("%d.%m.%Y", form.replace("{", "{{"))
    found = catalog.check(parse(read_toml(text.format(where="", derive="", data="", task="statistics"), "p"), "p"))[0]
    assert any(line.startswith("data.columns.birth.format: ") and "hint: " in line for line in found)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('";"', '";;"', "data.separator"),
        ('";"', '"\\""', "data.separator"),
        ('";"', '"a"', "data.separator"),
        ("latin-1", "no-such", "data.encoding"),
        ("latin-1", "rot13", "data.encoding"),
        ("latin-1", "zlib", "data.encoding"),
        ("latin-1", "unicode_escape", "data.encoding"),
        ("latin-1", "idna", "data.encoding"),
        ("latin-1", "../../etc", "data.encoding"),
    ],
)
def test_how_files_are_written_is_one_of_what_is_known(old, new, said):
    text = PLAN.replace(old, new).format(where="", derive="", data="", task="statistics")
    assert any(line.startswith(said) for line in catalog.check(parse(read_toml(text, "p"), "p"))[0])


def test_a_decimal_mark_is_a_point_or_a_comma():
    with pytest.raises(PlanError, match="decimal does not know"):
        parse(read_toml(PLAN.replace('decimal = ","', 'decimal = ";"').format(
            where="", derive="", data="", task="statistics"), "p"), "p")  # fmt: skip


def test_an_owner_is_told_every_condition_and_what_is_derived():
    told = catalog.task_of(plan()).learnt(plan(), "a")
    assert "Only rows count where age is at least 18; birth is below 2000-01-01; stage is not 'i'." in told
    assert (
        "Derived: age is the whole years from birth to 2025-01-01; group is age parted at 40, 60; "
        "late is stage with 'I' as 'no', 'II' as 'no', 'III' as 'yes'; size is the natural logarithm of x." in told
    )
    assert "birth, x, stage" in told


def test_the_policy_judges_the_columns_of_files_and_no_derived_ones():
    assert columns_read(plan()) == ("birth", "x", "stage")


def test_a_statistic_of_a_date_is_refused():
    spec = parse(read_toml(PLAN.replace('column = "age"\nby', 'column = "birth"\nby').format(
        where="", derive="", data="", task="statistics"), "p"), "p")  # fmt: skip
    assert any("birth is a date" in line for line in catalog.check(spec)[0])


@pytest.mark.parametrize(
    ("task", "more", "said"),
    [
        ("intersect", {"align": {"keys": ["id"]}}, ["data.derive", "data.where", "data.fold", "data.decimal"]),
        (
            "predict",
            {"model": {"digest": "sha256:" + "0" * 64}, "predict": {"owner": "a", "client": "b"}},
            ["data.derive", "data.where", "data.fold"],
        ),
    ],
)
def test_a_task_refuses_the_words_that_it_cannot_honour(task, more, said):
    tables = dict(read_toml(PLAN.format(where=WHERE, derive="", data="", task=task), "p")) | more
    tables.pop("statistics")
    found = catalog.check(parse(tables, "p"))[0]
    for key in said:
        assert any(line.startswith(f"{key}: ") for line in found), key


def test_names_and_texts_of_a_plan_never_become_sql(tmp_path):
    """Each text that stands in a query, as one that would end a literal, a name or a comment."""
    evil = "a'\"); DROP TABLE x; --\\"
    frame = {"sites": ["s"]}
    columns = {
        evil: {"kind": "category", "values": [evil, "b'--", "c\\'"]},
        f"{evil}d": {"kind": "date", "format": "%d.%m.%Y"},
        f"{evil}n": {"kind": "number", "low": 0, "high": 10},
    }
    derive = {
        f"{evil}r": {"kind": "recode", "from": evil, "map": {evil: "x'", "b'--": evil}},
        f"{evil}y": {"kind": "years", "from": f"{evil}d", "to": "2025-01-01", "low": 0, "high": 110},
        f"{evil}b": {"kind": "bins", "from": f"{evil}n", "edges": [5], "values": ["'", "''"]},
    }
    where = [{"column": evil, "in": [evil, "b'--"]}, {"column": f"{evil}r", "not_in": [evil]}]
    statistics = [{"name": evil, "kind": "mean", "column": f"{evil}y", "by": f"{evil}r"}]
    spec = potluck.Plan(
        name="p",
        purpose="q",
        task="statistics",
        federation=frame,
        protect={"with": "clear"},
        privacy={"noise": "none"},
        data={"missing": ["'); --", ""], "fold": True, "columns": columns, "derive": derive, "where": where},
        statistics=statistics,
    )
    rows = pd.DataFrame({evil: [evil, "b'--", "?"], f"{evil}d": ["01.01.2000"] * 3, f"{evil}n": ["1", "2", "9"]})
    found = potluck.run(spec, data={"s": rows}, out=tmp_path / "out", ledger=tmp_path / "ledger")
    assert json.loads(json.dumps(found.results[evil]["by"]))["x'"]["value"] == pytest.approx(25.0)
    assert found.data["s"].unmet == 2
