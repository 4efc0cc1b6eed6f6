"""`potluck tune`: what it says before, prints and leaves, and which code it ends with."""

import re
import tomllib

import pytest

import potluck

GRID = ("--grid", "model.l2=[0.1, 50]", "--set", 'protect.with="clear"', "--set", 'federation.server="curious"')
NOISE = '{ noise = "site", unit = "row", epsilon = 2.0, delta = 1e-5, clip = 1.0 }'
NOISED = ("--set", f"privacy={NOISE}", "--set", "training={method='gradient', rounds=2, rate=1, expected_rows=200}")


@pytest.mark.slow
def test_the_best_plan_is_the_file_as_it_was_with_the_chosen_value_and_runs_from_where_it_lies(shops, cli):
    plan = shops / "plan.toml"
    plan.write_text(plan.read_text().replace('kind = "logistic"', 'kind = "logistic"\nl2 = 1.0   # what we thought'))
    said = cli("tune", plan, *GRID, "--grid", "training.rounds=[1, 6]", "--out", shops / "some" / "tuned")
    assert said.code == 0
    assert "4 trainings" in said.err
    assert "a fifth of those that are not test rows" in said.err
    assert said.err.index("4 trainings") < said.err.index("candidate 1 of 4")
    assert len(re.findall(r"^ *\d best", said.out, re.MULTILINE)) == 1
    best = (shops / "some" / "tuned" / "best.toml").read_text()
    chosen = tomllib.loads(best)
    assert chosen["data"]["files"] == {site: f"../../{site}.csv" for site in "abcd"}
    assert f"l2 = {chosen['model']['l2']:g}   # what we thought\n" in best
    assert "validation" not in chosen["data"]["split"]
    assert chosen["protect"] == {"with": "clear"}  # what was set for all candidates is the plan's
    done = cli("run", shops / "some" / "tuned" / "best.toml", "--out", shops / "run", "--json")
    assert done.code == 0
    again = potluck.Run.read(shops / "some" / "tuned" / "01")
    assert again.document["judged_by"] == "validation rows"


def test_with_check_it_says_what_all_would_cost_and_charges_nothing(shops, cli):
    before = sorted(shops.iterdir())
    said = cli("tune", shops / "plan.toml", *GRID, *NOISED, "--check", "--json")
    assert said.code == 0
    cost = said.json["cost"]
    assert (cost["trainings"], cost["epsilon_added_up"], cost["unit"]) == (2, 4.0, "row")
    assert 2 < cost["epsilon"] < 4
    assert all(one == {"composed": 0.0, "would_compose": cost["epsilon"]} for one in cost["owners"].values())
    assert sorted(shops.iterdir()) == before
    words = cli("tune", shops / "plan.toml", *GRID, *NOISED, "--check")
    assert f"epsilon {cost['epsilon']:.4g} at each owner for all of it" in words.out
    assert "cannot be told apart" in words.out
    refused = cli("tune", shops / "plan.toml", *GRID, *NOISED, "--cap", "2.1")
    assert (refused.code, refused.out) == (3, "")
    assert sorted(shops.iterdir()) == before


def test_what_is_no_grid_ends_with_2_and_one_line(shops, cli):
    for grid, words in {
        "model.l2": "not key=value in TOML",
        "model.l2=3": "takes a list of values",
        "model.l3=[1, 2]": "with model.l3 = 1",
        'protect.with=["mask", "clear"]': "who sees what",
    }.items():
        said = cli("tune", shops / "plan.toml", "--grid", grid)
        assert (said.code, said.out) == (2, "")
        assert words in said.err
        assert said.err.count("\n") == 1
    twice = cli("tune", shops / "plan.toml", "--grid", "model.l2=[1, 2]", "--grid", "model.l2=[3]")
    assert "is there twice" in twice.err
