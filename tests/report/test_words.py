"""Numbers in words, against answers worked out otherwise."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from potluck.core import prose
from potluck.dp.odds import odds as ceiling
from potluck.report import words


@pytest.mark.parametrize("epsilon", [0.0, 0.1, 1.0, 3.0, 8.0])
@pytest.mark.parametrize("delta", [0.0, 1e-5, 0.2])
def test_odds_are_those_of_a_mechanism_that_attains_the_bound(epsilon, delta):
    """With probability delta it tells the secret, else it answers by randomised response."""
    told_truly = math.exp(epsilon) / (1 + math.exp(epsilon))
    assert ceiling(epsilon, delta) / 100 == pytest.approx(delta + (1 - delta) * told_truly, abs=1e-12)


def test_odds_are_rounded_up_and_never_beyond_certainty():
    assert words.hundred(0.0, 0.0) == 50
    assert words.hundred(1.0, 1e-5) == 74  # 73.1
    assert words.hundred(0.01, 0.0) == 51  # 50.2
    assert words.hundred(12.0, 1e-5) == 100
    assert words.hundred(1e9, 0.5) == 100


@given(st.floats(0, 40), st.floats(0, 1))
def test_odds_in_print_are_never_below_the_bound(epsilon, delta):
    assert words.hundred(epsilon, delta) / 100 >= ceiling(epsilon, delta) / 100 - 1e-8
    assert 50 <= words.hundred(epsilon, delta) <= 100


@given(st.floats(0, 1e6))
def test_epsilon_in_print_is_never_smaller_than_it_is(epsilon):
    assert float(words.epsilon(epsilon)) >= epsilon - 1e-6 * max(1, epsilon) * 1e-2


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (51_234, "51 kB"),
        (999_900, "1.0 MB"),
        (1.2e6, "1.2 MB"),
        (3e13, "30.0 TB"),
    ],
)
def test_sizes(value, said):
    assert words.size(value) == said


@pytest.mark.parametrize(
    ("value", "said"),
    [(0.004, "4 ms"), (0.31, "0.31 s"), (12.4, "12.4 s"), (185, "3 min 5 s"), (7440, "2 h 4 min"), (59.99, "60.0 s")],
)
def test_durations(value, said):
    assert words.duration(value) == said


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, "–"),
        (math.inf, "∞"),
        (-math.inf, "−∞"),
        (0.0, "0"),
        (920.0, "920"),
        (-3.25, "−3.250"),
        (1234.5, "1,234"),
        (1e-5, "10⁻⁵"),
        (2.5e-7, "2.5 × 10⁻⁷"),
        (1.5e9, "1,500,000,000"),
        (0.12345, "0.1235"),
    ],
)
def test_numbers(value, said):
    assert prose.number(value) == said


def test_numbers_of_a_table_share_their_decimals():
    assert words.places([3.0, 920.0]) == 0
    assert words.places([3.21, 171.7]) == 1
    assert words.places([0.5, None, 0.25]) == 4
    assert words.places([]) == 0
    assert words.fixed(-1.44, 1) == "−1.4"
    assert words.fixed(None, 1) == "–"


def test_counts_lists_and_moments():
    assert prose.count(1, "site") == "one site"
    assert prose.count(4, "site") == "four sites"
    assert prose.count(60, "site") == "60 sites"
    assert [prose.listed(names) for names in ([], ["a"], ["a", "b"], ["a", "b", "c"])] == [
        "",
        "a",
        "a and b",
        "a, b and c",
    ]
    assert words.moment("2026-11-24T02:19:00Z") == "24 November 2026, 02:19 UTC"
    assert words.moment("2026-11-24T02:19:00+02:00") == "24 November 2026, 00:19 UTC"
    assert words.moment("some day") == "some day"


def test_what_cannot_be_seen_is_shown_as_a_mark():
    assert words.clean("a\u202eb\x00c\ud800") == "a�b�c�"
    assert words.clean("kept\n\täöü 漢字\u00a0%") == "kept\n\täöü 漢字\u00a0%"
    assert words.clean("filler \u3164") == "filler �"


def test_what_is_spent_and_what_is_left_are_the_cap_in_print():
    for spent in (0.0, 0.994, 0.949411, 1.0, 3.999, 4.0):
        assert float(words.epsilon(spent)) + float(words.remaining(4.0, spent)) == 4.0
    assert words.remaining(4.0, 5.0) == "0.00"
