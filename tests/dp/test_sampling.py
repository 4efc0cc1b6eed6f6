"""Units that are drawn in secret: the sampler draws what is charged, and what is charged bounds what a sum tells."""

import math
from dataclasses import replace
from fractions import Fraction

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from potluck.core.errors import PlanError
from potluck.core.fixed import signed
from potluck.core.stages import Encoded, Update
from potluck.dp.account import calibrate, calibrate_sampled
from potluck.dp.calibration import shares
from potluck.dp.events import Gauss, SampledGauss
from potluck.dp.loss import LOOSE, epsilon
from potluck.dp.mechanism import Noised, guarded, mechanism
from potluck.dp.renyi import lost
from potluck.dp.sampling import WIDTH, Drawn, drawn, rate
from potluck.secret.random import system
from potluck.testing.draws import seeded
from support.dp.examples import gradient, plan

SURE = 5.5
"""Standard errors: of other seeds a correct program is beyond them less than once in 1e6 times. Draws are seeded."""
BUDGETS = np.linspace(0, 4, 41)


def chanced(batch, of, size=10_000):
    """A sum of units that are drawn with the chance batch / of."""
    return replace(gradient(size=size), chance=(batch, of))


def continuous(sigma: float, moved: float, q: float, budget: float) -> float:
    """delta of the sampled Gaussian mechanism, the worse of both directions: where the likelihood ratio, which rises
    along the line, passes e^budget (Abadi et al. 2016, section 3)."""

    def tails(x: float, above: bool) -> tuple[float, float]:
        tail = stats.norm.sf if above else stats.norm.cdf
        without = float(tail(x, scale=sigma))
        return (1 - q) * without + q * float(tail(x, loc=moved, scale=sigma)), without

    def place(ratio: float) -> float:
        return sigma**2 / moved * math.log((ratio - (1 - q)) / q) + moved / 2

    with_it, without = tails(place(math.exp(budget)), above=True)
    found = with_it - math.exp(budget) * without
    if math.exp(-budget) > 1 - q:
        with_it, without = tails(place(math.exp(-budget)), above=False)
        found = max(found, without - math.exp(budget) * with_it)
    return found


def whole(sigma: float, unit: tuple[int, ...], q: float, budget: float) -> float:
    """The same of whole numbers, by the definition: summed over all vectors of one or two coordinates."""
    reach = math.ceil(12 * sigma) + max(map(abs, unit))
    axis = np.arange(-reach, reach + 1)

    def law(center: int) -> np.ndarray:
        weight = np.exp(-((axis - center) ** 2) / (2 * sigma**2))
        return weight / weight.sum()

    def laws(of: tuple[int, ...]) -> np.ndarray:
        return law(of[0]) if len(of) == 1 else np.outer(law(of[0]), law(of[1]))

    without = laws((0,) * len(unit))
    with_it = (1 - q) * without + q * laws(unit)
    return max(
        float(np.maximum(0, with_it - math.exp(budget) * without).sum()),
        float(np.maximum(0, without - math.exp(budget) * with_it).sum()),
    )


CASES = [
    (4.0, (1,), 0.3),
    (4.0, (7,), 0.05),
    (5.0, (3, 4), 0.1),
    (4.0, (-4, 3), 0.5),
    (9.0, (20,), 0.01),
]


@pytest.mark.parametrize(("sigma", "unit", "q"), CASES)
def test_whole_noise_is_no_worse_than_the_continuous_noise_it_is_charged_as(sigma, unit, q):
    less = math.sqrt(sigma**2 - WIDTH**2)
    for budget in BUDGETS:
        assert whole(sigma, unit, q, budget) <= continuous(less, math.hypot(*unit), q, budget) + 1e-13


@pytest.mark.parametrize(("sigma", "unit", "q"), CASES)
def test_control_at_half_the_chance_or_two_thirds_more_noise_it_would_be_worse(sigma, unit, q):
    moved = math.hypot(*unit)
    for wrong in ((sigma, moved, q / 2), (5 / 3 * sigma, moved, q)):
        assert any(whole(sigma, unit, q, budget) > continuous(*wrong, budget) + 1e-6 for budget in BUDGETS)


@pytest.mark.parametrize(
    ("sigma", "q", "times", "delta", "known"),
    [(1.1, 256 / 60000, 14040, 1e-5, 2.5948), (1.0, 0.01, 1000, 1e-5, 2.1078), (2.0, 0.05, 200, 1e-5, 1.7229)],
)
def test_whole_orders_give_what_dp_accounting_gives_at_them(sigma, q, times, delta, known):
    assert lost(SampledGauss(sigma, q, times), delta) == pytest.approx(known, abs=1e-3)


