"""A simulated round that is far smaller than what its plan is made for is said, and one that is not is not."""

import math

import numpy as np
import pytest

from potluck.core.plan import PrivacyPlan, Training
from potluck.dp.mechanism import mechanism
from potluck.simulation.rounds import peopled
from potluck.simulation.scale import warnings
from potluck.simulation.wanted import Wanted
from support.learning.sums import heart, hospitals
from support.simulation.scene import cohorts

EXACT = PrivacyPlan(noise="none")
SITE = PrivacyPlan(noise="shared", unit="site", epsilon=2.0, delta=1e-5, clip=1.0)
ROW = PrivacyPlan(noise="shared", unit="row", epsilon=0.05, delta=1e-5, clip=1.0)


def said(made, **asked):
    return [line.partition(":")[0] for line in warnings(made, Wanted(**asked))]


def test_rows_of_a_cohort_far_below_those_that_the_plan_expects_are_said():
    tables = hospitals(heart())
    rows = sum(int(table.train.sum()) for table in tables.values())

    def of(expected, **asked):
        training = Training(method="gradient", rounds=2, expected_rows=expected)
        return said(cohorts(heart(privacy=EXACT, training=training), tables, Wanted(sites=40)), **asked)

    assert of(3 * rows) == []
    assert of(3 * rows + 3) == ["training.expected_rows"]
    assert of(rows) == []
    assert of(rows, cohort=4) == ["training.expected_rows"]


@pytest.mark.parametrize("unit", [SITE, ROW], ids=["site", "row"])
def test_it_is_said_where_noise_alone_leads_farther_than_all_steps(unit):
    """The condition by hand: T steps as long as the sum of all clipped to 1, beside T independent noises of s in each
    of d numbers. A round of as many clients as just suffice, and one fewer: a cohort of 4 has their noise, scaled."""
    spec = heart(privacy=unit, training=Training(method="gradient", rounds=4, expected_rows=50))
    made = cohorts(spec, hospitals(spec), Wanted(sites=40))
    each = 1.0 if unit is SITE else np.mean([len(one) for one in made.clients])

    def enough(many):
        bound = mechanism(peopled(made.plan, many), made.task.usual)
        noise = bound.real(bound.share)[0] * math.sqrt(many) * math.sqrt(bound.grid.parts[0].size)
        return 4 * many * each >= math.sqrt(4) * noise

    first = next(many for many in range(4, 400) if enough(many))
    assert first > 4  # or the case would be none
    assert "privacy.noise" not in said(made, cohort=4, noise_cohort=first)
    assert "privacy.noise" in said(made, cohort=4, noise_cohort=first - 1)
