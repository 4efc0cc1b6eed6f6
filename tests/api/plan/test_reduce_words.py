"""`data.reduce` in a plan: what is refused, by key, what an owner is told, and a whole run of it."""

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
name = "visits"
purpose = "test"
task = "statistics"
federation.sites = ["a", "b", "c"]
protect.with = "mask"
privacy.noise = "none"
[data]
person = "id"
{data}
[data.columns]
birth = {{ kind = "date", format = "%d.%m.%Y" }}
visit = {{ kind = "date", format = "%d.%m.%Y" }}
hb = {{ kind = "number", low = 0, high = 20, missing = "drop", unit = "g/dl" }}
smoker = {{ kind = "category", values = ["current", "former", "never"] }}
{columns}
[data.derive]
age = {{ kind = "years", from = "birth", to = "visit", low = 0, high = 110 }}
[[data.where]]
column = "age"
at_least = 18
[data.reduce]
{order}
[data.reduce.columns]
age = {{ kind = "first" }}
hb = {{ kind = "last" }}
smoked = {{ kind = "any", from = "smoker", values = ["current", "former"] }}
visits = {{ kind = "count", low = 0, high = 50 }}
{entries}
[[statistics]]
name = "hb"
kind = "mean"
column = "hb"
by = "smoked"
{more}
"""
ORDER = 'order = "visit"'


def plan(text=PLAN, order=ORDER, entries="", columns="", data="", more=""):
    whole = text.format(order=order, entries=entries, columns=columns, data=data, more=more)
    return parse(read_toml(whole, "p"), "p")


def errors(*change, **keys):
    return "\n".join(catalog.check(plan(PLAN.replace(*change) if change else PLAN, **keys))[0])


def test_all_words_together_are_a_plan_and_every_one_is_in_its_hash():
    assert errors() == ""
    known = {canonical(plan())}
    for old, new in (
        ('kind = "last"', 'kind = "mean"'),
        ('"current", "former"]', '"current"]'),
        ("high = 50", "high = 60"),
        ("visits =", "rows ="),
        (', from = "smoker", values', ', reference = "no", from = "smoker", values'),
    ):
        known.add(canonical(plan(PLAN.replace(old, new))))
    assert len(known) == 6


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ('x = { kind = "mean" }', "columns.x.from: x is not a declared column"),
        ('x = { kind = "mean", from = "id" }', "columns.x.from: id is not a declared column"),
        ('x = { kind = "mean", from = "smoker" }', "columns.x.from: smoker is a category"),
        ('x = { kind = "last", from = "visit" }', "columns.x.from: visit is a date"),
        ('x = { kind = "any", from = "hb", values = ["1"] }', "columns.x.from: hb is a number"),
        ('x = { kind = "any", from = "smoker" }', "columns.x.values: lists none"),
        ('x = { kind = "any", from = "smoker", values = ["no"] }', "columns.x.values: no is no value of it"),
        (
            'x = { kind = "any", from = "smoker", values = ["never"], reference = "y" }',
            'columns.x.reference: "y" is no',
        ),
        ('x = { kind = "count" }', "columns.x: a count needs low and high"),
        ('x = { kind = "count", low = 5, high = 1 }', "columns.x: the range is upside down"),
        ('x = { kind = "mean", from = "hb", low = 0 }', "columns.x.low: mean does not read it"),
        ('birth = { kind = "mean", from = "hb" }', "columns.birth: is called as another column of the rows is"),
        ('id = { kind = "mean", from = "hb" }', "columns.id: is called as another column of the rows is"),
        ('"a*" = { kind = "mean", from = "hb" }', "columns.a*: is no name"),
    ],
)
def test_an_entry_that_cannot_be_is_named(entry, said):
    assert said in errors(entries=entry)


def test_a_kind_that_is_not_known_is_refused_by_the_grammar():
    with pytest.raises(PlanError, match="does not know 'median'"):
        plan(entries='x = { kind = "median", from = "hb" }')


def test_an_order_is_a_column_of_days_or_numbers_and_there_where_it_is_needed():
    assert "data.reduce.order: is missing: first needs it" in errors(order="")
    assert "data.reduce.order: nobody is not a declared column" in errors(order='order = "nobody"')
    assert "data.reduce.order: smoker is a category" in errors(order='order = "smoker"')
    assert errors('order = "visit"', 'order = "hb"') == ""
    text = PLAN.replace('"first"', '"mean"').replace('"last"', '"mean"')
    assert "data.reduce.order: nothing reads it" in "\n".join(catalog.check(plan(text))[0])


def test_what_does_not_go_with_persons_is_refused_by_its_key():
    assert "data.person: is missing" in errors('person = "id"', "")
    noise = 'privacy = {{ noise = "site", unit = "row", epsilon = 1, delta = 1e-5 }}'
    assert "privacy.unit: a row is one of several" in errors('privacy.noise = "none"', noise)
    persons = noise.replace('"row"', '"person"')
    assert errors('privacy.noise = "none"', persons) == ""
    three = persons.replace("epsilon", "rows_per_person = 3, epsilon")
    assert "privacy.rows_per_person: a person has one row" in errors('privacy.noise = "none"', three)
    lost = 'weight = { kind = "number", low = 0, high = 300 }'
    assert "data.columns.weight: nothing says what it is of a person" in errors(columns=lost)
    assert "data.columns.w*: nothing says what it is of a person" in errors(columns=lost.replace("weight", '"w*"'))


def test_statistics_are_of_the_columns_of_persons():
    assert "statistics.hb.by: smoker is not a declared column" in errors('by = "smoked"', 'by = "smoker"')
    assert "statistics.hb.column: visit" in errors('column = "hb"\nby', 'column = "visit"\nby')


@pytest.mark.parametrize(
    ("task", "more"),
    [
        ("intersect", {"align": {"keys": ["id"]}}),
        ("predict", {"model": {"digest": "sha256:" + "0" * 64}, "predict": {"owner": "a", "client": "b"}}),
    ],
)
def test_other_tasks_refuse_the_word_by_its_name(task, more):
    text = PLAN.format(order=ORDER, entries="", columns="", data="", more="").replace('"statistics"', f'"{task}"')
    tables = dict(read_toml(text, "p")) | more
    tables.pop("statistics")
    assert any(line.startswith("data.reduce: is for task") for line in catalog.check(parse(tables, "p"))[0])


def test_a_target_is_a_column_of_persons():
    text = (
        PLAN[: PLAN.index("[[statistics]]")].replace('"statistics"', '"train"')
        + """
