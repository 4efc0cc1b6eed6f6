"""`data.join` in a plan: what is refused, by key, where the table lies, what an owner's policy and screen say of it."""

import json
from datetime import UTC, datetime

import pandas as pd
import pytest

import potluck
from potluck.api.plan.grammar import parse, read_toml
from potluck.core.errors import DataError, PlanError, UsageError
from potluck.core.plan import canonical
from potluck.learning.data.table import read
from potluck.owner.judge import Year, judge
from potluck.owner.reach import columns_read
from potluck.owner.reading import parse as parse_policy
from potluck.owner.source import open_source
from potluck.tasks import catalog

PLAN = """
version = 1
name = "labs"
purpose = "test"
task = "statistics"
federation.sites = ["a", "b"]
protect.with = "clear"
privacy.noise = "none"
[data]
{data}
[data.columns]
age = {{ kind = "number", low = 0, high = 110 }}
hb = {{ kind = "number", low = 0, high = 20, missing = "drop" }}
[data.join]
{join}
[[statistics]]
name = "hb"
kind = "mean"
column = "hb"
"""
JOIN = 'table = "labs"\non = "patient"\nto = "id"\ncolumns = ["hb"]'
ROWS = pd.DataFrame({"patient": ["p", "q"], "age": [30, 40]})
LABS = pd.DataFrame({"id": ["q", "p", "r"], "hb": [10.0, 14.0, 3.0]})
POLICY = """
version = 1
[source]
file = "rows.csv"
{tables}
[allow]
who = ["*"]
tasks = ["*"]
columns = {columns}
protect = ["*"]
noise = ["*"]
"""
TABLES = '[source.tables.labs]\nfile = "labs.parquet"\n'


def plan(join=JOIN, data=""):
    return parse(read_toml(PLAN.format(join=join, data=data), "p"), "p")


def errors(join=JOIN, data=""):
    return "\n".join(catalog.check(plan(join, data))[0])


def test_a_join_is_a_plan_and_every_word_is_in_its_hash():
    assert errors() == ""
    changed = [JOIN, JOIN.replace("labs", "lab"), JOIN.replace('"id"', '"no"'), JOIN.replace('"patient"', '"who"')]
    assert len({canonical(plan(join)) for join in changed}) == 4


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"labs"', '" "', "data.join.table: is no name"),
        ('"labs"', '"a.b"', "data.join.table: is no name"),
        ('"patient"', '""', "data.join.on: is no name"),
        ('"id"', '""', "data.join.to: is no name"),
        ('["hb"]', "[]", "data.join.columns: lists none"),
        ('["hb"]', '["no"]', "data.join.columns: no is not a declared column"),
        ('["hb"]', '["hb", "hb"]', "data.join.columns: hb is there twice"),
        ('"patient"', '"hb"', "data.join.columns: hb is the key of the rows"),
    ],
)
def test_a_join_that_cannot_be_is_named(old, new, said):
    assert said in errors(JOIN.replace(old, new))


def test_the_key_of_a_join_is_no_picture():
    scan = 'patient = {{ kind = "image", shape = [1, 2, 2], low = 0, high = 1 }}\n[data.join]'
    found = parse(read_toml(PLAN.replace("[data.join]", scan).format(join=JOIN, data=""), "p"), "p")
    assert any(line.startswith("data.join.on: patient is an image, which has no") for line in catalog.check(found)[0])


def test_what_says_whose_a_row_is_stands_in_the_rows_and_names_are_needed():
    assert "data.person: hb is in the joined table" in errors(data='person = "hb"')
    assert "data.join: needs the names of columns" in errors(data="header = false")


@pytest.mark.parametrize(
    ("task", "more"),
    [
        ("intersect", {"align": {"keys": ["id"]}}),
        ("predict", {"model": {"digest": "sha256:" + "0" * 64}, "predict": {"owner": "a", "client": "b"}}),
    ],
)
def test_other_tasks_refuse_the_word_by_its_name(task, more):
    tables = dict(read_toml(PLAN.format(join=JOIN, data="").replace('"statistics"', f'"{task}"'), "p")) | more
    tables.pop("statistics")
    assert any(line.startswith("data.join: is for task") for line in catalog.check(parse(tables, "p"))[0])


def test_an_owner_is_told_of_the_table_and_its_policy_judges_all_columns():
    said = catalog.task_of(plan()).learnt(plan(), "a")
    assert (
        "Joined by patient (id in the table): hb of the table labs; a row without a match has no value there." in said
    )
    assert columns_read(plan()) == ("age", "hb", "patient", "id")


def judged(tables=TABLES, columns=("age", "hb", "patient", "id")):
    policy = parse_policy(POLICY.format(tables=tables, columns=json.dumps(columns)), "policy")
    return {
        one.code: one
        for one in judge(policy, plan(), asker=frozenset(["c"]), now=datetime(2026, 1, 1, tzinfo=UTC), year=Year(),
                         promised=None)
    }  # fmt: skip


def test_a_policy_without_the_table_or_a_key_refuses_the_plan_by_name():
    assert judged() == {}
    denied = judged(tables="")
    assert set(denied) == {"tables"}
    assert "joins the table 'labs'" in denied["tables"].words
    assert set(judged(tables=TABLES.replace("labs]", "other]"))) == {"tables"}
    for left_out in ("hb", "patient", "id"):
        found = judged(columns=[name for name in ("age", "hb", "patient", "id") if name != left_out])
        assert left_out in found["columns"].words


