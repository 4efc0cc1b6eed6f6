"""What of a plan's privacy cannot hold is refused with a hint; what gives pause is said."""

import pytest

from potluck.core.bounds import Bounds, outside
from potluck.dp.check import check
from potluck.dp.odds import odds
from support.dp.examples import plan

REFUSED = [
    ({"noise": "reveal"}, "privacy.noise", "lying"),
    ({"word": "clear"}, "privacy.noise", "without protection"),
    ({"task": "statistics", "unit": "site"}, "privacy.unit", "row"),
    ({"epsilon": 0.0}, "privacy.epsilon", "1e-09 to 1e+12"),
    ({"epsilon": -1.0}, "privacy.epsilon", "1e-09 to 1e+12"),
    ({"epsilon": float("nan")}, "privacy.epsilon", "1e-09 to 1e+12"),
    ({"epsilon": float("inf")}, "privacy.epsilon", "1e-09 to 1e+12"),
    ({"epsilon": None}, "privacy.epsilon", "missing"),
    ({"delta": 0.0}, "privacy.delta", "1e-30 and below 1"),
    ({"delta": 1.0}, "privacy.delta", "1e-30 and below 1"),
    ({"delta": float("nan")}, "privacy.delta", "1e-30 and below 1"),
    ({"unit": None}, "privacy.unit", "missing"),
    ({"clip": None}, "privacy.clip", "missing"),
    ({"clip": 0.0}, "privacy.clip", "1e-100 to 1e+100"),
    ({"clip": float("inf")}, "privacy.clip", "1e-100 to 1e+100"),
    ({"unit": "person"}, "data.person", "missing"),
    ({"unit": "person", "person": "who", "evaluation": 1.0}, "privacy.evaluation", "no epsilon for training"),
    ({"unit": "person", "person": "who", "evaluation": 0.0}, "privacy.evaluation", "1e-09 to 1e+12"),
    ({"unit": "person", "person": "who", "task": "statistics"}, "privacy.rows_per_person", "missing"),
    (
        {"unit": "person", "person": "who", "task": "statistics", "rows_per_person": 0},
        "privacy.rows_per_person",
        "1 or more",
    ),
    ({"redo": -1}, "privacy.redo", "0 to 10000"),
    ({"sites": 3, "corrupt": 2}, "privacy.noise", "honest share"),
    ({"sites": 2, "corrupt": 0, "dropouts": 1}, "privacy.noise", "honest share"),
]


@pytest.mark.parametrize(("keys", "key", "word"), REFUSED, ids=lambda value: str(value))
def test_a_promise_that_cannot_hold_is_refused_with_a_hint(keys, key, word):
    errors = [*outside(plan(**keys), Bounds), *check(plan(**keys))[0]]
    assert len(errors) == 1
    assert errors[0].startswith(f"{key}: ")
    assert word in errors[0]
    assert ". hint: " in errors[0]
    assert "\n" not in errors[0]


PAUSES = [
    ({"epsilon": 11.0}, "privacy.epsilon"),
    ({"delta": 0.01}, "privacy.delta"),
    ({"task": "statistics"}, "privacy.clip"),
    ({"evaluation": 0.1}, "privacy.evaluation"),
    ({"unit": "person", "person": "who"}, "privacy.evaluation"),
    ({"person": "who"}, "privacy.unit"),
    ({"noise": "none", "epsilon": 1.0, "unit": None, "delta": None, "clip": None}, "privacy.epsilon"),
]


@pytest.mark.parametrize(("keys", "key"), PAUSES, ids=lambda value: str(value))
def test_what_gives_pause_is_a_warning(keys, key):
    errors, warnings = check(plan(**keys))
    assert errors == []
    assert [line.split(":")[0] for line in warnings] == [key]


GOOD = [
    {},
    {"noise": "site"},
    {"noise": "site", "word": "clear"},
    {"noise": "reveal", "server": "curious"},
    {"method": "average", "unit": "site", "evaluation": 0.1},
    {"unit": "person", "person": "who", "evaluation": 0.1},
    {"task": "statistics", "clip": None},
    {"task": "statistics", "unit": "person", "person": "who", "rows_per_person": 5, "clip": None},
    {"noise": "none", "epsilon": None, "delta": None, "unit": None, "clip": None, "method": "newton"},
]


@pytest.mark.parametrize("keys", GOOD, ids=str)
def test_a_sound_plan_passes_without_a_word(keys):
    assert check(plan(**keys)) == ([], [])


@pytest.mark.parametrize(
    ("epsilon", "delta", "right"), [(0.0, 0.0, 50.0), (1.0, 0.0, 73.106), (3.0, 0.0, 95.257), (1.0, 0.01, 73.375)]
)
def test_odds_are_the_best_an_attacker_can_do(epsilon, delta, right):
    assert odds(epsilon, delta) == pytest.approx(right, abs=1e-3)


def test_odds_never_exceed_certainty():
    assert odds(1e6, 0.5) == 100.0
