"""How the rate changes over the rounds: a public factor of each round, from the plan alone.

A warm-up rises evenly to 1; then the rate stays, or falls along half a cosine toward 0. A factor is a whole number of
parts in 2^30: a library's cosine may differ in its last bit between machines, and the model's bytes would with it.
Reference: Loshchilov and Hutter 2017, arXiv 1608.03983, equation 5, without restarts; Goyal et al. 2017, arXiv
1706.02677, section 2.2 (warm-up).
"""

import math

from potluck.core.plan import Training

PARTS = 1 << 30


def factor(spec: Training, number: int) -> float:
    """Of the rate in round `number`, from 0: above 0, at most 1."""
    if number < spec.warmup:
        share = (number + 1) / spec.warmup
    elif spec.schedule == "cosine":
        share = (1 + math.cos(math.pi * (number - spec.warmup) / (spec.rounds - spec.warmup))) / 2
    else:
        return 1.0
    return max(1, round(share * PARTS)) / PARTS


def mean(spec: Training) -> float:
    """Of all rounds."""
    if spec.schedule == "constant" and not spec.warmup:
        return 1.0
    return math.fsum(factor(spec, number) for number in range(spec.rounds)) / spec.rounds
