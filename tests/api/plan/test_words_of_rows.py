"""Which rows a plan is about and what it makes of them: in words wherever people look, and hostile texts harmless."""

import json

import pandas as pd
import pytest
from click.testing import CliRunner

import potluck
from potluck.api.plan.grammar import parse, read_toml
from potluck.cli.check import command as check
from potluck.cli.explain import command as explain
from potluck.tasks.words import about_rows

PLAN = """
version = 1
name = "visits"
purpose = "test"
task = "statistics"
federation.sites = ["a"]
protect.with = "clear"
privacy.noise = "none"
[data]
person = "id"
[data.columns]
day = { kind = "date", format = "%Y-%m-%d" }
birth = { kind = "date", format = "%Y-%m-%d" }
hb = { kind = "number", low = 0, high = 20, missing = "drop" }
stage = { kind = "category", values = ["I", "II", "<b>III</b>"] }
[data.join]
table = "labs"
on = "id"
columns = ["hb"]
[data.derive]
age = { kind = "years", from = "birth", to = "day", low = 0, high = 110 }
old = { kind = "bins", from = "age", edges = [60] }
[[data.where]]
column = "age"
at_least = 18
[[data.where]]
column = "stage"
not_in = ["<b>III</b>"]
[data.reduce]
order = "day"
[data.reduce.columns]
hb = { kind = "last" }
old = { kind = "first" }
visits = { kind = "count", low = 0, high = 9 }
[[statistics]]
name = "hb"
kind = "mean"
column = "hb"
by = "old"
"""
SENTENCES = (
    "Joined by id: hb of the table labs; a row without a match has no value there",
    "Derived: age is the whole years from birth to day; old is age parted at 60",
    "Only rows count where age is at least 18; stage is not '<b>III</b>'",
    "One row a person (id): hb is the last hb by day; old is the first old by day; visits is how many rows there are",
)


@pytest.fixture
def path(tmp_path):
    (tmp_path / "plan.toml").write_text(PLAN)
    return tmp_path / "plan.toml"


def test_they_are_said_in_the_order_in_which_it_happens():
    assert about_rows(parse(read_toml(PLAN, "p"), "p")) == SENTENCES


def test_a_plan_that_takes_rows_as_they_stand_says_nothing():
    bare = read_toml(PLAN, "p")
    data = {"columns": {"hb": bare["data"]["columns"]["hb"]}}
    assert about_rows(parse({**bare, "data": data}, "p")) == ()


@pytest.mark.parametrize("verb", [check, explain])
def test_the_verbs_say_them_in_words_and_in_json(path, verb):
    shown = " ".join(CliRunner().invoke(verb, [str(path)]).stdout.split())
    assert [sentence for sentence in SENTENCES if sentence not in shown] == []
    assert json.loads(CliRunner().invoke(verb, [str(path), "--json"]).stdout)["rows"] == list(SENTENCES)


def test_a_long_list_is_shortened_and_the_plan_has_the_rest():
    edges = ", ".join(str(edge) for edge in range(1, 100))
    spec = parse(read_toml(PLAN.replace("edges = [60]", f"edges = [{edges}]"), "p"), "p")
    assert "old is age parted at 1, 2, 3, 4, 5, 6, 7, 8 and 91 more" in about_rows(spec)[1]


def test_the_report_of_a_run_says_them(path, tmp_path):
    rows = pd.DataFrame({"id": ["p"], "day": ["2020-01-01"], "birth": ["1950-01-01"], "stage": ["I"]})
    labs = pd.DataFrame({"id": ["p"], "hb": [12.0]})
    potluck.run(path, {"a": {"rows": rows, "labs": labs}}, out=tmp_path / "out", ledger=tmp_path / "ledger")
    page = (tmp_path / "out" / "report.html").read_text()
    assert "Only rows count where age is at least 18; stage is not &#39;&lt;b&gt;III&lt;/b&gt;&#39;" in page
    assert "<b>III</b>" not in page
