"""What a plan of a fit cannot be: each refusal names its key; and what an owner's file must have."""

import numpy as np
import pandas as pd
import pytest

from potluck.api.local.check import check
from potluck.api.local.explain import explain
from potluck.core.errors import DataError
from potluck.learning.data.columns import held_out, ordered, read
from potluck.learning.data.target import Goal
from potluck.learning.evaluation.fit_metrics import metrics
from potluck.learning.training.fit_check import unfit
from support.learning.columns import plan

NUMBER = {"kind": "number", "low": 0, "high": 1}


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"data__columns__age": NUMBER}, "data.columns.age: has no owner"),
        ({"data__columns__age": NUMBER | {"owner": "mill"}}, "its owner mill is no site"),
        ({"data__columns__buys": {"kind": "ignore", "owner": "shop"}}, "federation.sites: shop has no column"),
        ({"data__columns__id": NUMBER | {"owner": "bank"}}, "rows are matched by it"),
        ({"data__columns__paid": {"kind": "category", "values": ["no", "yes"]}}, "paid is no column with an owner"),
        (
            {"data__columns__fold": {"kind": "ignore", "owner": "shop"}, "data__split": {"column": "fold"}},
            "it is shop's",
        ),
        ({"data__header": False}, "data.header"),
        ({"data__person": "who"}, "data.person"),
        ({"federation__server": "lying"}, "share needs parties that follow the protocol"),
        ({"federation__dropouts": 1}, "federation.dropouts"),
        ({"federation__corrupt": 1}, "federation.corrupt"),
        ({"protect__compute": ["a"]}, "two or three parties compute a fit"),
        ({"protect__compute": ["a", "b", "b"]}, "one is there twice"),
        ({"protect__compute": ["a", "b", "server"]}, "the coordinator and the broker may not compute"),
        ({"align__keys": []}, "align.keys: is empty"),
        ({"align__reveal": "members"}, "align.reveal"),
        ({"fit": {"to": ["mill"]}}, "fit.to: mill is no site"),
        ({"fit": {"to": ["bank", "bank"]}}, "fit.to: a site is there twice"),
        ({"model__kind": "network"}, "is not fitted over columns"),
        ({"model__l2": 0.0}, "needs a ridge"),
        ({"training__method": "average"}, "is not fitted by average"),
        ({"training__rounds": 1001}, "training.rounds"),
        ({"training__rate": 1e-9}, "training.rate"),
        ({"privacy__noise": "site"}, "here all who compute draw noise"),
        ({"protect__with": "mask"}, "does not carry out task"),
    ],
)
def test_a_plan_that_cannot_be_is_refused_by_its_key(settings, said):
    found = check(plan(**settings))
    assert not found.ok
    assert any(said in line for line in found.errors), found.errors
    assert all(". hint: " in line for line in found.errors)


def test_a_sound_plan_passes_and_says_what_it_costs():
    found = check(plan())
    assert found.ok, found.errors
    assert found.bytes_up == 2 * 8 * 3 * 10_000  # age or two of buys, and which rows are kept; the target
    assert any("the model is exact" in line for line in found.warnings)


def test_who_computes_beside_two_sets_of_columns_is_warned_of():
    found = check(plan(protect__compute=["bank", "shop", "gamma"]))
    assert any("they can open every column" in line for line in found.warnings)


def forms(collude, **settings):
    return {row["of"]: row["form"] for row in explain(plan(**settings), collude).rows()}


def test_two_compute_parties_open_everything_and_one_nothing():
    assert forms(["alpha", "server", "shop"])["bank's columns"] == "share"
    assert forms(["alpha", "beta"])["bank's columns"] == "plain"
    assert forms(["alpha", "beta"])["the model"] == "released"
    assert forms(["alpha", "bank"])["shop's columns"] == "share"


def test_an_owner_that_computes_opens_everything_with_one_other():
    mine = {"protect__compute": ["bank", "beta", "gamma"]}
    assert forms(["bank"], **mine)["shop's columns"] == "share"
    assert forms(["bank", "beta"], **mine)["shop's columns"] == "plain"


