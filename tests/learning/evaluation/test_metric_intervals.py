"""Intervals of noised metrics cover the value on the same rows in 92 to 98 of 100 runs; drawn from a fixed seed."""

import math
from statistics import NormalDist

import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn.metrics import roc_auc_score

from potluck.learning.evaluation import two_sided
from potluck.learning.evaluation.intervals import Noised
from potluck.learning.evaluation.metric_intervals import area, explained, mean, ratio, share
from potluck.learning.evaluation.ranking import Z, auc_of, curve

FEW, MANY = 500, 2000
"""Runs: of the fast cases, and of the slow ones, which have the fast ones' rows as well."""
SIGMA = {0.5: 7.03, 1.0: 3.73, 3.0: 1.39}
"""By epsilon: the noise in each cell, delta 1e-5, one row moving one cell by one (docs/concepts/noise.md)."""
SUMS = {0.5: 15.5, 1.0: 8.09, 3.0: 2.99}
"""By epsilon: the noise in each of the four sums of a regression, whose rows have a norm of at most 2."""
BINS = 11
FAST = [(100, 0.5, 3.0, 1), (300, 0.1, 1.0, 4)]
EVERY = [(n, p, e, s) for n in (100, 300, 2000) for p in (0.1, 0.5) for e in SIGMA for s in (1, 4)]
CASES = [*((*one, FEW) for one in FAST), *(pytest.param(*one, MANY, marks=pytest.mark.slow) for one in EVERY)]


def scores(rng, rows, positives, apart=1.466):
    """(label, score) of rows: two normals so far apart that the area is .85."""
    label = rng.random(rows) < positives
    return label, rng.normal(size=rows) + apart * label


def histograms(label, score):
    """Summed by class and bin, as `evaluation.evaluate` does: edges by quantiles of a wide normal, from no row."""
    inner = [0.733 + 1.2 * NormalDist().inv_cdf(i / BINS) for i in range(1, BINS)]
    place = np.searchsorted(inner, score, side="right")
    return tuple(np.bincount(place[label == side], minlength=BINS).astype(float) for side in (False, True))


def hits(negative, positive, std):
    """Right and wrong rows at the middle, with the noise in each."""
    right, wrong = negative[:6].sum() + positive[6:].sum(), negative[6:].sum() + positive[:6].sum()
    return Noised(right, std * math.sqrt(BINS)), Noised(wrong, std * math.sqrt(BINS))


def covered(ends, truths):
    """The share of intervals that hold the truth, and their median width."""
    low, high = np.array(ends).T
    assert not np.isnan(low).any()
    assert not np.isnan(high).any()
    return np.mean((low <= truths) & (truths <= high)), np.median(high - low)


def held(found, widest):
    """92 to 98 %; above it only where most intervals are the whole range, since the noise drowns the rows."""
    share_, width = found
    assert share_ >= 0.92
    assert share_ <= 0.98 or width == widest


@pytest.mark.parametrize(("rows", "positives", "epsilon", "sites", "runs"), CASES)
def test_intervals_of_area_and_accuracy_cover_the_value_on_these_rows(rows, positives, epsilon, sites, runs):
    rng = np.random.default_rng([rows, int(10 * positives), int(10 * epsilon), sites])
    std = SIGMA[epsilon] * math.sqrt(sites)
    areas, accuracies, truths = [], [], []
    for _ in range(runs):
        cells = histograms(*scores(rng, rows, positives))
        truths.append((auc_of(*cells), hits(*cells, 0.0)[0].value / rows))
        negative, positive = (side + np.round(rng.normal(0, std, BINS)) for side in cells)
        areas.append(area(negative, positive, std).noise)
        accuracies.append(share(*hits(negative, positive, std)).noise)
    exact = np.array(truths)
    held(covered(areas, exact[:, 0]), 1.0)
    held(covered(accuracies, exact[:, 1]), 1.0)


def test_control_intervals_that_ignore_the_noise_miss_the_value():
    """What two runs on the same rows showed: an area of .944 and one of .787, the truth being .85."""
    rng = np.random.default_rng(1)
    label, score = scores(rng, 280, 0.5)
    cells = histograms(label, score)
    truth, std = auc_of(*cells), SIGMA[1.0] * 2
    noised = [[side + rng.normal(0, std, BINS) for side in cells] for _ in range(300)]
    honest = [area(*one, std).noise for one in noised]
    reach = curve(score[~label], score[label])[1]  # DeLong's, as if the area had no noise in it
    half = (reach[1] - reach[0]) / 2
    naive = [(auc_of(*one) - half, auc_of(*one) + half) for one in noised if auc_of(*one) is not None]
    assert covered(honest, truth)[0] > 0.92
    assert covered(naive, truth)[0] < 0.7
    assert max(auc_of(*one) or 0 for one in noised) > 0.94


