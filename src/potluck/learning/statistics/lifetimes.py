"""Survival from counts of exits by time: Kaplan-Meier, Aalen-Johansen, restricted means and the log-rank test.

exits [outcomes + 1, m]: how many leave the study at each of m times, by what happened to them; the last line is of
those to whom nothing did (censored). All who leave at a time are at risk at it. Variances are Greenwood's; of an
incidence the delta method's (Marubini and Valsecchi 1995, section 10.3); intervals of a probability are taken on the
scale log(-log). Reference: Kalbfleisch and Prentice 2002, sections 1.4 and 8.2; Royston and Parmar 2013.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from potluck.core.stages import Floats
from potluck.learning.evaluation.ranking import Z


@dataclass(frozen=True, slots=True, eq=False)
class Lifetimes:
    """What exits [outcomes + 1, m] say. at_risk, events, survival, variance: [m]; survival is that of all outcomes
    together, variance its own. Where nobody is at risk, nothing changes."""

    exits: Floats
    at_risk: Floats
    events: Floats
    survival: Floats
    variance: Floats

    @property
    def before(self) -> Floats:
        """[m] the survival just before each time."""
        return np.concatenate(([1.0], self.survival[:-1]))


def lifetimes(exits: Floats) -> Lifetimes:
    """Survival and its variance."""
    leaving, events = exits.sum(axis=0), exits[:-1].sum(axis=0)
    at_risk = leaving[::-1].cumsum()[::-1]
    survival = np.asarray(np.cumprod(1 - over(events, at_risk)), np.float64)
    variance = np.asarray(survival**2 * np.cumsum(over(events, at_risk * (at_risk - events))), np.float64)
    return Lifetimes(exits, at_risk, events, survival, variance)


def over(part: Floats, whole: Floats) -> Floats:
    """part / whole, and 0 where that is not defined."""
    shape = np.broadcast_shapes(part.shape, whole.shape)
    return np.divide(part, whole, out=np.zeros(shape), where=whole > 0)


def incidence(of: Lifetimes) -> tuple[Floats, Floats]:
    """Aalen-Johansen: the share [outcomes, m] to which each outcome has happened by each time, and its variance."""
    n, every = of.at_risk, of.events
    step = over(of.before, n)
    total = over(every, n * (n - every))
    shares, variances = [], []
    for d in of.exits[:-1]:
        share = np.cumsum(step * d)
        own = over(d * (n - d), n)
        variance = share**2 * np.cumsum(total) - 2 * share * np.cumsum(share * total) + np.cumsum(share**2 * total)
        variance += np.cumsum(step**2 * own)
        variance += 2 * (np.cumsum(share * over(step * d, n)) - share * np.cumsum(over(step * d, n)))
        shares.append(share)
        variances.append(np.maximum(variance, 0.0))
    return np.array(shares), np.array(variances)


def ends(share: Floats, variance: Floats) -> tuple[list[float | None], list[float | None]]:
    """95 % of probabilities [m] on the scale log(-log). Of 1 and 0 the scale says nothing: where the variance is 0 the
    probability is what it is; else a straight interval, within [0, 1]. Of 0 without variance: not known."""
    low: list[float | None] = []
    high: list[float | None] = []
    for value, spread in zip(share.tolist(), np.sqrt(variance).tolist(), strict=True):
        if 0 < value < 1:
            turn = math.exp(min(Z * spread / (value * abs(math.log(value))), 700.0))
            low.append(value**turn)
            high.append(value ** (1 / turn))
        elif value <= 0 and spread == 0:
            low.append(None)
            high.append(None)
        else:
            low.append(max(0.0, value - Z * spread))
            high.append(min(1.0, value + Z * spread))
    return low, high


def first_below(times: Sequence[float], values: Sequence[float | None], level: float = 0.5) -> float | None:
    """The first time at which a curve is at or below a level."""
    return next((t for t, value in zip(times, values, strict=True) if value is not None and value <= level), None)


def steps(times: Floats, horizon: float) -> Floats:
    """[m] how long each time lasts before the horizon: until the next one, the last one to the horizon."""
    until = np.minimum(np.append(times[1:], max(horizon, times[-1])), horizon)
    return np.asarray(np.maximum(until - np.minimum(times, horizon), 0.0), np.float64)


def restricted_mean(of: Lifetimes, times: Floats, horizon: float) -> tuple[float, float]:
    """The mean time until an event or the horizon, from 0 on, and its variance: the area under the curve."""
    areas = of.survival * steps(times, horizon)
    after = areas[::-1].cumsum()[::-1]
    variance = float((after**2 * over(of.events, of.at_risk * (of.at_risk - of.events)))[times < horizon].sum())
    return float(min(times[0], horizon) + areas.sum()), variance


def log_rank(groups: Sequence[Lifetimes], until: int, exits: Sequence[Floats]) -> tuple[Floats, Floats]:
    """Of each group: observed less expected events [groups - 1] at the first `until` times, and the hypergeometric
    covariance. exits: those in which events are counted, noise and all. The last group follows from the others."""
    happened = np.array([one[:-1].sum(axis=0) for one in exits])[:, :until]
    events, at_risk = np.array([(one.events, one.at_risk) for one in groups]).swapaxes(0, 1)[..., :until]
    d, n = events.sum(axis=0), at_risk.sum(axis=0)
    share = at_risk / np.where(n > 0, n, 1.0)
    apart = (happened - share * happened.sum(axis=0)).sum(axis=1)
    weight = d * (n - d) / np.maximum(n - 1, 1.0)  # of whole rows the same; of noised ones near 1 nothing explodes
    covariance = np.diag((share * weight).sum(axis=1)) - (share * weight) @ share.T
    return apart[:-1], covariance[:-1, :-1]
