"""Thresholds follow the published rules, and the sparse graph keeps its two promises: 2^-40 and 2^-30."""

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from potluck.mpc.mask.graph import COMPLETE_BELOW, Shape, graph, sound, thresholds, tolerated
from potluck.mpc.mask.roster import pick
from potluck.testing.draws import seeded

TABLE = [
    (100, (11, 6), (16, 11), (31, 21)),
    (300, (25, 14), (42, 29), (75, 51)),
    (1000, (31, 17), (60, 41), (113, 77)),
    (10_000, (37, 20), (73, 50), (143, 97)),
]


@pytest.mark.parametrize(("n", "curious", "lying", "lying_tenth"), TABLE)
def test_the_sparse_thresholds_are_those_of_the_table(n, curious, lying, lying_tenth):
    assert thresholds(n, n // 20, n // 20, "curious") == curious
    assert thresholds(n, n // 20, n // 20, "lying") == lying
    assert thresholds(n, n // 10, n // 10, "lying") == lying_tenth


@pytest.mark.parametrize(
    ("n", "c", "d", "server", "least"),
    [
        (4, 1, 1, "lying", 3),
        (10, 1, 1, "lying", 7),
        (10, 1, 1, "curious", 6),
        (3, 0, 0, "lying", 3),
        (3, 1, 0, "lying", 3),
        (60, 20, 15, "lying", 41),
        (60, 30, 10, "lying", 46),
    ],
)
def test_worked_examples_on_the_complete_graph(n, c, d, server, least):
    assert thresholds(n, c, d, server) == (n - 1, least)
    assert sound(n, c, least, server)


def test_three_sites_cannot_bear_a_drop_out_under_a_lying_server():
    _, least = thresholds(3, 1, 1, "lying")
    assert not sound(3, 1, least, "lying")


@given(st.data(), st.sampled_from(["lying", "curious"]))
def test_a_sound_complete_graph_never_opens_both_secrets_of_a_site(data, server):
    """By counting: each honest holder gives one share, a corrupt one both; a curious server pools corrupt shares."""
    n = data.draw(st.integers(2, COMPLETE_BELOW - 1))
    c, d = data.draw(st.integers(0, n - 1)), data.draw(st.integers(0, n - 2))
    _, least = thresholds(n, c, d, server)
    if not sound(n, c, least, server):
        return
    assert least <= n - d, "the guaranteed survivors can open"
    if server == "lying":
        assert (n - c) + 2 * c < 2 * least
        assert n >= 2 * d + c + 1
    else:
        assert c < least


def chance_at_least(population, marked, picks, least):
    """The hypergeometric tail in fractions, from its definition."""
    hits = range(max(least, 0), min(marked, picks) + 1)
    ways = sum(math.comb(marked, h) * math.comb(population - marked, picks - h) for h in hits)
    return Fraction(ways, math.comb(population, picks))


@pytest.mark.parametrize("server", ["lying", "curious"])
@pytest.mark.parametrize(("n", "c", "d"), [(100, 0, 0), (100, 1, 1), (100, 3, 2), (128, 20, 5), (250, 10, 40)])
def test_sparse_thresholds_keep_leak_and_abort_below_their_bounds(n, c, d, server):
    k, t = thresholds(n, c, d, server)
    assert k < n - 1
    opens = 2 * t - k if server == "lying" else t
    assert n * chance_at_least(n - 1, c, k, opens) <= Fraction(1, 2**40)
    assert n * chance_at_least(n - 1, d, k, k - t + 1) <= Fraction(1, 2**30)


def test_hopeless_fractions_fall_back_to_the_complete_graph():
    assert thresholds(100, 49, 25, "lying") == (99, 75)
    assert thresholds(100, 100, 99, "lying")[0] == 99


def test_k_of_twice_log_n_is_unsafe():
    """The number often quoted: with it, no threshold keeps both promises."""
    n, c, d = 1000, 50, 50
    k = round(2 * math.log2(n))
    for t in range(1, k + 1):
        leak = n * chance_at_least(n - 1, c, k, 2 * t - k)
        abort = n * chance_at_least(n - 1, d, k, k - t + 1)
        assert leak > Fraction(1, 2**40) or abort > Fraction(1, 2**30)


@pytest.mark.parametrize(
    ("n", "c", "d"), [(100, 5, 5), *(pytest.param(*one, marks=pytest.mark.slow) for one in ((100, 0, 0), (100, 1, 1)))]
)
@pytest.mark.parametrize("server", ["lying", pytest.param("curious", marks=pytest.mark.slow)])
def test_honest_survivors_are_one_group(n, c, d, server):
    """Draw the graph often; remove the corrupt and the d best-connected honest sites: the rest stays connected."""
    k, t = thresholds(n, c, d, server)
    shape = Shape(n, k, t, server == "lying")
    for trial in range(20):
        draw = seeded(n, c, d, server, trial)
        drawn = graph(shape, {i: frozenset(pick(i, shape, draw)) for i in range(n)})
        honest = set(range(c, n))
        honest -= set(sorted(honest, key=lambda i: -len(drawn.pairs[i]))[:d])
        reached, edge = set(), [min(honest)]
        while edge:
            site = edge.pop()
            if site not in reached:
                reached.add(site)
                edge.extend(drawn.pairs[site] & honest)
        assert reached == honest


def test_picks_are_uniform_and_never_oneself():
    shape = Shape(20, 5, 4, True)
    counts = [0] * 20
    for trial in range(2000):
        chosen = pick(7, shape, seeded("pick", trial))
        assert len(set(chosen)) == 5
        assert list(chosen) == sorted(chosen)
        for site in chosen:
            counts[site] += 1
    assert counts.pop(7) == 0
    expected = 2000 * 5 / 19
    # Chi-square with 18 degrees of freedom: 42.3 is its 99.9 % point.
    assert sum((count - expected) ** 2 / expected for count in counts) < 42.3


def test_pairs_are_mutual_and_holders_are_ones_own_picks():
    shape = Shape(6, 2, 2, True)
    picks = {0: {1, 2}, 1: {2, 3}, 2: {0, 1}, 3: {0, 5}, 5: {1, 2}}  # site 4 is away
    drawn = graph(shape, {i: frozenset(chosen) for i, chosen in picks.items()})
    assert drawn.holders[3] == {0, 5}
    assert drawn.pairs[3] == {0, 1, 5}
    assert all(i in drawn.pairs[j] for i in drawn.pairs for j in drawn.pairs[i])
    complete = graph(Shape(4, 3, 3, True), {i: frozenset() for i in (0, 1, 3)})
    assert complete.pairs[1] == {0, 3}
    assert complete.holders[1] == {0, 1, 3}


def test_more_corrupt_sites_than_tolerated_break_the_bound():
    shape = Shape(1000, 60, 41, True)
    c = tolerated(shape)
    assert c >= 50
    assert 1000 * chance_at_least(999, c, 60, 22) <= Fraction(1, 2**40) < 1000 * chance_at_least(999, c + 1, 60, 22)
