"""Bound and noise: what a unit can add, what a site adds, and what is inside when a sum is opened."""

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import optimize

from potluck.core.asks import Ask, Block, Kind
from potluck.core.errors import PlanError
from potluck.core.fixed import decode, encode, fits, signed
from potluck.core.rounds import Abort, Cause
from potluck.core.stages import Encoded, Opened, Update
from potluck.core.wire import load
from potluck.dp import mechanism as module
from potluck.dp.account import Cost, spent
from potluck.dp.events import DiscreteGauss, zcdp
from potluck.dp.mechanism import Exact, Noised, guarded, mechanism
from potluck.dp.noise import runs
from potluck.dp.reveal import reveal
from potluck.learning.training.newton import COARSEST
from potluck.secret.random import system
from potluck.testing.draws import seeded
from support.dp.by_definition import discrete, gauss_delta, hockey_stick
from support.dp.examples import gradient, histogram, mixture, plan


def nothing(noised: Noised) -> Encoded:
    """What a site without rows adds before noise."""
    return encode(noised.clip(Update(np.zeros((0, noised.grid.length)))))


def released(noised: Noised, a_plan, givers: int, draw) -> tuple[np.ndarray, np.ndarray]:
    """(values, std) of an opened sum of zeros over the first `givers` sites, each with its own noise."""
    words = sum((noised.at_site(nothing(noised), draw).words for _ in range(givers)), nothing(noised).words)
    settled = noised.at_reveal(Opened(words, frozenset(a_plan.sites[:givers])), draw)
    release = reveal(settled, noised.grid)
    return release.values, release.std


def wrong(noised: Noised, a_plan, ask, givers: int, draw=None) -> str:
    """What is wrong with the noise of a sum of one block: "" if nothing is.

    Measured, not read off: the standard deviation over all coordinates, within 3 % of what is claimed; and what is
    left of it in the worst case the plan allows for, against the least noise that any Gaussian may have.
    """
    values, std = released(noised, a_plan, givers, draw or seeded("noise", givers, repr(a_plan)))
    if abs(values.std() / std[0] - 1) > 0.03:
        return f"measured {values.std():.4f}, claimed {std[0]:.4f}"
    sites, fed = givers, a_plan.federation
    per_share = values.std() / math.sqrt(sites) if a_plan.privacy.noise != "reveal" else values.std()
    unknown = 1
    if a_plan.privacy.noise == "shared":
        unknown = len(fed.sites) - fed.dropouts - max(fed.corrupt, 1)
    left = per_share * math.sqrt(unknown)
    epsilon, delta, count = a_plan.privacy.epsilon, a_plan.privacy.delta, a_plan.training.rounds + a_plan.privacy.redo
    least = optimize.brentq(lambda z: gauss_delta(z, epsilon) - delta, 0.01, 1e4) * math.sqrt(count)
    least *= ask.blocks[0].l2
    return "" if left >= least else f"{left:.4f} is left where {least:.4f} is needed"


CASES = [
    ("shared", 6, 1, 1, 6),
    ("shared", 6, 1, 1, 5),
    ("shared", 6, 0, 2, 4),
    ("shared", 9, 3, 2, 7),
    ("site", 6, 1, 1, 6),
    ("site", 6, 1, 1, 5),
    ("reveal", 6, 1, 1, 6),
    ("reveal", 6, 1, 1, 5),
]


@pytest.mark.parametrize(("word", "sites", "corrupt", "dropouts", "givers"), CASES)
def test_the_noise_is_what_is_claimed_and_enough_in_the_worst_case(word, sites, corrupt, dropouts, givers):
    a_plan = plan(word, sites=sites, corrupt=corrupt, dropouts=dropouts)
    ask = gradient()
    assert wrong(mechanism(a_plan, ask), a_plan, ask, givers) == ""


@pytest.mark.parametrize("word", ["shared", "site", "reveal"])
def test_the_check_finds_halved_noise(word, monkeypatch):
    a_plan, ask = plan(word), gradient()
    right = mechanism(a_plan, ask)
    halved = dataclasses.replace(right, share=tuple(one / 2 for one in right.share))
    assert "is left" in wrong(halved, a_plan, ask, 6)
    monkeypatch.setattr(module, "runs", lambda sigma, size, draw: runs(sigma / 2, size, draw))
    assert "claimed" in wrong(right, a_plan, ask, 6)


def test_the_check_finds_noise_split_by_all_sites_instead_of_the_sure_ones():
    a_plan, ask = plan("shared"), gradient()
    right = mechanism(a_plan, ask)
    by_all = dataclasses.replace(right, share=tuple(one / math.sqrt(6) for one in right.sigma))
    assert "is left" in wrong(by_all, a_plan, ask, 6)
    by_survivors = dataclasses.replace(right, share=tuple(one / math.sqrt(5) for one in right.sigma))
    assert "is left" in wrong(by_survivors, a_plan, ask, 5)  # a peer knows its own share


