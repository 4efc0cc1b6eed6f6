"""Claims about a prediction between two compute parties: the scores of three, what it costs, and who could see what."""

import csv

import numpy as np
import pytest

from potluck.api.local.check import check
from potluck.api.local.explain import explain
from potluck.api.local.run import run
from potluck.api.plan.plan import Plan
from potluck.mpc.share.check import who_computes
from support.parties import predict_scene as scene

SHARE = ('protect.with="share"', 'federation.server="curious"')
TWO = 'protect.compute=["alpha","beta"]'


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def plan(folder, *settings, model=None):
    return Plan.read(scene.settle(folder, model), [*SHARE, *settings])


def table(path):
    with open(path, newline="") as file:
        return np.array([[float(cell or "nan") for cell in line[1:]] for line in list(csv.reader(file))[1:]])


def seen(made, *coalition):
    """By whom and of what; of a coalition, by what alone."""
    rows = explain(made, list(coalition)).rows()
    return {row["of"] if coalition else (row["party"], row["of"]): row for row in rows}


def test_two_are_warned_of_the_cost_and_three_are_not(here):
    errors, warnings = plan(here, TWO).problems()
    assert errors == []
    assert any("two compute parties take up to ten times as long" in line for line in warnings)
    assert not any("two compute parties" in line for line in plan(here).problems()[1])


def test_nobody_is_warned_of_who_computes_where_nobody_does(here):
    made = Plan.read(scene.settle(here, None), [TWO])
    assert not any("two compute parties" in line for line in made.problems()[1])


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ('["alpha","clinic"]', "clinic is a site"),
        ('["alpha","server"]', "neither may compute"),
        ('["alpha"," "]', "a name is empty"),
        ('["a","b","c","d"]', "two or three compute parties, the plan names 4"),
    ],
)
def test_who_cannot_compute_is_refused_with_a_hint(here, names, words):
    errors, _ = plan(here, f"protect.compute={names}").problems()
    assert any(words in line and ". hint: " in line for line in errors), errors


def test_sums_are_still_for_three(here):
    (line,) = who_computes(plan(here, TWO).spec)
    assert "share needs three compute parties, the plan names 2" in line


def test_one_of_two_sees_a_share_and_both_see_model_rows_and_scores(here):
    made = plan(here, TWO)
    for of in ("clinic's rows", "clinic's scores", "the model"):
        for name in ("alpha", "beta"):
            row = seen(made)[name, of]
            assert row["form"] == "share"
            assert "all of alpha, beta collude" in row["breaks_if"]
            assert "alpha and beta together open model, rows and scores" in row["note"]
        assert seen(made, "alpha", "beta")[of]["form"] == "plain"
    assert seen(made, "server", "alpha")["clinic's rows"]["form"] == "share"


@pytest.mark.slow
def test_two_score_as_three_do_to_the_last_digit(mpc_engine, here):
    tables = []
    for number, settings in enumerate(([], [TWO])):
        done = run(plan(here, *settings), ledger=here / f"ledger{number}", compare=True)
        assert done.document["agreement"]["largest_error"] <= done.document["max_error_bound"]
        tables.append(table(done.document["predictions"]))
    assert np.array_equal(*tables, equal_nan=True)


@pytest.mark.slow
def test_check_forecasts_the_letters_of_two(mpc_engine, here):
    told = check(plan(here, TWO))
    assert told.errors == []
    assert (told.forecast["query"], told.forecast["reply"]) == (8 * 150, 16 * 50)


@pytest.mark.slow
def test_across_machines_two_give_the_scores_of_one_process(mpc_engine, here):
    from potluck.api.network.up import up

    path = scene.settle(here)
    text = path.read_text().replace('with = "he"', f'with = "share"\n{TWO.removeprefix("protect.")}')
    path.write_text(text.replace('["hospital", "clinic"]', '["hospital", "clinic"]\nserver = "curious"'))
    alone = run(Plan.read(path), ledger=here / "ledger", out=here / "alone")
    apart = up(Plan.read(path), out=here / "apart")
    first, second = (table(one.document["predictions"]) for one in (alone, apart))
    assert np.array_equal(first, second, equal_nan=True)
    assert apart.document["max_error_bound"] == alone.document["max_error_bound"]
