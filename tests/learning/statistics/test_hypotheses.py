"""Tests of hypotheses: without noise scipy's numbers of the rows; with noise they are wrong as often as they say."""

import numpy as np
import pytest
from scipy import stats

from potluck.learning.statistics import gram
from potluck.learning.statistics.hypotheses.association import independence
from potluck.learning.statistics.hypotheses.correlations import correlations
from potluck.learning.statistics.hypotheses.means import anova, paired, welch
from potluck.learning.statistics.hypotheses.ranks import kruskal, mannwhitney, smirnov, spearman
from potluck.learning.statistics.hypotheses.tested import UNKNOWN

SEED = 7
EPSILON_1 = 4.045
"""Standard deviation of the noise at epsilon 1 and delta 1e-5, over the L2 norm of what a row adds."""


def powers(*groups):
    return np.array([[len(x), x.sum(), x @ x] for x in groups], dtype=np.float64)


def bins(*groups, size):
    return np.array([np.bincount(x, minlength=size) for x in groups], dtype=np.float64)


def triangle(rows):
    """Sums of (1, x, upper triangle of x x^T), put together by hand."""
    wide = np.hstack([np.ones((len(rows), 1)), rows])
    return np.array([(wide[:, i] * wide[:, j]).sum() for i in range(wide.shape[1]) for j in range(i, wide.shape[1])])


def close(found, statistic, p, df=None):
    assert found.statistic == pytest.approx(statistic, rel=1e-10, abs=1e-12)
    assert found.p == pytest.approx(p, rel=1e-9, abs=1e-300)
    if df is not None:
        assert found.df == pytest.approx(df, rel=1e-12)


def draws(*sizes):
    rng = np.random.default_rng(SEED)
    return [np.clip(rng.normal(0.1 * place, 0.3 + 0.1 * place, size), -1, 1) for place, size in enumerate(sizes)]


@pytest.mark.parametrize("shape", [(2, 2), (3, 4), (2, 7)])
def test_chi_squared_is_scipys_with_and_without_yates_correction(shape):
    table = np.random.default_rng(SEED).integers(1, 40, shape).astype(np.float64)
    known = stats.chi2_contingency(table, correction=False)
    found = independence(table, 0.0)
    close(found, known.statistic, known.pvalue, known.dof)
    corrected = stats.chi2_contingency(table).statistic if shape == (2, 2) else None
    assert found.yates == (pytest.approx(corrected) if corrected else None)
    wider = np.zeros((shape[0] + 1, shape[1] + 1))  # a declared value that nobody has changes nothing
    wider[1:, :-1] = table
    assert independence(wider, 0.0) == found


def test_means_are_scipys():
    x, y, z = draws(40, 55, 31)
    known = stats.ttest_ind(x, y, equal_var=False)
    close(welch(powers(x, y), 0.0), known.statistic, known.pvalue, known.df)
    known = stats.ttest_rel(x, y[:40])
    close(paired(powers(x - y[:40])[0], 0.0), known.statistic, known.pvalue, 39)
    known = stats.f_oneway(x, y, z)
    found = anova(powers(x, np.zeros(0), y, z), 0.0)
    close(found, known.statistic, known.pvalue)
    assert found.df == (2, 123)


def test_ranks_are_scipys_where_each_number_has_a_bin():
    rng = np.random.default_rng(SEED)
    x, y, z = rng.integers(0, 12, 45), rng.integers(2, 14, 60), rng.integers(0, 14, 33)
    known = stats.mannwhitneyu(x, y, method="asymptotic")
    close(mannwhitney(bins(x, y, size=15), 0.0), known.statistic, known.pvalue)
    known = stats.ks_2samp(x, y, method="asymp")
    close(smirnov(bins(x, y, size=15)), known.statistic, known.pvalue)
    known = stats.kruskal(x, y, z)
    close(kruskal(bins(x, y, np.zeros(0, int), z, size=15)), known.statistic, known.pvalue, 2)
    known = stats.spearmanr(x, y[:45])
    table = np.zeros((15, 15))
    np.add.at(table, (x, y[:45]), 1)
    close(spearman(table), known.statistic, known.pvalue, 43)