@pytest.mark.parametrize(
    ("budget", "delta", "word", "tight", "loose"),
    [
        (1.0, 1e-6, "reveal", 4.225, 4.531),
        (1.0, 1e-6, "shared", 5.174, 5.549),
        (1.0, 1e-6, "site", 10.35, 11.10),
        (4.0, 1e-5, "reveal", 1.081, 1.158),
        (4.0, 1e-5, "shared", 1.324, 1.418),
        (4.0, 1e-5, "site", 2.648, 2.836),
    ],
)
def test_released_sigma_of_a_histogram_over_six_sites(budget, delta, word, tight, loose):
    a_plan = plan(word, epsilon=budget, delta=delta, task="statistics")
    for ask, expected in ((histogram(), tight), (one_block_not_single(), loose)):
        _, std = released(mechanism(a_plan, ask), a_plan, 6, seeded("released"))
        assert std == pytest.approx(expected, rel=1e-3)


def one_block_not_single() -> Ask:
    return Ask(Kind.STATISTICS, 0, (dataclasses.replace(histogram().blocks[0], single=False),), b"")


@pytest.mark.parametrize(("budget", "sites"), [(1.0, 6), (4.0, 6), (8.0, 12)])
def test_a_shared_histogram_holds_by_definition_for_the_shares_nobody_knows(budget, sites):
    """Not through any accountant: the probabilities of the unknown shares' sum, convolved."""
    a_plan = plan("shared", sites=sites, epsilon=budget, task="statistics")
    noised = mechanism(a_plan, histogram())
    share, step = noised.share[0], noised.grid.parts[0].step
    unknown = discrete(share)
    for _ in range(sites - 1 - 1 - 1):
        unknown = np.convolve(unknown, discrete(share))
    assert hockey_stick(unknown, round(1 / step), budget) <= 1e-6
    assert hockey_stick(unknown, round(1 / step), budget * 0.98) > 1e-6


def test_two_runs_and_two_sites_share_no_noise():
    a_plan = plan()
    noised = mechanism(a_plan, gradient())
    drawn = [signed(noised.at_site(nothing(noised), system).words) for _ in range(3)]
    drawn += [signed(mechanism(a_plan, gradient()).at_site(nothing(noised), system).words)]
    for one in range(4):
        for other in range(one):
            assert (drawn[one] == drawn[other]).mean() < 1e-3
            assert abs(np.corrcoef(drawn[one], drawn[other])[0, 1]) < 0.06


def test_every_noised_sum_is_charged_at_the_guarantee_and_an_exact_one_is_not():
    for word in ("shared", "site", "reveal"):
        noised = mechanism(plan(word), gradient())
        cost = load(noised.at_site(nothing(noised), system).charge, Cost)
        assert (cost.word, cost.phase, cost.unit, cost.releases) == (word, Kind.TRAIN, "row", 20)
        assert 1 / math.sqrt(2 * zcdp(cost.event)) == pytest.approx(
            noised.sigma[0] * noised.grid.parts[0].step, rel=1e-9
        )
    exact = mechanism(plan("none"), gradient())
    assert exact.at_site(encode(exact.clip(Update(np.zeros((1, 10_000))))), system).charge == b""


def test_reveal_noise_is_added_once_and_not_at_the_site():
    noised = mechanism(plan("reveal"), gradient())
    assert not noised.at_site(nothing(noised), system).words.any()
    values, std = released(noised, plan("reveal"), 6, seeded("once"))
    assert values.std() == pytest.approx(std[0], rel=0.03)


@given(
    arrays.arrays(np.float64, (3, 5), elements=st.floats(width=64)),
    st.floats(1e-3, 1e3),
    st.sampled_from([1, 1000, 10**6]),
)
def test_no_unit_exceeds_the_clip_in_integers_whatever_it_holds(values, clip, units):
    noised = mechanism(plan(), gradient(5, units, clip))
    clipped = noised.clip(Update(values))
    whole = [signed(encode(dataclasses.replace(clipped, values=row[None, :])).words) for row in clipped.values]
    most = noised.limit.l2[0] / noised.grid.parts[0].step
    assert all(sum(int(v) ** 2 for v in row) <= most**2 for row in whole)
    assert noised.limit.l2[0] == pytest.approx(clip, rel=1e-12)


@given(arrays.arrays(np.float64, (4, 3), elements=st.floats(-0.57, 0.57)))
def test_a_unit_within_the_clip_is_not_changed(values):
    noised = mechanism(plan(), gradient(3))
    assert np.array_equal(noised.clip(Update(values)).values, values)


