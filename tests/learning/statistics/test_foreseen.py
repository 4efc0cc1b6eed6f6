"""What `check` forecasts of a statistic with noise is what runs on such rows then find."""

import numpy as np
import pytest
from scipy.special import ndtr

from potluck.core.plan import PrivacyPlan, Statistic
from potluck.learning.loops import build
from potluck.learning.statistics.hypotheses import power
from potluck.learning.statistics.kinds import kind_of
from potluck.learning.statistics.statistics import courses
from potluck.learning.statistics.sums import Part
from support.learning.sums import category, number, stats

COLUMNS = {
    "x": number(0, 20),
    "z": number(-5, 15),
    "t": number(0, 52),
    "e": category("0", "1"),
    "g": category("a", "b"),
    "h": category("a", "b", "c", "d"),
    "b": category("0", "1"),
}
STD = 6.0
NOISE = PrivacyPlan(noise="reveal", unit="row", epsilon=1.0, delta=1e-5)


def part(values):
    return Part(values, np.full(values.shape, STD), 2.0**-40)


def groups(draw, n, effect, many):
    """Powers of numbers even over [-1, 1] by group, two of which lie `effect` apart; and of no other value."""
    cells = np.zeros((many + 1, 3))
    for group in range(many):
        x = draw.uniform(-1, 1, n // many) + {0: -0.5, 1: 0.5}.get(group, 0.0) * effect / 10
        cells[group] = len(x), x.sum(), (x**2).sum()
    return cells


def pair(draw, n, effect):
    """Two numbers of each row, with this correlation."""
    x, other = draw.uniform(-1, 1, (2, n))
    rows = np.column_stack([np.ones(n), x, effect * x + np.sqrt(1 - effect**2) * other])
    return (rows.T @ rows)[np.triu_indices(3)][None]


def difference(draw, n, effect):
    x = (draw.uniform(-10, 10, n) - draw.uniform(-10, 10, n) + effect) / 25
    return np.array([[n, x.sum(), (x**2).sum()]])


def ranks(draw, n, effect):
    """Rows of the first group are above those of the second with a chance of 1/2 + effect."""
    odds = np.sqrt((0.5 + effect) / (0.5 - effect))
    made = (draw.uniform(size=n // 2) ** power_ for power_ in (1 / odds, odds))
    return np.array([*(np.histogram(one, 20, (0, 1))[0] for one in made), np.zeros(20)], float)


def ordered(draw, n, effect):
    """Four groups, the first two as far apart as those of `ranks`, the others between them."""
    first, second, other = ranks(draw, n // 2, effect)
    between = [np.histogram(draw.uniform(size=n // 4), 20, (0, 1))[0] for _ in "ab"]
    return np.array([first, second, *between, other], float)


def distances(draw, n, effect):
    """Two groups whose distributions are apart by this much in the middle, and less to either side."""
    halves = (
        draw.uniform(0, 0.5, n // 2) + 0.5 * (draw.uniform(size=n // 2) < 0.5 + part / 2) for part in (effect, -effect)
    )
    return np.array([*(np.histogram(one, 20, (0, 1))[0] for one in halves), np.zeros(20)], float)


def ranked(draw, n, effect):
    """Pairs of bins of two numbers that are normal, and even over their ranges once ranked, with this correlation."""
    x, other = draw.normal(size=(2, n))
    by = 2 * np.sin(np.pi * effect / 6)  # of ranks that is `effect`
    both = ndtr(np.array([x, by * x + np.sqrt(1 - by**2) * other]))
    return np.histogram2d(*both, bins=20, range=[(0, 1), (0, 1)])[0].reshape(1, -1)


def table(draw, n, effect):
    """Of 2 x 2, and no undeclared values."""
    cells = np.zeros((3, 3))
    cells[:2, :2] = draw.multinomial(n, 0.25 + effect / 4 * np.array([1, -1, -1, 1])).reshape(2, 2)
    return cells.reshape(1, -1)


TESTS = {
    "welch": ({"column": "x", "by": "g"}, lambda *given: groups(*given, 2)),
    "anova": ({"column": "x", "by": "h"}, lambda *given: groups(*given, 4)),
    "mannwhitney": ({"column": "x", "by": "g", "bins": 20}, ranks),
    "kruskal": ({"column": "x", "by": "h", "bins": 20}, ordered),
    "ks": ({"column": "x", "by": "g", "bins": 20}, distances),
    "spearman": ({"columns": ("x", "z"), "bins": 20}, ranked),
    "chi2": ({"columns": ("g", "b")}, table),
    "correlation": ({"columns": ("x", "z")}, pair),
    "paired": ({"columns": ("x", "z")}, difference),
}
LONG = ("ks", "spearman", "kruskal", "anova")


@pytest.mark.parametrize("test", [pytest.param(one, marks=pytest.mark.slow if one in LONG else ()) for one in TESTS])
def test_the_smallest_effect_is_found_in_eighty_of_a_hundred_runs_and_none_where_there_is_none(test):
    keys, made = TESTS[test]
    one, draw = Statistic(name="s", kind="test", test=test, **keys), np.random.default_rng(1)
    plan, kind = stats(COLUMNS, one, privacy=NOISE), kind_of(one)
    fewest = int(1.1 * kind.reach(plan, one, STD, None).least)
    for n in (max(600, fewest), 4000):
        effect = kind.reach(plan, one, STD, float(n)).value
        for true, low, high in ((effect, 0.66, 0.93), (0.0, 0.0, 0.14)):
            cells = [made(draw, n, true) for _ in range(300)]
            noised = (one_ + draw.normal(0, STD, one_.shape) for one_ in cells)
            p = [kind.read(plan, one, part(values)).p for values in noised]
            said = [one_[0][1] if isinstance(one_, tuple) else one_ for one_ in p if one_ is not None]
            found = [one_ < 0.05 for one_ in said]
            assert low <= np.mean(found) <= high, (n, true)


@pytest.mark.parametrize("test", [pytest.param(one, marks=pytest.mark.slow if one == "ks" else ()) for one in TESTS])
def test_from_the_rows_that_it_takes_a_test_says_something_in_nearly_all_runs(test):
    keys, made = TESTS[test]
    one, draw = Statistic(name="s", kind="test", test=test, **keys), np.random.default_rng(2)
    plan, kind = stats(COLUMNS, one, privacy=NOISE), kind_of(one)

    def silent(n):
        cells = [made(draw, n, 0.0) for _ in range(200)]
        noised = (one_ + draw.normal(0, STD, one_.shape) for one_ in cells)
        p = [kind.read(plan, one, part(values)).p for values in noised]
        return np.mean([(one_[0][1] if isinstance(one_, tuple) else one_) is None for one_ in p])

    least = kind.reach(plan, one, STD, None).least
    assert kind.reach(plan, one, STD, 0.9 * least).value is None
    assert silent(int(1.1 * least)) < 0.2
    assert silent(int(0.25 * least)) > 0.6


def test_the_noncentrality_is_that_of_cohens_tables():
    """Cohen 1988, table 9.4.3 (alpha .05, power .80): 7.85, 9.64 and 10.90 at 1, 2 and 3 degrees of freedom."""
    assert [round(power.noncentrality(df), 1) for df in (1, 2, 3)] == [7.8, 9.6, 10.9]


CURVES = {
    "spread": ({"bins": 52}, 1),
    "flat": ({"bins": 13}, 1),
    "by": ({"bins": 26, "by": "g"}, 3),
}


@pytest.mark.parametrize("case", CURVES)
def test_a_curve_of_survival_is_known_as_well_as_forecast(case):
    keys, many = CURVES[case]
    one = Statistic(name="s", kind="survival", time="t", event="e", events=("1",), **keys)
    plan, draw = stats(COLUMNS, one, privacy=NOISE), np.random.default_rng(3)
    kind, n = kind_of(one), 4000
    how, bins = kind.spread(plan, one), one.bins
    events = np.full(bins, n // 2 // bins)
    left = np.zeros(bins, int)
    left[-1] = n - events.sum()
    opened = np.concatenate([np.array(how.steps(rows.tolist())) / how.parts for rows in (events, left, 0 * left)])
    cells = np.concatenate([opened[None], np.zeros((many - 1, 3 * bins))])
    curves = [kind.read(plan, one, part(cells + draw.normal(0, STD, cells.shape))).survival for _ in range(120)]
    found = 1.96 * np.std(curves, axis=0).max()
    assert found == pytest.approx(kind.half(plan, one, STD, float(n)), rel=0.25)


def made_up(draw, n):
    columns = {"x": draw.uniform(0, 20, n), "z": draw.uniform(-5, 15, n), "h": draw.integers(0, 4, n).astype(float)}
    score = (columns["x"] - 10) / 10 + (columns["z"] - 5) / 10 + (columns["h"] - 1.5) / 2
    return columns | {
        "t": (26 + 15 * (score / 2 + draw.normal(0, 0.5, n))).clip(0, 52),
        "b": (draw.uniform(size=n) < 1 / (1 + np.exp(-score / 2))).astype(float),
    }


def fitted(plan, draw, n, std):
    """One run of the course on made-up rows, in floats."""
    (course,) = courses(plan).values()
    lead, columns, step = course.lead(), made_up(draw, n), 0
    state = next(lead)
    while True:
        size = course.layout(step, state).size
        total = sum((one.values.sum(axis=0) for one in course.add(step, state, columns)), np.zeros(size))
        try:
            state = lead.send(Part(total + draw.normal(0, std, size), np.full(size, std), 2.0**-40))
        except StopIteration as stop:
            return stop.value
        step += 1


@pytest.mark.parametrize(
    ("family", "target", "rounds", "refused"), [("gaussian", "t", 1, 0.15), ("binomial", "b", 3, 0.5)]
)
def test_a_regression_is_fitted_from_the_rows_that_it_takes_on_with_the_errors_forecast(
    family, target, rounds, refused
):
    one = Statistic(name="s", kind="regression", family=family, target=target, features=("x", "z", "h"), rounds=rounds)
    plan, draw = stats(COLUMNS, one, privacy=NOISE), np.random.default_rng(4)
    least = kind_of(one).reach(plan, one, STD, None).least
    every = [fitted(plan, draw, int(1.2 * least), STD).coefficients for _ in range(40)]
    assert sum(found is None for found in every) <= refused * 40
    assert all(fitted(plan, draw, int(least / 6), STD).coefficients is None for _ in range(10))
    errors = [[one_.se for one_ in found.values()] for found in every if found]
    exact = [one_.se for one_ in fitted(plan, draw, int(1.2 * least), 1e-9).coefficients.values()]
    times = (np.median(errors, axis=0) / exact).max()
    assert times == pytest.approx(kind_of(one).reach(plan, one, STD, 1.2 * least).value, rel=0.25)


def test_a_later_sum_is_no_smaller_than_any_that_is_asked():
    effect = Statistic(
        name="s", kind="effect", method="aipw", treatment="g", treated=("b",), outcome="b", events=("1",),
        features=("x", "z"), clip=0.02, rounds=13,
    )  # fmt: skip
    plan = stats(COLUMNS, effect)
    task, course = build(plan), courses(plan)["s"]
    (block,) = task.later.blocks
    last = course.start()
    last[:4] = 0, 0, 0, 1
    assert course.layout(5, last).size <= block.size
    assert course.layout(0, course.start()).size <= block.size
    assert build(stats(COLUMNS, Statistic(name="s", kind="count"))).later is None
