"""The guide to visits and lab values: its plan gives what pandas gives, and its page says what the program says."""

import pandas as pd
import pytest

import potluck
from support.docs.pages import ROOT
from support.spoken import spoken

PLAN = ROOT / "examples" / "visits.toml"
WEIGHT = "Gewicht (kg, nüchtern)"


def persons(site: str) -> pd.DataFrame:
    """One row a person of one hospital, by pandas."""
    form = {"sep": ";", "decimal": ",", "encoding": "latin-1"}
    rows = pd.read_csv(PLAN.parent / "visits" / f"{site}.csv", **form)
    labs = pd.read_csv(PLAN.parent / "visits" / f"{site}-labs.csv", **form)
    born, seen = (pd.to_datetime(rows[name], format="%d.%m.%Y") for name in ("Geburtstag", "Besuch"))
    before = (seen.dt.month * 100 + seen.dt.day) < (born.dt.month * 100 + born.dt.day)
    rows["age"], rows["seen"], rows["sex"] = seen.dt.year - born.dt.year - before, seen, rows["Geschlecht"].str.lower()
    rows = rows[rows["age"] >= 18].sort_values("seen").merge(labs, left_on="Patient", right_on="PatNr", how="left")
    each = rows.groupby("Patient")
    last = {name: each[name].last() for name in ("sex", "Stadium")}
    return pd.DataFrame(
        last | {"age": each["age"].first(), "weight": each[WEIGHT].mean(), "lab": each["Kreatinin"].max()}
    )


def test_the_plan_gives_what_pandas_gives(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = potluck.run(PLAN).results
    pooled = pd.concat([persons(site) for site in ("north", "middle", "south")])
    assert found["persons"]["value"] == len(pooled)
    for sex, age in pooled.groupby("sex")["age"].mean().items():
        assert found["age"]["by"][sex]["value"] == pytest.approx(age, abs=1e-6)
    for stage, weight in pooled.groupby("Stadium")["weight"].mean().items():
        assert found["weight"]["by"][stage]["value"] == pytest.approx(weight, abs=1e-6)
    assert sum(found["creatinine"]["value"]) == pooled["lab"].notna().sum()
    table = pd.crosstab(pooled["sex"], pooled["Stadium"])
    assert found["stages"]["value"] == table.to_numpy().tolist()
    assert found["stages"]["labels"] == [list(table.index), list(table.columns)]


@pytest.mark.slow
def test_the_page_says_what_check_says(capsys):
    page = (ROOT / "docs" / "guides" / "visits.md").read_text(encoding="utf-8")
    said = spoken(capsys, "check", PLAN)
    assert said.code == 0
    shown = (said.out + said.err).replace("\n", " ")
    for line in page.partition("anything is computed:")[2].split("```")[1].strip().splitlines():
        assert line.removesuffix(" ...") in shown
