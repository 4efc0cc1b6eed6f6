"""A fit opens nothing of fewer rows than its plan says, whoever leaves them out, and says nobody's name."""

import numpy as np
import pytest

import potluck
from potluck.core.errors import DataError
from potluck.core.fitting import TOO_FEW_ROWS
from potluck.core.party import SERVER, Party, Role, site
from potluck.core.rounds import Abort, Cause
from potluck.drivers.attempt import root_cause
from potluck.drivers.once import root_cause as root_cause_once
from potluck.drivers.transcript import Transcript
from potluck.learning.data.columns import Columns
from potluck.learning.training.fit_check import unfit
from potluck.learning.training.fit_linear import Regression
from potluck.learning.training.fit_trees import Boosting
from support.parties.fit_scene import frames, leaving, plan, result, sat

BETA = Party(Role.COMPUTE, "beta")
TREES = {"model": {"kind": "trees", "depth": 1, "bins": 3}, "training": {"method": "boosting", "rounds": 1}}
GRADIENT = {"training": {"method": "gradient", "rounds": 2}}
WAYS = {
    "newton": {"training__rounds": 1},
    "gradient": GRADIENT,
    "batches": {"training": {"method": "gradient", "rounds": 2, "batch": 16}},
    "trees": TREES,
    "two, newton": {"training__rounds": 1, "protect": {"with": "share", "compute": ["alpha", "beta"]}},
    "two, gradient": GRADIENT | {"protect": {"with": "share", "compute": ["alpha", "beta"]}},
}


@pytest.mark.parametrize("names", [("alpha", "beta", "gamma"), pytest.param(("alpha", "beta"), marks=pytest.mark.slow)])
@pytest.mark.parametrize("side", ["train", "test"])
def test_a_targets_owner_that_leaves_all_out_but_nine_opens_nothing(side, names):
    made = plan(protect={"with": "share", "compute": list(names)})
    desks, post = sat(made, leaving(frames(), side, 9))
    aborts = {party: desk.abort for party, desk in desks.items()}
    assert all(aborts[party].cause is Cause.ROWS and aborts[party].party is None for party in made.spec.compute)
    assert not any(move.label.step == "fit/result" for move in post.transcript.moves)
    assert desks[site("o0")].result is None
    raised = root_cause_once(aborts.pop(SERVER), {party: one for party, one in aborts.items() if one})
    assert (raised.cause, raised.party) == (Cause.ROWS, None)
    assert "fit.min_rows" in str(raised)
    assert "9" not in str(raised)
    assert result(made, leaving(frames(), side, 10)).model is not None


def test_rows_that_two_owners_leave_out_count_together():
    given = leaving(frames(), "train", 12)
    kept = given["o0"][(given["o0"].fold == "train") & given["o0"].y.notna() & given["o0"].id.isin(given["o1"].id)].id
    made = plan()
    made = made.set("data.columns.x2", {"kind": "number", "low": -1, "high": 1, "owner": "o1", "missing": "drop"})
    for gone, opens in ((2, True), (3, False)):
        other = given["o1"].copy()
        other.loc[other.id.isin(list(kept)[:gone]), "x2"] = np.nan
        desks, _ = sat(made, {**given, "o1": other})
        assert (desks[site("o0")].result is not None) == opens


def test_the_plan_says_how_many():
    few = leaving(frames(), "train", 9)
    assert result(plan(fit={"min_rows": 9}), few).model is not None
    with pytest.raises(Abort) as caught:
        result(plan(fit={"min_rows": 50}), leaving(frames(), "train", 49))
    assert caught.value.cause is Cause.ROWS


def test_an_owner_out_of_range_is_named_first(monkeypatch):
    right = Regression.shared

    def beyond(self, owner, columns):
        features = columns.features * (3 if owner == "o1" else 1)
        return right(self, owner, Columns(features, columns.keep, columns.target, columns.train))

    monkeypatch.setattr(Regression, "shared", beyond)
    with pytest.raises(Abort) as caught:
        result(plan(), leaving(frames(), "train", 3))
    assert (caught.value.cause, caught.value.party) == (Cause.RANGE, site("o1"))


@pytest.mark.parametrize(("least", "word"), [(150, "held out"), (200, "to train on")])
def test_common_rows_that_are_too_few_are_refused_before_anything_is_shared(least, word):
    went = Transcript()
    with pytest.raises(DataError, match=rf"fit.min_rows: \d+ common rows are {word}, and the plan wants {least}"):
        sat(plan(fit={"min_rows": least}), frames(), transcript=went)
    assert went.moves
    assert not any(move.label.step == "fit/input" for move in went.moves)


def test_no_held_out_row_is_needed_where_the_plan_holds_none_out():
    assert unfit(plan(data__split={"test": 0.0}).spec, 10, 0) == ""
    assert "held out" in unfit(plan().spec, 10, 9)
    assert "to train on" in unfit(plan().spec, 9, 10)


def test_with_noise_common_rows_count_and_kept_ones_do_not():
    made = plan(
        training={"method": "gradient", "rounds": 2, "expected_rows": 100},
        privacy={"noise": "reveal", "unit": "row", "epsilon": 8.0, "delta": 1e-5, "clip": 1.0},
    )
    assert result(made, leaving(frames(), "train", 2)).model is not None
    assert unfit(made.spec, 10, 3) == ""
    assert "to train on" in unfit(made.spec, 9, 3)


@pytest.mark.parametrize("least", [0, -1, (1 << 22) + 1])
def test_a_plan_that_asks_for_no_row_or_for_more_than_there_can_be_is_refused(least):
    errors, _ = plan(fit={"min_rows": least}).problems()
    assert any(error.startswith(f"fit.min_rows: {least} does not fit") for error in errors)


def test_every_plan_of_a_fit_says_how_many_rows():
    assert plan().values()["fit"] == {"to": (), "min_rows": 10}
    assert plan(fit={"min_rows": 11}).hash != plan().hash


def test_the_number_is_in_the_program_of_each_kind_of_model():
    assert Regression(plan(fit={"min_rows": 12}).spec).recipe(50, 20).numbers["least"] == 12
    assert Boosting(plan(fit={"min_rows": 12}, **TREES).spec).recipe(50, 20).numbers["least"] == 12


def test_a_server_that_hears_of_it_names_nobody_either():
    raised = root_cause(Abort(Cause.TOO_FEW, step="fit/done"), {BETA: Abort(Cause.ROWS)})
    assert (raised.cause, raised.party, raised.detail) == (Cause.ROWS, None, TOO_FEW_ROWS)


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("side", ["train", "test"])
def test_nine_rows_open_nothing_and_ten_open_the_model(mpc_engine, tmp_path, way, side):
    made, given = plan(**WAYS[way]), frames(rows=80)
    with pytest.raises(Abort) as caught:
        potluck.run(made, leaving(given, side, 9), out=tmp_path / "nine", ledger=tmp_path / "ledger")
    assert (caught.value.cause, caught.value.party) == (Cause.ROWS, None)
    assert not (tmp_path / "nine").exists()
    run = potluck.run(made, leaving(given, side, 10), out=tmp_path / "ten", ledger=tmp_path / "ledger")
    assert run.model is not None
    assert side == "train" or run.metrics["federated"]["rows"] == 10
