"""Statistics that noise leaves of no use are named with the epsilon that would do, and that epsilon does."""

import numpy as np
import pandas as pd
import pytest

import potluck


def plan(epsilon, *wanted):
    each = [{"name": kind, "kind": kind, "column": "x", **more} for kind, more in wanted]
    return potluck.Plan(
        name="use", purpose="test", task="statistics",
        federation={"sites": ["a", "b"], "corrupt": 1}, protect={"with": "mask"},
        data={"columns": {"x": {"kind": "number", "low": 0, "high": 100}}},
        privacy={"noise": "site", "unit": "row", "epsilon": epsilon, "delta": 1e-5}, statistics=each,
    )  # fmt: skip


def frames(rows):
    x = np.random.default_rng(1).uniform(0, 100, rows)
    return {"a": pd.DataFrame({"x": x}), "b": pd.DataFrame({"x": x})}


@pytest.mark.parametrize(("rows", "epsilon", "of_no_use"), [(60, 0.1, True), (20_000, 0.1, False), (60, 100.0, False)])
def test_few_rows_or_little_epsilon_leave_statistics_of_no_use(rows, epsilon, of_no_use):
    verdict = potluck.check(plan(epsilon, ("mean", {}), ("histogram", {"bins": 20})), data=frames(rows))
    said = {one["name"]: one["verdict"] for one in verdict.document()["useful"]["statistics"]}
    warned = [line for line in verdict.warnings if "of no use: it is more than a third" in line]
    assert bool(warned) == of_no_use
    assert (said["histogram"] == "of no use") == of_no_use
    if not of_no_use:
        assert {*said.values()} <= {"noise costs it little", "useful"}
        assert verdict.document()["advice"] == []


def test_the_epsilon_that_is_advised_is_enough_and_is_advised_nothing_else():
    scarce = plan(0.5, ("mean", {}), ("histogram", {"bins": 5}))
    (advice,) = potluck.check(scarce, data=frames(300)).advice
    assert advice["key"] == "privacy.epsilon"
    assert advice["better"] > advice["now"] == 0.5
    after = potluck.check(scarce.set(advice["key"], advice["better"]), data=frames(300))
    assert list(after.advice) == []
    assert all(one["verdict"] != "of no use" for one in after.useful["statistics"])
    assert not any("of no use" in line for line in after.warnings)


def test_a_part_is_the_forecast_interval_beside_what_is_said():
    """By hand: of 600 rows in 20 bins each has 30, and the range of x is 100."""
    verdict = potluck.check(plan(2.0, ("mean", {}), ("histogram", {"bins": 20})), data=frames(300))
    ahead, parts = verdict.forecast, {one["name"]: one["part"] for one in verdict.useful["statistics"]}
    assert parts == pytest.approx({"mean": ahead["mean"] / 100, "histogram": ahead["histogram"] / 30})


def test_without_rows_nothing_is_said_of_statistics():
    assert potluck.check(plan(1.0, ("mean", {}))).useful is None
