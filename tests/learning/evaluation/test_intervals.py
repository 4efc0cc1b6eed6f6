"""Intervals cover the value on these rows in 93 to 97 of 100 runs, whatever the size of the noise."""

import numpy as np
import pandas as pd
import pytest

from potluck.core.plan import PrivacyPlan, Statistic
from potluck.learning.evaluation.intervals import Noised, mean, variance
from potluck.learning.loops import build
from support.learning.sums import answer, frames, number, run, stats

STATISTICS = (
    Statistic(name="rows", kind="count"),
    Statistic(name="total", kind="sum", column="x"),
    Statistic(name="mean", kind="mean", column="x"),
    Statistic(name="variance", kind="variance", column="x"),
)


def test_fiellers_interval_is_the_set_where_the_ratio_is_within_the_noise():
    rows, total = Noised(100.0, 5.0), Noised(30.0, 4.0)
    low, high = mean(rows, total, (-1, 1))
    for ratio in (low, high):
        assert abs(30 - ratio * 100) == pytest.approx(1.959964 * np.hypot(4, 5 * ratio))
    assert low < 0.3 < high


def test_where_the_noise_drowns_the_rows_the_interval_is_the_whole_range():
    assert mean(Noised(3.0, 5.0), Noised(1.0, 5.0), (-1, 1)) == (-1, 1)
    assert variance(Noised(3.0, 5.0), Noised(1.0, 5.0), Noised(1.0, 5.0), (0, 1)) == (0, 1)


def test_without_noise_an_interval_is_the_value():
    spec = stats({"x": number(0, 10)}, *STATISTICS)
    for one in run(build(spec), frames(spec, pd.DataFrame({"x": [1.0, 2, 4, 9]}))).results.values():
        assert one.low == one.value == one.high


@pytest.mark.slow
@pytest.mark.parametrize("ratio", [0.5, 4.0, 12.0])
@pytest.mark.parametrize("skew", [0.5, 0.9])
def test_intervals_cover_in_93_to_97_percent_of_runs(ratio, skew):
    """250 rows, noise with a standard deviation of `ratio` a row's sensitivity: up to a fifth of the count."""
    rng = np.random.default_rng(int(ratio * 10))
    privacy = PrivacyPlan(noise="reveal", unit="row", epsilon=1.0, delta=1e-5)
    spec = stats({"x": number(-5, 10)}, *STATISTICS, privacy=privacy)
    frame = pd.DataFrame({"x": rng.uniform(-5, 10, 250) * (1 - skew) + 10 * skew})
    tables = frames(spec, frame)
    task = build(spec)
    ask = next(task.lead())
    total = answer(ask, task, tables).release.values
    truth = {
        "rows": 250,
        "total": frame["x"].sum(),
        "mean": frame["x"].mean(),
        "variance": frame["x"].var(ddof=0),
    }
    std = np.repeat([ratio * block.l2 for block in ask.blocks], [block.size for block in ask.blocks])
    hits = dict.fromkeys(truth, 0)
    runs = 1000
    for _ in range(runs):
        found = run(task, {}, lambda a, _: (total + rng.normal(0, std), std)).results
        for name, value in truth.items():
            hits[name] += found[name].low <= value <= found[name].high
    for name, count in hits.items():
        assert 0.93 <= count / runs <= 0.97, (name, count)
