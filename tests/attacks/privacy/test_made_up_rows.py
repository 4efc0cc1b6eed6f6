"""Who is behind made-up rows, by those that come nearest: members of a small exact run are told from others of the same
kind, which is the control; with noise nobody is.

The attacker has the rows alone. Distances are Gower's: of numbers by their range, of values whether
they are the same. Reference: Chen, Yu, Zhang, Fritz 2020, "GAN-Leaks", the black-box attack by distance.
"""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import potluck

NUMBERS = [f"n{place}" for place in range(6)]
VALUES = [f"v{place}" for place in range(4)]
COLUMNS = {name: {"kind": "number", "low": 0, "high": 1} for name in NUMBERS}
COLUMNS |= {name: {"kind": "category", "values": list("pqrs")} for name in VALUES}
SITES, MEMBERS = ("a", "b", "c"), 30


def people(count, seed):
    draw = np.random.default_rng(seed)
    numbers = {name: draw.random(count).round(3) for name in NUMBERS}
    return pd.DataFrame(numbers | {name: draw.choice(list("pqrs"), count) for name in VALUES})


def told_apart(privacy, made, seed, out):
    """How often the attacker takes a member for one rather than another person, and the p value of guessing."""
    inside, outside = people(MEMBERS, seed), people(MEMBERS, 1_000 + seed)
    spec = potluck.Plan(
        name="people",
        purpose="an attack",
        task="synthesize",
        federation={"sites": list(SITES), "server": "curious"},
        data={"columns": COLUMNS, "max_rows": 100},
        protect={"with": "clear"},
        privacy=privacy,
        synthesize={"rows": 4_000, "bins": 12, **made},
    )
    parts = {site: inside[place :: len(SITES)].reset_index(drop=True) for place, site in enumerate(SITES)}
    rows = pd.read_csv(potluck.run(spec, parts, out=out).synthetic)
    members, others = ([nearest(one, rows) for one in some.itertuples(index=False)] for some in (inside, outside))
    test = stats.mannwhitneyu(members, others, alternative="less")
    return 1 - test.statistic / MEMBERS**2, test.pvalue


def nearest(one, rows):
    far = sum((rows[name] - getattr(one, name)).abs() for name in NUMBERS)
    return float((far + sum(rows[name] != getattr(one, name) for name in VALUES)).min())


def test_made_up_rows_of_few_exact_counts_are_near_those_who_were_counted(tmp_path):
    area, p = told_apart({"noise": "none"}, {"allow_exact": True}, 0, tmp_path / "run")
    assert area > 0.7
    assert p < 1e-3


@pytest.mark.usefixtures("repeatable")
@pytest.mark.slow
@pytest.mark.parametrize("epsilon", [1.0, 4.0])
def test_with_noise_nobody_is_nearer_than_epsilon_allows(epsilon, tmp_path):
    """At most e^epsilon / (1 + e^epsilon) of guesses are right (and delta); over five runs, by chance once in a million
    times."""
    privacy = {"noise": "site", "unit": "row", "epsilon": epsilon, "delta": 1e-6}
    areas = [told_apart(privacy, {}, seed, tmp_path / str(seed))[0] for seed in range(5)]
    slack = 4.9 * np.sqrt((2 * MEMBERS + 1) / (12 * MEMBERS**2 * len(areas)))
    assert np.mean(areas) <= 0.5 + slack  # noise of 30 rows: nothing is left to find, far below the bound
    assert 0.5 + slack < np.exp(epsilon) / (1 + np.exp(epsilon))