def test_a_unit_that_is_too_long_keeps_its_direction():
    noised = mechanism(plan(), gradient(2))
    assert noised.clip(Update(np.array([[30.0, 40.0]]))).values[0] == pytest.approx([0.6, 0.8], rel=1e-9)


def test_a_unit_that_is_not_finite_counts_as_zero_and_says_nothing():
    noised = mechanism(plan(), gradient(2))
    values = np.array([[float("nan"), 0.1], [0.2, 0.3], [float("inf"), 0.1], [1e308, 1e308]])
    bounded = noised.clip(Update(values)).values
    assert bounded[0].tolist() == bounded[2].tolist() == [0, 0]
    assert bounded[1].tolist() == [0.2, 0.3]
    assert np.linalg.norm(bounded[3]) <= 1
    assert np.isnan(values[0, 0])  # the caller's array is its own


@pytest.mark.parametrize("word", ["shared", "site", "reveal"])
def test_counts_lose_nothing_on_the_grid(word):
    noised = mechanism(plan(word, task="statistics"), histogram())
    cells = np.eye(10)[np.arange(500) % 10]
    assert decode(encode(noised.clip(Update(cells))).words, noised.grid).tolist() == [50.0] * 10


def test_where_one_unit_is_priced_as_one_cell_it_is_one_cell():
    noised = mechanism(plan("site", task="statistics"), histogram(size=3))
    assert isinstance(noised.cost.event, DiscreteGauss)
    bounded = noised.clip(Update(np.array([[0.0, 1, 0], [0.25, -0.5, 0.25], [0, 0, 0]])))
    assert bounded.values.tolist() == [[0, 1, 0], [0, -0.5, 0], [0, 0, 0]]


def test_a_person_with_several_rows_in_a_cell_is_not_cut_short():
    block = Block("cells", 4, 3.0, 3.0, 1000, parts=1)
    noised = mechanism(plan("site", unit="person", task="statistics"), Ask(Kind.STATISTICS, 0, (block,), b""))
    rows = np.array([[3.0, 0, 0, 0], [1, 1, 1, 0], [0, 0, 2, 2]])
    assert decode(encode(noised.clip(Update(rows))).words, noised.grid).tolist() == [4, 1, 3, 2]
    whole = dataclasses.replace(block, l2=math.sqrt(3))
    noised = mechanism(plan("site", task="statistics"), Ask(Kind.STATISTICS, 0, (whole,), b""))
    assert decode(encode(noised.clip(Update(rows[1:2]))).words, noised.grid).tolist() == [1, 1, 1, 0]


def test_blocks_of_one_vector_have_noise_in_proportion_to_their_sensitivity():
    a_plan = plan("reveal", task="statistics")
    noised, alone = mechanism(a_plan, mixture()), mechanism(a_plan, one_block_not_single())
    _, std = released(noised, a_plan, 6, seeded("mixture"))
    _, single = released(alone, a_plan, 6, seeded("mixture"))
    expected = single[0] * math.sqrt(3) * np.array([1, 1, 1, 2**0.5, 2**0.5, 50_000])
    assert std == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("value", [1.0000001, -2.0, float("nan"), float("inf")])
def test_without_noise_a_value_beyond_its_range_stops_the_site(value):
    exact = mechanism(plan("none"), gradient(2))
    with pytest.raises(Abort) as stop:
        exact.clip(Update(np.array([[0.0, value]])))
    assert stop.value.cause is Cause.RANGE
    assert str(value) not in str(stop.value)


def test_words_of_another_sum_get_no_noise():
    noised, other = mechanism(plan(), gradient(5)), mechanism(plan(), gradient(5, clip=2.0))
    with pytest.raises(ValueError, match="another sum"):
        noised.at_site(nothing(other), system)


ASKS = st.builds(
    lambda sizes, high, units, parts: Ask(
        Kind.STATISTICS,
        0,
        tuple(Block(f"b{i}", size, high, high, units, parts=parts) for i, size in enumerate(sizes)),
        b"",
    ),
    st.lists(st.integers(1, 50), min_size=1, max_size=3),
    st.sampled_from([0.01, 1.0, 1.7, 1000.0]),
    st.sampled_from([3, 1000, 10**6, 10**8]),
    st.sampled_from([0, 1, 256]),
)


