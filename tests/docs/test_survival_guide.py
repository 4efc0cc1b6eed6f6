"""The guide to Table 1 and survival curves: its page shows what the program gives, which is what others give."""

import shutil

import pandas as pd
import pytest
import statsmodels.api as sm
from statsmodels.duration.survfunc import survdiff

import potluck
from support.docs.pages import ROOT, fences
from support.spoken import spoken

PAGE = ROOT / "docs" / "guides" / "survival.md"
SITES = ("north", "middle", "south")
BLOCKS = fences(PAGE)


@pytest.fixture(scope="module")
def pooled():
    return pd.concat([pd.read_csv(ROOT / "examples" / "lung" / f"{site}.csv") for site in SITES])


@pytest.fixture
def plan(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(ROOT / "examples" / "lung", tmp_path / "examples" / "lung")
    (text,) = (body for _, name, body in BLOCKS if name == "lung.toml")
    (tmp_path / "lung.toml").write_text(text, encoding="utf-8")
    return potluck.Plan.read(tmp_path / "lung.toml")


def words(text):
    return " ".join(text.split())


@pytest.mark.slow
def test_the_page_shows_what_check_and_the_snippets_print(plan, capsys):
    said, names, shown = spoken(capsys, "check", "lung.toml"), {}, 0
    assert said.code == 0
    printed = said.out + said.err
    for kind, _, body in BLOCKS:
        if kind == "python":
            exec(compile(body, PAGE.name, "exec"), names)
            printed = capsys.readouterr().out
        elif kind == "text":
            shown += 1
            for line in body.splitlines():
                assert words(line) in words(printed), line
    assert shown == 6


def test_its_numbers_are_those_of_pandas_and_statsmodels_on_the_pooled_rows(plan, pooled):
    frames = potluck.run(plan).frames
    months = pooled.assign(days=pooled["days"] // 30 * 30)
    statistic, p = survdiff(months["days"], months["status"], months["sex"])
    assert frames["alive.logrank"].loc[0, ["statistic", "p"]].tolist() == pytest.approx([statistic, p], rel=1e-9)
    curves, table = frames["alive.curve"], frames["patients"]
    for sex, rows in months.groupby("sex"):
        theirs = sm.SurvfuncRight(rows["days"], rows["status"])
        ours = curves[curves["of"] == str(sex)].set_index("days")["survival"][theirs.surv_times]
        assert ours.tolist() == pytest.approx(theirs.surv_prob.tolist(), rel=1e-9)
        mine = table[table["of"] == str(sex)].set_index(["column", "level"])
        for name in ("age", "loss"):
            quarters = rows[name].quantile([0.5, 0.25, 0.75], interpolation="inverted_cdf")
            known = [rows[name].count(), rows[name].mean(), rows[name].std(), *quarters, rows[name].isna().sum()]
            columns = ["n", "mean", "sd", "median", "q1", "q3", "missing"]
            assert mine.loc[(name, ""), columns].tolist() == pytest.approx(known, abs=1e-6)
        assert mine.loc["ecog", "n"].tolist() == [(rows["ecog"] == level).sum() for level in range(4)]
    known = months.dropna(subset="ecog")
    dummies = {f"ecog={level}": known["ecog"] == level for level in (1, 2, 3)}
    design = pd.DataFrame({"age": known["age"], "sex=2": known["sex"] == 2, **dummies}).astype(float)
    fit = sm.PHReg(known["days"], design, status=known["status"], ties="breslow").fit()
    ours = frames["hazards"].set_index("coefficient")
    assert ours.loc[list(design), "value"].tolist() == pytest.approx(fit.params.tolist(), abs=1e-6)
    assert ours.loc[list(design), "se"].tolist() == pytest.approx(fit.bse.tolist(), abs=1e-6)


@pytest.mark.slow
def test_by_days_they_are_those_that_r_prints(plan):
    """Of `survdiff(Surv(time, status) ~ sex, lung)` and `survfit` of the same: 10.3, and medians of 270 and 426."""
    one = {"name": "alive", "kind": "survival", "time": "days", "event": "status", "bins": 1050, "by": "sex"}
    found = potluck.run(plan.set("statistics", [one])).results["alive"]
    assert round(found["logrank"]["statistic"], 1) == 10.3
    assert [found["by"][sex]["median"]["value"] for sex in ("1", "2")] == [270, 426]