@pytest.mark.parametrize(
    ("tables", "said"),
    [
        ("[source.tables.labs]\n", "source.tables.labs needs one of file, url and url_file"),
        ('[source.tables.labs]\nfile = "a"\nurl = "b"\n', "source.tables.labs needs one of"),
        ('[source.tables.labs]\nurl = "sqlite:///x"\n', "source.tables.labs.query is missing"),
        ('[source.tables.labs]\nfile = "sqlite://secret"\n', "source.tables.labs.file is no path"),
        ('[source.tables.labs]\nfile = "a"\nmemory = 1\n', "source.tables.labs.memory"),
    ],
)
def test_a_table_of_a_policy_is_said_one_way(tables, said):
    with pytest.raises(UsageError) as caught:
        parse_policy(POLICY.format(tables=tables, columns="[]"), "policy")
    assert said in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_site_reads_both_tables_where_its_policy_says_and_the_plan_says_nothing_of_it(tmp_path):
    ROWS.to_csv(tmp_path / "rows.csv", index=False)
    LABS.to_parquet(tmp_path / "labs.parquet")
    policy = parse_policy(POLICY.format(tables=TABLES, columns="[]"), "policy")
    spec = plan()
    found = read(open_source(policy.source, tmp_path, spec.data, "home"), spec, "home")
    assert {name: values.tolist() for name, values in found.columns.items()} == {"age": [30, 40], "hb": [14, 10]}
    with pytest.raises(PlanError):
        plan(JOIN + '\nfile = "labs.csv"')


BROKEN = {
    "there is no column 'hb'": b"id,age\np,1\n",
    "is not UTF-8 text": b"id,hb\n\xff,1\n",
    "has no header": b"",
    "is not CSV": b'id,hb\n"p,1\n',
    "has 3 columns where 2 are expected": b"id,hb\np,1,2\n",
    "no such file": None,
}


@pytest.mark.parametrize("said", BROKEN)
def test_what_is_wrong_with_the_table_is_said_of_it_and_not_of_the_rows(tmp_path, said):
    ROWS.to_csv(tmp_path / "rows.csv", index=False)
    if BROKEN[said] is not None:
        (tmp_path / "labs.csv").write_bytes(BROKEN[said])
    policy = parse_policy(POLICY.format(tables=TABLES.replace("parquet", "csv"), columns="[]"), "policy")
    spec = plan()
    with pytest.raises(DataError) as caught:
        read(open_source(policy.source, tmp_path, spec.data, "a"), spec, "a")
    assert caught.value.where == "a, table 'labs'"
    assert said in str(caught.value)
    (tmp_path / "plan.toml").write_text(PLAN.format(join=JOIN, data=""))
    given = {site: {"rows": ROWS, "labs": tmp_path / "labs.csv"} for site in ("a", "b")}
    with pytest.raises(DataError) as caught:
        potluck.run(tmp_path / "plan.toml", given, out=tmp_path / "out", ledger=tmp_path / "ledger")
    assert caught.value.where == "a, table 'labs'"
    assert said in str(caught.value)


def test_a_run_takes_two_tables_a_site_in_python_and_from_files(tmp_path):
    (tmp_path / "plan.toml").write_text(PLAN.format(join=JOIN, data=""))
    given = {"a": {"rows": ROWS, "labs": LABS}, "b": {"rows": ROWS[:1], "labs": LABS[1:2]}}
    kept = {"ledger": tmp_path / "ledger"}
    found = potluck.run(tmp_path / "plan.toml", given, out=tmp_path / "out", **kept)
    assert found.results["hb"]["value"] == pytest.approx((14 + 10 + 14) / 3, abs=1e-6)
    ROWS.to_csv(tmp_path / "rows.csv", index=False)
    LABS.to_csv(tmp_path / "labs.csv", index=False)
    files = 'files = { a = "rows.csv", "a.labs" = "labs.csv", b = "rows.csv", "b.labs" = "labs.csv" }'
    (tmp_path / "plan.toml").write_text(PLAN.format(join=JOIN, data=files))
    verdict = potluck.check(tmp_path / "plan.toml")
    assert verdict.ok
    assert verdict.data["a"].used == 2
    again = potluck.run(tmp_path / "plan.toml", out=tmp_path / "again", **kept)
    assert again.results["hb"]["value"] == pytest.approx(12, abs=1e-6)


def test_a_site_without_the_table_is_told_what_to_give(tmp_path):
    path = tmp_path / "plan.toml"
    path.write_text(PLAN.format(join=JOIN, data='files = { a = "rows.csv", b = "rows.csv", "b.labs" = "labs.csv" }'))
    assert set(potluck.check(path).absent) == {"data.files.a", "data.files.b", "data.files.a.labs", "data.files.b.labs"}
    with pytest.raises(PlanError, match="there is no table 'labs' of site a"):
        potluck.run(path, {"a": ROWS, "b": ROWS}, out=tmp_path / "out", ledger=tmp_path / "ledger")