@pytest.mark.parametrize(
    ("batch", "times", "distribution", "renyi"),
    [(2048, 586, 1.4948, 1.5946), pytest.param(512, 2344, 0.9353, 0.9844, marks=pytest.mark.slow)],
)
def test_the_least_noise_for_an_epsilon_is_the_known_one(batch, times, distribution, renyi):
    """Of 60,000 rows at (2.7, 1e-5); never less than known, and never a part in 1,000 more."""
    found = calibrate_sampled(2.7, 1e-5, times, batch / 60000)
    assert distribution - 1e-4 <= found <= 1.001 * distribution < renyi
    assert epsilon([SampledGauss(found, batch / 60000, times)], 1e-5) <= 2.7


@pytest.mark.slow
def test_a_unit_that_is_drawn_as_rarely_as_delta_allows_is_not_published():
    """By the definition no noise at all would do, and the search for the least would never end."""
    assert epsilon([SampledGauss(0.3, 0.01, 1)], 0.01) == 0
    assert epsilon([Gauss(calibrate_sampled(1.0, 0.01, 1, 0.01))], 0.01) <= LOOSE


def test_deltas_below_what_floats_tell_of_tails_are_refused_by_name():
    for delta in (1e-15, 1e-25):
        with pytest.raises(PlanError, match="what drawn rows cost is known from a delta of 1e-14 on"):
            mechanism(plan("site", word="clear", delta=delta), chanced(50, 500))


OPACUS = [(1.0, 0.01, 10000, 1e-5, 6.198), (0.8, 0.01, 1000, 1e-5, 3.151), (2.0, 0.05, 200, 1e-5, 1.5707)]
"""Opacus 1.6, PRV accountant, whose error bound is .01."""


@pytest.mark.parametrize(("sigma", "q", "times", "delta", "opacus"), OPACUS)
def test_the_same_sums_cost_what_opacus_says(sigma, q, times, delta, opacus):
    assert epsilon([SampledGauss(sigma, q, times)], delta) == pytest.approx(opacus, abs=0.011)


def made(noise="shared", batch=50, of=500, size=10, epsilon=1.0, **more) -> Noised:
    found = mechanism(plan(noise, epsilon=epsilon, **more), chanced(batch, of, size))
    assert isinstance(found, Noised)
    return found


@pytest.mark.parametrize(("noise", "word", "more"), [("shared", "mask", {}), ("site", "clear", {"sites": 2})])
def test_what_is_charged_is_what_is_drawn_at_the_noise_that_is_sure(noise, word, more):
    spec = plan(noise, word=word, rounds=7, redo=2, **more)
    privacy = mechanism(spec, chanced(50, 500))
    event, sure = privacy.cost.event, shares(spec)
    assert isinstance(event, SampledGauss)
    assert (event.rate, privacy.sampling.batch, privacy.sampling.of) == (rate(50, 500), 50, 500)
    assert privacy.cost.releases == 9
    assert epsilon([msgspec.structs.replace(event, count=9)], spec.privacy.delta) <= 1.0
    moved = privacy.limit.l2[0] / privacy.grid.parts[0].step
    least = (event.sigma * moved) ** 2 + WIDTH**2
    assert least * (1 - 1e-12) <= sure * privacy.share[0] ** 2 <= least * (1 + 1e-9)
    # The same without drawing needs several times the noise.
    assert calibrate(1.0, spec.privacy.delta, 9) > 2 * event.sigma


def test_what_drawn_rows_cost_is_only_known_where_the_grid_of_losses_says_it():
    for budget, hint in ((0.001, "raise epsilon"), (50.0, r"leave out training\.batch")):
        with pytest.raises(PlanError, match=rf"known between epsilon 0\.01 and 20\. hint: {hint}"):
            made(epsilon=budget)
    with pytest.raises(ValueError, match="between 0 and 1"):
        drawn(chanced(500, 500), 1.0, 1e-5, 1, 1)
    with pytest.raises(ValueError, match="from a delta of 1e-14 on"):
        drawn(chanced(50, 500), 1.0, 1e-29, 20, 1)  # 2^-100 a sum that surplus is left out


@given(st.integers(1, 2**53), st.integers(1, 2**53))
def test_units_are_drawn_with_at_most_the_chance_that_is_charged(batch, more):
    """A coin of all ones is never below; the largest that is below, plus one, is at most the chance times 2^64."""
    of = batch + more
    below = (batch << 64) // of
    coins = {"under": max(0, below - 1), "at": below}
    for name, value in coins.items():
        some = Drawn(batch, of, 1.0, 0.0).taken(Update(np.ones((1, 1))), lambda size, v=value: v.to_bytes(8, "little"))
        assert bool(some.values[0, 0]) == (name == "under" and below > 0)
    assert Fraction(below, 2**64) <= Fraction(batch, of) <= Fraction(rate(batch, of))
    assert Fraction(rate(batch, of)) < Fraction(batch, of) * (1 + Fraction(1, 2**50))


