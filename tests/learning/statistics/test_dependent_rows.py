"""Several rows of a person are not independent: where a p or an error takes them to be, `check` says so."""

import pytest

import potluck
from potluck.learning.statistics.kinds import TESTS

COLUMNS = {
    "x": {"kind": "number", "low": -4, "high": 4},
    "y": {"kind": "number", "low": -4, "high": 4},
    "g": {"kind": "category", "values": ["u", "v"]},
    "ward": {"kind": "category", "values": ["n", "s"]},
}
FIT = {"kind": "regression", "family": "gaussian", "target": "y", "features": ["x"]}
INFER = {
    "welch": {"kind": "test", "test": "welch", "column": "x", "by": "g"},
    "chi2": {"kind": "test", "test": "chi2", "columns": ["g", "ward"]},
    "fit": FIT,
}
DESCRIBE = {
    "mean": {"kind": "mean", "column": "x", "by": "g"},
    "table": {"kind": "table1", "columns": ["x", "g"]},
    "by_ward": {**FIT, "errors": "cluster", "cluster": "ward"},
}


def lines(asked, person="who", privacy=None, **data):
    plan = potluck.Plan(
        name="visits",
        purpose="visits",
        task="statistics",
        federation={"sites": ["a", "b", "c"], "server": "curious"},
        data={"columns": COLUMNS, "max_rows": 500, **({"person": person} if person else {}), **data},
        protect={"with": "mask"},
        privacy=privacy or {"noise": "none"},
        statistics=[{"name": name, **one} for name, one in asked.items()],
    )
    found = potluck.check(plan)
    assert not found.errors
    return [line for line in found.warnings if line.startswith("data.person: rows of one person count as independent")]


def noise(unit, **more):
    return {"noise": "shared", "unit": unit, "epsilon": 3.0, "delta": 1e-5, **more}


def test_a_plan_with_persons_names_the_statistics_that_take_rows_to_be_independent():
    (line,) = lines(DESCRIBE | INFER)
    assert "in welch, chi2, fit," in line
    assert "data.reduce" in line
    assert 'cluster = "who"' in line


@pytest.mark.parametrize(
    ("asked", "how"),
    [
        (DESCRIBE, {}),
        (INFER, {"person": None}),
        (INFER, {"privacy": noise("person", rows_per_person=1)}),
        (INFER, {"reduce": {"order": "x", "columns": {name: {"kind": "last"} for name in COLUMNS}}}),
    ],
)
def test_nothing_is_said_where_no_error_is_claimed_or_a_person_counts_once(asked, how):
    assert lines(asked, **how) == []


@pytest.mark.parametrize("privacy", [noise("person", rows_per_person=3), noise("row")])
def test_noise_does_not_make_rows_independent(privacy):
    assert len(lines(INFER, privacy=privacy)) == 1


def test_every_test_of_a_hypothesis_is_among_them():
    assert all(kind.infers for kind in TESTS.entries.values())