def noised(rows, epsilon, positives=0.5, apart=1.466, bins=BINS, runs=400):
    """Of the same rows with fresh noise: what is said, what a test leaves of the area, whether it holds the area by
    ranks, and that area."""
    rng, std = np.random.default_rng([rows, bins, int(10 * apart)]), SIGMA[epsilon]
    label, score = scores(rng, rows, positives, apart)
    inner = [apart / 2 + 1.2 * NormalDist().inv_cdf(i / bins) for i in range(1, bins)]
    place, truth = np.searchsorted(inner, score, side="right"), roc_auc_score(label, score)
    cells = np.stack([np.bincount(place[label == side], minlength=bins) for side in (False, True)])
    for _ in range(runs):
        drawn = cells + np.round(rng.normal(0, std, cells.shape))
        left = area(*drawn, std).noise
        yield two_sided.of_bins(drawn, bins // 2, std), left, left[0] <= truth <= left[1], truth


def test_where_noise_leaves_no_area_nothing_is_said_of_it():
    """A run said ".89 to 1" of an area of .87. The control: what is left in such cases holds it seldom."""
    every = list(noised(75, 1.0))
    none = [(said, held) for said, left, held, _ in every if said.auc is None and left != (0.0, 1.0)]
    assert len(none) > 30
    assert np.mean([held for _, held in none]) < 0.9
    assert {(*said.within["auc"].noise, *said.within["auc"].population) for said, _ in none} == {(0.0, 1.0, 0.0, 1.0)}
    assert {said.beyond.get("auc") for said, _ in none} == {1.0}
    whole = [said for said, *_ in every if said.accuracy is None]
    assert whole
    assert all(said.within["accuracy"].noise == (0.0, 1.0) and "accuracy" in said.beyond for said in whole)


@pytest.mark.slow
@pytest.mark.parametrize("epsilon", SIGMA)
@pytest.mark.parametrize(("rows", "bins"), [(60, 10), (150, 20), (500, 40), (3000, 20)])
@pytest.mark.parametrize(("positives", "apart"), [(0.5, 0.358), (0.2, 1.466), (0.2, 2.326)])
def test_intervals_hold_the_area_by_ranks(epsilon, rows, bins, positives, apart):
    """Areas of about .6, .85 and .95."""
    every = noised(rows, epsilon, positives, apart, bins, 1500)
    ends = [(*said.within["auc"].noise, truth) for said, _, _, truth in every]
    assert np.mean([low <= truth <= high for low, high, truth in ends]) >= 0.935


def regression(rng, rows, r2):
    """(rows, errors, total, squares) of targets and guesses within [-1, 1]."""
    target = np.clip(rng.normal(0.1, 0.35, rows), -1, 1)
    guess = np.clip(0.1 + r2 * (target - 0.1) + rng.normal(0, 0.35 * math.sqrt(r2 * (1 - r2)), rows), -1, 1)
    return np.array([rows, ((guess - target) ** 2).sum(), target.sum(), (target**2).sum()])


def exact_r2(sums):
    rows, errors, total, squares = sums
    return 1 - errors / (squares - total**2 / rows)


R2_EVERY = [(n, r, e) for n in (100, 300, 2000) for r in (0.3, 0.8) for e in SUMS]


@pytest.mark.parametrize(
    ("rows", "r2", "epsilon", "runs"),
    [(300, 0.8, 1.0, FEW), *(pytest.param(*one, MANY, marks=pytest.mark.slow) for one in R2_EVERY)],
)
def test_intervals_of_r2_and_rmse_cover_the_value_on_these_rows(rows, r2, epsilon, runs):
    rng = np.random.default_rng([rows, int(10 * r2), int(10 * epsilon)])
    std = SUMS[epsilon] * np.array([1, 4, 1, 1])
    found, squared, truths = [], [], []
    for _ in range(runs):
        sums = regression(rng, rows, r2)
        truths.append((exact_r2(sums), sums[1] / rows))
        count, errors, total, squares = (Noised(v, s) for v, s in zip(sums + rng.normal(0, std), std, strict=True))
        found.append(explained(count, errors, total, squares).noise)
        squared.append(ratio(errors, count, 4.0).noise)
    exact = np.array(truths)
    held(covered(found, exact[:, 0]), math.inf)
    held(covered(squared, exact[:, 1]), 4.0)


@pytest.mark.parametrize(("rows", "std"), [(150, 0.0), (600, 3.73)])
def test_intervals_of_a_population_cover_its_value(rows, std):
    """Area .85 and accuracy .768 of two normals; r2 of the guesses' own model."""
    rng = np.random.default_rng(rows)
    areas, accuracies, found = [], [], []
    for _ in range(400):
        cells = [side + rng.normal(0, std, BINS) for side in histograms(*scores(rng, rows, 0.5))]
        areas.append(area(*cells, std).population)
        accuracies.append(share(*hits(*cells, std)).population)
        noise = std * 2.17 * np.array([1, 4, 1, 1])
        sums = regression(rng, rows, 0.6) + rng.normal(0, 1, 4) * noise
        found.append(explained(*(Noised(v, s) for v, s in zip(sums, noise, strict=True))).population)
    whole = np.random.default_rng(0)
    cells = histograms(*scores(whole, 1_000_000, 0.5))
    assert 0.92 <= covered(areas, auc_of(*cells))[0] <= 0.98
    assert 0.92 <= covered(accuracies, hits(*cells, 0.0)[0].value / 1_000_000)[0] <= 0.98
    assert covered(found, exact_r2(regression(whole, 1_000_000, 0.6)))[0] >= 0.92


def test_a_share_without_noise_has_wilsons_interval_of_its_population():
    known = binomtest(81, 100).proportion_ci(method="wilson")
    found = share(Noised(81.0, 0.0), Noised(19.0, 0.0))
    assert found.noise is None
    assert found.population == pytest.approx((known.low, known.high), abs=1e-5)


def test_ends_of_an_interval_are_where_the_noise_explains_the_sums():
    negative, positive, std = np.array([50.0, 30, 10]), np.array([12.0, 25, 60]), 2.0
    low, high = area(negative, positive, std).noise
    above = np.triu(np.ones((3, 3)), 1) + np.eye(3) / 2
    for end in (low, high):
        pairs = above - end
        value = negative @ pairs @ positive
        moved = (pairs @ positive) @ (pairs @ positive) + (negative @ pairs) @ (negative @ pairs)
        variance = std**2 * moved - std**4 * (pairs**2).sum()
        assert abs(value) == pytest.approx(Z * math.sqrt(variance), rel=1e-3)
    assert low < auc_of(negative, positive) < high


def test_where_the_noise_drowns_the_rows_the_interval_is_the_whole_range():
    nothing = np.zeros(BINS)
    assert area(nothing, nothing, 7.0).noise == (0, 1)
    assert area(nothing, nothing, 7.0).population == (0, 1)
    assert share(Noised(-3.0, 9.0), Noised(2.0, 9.0)).noise == (0, 1)
    zero = Noised(0.0, 5.0)
    assert explained(zero, zero, zero, zero).noise == (-math.inf, 1)
    assert ratio(zero, zero, 4.0).noise == (0, 4)


@pytest.mark.parametrize("rows", [1e3, 1e6, 1e9])
def test_an_interval_narrows_as_rows_do_outnumber_the_noise(rows):
    low, high = share(Noised(0.7 * rows, 10.0), Noised(0.3 * rows, 10.0)).noise
    assert high - low == pytest.approx(2 * Z * 10 * math.hypot(0.3, 0.7) / rows, rel=1e-2)


def test_intervals_of_a_mean_over_labels_cover_it_though_the_rows_are_the_same():
    """Three labels of the same rows, which go together: the noise in each label's cells is its own, and that of a row
    of three labels has sqrt(3) times the deviation."""
    rng, std, ends, wide, exact = np.random.default_rng(8), 1.39 * math.sqrt(3), [], [], []
    apart, runs = 1.466, 300
    for _ in range(runs):
        common = rng.normal(size=400)
        counts, ranked = [], []
        for positives in (0.5, 0.3, 0.5):
            label = rng.random(400) < positives
            score = 0.8 * common + 0.6 * rng.normal(size=400) + apart * label
            counts.append(histograms(label, score))
            ranked.append(auc_of(*counts[-1]))
        noised = [[one + rng.normal(0, std, BINS) for one in pair] for pair in counts]
        found = mean([auc_of(*pair) for pair in noised], [area(*pair, std) for pair in noised])
        ends.append(found.noise)
        wide.append(found.population)
        exact.append(np.mean(ranked))
    held(covered(ends, np.array(exact)), 1.0)
    assert covered(wide, np.full(runs, np.mean(exact)))[0] >= 0.95  # the ends' mean: rather too wide
    single = [area(*pair, std).noise for pair in noised]
    assert covered(ends, np.array(exact))[1] < np.median([high - low for low, high in single])
