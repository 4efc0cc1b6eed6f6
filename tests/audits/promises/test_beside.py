"""A site's rule that looks at all of its rows is caught by name, in whatever is trained, counted or read."""

import pytest

from support.promises.others import (
    by_ranks,
    from_the_mean,
    from_the_median,
    in_boosting,
    in_synthesis,
    in_training,
    over_the_largest,
    when_read,
    where_there_are_many,
)
from support.promises.plans import additive, found, plan
from support.synthesis.ward import plan as ward

RULES = {
    "the mean": from_the_mean,
    "the median": from_the_median,
    "the largest": over_the_largest,
    "ranks": by_ranks,
    "the mean of many": where_there_are_many(from_the_mean),
    "the largest of many": where_there_are_many(over_the_largest),
}
FAULTS = {
    "boosting": (in_boosting, additive, {}),
    "boosting, persons": (in_boosting, additive, {"unit": "person"}),
    "training": (in_training, plan, {"many": 5}),
    "training, persons": (in_training, plan, {"many": 5, "unit": "person"}),
    "training, drawn": (in_training, plan, {"many": 5, "batch": 100}),
    "synthesis": (in_synthesis, lambda **keys: ward(), {}),
    "reading": (when_read, plan, {"many": 5}),
    "reading, own steps": (when_read, plan, {"many": 5, "method": "average", "steps": 3}),
    "reading, in turns": (when_read, plan, {"many": 3, "rounds": 4, "band": 2}),
}
QUICK = {("reading", "the mean")}
UNSEEN = {("reading, in turns", "ranks")}
"""In turns few companies are tried."""


@pytest.mark.parametrize(
    ("where", "rule"),
    [
        pytest.param(where, rule, marks=() if (where, rule) in QUICK else pytest.mark.slow)
        for where in FAULTS
        for rule in RULES
        if (where, rule) not in UNSEEN
    ],
)
def test_a_rule_that_looks_at_all_rows_is_caught(where, rule, monkeypatch):
    fault, planned, keys = FAULTS[where]
    spec = planned(**keys).spec
    right = found(spec, "sensitivity").values()
    assert all(one.held and "follows from" not in one.words for one in right)
    fault(RULES[rule])(monkeypatch)
    wrong = found(spec, "sensitivity")
    what = "sensitivity: statistics" if where == "synthesis" else "sensitivity: training"
    assert wrong[what].held is False, wrong[what].words
    assert "turns" in where or "follows from others" in wrong[what].words
