"""Axes: where a value lies, and the round numbers that are written beside it."""

import math
from collections.abc import Callable, Sequence

from potluck.core import prose

NEAR = 0.7
"""Powers of ten between factors that are as well told apart as numbers."""


def ticks(low: float, high: float, wanted: int = 5) -> list[tuple[float, str]]:
    """About `wanted` round numbers that lie within [low, high], and how to write them: with the decimals they need."""
    if not (math.isfinite(low) and math.isfinite(high)) or high <= low:
        return []
    rough = (high - low) / wanted
    if not 1e-300 < rough < 1e300:  # no step between them can be written as a float
        return []
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * times for times in (1, 2, 5, 10) if power * times >= rough * 0.8)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    digits = max(0, -math.floor(math.log10(step) + 1e-9))
    values = [index * step for index in range(first, last + 1)]
    if digits > 6 or abs(high) >= 1e7:
        return [(value, prose.number(value, 3)) for value in values]
    return [(value, f"{value:,.{digits}f}".replace("-", "−")) for value in values]


def few(low: float, high: float) -> list[tuple[float, str]]:
    """As many ticks as fit side by side on a phone."""
    found = [ticks(low, high, wanted) for wanted in (5, 3, 2, 1)]
    return next((marks for marks in found if sum(len(said) + 2 for _, said in marks) <= 32), found[-1][:1])


def plain(value: float) -> float:
    """As it is."""
    return value


def logged(value: float) -> float:
    """Its logarithm; of what is not above 0, less than any."""
    return math.log10(value) if value > 0 else -math.inf


def turned(turn: Callable[[float], float], end: float | None) -> float | None:
    """An end of an interval on a scale; None: it is open, or not on it."""
    found = None if end is None else turn(end)
    return None if found is None or not math.isfinite(found) else found


def factors_between(low: float, high: float) -> list[tuple[float, str]]:
    """Round factors between two powers of ten, as many as fit side by side on a phone."""
    if high - low < NEAR:
        return [(one, said) for one, said in few(10**low, 10**high) if one > 0]
    powers = range(max(math.floor(low), -307), min(math.ceil(high), 308) + 1)  # floats have no others
    for steps in ((1, 2, 5), (1, 3), (1,)):
        values = [step * 10.0**power for power in powers for step in steps]
        found = [(one, prose.number(one, 1)) for one in values if low <= math.log10(one) <= high]
        if sum(len(said) + 2 for _, said in found) <= 32:
            return found
    every = -(-len(found) // 4)
    return found[::every]


def padded(values: Sequence[float]) -> tuple[float, float]:
    """The ends of an axis that has all values within."""
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    pad = 0.06 * (high - low) or 0.05 * abs(low) or 0.5
    return low - pad, high + pad


def place(value: float, low: float, high: float, left: float, right: float) -> float:
    """Where a value lies between left and right."""
    share = (value - low) / (high - low) if high > low and math.isfinite(value) else 0.0
    return left + (right - left) * min(1.0, max(0.0, share))
