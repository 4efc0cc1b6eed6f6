"""A round with 10, 30, 100 and 300 sites over the real broker, and how it grows. All sites share one process.

Floor: as many times the time of a site at the fewest: linear growth.
"""

import math
import statistics
from collections.abc import Iterator

from harness.deployment import Shape, deployed
from harness.measure import Row, less

CLEAR, MASK = (10, 30, 100, 300), (10, 30, 100)
ROUNDS = 5


def rows() -> Iterator[Row]:
    """Seconds a round, beside linear growth; the fitted exponent is in the name of the last row."""
    for protect, counts in (("clear", CLEAR), ("mask", MASK)):
        times: dict[int, float] = {}
        for count in counts:
            times[count] = statistics.median(deployed(Shape(count, protect, ROUNDS), crowd=True).seconds)
            linear = times[counts[0]] / counts[0] * count
            growth = f", grows as n^{exponent(times):.2f}" if count == counts[-1] else ""
            name = f"round over the network, {count} sites, tiny, {protect}{growth}"
            yield less(name, (times[count], linear), f"{counts[0]} sites, scaled linearly", "s")


def exponent(times: dict[int, float]) -> float:
    """The slope of log time over log count, by least squares."""
    xs, ys = [math.log(count) for count in times], [math.log(value) for value in times.values()]
    x, y = statistics.fmean(xs), statistics.fmean(ys)
    return sum((a - x) * (b - y) for a, b in zip(xs, ys, strict=True)) / sum((a - x) ** 2 for a in xs)
