"""What a plan owes, as the auditor reckons it: how much noise there must be in what is looked at, and whose is sure.

It follows from the plan's epsilon, its delta, the clip and how many sums a run may open, by the curve of Gaussian noise
(`bounds`). The program's own reckoning of it is not asked: it is what is audited. What a ledger is charged for says
too how much noise there must be, and where units are drawn it alone does; that charges come to no more than epsilon,
`charged` looks at.
Reference: Dong, Roth, Su 2019, arXiv 1905.02383.
"""

import math
from functools import lru_cache

import numpy as np

from potluck.audits.promises.bounds import mu_of
from potluck.core.asks import Ask, Kind
from potluck.core.plan import Plan, required
from potluck.core.stages import Floats
from potluck.dp.calibration import releases
from potluck.dp.events import Banded, SampledGauss, zcdp
from potluck.dp.mechanism import Noised, Walked

NEAR = 1.01
"""What the auditor's own reckoning may be off by: noise is of whole steps, and it reckons with any."""
METRICS = 0.1
"""The share of delta that metrics of persons and sites have."""


def sure(plan: Plan) -> int:
    """How many sites' noise is in a sum, whoever vanishes, and unknown to whoever colludes: a site knows its own."""
    if plan.privacy.noise != "shared":
        return 1
    among = plan.federation
    return len(among.sites) - among.dropouts - max(among.corrupt, 1)


def promise(plan: Plan, kind: Kind) -> tuple[float, float]:
    """(epsilon, delta) of all sums of a kind: a row is in one kind alone; a person or site in all, which share them."""
    epsilon, delta = required(plan.privacy.epsilon), required(plan.privacy.delta)
    metrics = plan.privacy.evaluation
    if plan.privacy.unit == "row" or not plan.traits.trains or metrics is None:
        return epsilon, delta
    if kind is Kind.TRAIN:
        return epsilon - metrics, (1 - METRICS) * delta
    return metrics, METRICS * delta


def times(plan: Plan, kind: Kind, bound: Noised | Walked) -> float:
    """How often a unit may move a noised sum of a kind by all of its clip, in squares, over a run."""
    event = bound.cost.event
    if isinstance(event, Banded):
        return event.most
    return releases(plan, kind) * (bound.times if isinstance(bound, Walked) else 1)


def noise(plan: Plan, ask: Ask, bound: Noised | Walked) -> Floats:
    """[parts] the least standard deviation, in real numbers, of what is sure to be in a sum."""
    inside, blocks = (bound.each, required(ask.own).blocks) if isinstance(bound, Walked) else (bound, ask.blocks)
    event = bound.cost.event
    if isinstance(event, SampledGauss):
        most = 1 / event.sigma
    else:
        charged = math.sqrt(2 * zcdp(event) / event.count)
        most = min(charged, _mu(*promise(plan, ask.kind)) / math.sqrt(times(plan, ask.kind, bound)))
    costs = [1 / len(blocks) if block.cost is None else block.cost for block in blocks]
    return np.array(inside.limit.l2) / (np.sqrt(costs) * most * NEAR)


@lru_cache(maxsize=64)
def _mu(epsilon: float, delta: float) -> float:
    return mu_of(epsilon, delta)