def test_the_model_is_its_readers_alone():
    rows = [row for row in explain(plan(fit={"to": ["shop"]})).rows() if row["of"] == "the model"]
    assert {row["party"]: row["form"] for row in rows} | {"broker": "nothing"} == {
        "server": "nothing", "alpha": "share", "beta": "share", "gamma": "share", "bank": "nothing",
        "shop": "released", "broker": "nothing",
    }  # fmt: skip


# --- Files ---


def rows(**columns):
    return pd.DataFrame({"id": ["a", "b", "c"], "age": [10, 50, 90], "paid": ["no", "yes", "no"]} | columns)


def test_an_owner_reads_its_own_columns_alone():
    own = read(rows(buys=["few", "?", "?"]), plan().spec, "bank")
    assert list(own.columns) == ["age"]
    assert own.target.tolist() == [1.0, 0.0, 1.0]
    other = read(pd.DataFrame({"id": ["a"], "buys": ["many"]}), plan().spec, "shop")
    assert list(other.columns) == ["buys"]
    assert other.target is None


def test_a_cell_that_does_not_fit_is_named_by_column_and_line_without_its_value(tmp_path):
    path = tmp_path / "bank.csv"
    path.write_text("id,age,paid\na,10,no\nb,secret,yes\n")
    with pytest.raises(DataError) as caught:
        read(path, plan().spec, "bank")
    assert "'age', line 3" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_rows_are_put_in_the_common_order_with_those_to_train_on_first():
    own = read(rows(), plan().spec, "bank")
    found = ordered(own, np.array([2, 0, 1]), np.array([True, False, False]), "bank")
    assert found.features[:, 0].tolist() == [-0.8, 0.0, 0.8]
    assert found.target.tolist() == [1.0, 0.0, 1.0]
    assert found.train == 2


def test_a_row_without_target_is_kept_out_and_shows_nothing():
    own = read(rows(paid=["no", "", "yes"]), plan().spec, "bank")
    found = ordered(own, np.arange(3), np.zeros(3, bool), "bank")
    assert found.keep.tolist() == [True, False, True]
    assert found.features[1].tolist() == [0.0]
    assert found.target[1] == 0.0


def test_which_rows_are_held_out_follows_the_key_and_the_seed_alone():
    own = read(rows(), plan().spec, "bank")
    keys = [bytes([n]) * 16 for n in range(3)]
    sides = held_out(plan().spec, own, np.arange(3), keys)
    turned = held_out(plan().spec, own, np.array([2, 1, 0]), keys[::-1])
    assert sides.tolist() == turned[::-1].tolist()
    assert held_out(plan().spec, read(rows(buys="few"), plan().spec, "shop"), np.arange(3), keys) is None


def test_the_split_column_says_test():
    own = read(rows(fold=["test", " test ", "train"]), plan(data__split={"column": "fold"}).spec, "bank")
    assert held_out(plan(data__split={"column": "fold"}).spec, own, np.arange(3), []).tolist() == [True, True, False]


def test_a_ridge_is_too_small_only_where_the_inverse_would_leave_the_ring():
    assert not unfit(plan().spec, 1_000_000, 0)
    assert "at least" in unfit(plan(model__l2=1e-6).spec, 1000, 0)


# --- Metrics ---


def test_counts_give_the_area_with_ties_half_and_the_share_of_right_answers():
    cells = np.zeros((2, 256))
    cells[0, [10, 200]], cells[1, [200, 250]] = [3, 1], [1, 3]
    found, warnings = metrics(Goal(column="y", side="binary"), [cells])
    assert found.auc == (3 * 4 + 1 * (0.5 * 1 + 3)) / 16
    assert found.accuracy == 7 / 8
    assert (found.rows, warnings) == (8, ())


def test_one_class_has_no_area_and_no_rows_no_metrics():
    cells = np.zeros((2, 256))
    assert metrics(Goal(column="y", side="binary"), [cells])[0] is None
    cells[0, 3] = 2
    found, warnings = metrics(Goal(column="y", side="binary"), [cells])
    assert found.auc is None
    assert "one class" in warnings[0]


def test_sums_give_r2_and_rmse_in_the_targets_own_units():
    goal = Goal(column="y", side="number", low=0, high=10)
    found, _ = metrics(goal, [np.array([4.0, 1.0, 0.0, 2.0])])
    assert (found.rows, found.r2, found.rmse) == (4, 0.5, 2.5)