[data.target]
column = "{more}"
positive = ["yes"]
[model]
kind = "logistic"
[training]
method = "newton"
rounds = 3
"""
    )
    found = catalog.check(plan(text, more="smoked"))[0]
    assert found == []
    assert columns_read(plan(text, more="smoked")) == ("birth", "visit", "hb", "smoker", "id")
    assert "nothing says what smoker of a person is" in "\n".join(catalog.check(plan(text, more="smoker"))[0])
    split = text + '[data.split]\ncolumn = "fold"\n'
    assert "data.split.column: it is a row's" in "\n".join(catalog.check(plan(split, more="smoked"))[0])


def test_an_owner_is_told_what_becomes_of_rows():
    said = catalog.task_of(plan()).learnt(plan(), "a")
    assert "Only rows count where age is at least 18." in said
    assert (
        "One row a person (id): age is the first age by visit; hb is the last hb by visit; "
        "smoked is whether any smoker is 'current' or 'former'; visits is how many rows there are." in said
    )
    assert "Persons without a value in hb are left out." in said


def test_a_run_counts_persons(tmp_path):
    frame = pd.DataFrame(
        {
            "id": ["p", "p", "q"],
            "birth": "01.01.1980",
            "visit": ["01.01.2020", "02.01.2020", "03.01.2020"],
            "hb": [10.0, 12.0, 15.0],
            "smoker": ["former", "never", "never"],
        }
    )
    text = PLAN.format(order=ORDER, entries="", columns="", data="", more="")
    (tmp_path / "plan.toml").write_text(text.replace('"mask"', '"clear"'))
    data = {"a": frame, "b": frame[:2], "c": frame[2:]}
    found = potluck.run(tmp_path / "plan.toml", data, out=tmp_path / "out", ledger=tmp_path / "ledger")
    by = found.results["hb"]["by"]
    assert by["yes"]["value"] == pytest.approx(12, abs=1e-6)
    assert by["no"]["value"] == pytest.approx(15, abs=1e-6)
    assert (found.data["a"].read, found.data["a"].persons) == (3, 2)
    details = (tmp_path / "out" / "report.html").read_text()
    assert "g/dl" in details