def test_correlations_are_scipys():
    rows = np.column_stack(draws(50, 50, 50))
    rows[:, 2] = np.clip(rows[:, 0] * 0.7 + rows[:, 2] * 0.2, -1, 1)
    matrix, p = correlations(gram.square(triangle(rows)), 0.0)
    for i in range(3):
        for j in range(3):
            known = stats.pearsonr(rows[:, i], rows[:, j])
            assert matrix[i, j] == pytest.approx(known.statistic, rel=1e-12)
            assert p[i, j] == pytest.approx(known.pvalue, rel=1e-9, abs=1e-300)


def test_where_rows_say_nothing_no_test_does():
    one, none = np.array([0.5]), np.zeros(0)
    alike = np.array([0.25, 0.25, 0.25])
    few = np.array([3, 4])
    assert welch(powers(one, alike), 0.0) == UNKNOWN
    assert welch(powers(none, alike), 0.0) == UNKNOWN
    assert welch(powers(alike, alike), 0.0) == UNKNOWN
    assert paired(powers(alike)[0], 0.0) == UNKNOWN
    assert anova(powers(alike, none), 0.0) == UNKNOWN
    assert anova(powers(alike, alike), 0.0) == UNKNOWN
    assert independence(np.array([[3.0, 0], [5, 0]]), 0.0) == UNKNOWN
    assert mannwhitney(bins(few, few[:0], size=5), 0.0) == UNKNOWN
    assert mannwhitney(bins(few[:1], few[:1], size=5), 0.0) == UNKNOWN
    assert smirnov(bins(few, few[:0], size=5)) == UNKNOWN
    assert kruskal(bins(few, few[:0], size=5)) == UNKNOWN
    assert kruskal(bins(few[:1], few[:1], size=5)) == UNKNOWN
    assert spearman(np.diag([4.0, 0, 0])) == UNKNOWN
    matrix, p = correlations(gram.square(triangle(np.array([[0.5, 0.1], [0.5, 0.2], [0.5, 0.4]]))), 0.0)
    assert np.isnan(matrix[0]).all()
    assert np.isnan(p[0]).all()
    assert matrix[1, 1] == 1


def _chi2(shape):
    def make(rng, n, std):
        down, across = (rng.dirichlet(np.full(size, 8.0)) for size in shape)

        def once(said):
            table = rng.multinomial(n, np.outer(down, across).ravel()).reshape(shape) + rng.normal(0, std, shape)
            return independence(table, said).p

        return once

    return make


