"""What is said of a statistic before and after it runs: every kind has its words, and its tables have one form."""

import pytest

import potluck
from potluck.learning.statistics.kind import METAS, TESTS
from potluck.learning.statistics.kinds import KINDS
from support.learning.rossi import rossi

EVERY_WORD = [("", KINDS), ("test ", TESTS), ("meta ", METAS)]
KINDS_OF_THEIR_OWN = {
    f"{of}{name}": one for of, table in EVERY_WORD for name, one in table.entries.items() if not one.which
}
COLUMNS = {
    "age": {"kind": "number", "low": 16, "high": 48, "unit": "years"},
    "prio": {"kind": "number", "low": 0, "high": 20},
    "week": {"kind": "number", "low": 1, "high": 53},
    "fin": {"kind": "category", "values": ["0", "1"]},
    "arrest": {"kind": "category", "values": ["0", "1"]},
}
EVERY = [
    {"name": "rows", "kind": "count", "by": "fin"},
    {"name": "mean", "kind": "mean", "column": "age", "by": "fin"},
    {"name": "spread", "kind": "variance", "column": "age", "by": "fin"},
    {"name": "bars", "kind": "histogram", "column": "age", "bins": 8, "by": "fin"},
    {"name": "pairs", "kind": "contingency", "columns": ["fin", "arrest"]},
    {"name": "ages", "kind": "quantile", "column": "age", "by": "fin"},
    {"name": "free", "kind": "survival", "time": "week", "event": "arrest", "events": ["1"], "by": "fin"},
    {"name": "first", "kind": "table1", "columns": ["age", "arrest"], "by": "fin", "bins": 32},
    {"name": "gaps", "kind": "missing", "columns": ["age", "arrest"], "by": "fin"},
    {"name": "top", "kind": "top", "column": "arrest", "by": "fin"},
    {"name": "axes", "kind": "pca", "columns": ["age", "prio"], "by": "fin"},
    {"name": "same", "kind": "test", "test": "chi2", "columns": ["fin", "arrest"]},
    {"name": "apart", "kind": "test", "test": "welch", "column": "prio", "by": "fin"},
    {"name": "both", "kind": "test", "test": "correlation", "columns": ["age", "prio"], "by": "fin"},
    {
        "name": "effect", "kind": "effect", "method": "ipw", "treatment": "fin", "treated": ["1"], "outcome": "arrest",
        "events": ["1"], "features": ["age", "prio"],
    },
    {
        "name": "odds", "kind": "regression", "family": "binomial", "target": "arrest", "events": ["1"],
        "features": ["age"],
    },
]  # fmt: skip


@pytest.mark.parametrize("name", KINDS_OF_THEIR_OWN)
def test_every_kind_says_what_it_opens_and_what_that_may_say_of_one_row(name):
    tells = KINDS_OF_THEIR_OWN[name].tells
    assert len(tells.split("; ")) == 2, "what opens; of a row what it may say"
    assert not tells.endswith(".")


@pytest.fixture
def plan():
    return potluck.Plan(
        name="every",
        purpose="what is shown",
        task="statistics",
        federation={"sites": list("abc"), "server": "curious"},
        data={"columns": COLUMNS, "max_rows": 500},
        statistics=EVERY,
        protect={"with": "clear"},
        privacy={"noise": "none"},
    )


def test_explain_says_what_opens_and_with_noise_what_that_changes(plan):
    said = potluck.explain(plan)
    assert len(said.opens) == len(EVERY)
    assert said.opens[1].startswith(
        "mean (Mean of age by fin, in years) opens how many rows there are, and their sum; "
    )
    assert said.opens[6] in str(said)
    assert "what opens" in said._repr_html_().lower()
    noise = {"noise": "shared", "unit": "row", "epsilon": 2.0, "delta": 1e-5}
    noised = plan.set("privacy", noise).set("protect.with", "mask").set("statistics", EVERY[:3])
    assert "no more can be told of one row than epsilon 2 allows" in potluck.explain(noised).opens[-1]


@pytest.mark.slow
def test_tables_of_every_kind_are_tidy_and_say_the_group_alike(plan, tmp_path):
    rows = rossi()
    sites = {name: rows[list(COLUMNS)].iloc[at::3] for at, name in enumerate("abc")}
    run = potluck.run(plan, sites, out=tmp_path / "run")
    assert set(run.frames) >= {one["name"] for one in EVERY}
    for one in EVERY:
        frame = run.frames[one["name"]]
        assert not frame.columns.duplicated().any()
        if "by" in one and one.get("test") != "welch":
            assert list(frame["of"].unique()) == ["all", "0", "1"], one["name"]
    overlap = run.frames["effect.overlap"]
    assert overlap[["treated", "untreated"]].sum().tolist() == [216, 216]
    assert run.frames["effect.rows"].set_index("what")["rows"].to_dict() == {"all": 432, "treated": 216, "clipped": 0}
    printed = run.frames["first.printed"].set_index("column")
    assert list(printed.columns) == ["all", "fin = 0", "fin = 1", "smd"]
    paid = rows[rows["fin"] == 1]
    assert printed.loc["age (years), mean (sd)", "fin = 1"] == f"{paid['age'].mean():.1f} ({paid['age'].std():.1f})"
    assert printed.loc["age (years), median [q1, q3]", "all"] == "23 [20, 27]"
    assert printed.loc["arrest = 1, n (%)", "all"] == "114 (26.4)"
    page, notebook = (run.folder / "report.html").read_text(encoding="utf-8"), run._repr_html_()
    for one in EVERY:
        assert f"<bdi>{one['name']}</bdi>" in page
        assert f"<bdi>{one['name']}</bdi>" in notebook