def inclusions(times: int, units: int, by: Drawn, seed: str) -> np.ndarray:
    """[times, units]: who was in which sum."""
    ones, draw = Update(np.ones((units, 1))), seeded("inclusions", seed)
    return np.array([by.taken(ones, draw).values[:, 0] for _ in range(times)]).astype(bool)


def poisson(seen: np.ndarray, q: float) -> list[float]:
    """How far from Poisson sampling, in standard errors: units' totals, sums' totals, and pairs of sums."""
    times, units = seen.shape
    found = []
    for totals, tries in ((seen.sum(axis=0), times), (seen.sum(axis=1), units)):
        chi = float(((totals - tries * q) ** 2).sum() / (tries * q * (1 - q)))
        found.append((chi - len(totals)) / math.sqrt(2 * len(totals)))
    off = seen - q
    for apart in (1, 2):  # the next sum is drawn whatever this one drew
        product = float((off[:-apart] * off[apart:]).sum())
        found.append(product / (q * (1 - q) * math.sqrt((times - apart) * units)))
    return found


def test_each_unit_is_in_each_sum_by_a_coin_of_its_own():
    q = 0.1
    seen = inclusions(2000, 1000, Drawn(50, 500, 1.0, 0.0), "one")
    assert np.abs(poisson(seen, q)).max() < SURE
    other = inclusions(2000, 1000, Drawn(50, 500, 1.0, 0.0), "other")  # another site's
    assert abs(float(((seen - q) * (other - q)).sum())) / (q * (1 - q) * math.sqrt(seen.size)) < SURE


def test_control_shuffled_batches_fixed_sizes_wrong_chances_and_coins_used_twice_are_told_from_it():
    q, draw = 0.1, np.random.default_rng(0)
    shuffled = np.zeros((2000, 1000), bool)
    for epoch in range(200):  # batches of one order of all units: each unit once in ten sums
        order = draw.permutation(1000)
        for part in range(10):
            shuffled[10 * epoch + part, order[100 * part : 100 * part + 100]] = True
    fixed = np.array([draw.permutation(1000) < 100 for _ in range(2000)])
    wrong = inclusions(2000, 1000, Drawn(55, 500, 1.0, 0.0), "wrong")
    twice = np.repeat(inclusions(1000, 1000, Drawn(50, 500, 1.0, 0.0), "twice"), 2, axis=0)
    for seen in (shuffled, fixed, wrong, twice):
        assert np.abs(poisson(seen, q)).max() > 2 * SURE


@pytest.mark.parametrize("given_", [[], [Update(np.zeros((300, 5000)))]], ids=["no rows", "none that add"])
def test_a_site_that_drew_nothing_adds_all_of_its_noise_each_time_anew(given_):
    privacy, draw = made("site", word="clear", size=5000), seeded("no units", len(given_))
    first, second = (signed(guarded(privacy, given_, draw).words) / privacy.share[0] for _ in range(2))
    error = math.sqrt(2 / 5000)
    for noise, variance in ((first, 1), (second, 1), (first - second, 2)):  # reused noise has 0, half of it 1/4
        assert abs(float(np.square(noise).mean()) / variance - 1) < SURE * error
    assert guarded(privacy, given_, system).charge == guarded(privacy, given_, system).charge != b""


def test_only_drawn_units_are_in_the_sum_and_coins_come_before_noise():
    privacy = made("site", word="clear", size=3)
    values = np.eye(3)[np.arange(3000) % 3] * 0.9
    one, other = (guarded(privacy, [Update(values)], seeded("s", n)).words for n in (1, 2))
    draw = seeded("s", 1)
    took = privacy.sampling.taken(Update(values), draw)
    kept = took.values.any(axis=1)
    assert 150 < kept.sum() < 450
    assert (took.values[kept] == values[kept]).all()
    summed = guarded(_silent(privacy), [took], seeded("x")).words
    again = privacy.at_site(Encoded(summed, privacy.grid, privacy.limit), draw)
    assert (again.words == one).all()
    assert (one != other).all()


def _silent(privacy: Noised) -> Noised:
    """All units, and no noise here."""
    return replace(privacy, sampling=None, word="reveal")


def test_units_that_were_added_up_already_cannot_be_drawn():
    class Together:
        def encode(self, grid, limit):
            return Encoded(np.zeros(grid.length, "<u4"), grid, limit)

    with pytest.raises(ValueError, match="before any could be drawn"):
        guarded(made(size=3), [Together()], system)