def _means(test, spreads):
    def make(rng, n, std):
        def once(said):
            groups = [np.clip(rng.normal(0.0, spread, n // len(spreads)), -1, 1) for spread in spreads]
            return test(powers(*groups) + rng.normal(0, std, (len(spreads), 3)), said).p

        return once

    return make


def _ranked(test, parts):
    def make(rng, n, std):
        ends = np.cumsum([round(part * n) for part in parts])[:-1]

        def once(said):
            x = np.minimum((rng.beta(2, 3, n) * 20).astype(int), 19)
            return test(bins(*np.split(x, ends), size=20) + rng.normal(0, std, (len(parts), 20)), said).p

        return once

    return make


def _spearman(rng, n, std):
    def once(said):
        table = np.zeros((12, 12))
        np.add.at(table, ((rng.beta(2, 3, n) * 12).astype(int), (rng.beta(1, 2, n) * 12).astype(int)), 1)
        return spearman(table + rng.normal(0, std, (12, 12)), said).p

    return once


def _correlation(rng, n, std):
    def once(said):
        rows = np.column_stack([np.ones(n), np.clip(rng.normal(0.2, 0.3, (n, 3)), -1, 1)])
        sums = (rows.T @ rows)[np.triu_indices(4)]
        return correlations(gram.square(sums + rng.normal(0, std, len(sums))), said)[1][0, 1]

    return once


COUNTS, POWERS, GRAM = 3.731, EPSILON_1 * 3**0.5, EPSILON_1 * 10**0.5
NULL = {
    "chi2, 2x2": (_chi2((2, 2)), 3 * COUNTS),
    "chi2, 3x4": (_chi2((3, 4)), COUNTS),
    "chi2, 6x8": (_chi2((6, 8)), COUNTS),
    "welch": (_means(welch, (0.3, 0.45)), POWERS),
    "paired": (_means(lambda one, std: paired(one[0], std), (0.3,)), POWERS),
    "anova": (_means(anova, (0.3, 0.3, 0.3)), POWERS),
    "mannwhitney": (_ranked(mannwhitney, (1 / 3, 2 / 3)), COUNTS),
    "kruskal": (_ranked(kruskal, (0.4, 0.3, 0.3)), COUNTS),
    "ks": (_ranked(smirnov, (1 / 3, 2 / 3)), COUNTS),
    "spearman": (_spearman, COUNTS),
    "correlation": (_correlation, GRAM),
}
"""Rows of which nothing is true that a test looks for, and the noise in each number that they add: at epsilon 1, of the
smallest table at a third of it."""
FEW = {"chi2, 6x8": 2000}
"""Of how many rows the noise shows, and drowns no group: 700, but for this."""


def called(name, n, runs, told=True):
    """The share of such runs in which a test calls it true at .05, of those in which it says anything, and the share of
    these. told: it knows of the noise."""
    make, std = NULL[name]
    once = make(np.random.default_rng(SEED), n, std)
    found = np.array([once(std if told else 0.0) for _ in range(runs)], dtype=np.float64)
    said = ~np.isnan(found)
    return float((found[said] < 0.05).sum() / max(1, said.sum())), float(said.mean())


@pytest.mark.parametrize("name", sorted(set(NULL) - {"ks"}))  # which takes as long as all others, and is a slow test
def test_with_noise_a_test_is_wrong_as_often_as_it_says(name):
    n = FEW.get(name, 700)
    wrong, said = called(name, n, 400)
    assert said > 0.9
    assert 0.02 <= wrong <= 0.085  # .05, and three standard deviations of 400 runs to either side
    naive, _ = called(name, n, 200, told=False)
    assert naive > 0.1, "this noise is too small to show what is tested"


@pytest.mark.slow
@pytest.mark.parametrize("n", [500, 1000, 5000, 20_000])
@pytest.mark.parametrize("name", NULL)
def test_with_noise_a_test_is_wrong_as_often_as_it_says_whatever_the_rows(name, n):
    wrong, said = called(name, n, 4000)
    assert wrong * said <= 0.065
    if said > 0.9:  # else those few are left whose noise made their groups look larger
        assert 0.035 <= wrong <= 0.065


@pytest.mark.parametrize("name", NULL)
def test_where_noise_drowns_the_groups_nothing_is_said(name):
    assert called(name, 20, 20) == (0.0, 0.0)


def test_with_noise_a_test_still_sees_what_is_there():
    """Risks of .1 apart, 500 rows, epsilon 1: more than half of the tables show it (without noise 65 of 100)."""
    rng = np.random.default_rng(SEED)
    tables = [
        np.array([[k := rng.binomial(250, risk), 250 - k] for risk in (0.4, 0.5)]) + rng.normal(0, COUNTS, (2, 2))
        for _ in range(300)
    ]
    assert 0.45 <= np.mean([independence(table, COUNTS).p < 0.05 for table in tables]) <= 0.65


def test_noise_that_leaves_a_negative_variance_says_nothing():
    below_zero = np.array([[100.0, 0, -30], [100, 0, 0.5]])
    assert welch(below_zero, 0.5) == UNKNOWN
    assert paired(below_zero[0], 0.5) == UNKNOWN
    assert anova(below_zero, 0.5) == UNKNOWN


@pytest.mark.slow
def test_what_is_drawn_follows_from_the_counts():
    """And with many bins and little noise p is nearly scipy's of the numbers."""
    rng = np.random.default_rng(SEED)
    x, y = rng.random(4000), rng.random(4000) ** 1.05
    counts = bins((x * 2000).astype(int), (y * 2000).astype(int), size=2000)
    found = smirnov(counts, 0.02)
    assert found == smirnov(counts.copy(), 0.02)
    assert found.p == pytest.approx(stats.ks_2samp(x, y).pvalue, rel=0.2)
    assert 0.005 < found.p < 0.2
