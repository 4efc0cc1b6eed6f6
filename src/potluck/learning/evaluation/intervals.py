"""95 % intervals of noised sums, means and variances: of the value on these rows, from the noise alone.

A mean is a ratio of two noised sums, so its interval is Fieller's: all m for which S - m N is within the noise of
zero. A variance is treated alike: all v for which Q N - S^2 - v N^2 is. Both are quadratic inequalities; where the
noise leaves no bounded solution, the interval is the whole range that the declared bounds allow. Reference: Fieller
1954, "Some problems in interval estimation".
"""

import math
from dataclasses import dataclass

from potluck.learning.evaluation.ranking import Z

Interval = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Noised:
    """A sum and the standard deviation of the noise in it."""

    value: float
    std: float

    def interval(self) -> Interval:
        """95 %: the noise is (nearly) normal."""
        return self.value - Z * self.std, self.value + Z * self.std


def mean(rows: Noised, total: Noised, widest: Interval) -> Interval:
    """Of total / rows."""
    square = Z * Z
    curved, level = rows.value**2 - square * rows.std**2, total.value**2 - square * total.std**2
    return within(quadratic(curved, -2 * total.value * rows.value, level), widest)


def variance(rows: Noised, total: Noised, squares: Noised, widest: Interval) -> Interval:
    """Of squares / rows - (total / rows)^2.

    The statistic H(v) = Q N - S^2 - v N^2, its expectation and variance taken exactly for independent normal noise:
    E adds -sd_S^2 and -v sd_N^2 (subtracted here); the variance's plug-in is freed of what noise adds to it.
    """
    n, s, q = rows.value, total.value, squares.value
    vn, vs, vq = rows.std**2, total.std**2, squares.std**2
    level, slope = q * n - s * s + vs, n * n - vn  # H(v) = level - v slope
    # Var H = vn (Q - 2 v N)^2 + 4 S^2 vs + N^2 vq + vn vq + 2 vs^2 + 2 v^2 vn^2, with Q^2, S^2, N^2 freed of noise.
    constant = vn * q * q + 4 * s * s * vs + n * n * vq - vn * vq - 2 * vs * vs
    linear = -4 * vn * q * n
    curved = 4 * vn * n * n - 2 * vn * vn
    square = Z * Z
    first, second = slope * slope - square * curved, -2 * level * slope - square * linear
    return within(quadratic(first, second, level * level - square * constant), widest)


def half(ends: Interval | None) -> float | None:
    """Half the width of an interval; None where it has no end."""
    if ends is None:
        return None
    wide = (ends[1] - ends[0]) / 2
    return wide if math.isfinite(wide) else None


def within(found: Interval | None, widest: Interval) -> Interval:
    """What lies in the widest one, in which the truth is. Where noise brought all of it beyond an end, it is as if its
    middle were there."""
    low, high = found or widest
    half = (high - low) / 2
    if low > widest[1]:
        low, high = widest[1] - half, widest[1]
    elif high < widest[0]:
        low, high = widest[0], widest[0] + half
    return max(low, widest[0]), min(high, widest[1])


def quadratic(a: float, b: float, c: float) -> Interval | None:
    """The bounded interval where a x^2 + b x + c <= 0, or None."""
    inside = b * b - 4 * a * c
    if a <= 0 or inside < 0:
        return None
    root = math.sqrt(inside)
    far = -(b + math.copysign(root, b)) / 2
    ends = (far / a, c / far if far else 0.0)
    return min(ends), max(ends)
