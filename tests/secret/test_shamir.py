"""Any t shares give the secret, fewer say nothing, and nothing outside the field is taken."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from potluck.secret.container import Secret
from potluck.secret.shamir import PRIME, SIZE, element, join, number, split, weights
from potluck.testing.draws import seeded

secrets = st.integers(0, PRIME - 1).map(lambda value: value.to_bytes(SIZE, "big"))


def test_the_field_is_a_prime_field():
    """Miller-Rabin with forty bases: an independent check of the constant."""
    odd, twos = PRIME - 1, 0
    while odd % 2 == 0:
        odd, twos = odd // 2, twos + 1
    assert PRIME == 2**256 - 189
    for base in range(2, 42):
        powers = [pow(base, odd << shift, PRIME) for shift in range(twos)]
        assert powers[0] == 1 or PRIME - 1 in powers


@given(secrets, st.integers(1, 7), st.integers(0, 4), st.integers(0, 2**32))
def test_any_t_shares_give_the_secret(raw, least, more, seed):
    shares = split(Secret(raw), least, range(1, least + more + 1), seeded(seed))
    for chosen in itertools.islice(itertools.combinations(shares, least), 20):
        assert join({x: shares[x] for x in chosen}, least).expose() == raw


def test_fewer_than_t_shares_fit_every_secret_equally():
    """With t - 1 shares fixed, each candidate secret is on exactly one polynomial: they exclude none."""
    shares = split(Secret(b"\1" * SIZE), 3, [1, 2, 3, 4], seeded("few"))
    for candidate in (b"\0" * SIZE, b"\2" * SIZE, b"\xfe" * SIZE):
        through = {1: shares[1], 2: shares[2]}
        # Choose the third share so that the candidate is what comes out: it always exists.
        w1, w2, w3 = weights([1, 2, 3])
        known = w1 * number(shares[1].expose()) + w2 * number(shares[2].expose())
        third = (number(candidate) - known) * pow(w3, -1, PRIME) % PRIME
        through[3] = Secret(third.to_bytes(SIZE, "big"))
        assert join(through, 3).expose() == candidate


def test_a_known_polynomial():
    """f(x) = 7 + 3x + 2x^2, worked by hand: f(1) = 12, f(2) = 21, f(5) = 72."""
    shares = {x: Secret(y.to_bytes(SIZE, "big")) for x, y in ((1, 12), (2, 21), (5, 72))}
    assert int.from_bytes(join(shares, 3).expose(), "big") == 7


@pytest.mark.parametrize("points", [[0, 1, 2], [1, 1, 2], [1, 2, PRIME], [1, 2, -1]])
def test_a_point_at_zero_or_there_twice_or_outside_is_refused(points):
    with pytest.raises(ValueError, match="point"):
        split(Secret(bytes(SIZE)), 2, points, seeded("x"))
    with pytest.raises(ValueError, match="point"):
        weights(points)


@pytest.mark.parametrize("raw", [PRIME.to_bytes(SIZE, "big"), b"\xff" * SIZE, b"", bytes(31), bytes(33)])
def test_a_value_that_is_not_below_the_prime_is_refused(raw):
    with pytest.raises(ValueError, match="below the prime"):
        join({1: Secret(raw)}, 1)
    with pytest.raises(ValueError, match="below the prime"):
        split(Secret(raw), 1, [1], seeded("x"))


@pytest.mark.parametrize("given_", [[1], [1, 2, 3]])
def test_exactly_t_shares_are_joined(given_):
    shares = split(Secret(bytes(SIZE)), 2, [1, 2, 3], seeded("x"))
    with pytest.raises(ValueError, match="2 shares are needed"):
        join({x: shares[x] for x in given_}, 2)


@pytest.mark.parametrize("least", [0, 4])
def test_a_threshold_that_nobody_can_meet_is_refused(least):
    with pytest.raises(ValueError, match="cannot"):
        split(Secret(bytes(SIZE)), least, [1, 2, 3], seeded("x"))


def test_a_draw_at_or_above_the_prime_is_drawn_again():
    draws = iter([b"\xff" * SIZE, PRIME.to_bytes(SIZE, "big"), b"\1" * SIZE])
    assert element(lambda size: next(draws)).expose() == b"\1" * SIZE