@given(ASKS, st.sampled_from(["none", "shared", "site", "reveal"]), st.sampled_from([0.1, 1.0, 8.0]))
def test_every_grid_has_room_for_the_sum_and_for_its_noise(ask, word, budget):
    assume(not (ask.blocks[0].parts and ask.blocks[0].high < 1))
    a_plan = plan(word, task="statistics", epsilon=budget)
    made = mechanism(a_plan, ask)
    for index, (part, block) in enumerate(zip(made.grid.parts, ask.blocks, strict=True)):
        assert fits(part, made.grid.bits)
        assert part.high >= block.units * block.high
        assert math.log2(part.step).is_integer()
        assert not block.parts or float.is_integer(1 / (block.parts * part.step))
        if isinstance(made, Exact):
            assert made.grid.bits == 64 or block.parts
            continue
        sigma, share = made.real(made.sigma)[index], made.real(made.share)[index]
        assert made.share[index] >= 4
        assert made.share[index] <= 2.0**48
        assert part.high >= block.units * block.high + 12 * share * math.sqrt(1 if word == "reveal" else 6)
        if made.grid.bits == 32 and not block.parts:
            bias = block.units * part.step / 2
            assert part.step <= 2.0**-20 * min(1, block.l2) or bias <= sigma / 50


def test_short_words_are_used_where_they_lose_nothing():
    counts = histogram()
    assert mechanism(plan("none"), counts).grid.bits == 32
    assert mechanism(plan("none"), counts).grid.parts[0].step == 1
    assert mechanism(plan(task="statistics"), counts).grid.bits == 32
    assert mechanism(plan("none"), gradient(units=3)).grid.bits == 64
    assert mechanism(plan(), gradient()).grid.bits == 64
    assert mechanism(plan(), gradient(units=3000)).grid.bits == 32


def test_a_sum_that_no_word_holds_is_refused_when_the_plan_is_read():
    for word in ("none", "shared"):
        with pytest.raises(PlanError, match="do not fit"):
            mechanism(plan(word), gradient(units=2**60))


def test_newton_is_refused_steps_that_would_move_its_coefficients():
    """A row is cut off by up to a step: where n rows curve by n h, coefficients move by up to step / h."""

    def newton(units):
        ask = gradient(units=units)
        return dataclasses.replace(
            ask, blocks=tuple(dataclasses.replace(block, coarsest=COARSEST) for block in ask.blocks)
        )

    assert mechanism(plan("none"), newton(2**31)).grid.parts[0].step <= 2.0**-30
    with pytest.raises(PlanError, match=r"fine enough\. hint: lower data\.max_rows"):
        mechanism(plan("none"), newton(3 * 10**12))
    assert mechanism(plan("none"), gradient(units=3 * 10**12)).grid.bits == 64


@pytest.mark.parametrize("clip", [1e-300, 1e-16, 1e-12])
def test_a_clip_below_the_finest_step_is_to_be_raised(clip):
    with pytest.raises(PlanError, match=r"too small .* hint: raise privacy\.clip"):
        mechanism(plan(), gradient(clip=clip))


def test_persons_have_no_metrics_unless_the_plan_pays_for_them():
    with pytest.raises(PlanError, match="evaluation"):
        mechanism(plan(unit="person"), histogram(Kind.EVALUATE))


def test_shared_noise_needs_an_honest_share_that_is_sure_to_come():
    with pytest.raises(PlanError, match="honest share"):
        mechanism(plan(sites=3, corrupt=2, dropouts=1), gradient())


def test_a_cost_says_what_is_guaranteed():
    made = mechanism(plan(), gradient())
    cost = made.cost
    assert (cost.releases, made.grid.bits, cost.unit, cost.neighbours) == (20, 64, "row", "add-or-remove-one")
    assert 0.999 < spent([cost] * cost.releases, cost.delta) <= 1
    assert made.real(made.share)[0] == pytest.approx(made.real(made.sigma)[0] / 2)


class Summed:
    """Units whose sum is made without laying them out; here from the units themselves, for comparison."""

    def __init__(self, privacy, values, grid=None) -> None:
        self.privacy, self.values, self.grid = privacy, values, grid

    def encode(self, grid, limit) -> Encoded:
        made = encode(self.privacy.clip(Update(self.values)))
        return Encoded(made.words, self.grid or grid, limit)


@pytest.mark.parametrize("word", ["none", "reveal"])
def test_units_that_are_not_laid_out_add_to_those_that_are(word):
    privacy = mechanism(plan(word), gradient(5))
    values = np.random.default_rng(0).uniform(-0.5, 0.5, (6, 5))
    laid = guarded(privacy, [Update(values[:3]), Update(values[3:])], system)
    mixed = guarded(privacy, [Update(values[:3]), Summed(privacy, values[3:])], system)
    assert np.array_equal(laid.words, mixed.words)
    assert mixed.charge == laid.charge


def test_units_that_were_encoded_on_another_grid_are_refused():
    privacy, other = mechanism(plan(), gradient(5)), mechanism(plan(), gradient(5, clip=2.0))
    with pytest.raises(ValueError, match="another sum"):
        guarded(privacy, [Summed(privacy, np.zeros((1, 5)), other.grid)], system)
