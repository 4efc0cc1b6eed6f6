"""A privacy cost in plain odds, for people who do not speak epsilon.

An attacker who knows everything but whether one unit (a row, a person, a site) is in the data, and starts from even
odds, cannot do better than these numbers (hypothesis testing: Wasserman and Zhou 2010; Kairouz, Oh, Viswanath,
arXiv 1311.0776). It does NOT bound what the result teaches about people who are not in the data at all.
"""

import math


def odds(epsilon: float, delta: float = 0.0) -> float:
    """Of 100 guesses "in or out" of any attacker against (epsilon, delta)-DP, at most so many are right (50: by tossing
    a coin). Even odds become at most e^epsilon to 1, unless an event of probability delta happens."""
    likelihood = math.exp(min(epsilon, 700.0))
    return min(100.0, 100 * (likelihood + delta) / (1 + likelihood))
