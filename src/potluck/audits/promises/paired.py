"""Epsilon from below, by two neighbours: releases with the worst unit and without it, thousands of times each.

Whoever knows all but one unit asks of every run of releases, by the likelihood of what was released, whether the unit
is there. How often that is right, and how often wrong, bounds the noise from below: where a run of releases of
undrawn units is mu-GDP, no test does better, and the mu of so many releases is a known part of that of all. Where units
are drawn in secret, errors bound epsilon at several deltas, each of which the charge says an epsilon for.
A threshold is chosen on some of the runs and judged on the others.
References: Nasr et al. 2023, arXiv 2302.07956; Dong, Roth, Su 2019, arXiv 1905.02383.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

import msgspec
import numpy as np

from potluck.audits.promises import bands, bounds
from potluck.audits.promises.bounds import Scores
from potluck.audits.promises.course import TOGETHER, Course, Look
from potluck.audits.promises.neighbours import Pair, in_order, pairs
from potluck.audits.promises.promise import SAID, SURE, WRONG, Bound, Check, Effort, Finding, verdict
from potluck.audits.promises.scene import Scene, Sum, kind_name
from potluck.core.asks import Kind
from potluck.core.stages import Floats
from potluck.dp.calibration import releases, target
from potluck.dp.events import DiscreteGauss, SampledGauss, zcdp
from potluck.dp.loss import epsilon
from potluck.dp.mechanism import Walked
from potluck.learning.loops import TrainTask

FEWEST = 500
"""Runs of each kind: of fewer nothing is said."""
CHOSEN = 8
"""One in so many runs chooses the threshold."""
PLACES = np.linspace(0.002, 0.998, 80)
DELTAS = (0.01, 0.03)
"""Beside the plan's own, of drawn units."""


def score(look: Look, seen: Floats) -> float:
    """The logarithm of how much likelier what was seen is with the unit than without."""
    one, signal, variance = look.sum, look.signal, look.sum.sigma**2
    ratio = float((signal * (seen - look.base) / variance).sum() - (signal**2 / variance).sum() / 2)
    drawn = one.inside.sampling
    if drawn is None or isinstance(one.bound, Walked):
        return ratio
    return float(np.logaddexp(math.log1p(-drawn.chance), math.log(drawn.chance) + ratio))


def findings(scene: Scene, effort: Effort) -> Iterator[Finding]:
    """Of each kind of sum of which a unit can be made."""
    alike = {kind: each[-1] for kind, each in pairs(scene).items()}
    left = sum(all(one.noised for one in sums) for sums in scene.kinds.values())
    level = effort.level / max(1, left)
    for kind, sums in scene.kinds.items():
        name = f"paired: {kind_name(kind)}"
        if not all(one.noised for one in sums):
            continue
        if not scene.units:
            yield Check(name, None, scene.why)
            continue
        effort.tell(f"pairs of {kind_name(kind)}")
        if kind in alike:
            course = steady(scene, kind, alike[kind])
        else:  # each sum holds the ones before it
            course = bands.course(scene, kind, in_order(scene, kind, sums))
        numbers, once = course.looks[0].sum.bound.grid.length, partial(runs, scene, course, replace(effort, trials=1))
        effort.forecast(f"pairs of runs of {len(course.looks)} sums", numbers, effort.trials, once)
        there, away = runs(scene, course, effort.part(left))
        left -= 1
        if len(there) < FEWEST:
            yield Check(name, None, too_few(len(there)))
        else:
            yield judged(scene, kind, course, (there, away), level)


def too_few(done: int) -> str:
    """What so few runs say, and what would be enough."""
    more = f"about {math.ceil(FEWEST / done)} times the minutes have them" if done else "of --minutes more are needed"
    return f"{done} runs were possible in the time, and {FEWEST} are the fewest that say something: {more}"


def runs(scene: Scene, course: Course, effort: Effort) -> tuple[Scores, Scores]:
    """(scores with the unit, without)."""
    there, away, draw = list[float](), list[float](), scene.draw
    while len(there) < effort.trials and not effort.over:
        there.append(math.fsum(score(one, one.there.release(draw)) for one in course.looks))
        away.append(math.fsum(score(one, one.without.release(draw)) for one in course.looks))
    return np.array(there), np.array(away)


def steady(scene: Scene, kind: Kind, pair: Pair) -> Course:
    """Of sums that are all alike."""
    some, draw = pair.sums[:TOGETHER], scene.draw
    # What is left of a sum that is looked at is known to the auditor, but for who was drawn.
    walks = isinstance(some[0].bound, Walked)
    base = np.zeros(len(pair.signal)) if walks else pair.sums[-1].moved(pair.without, draw)
    looks = [Look(one, pair.signal, base, one.source(pair.there, draw), one.source(pair.without, draw)) for one in some]
    return Course(looks, len(some), able(scene, kind, pair) / len(some), pair.far)


def able(scene: Scene, kind: Kind, pair: Pair) -> int:
    """How many releases of a run the worst unit can be in so: a first round of training has the plan's own model."""
    if not isinstance(scene.task, TrainTask):
        return len(pair.sums)
    return releases(scene.plan, kind) - int(kind is Kind.TRAIN and pair.sums[0].ask.step > 0)


@dataclass(frozen=True, slots=True)
class Claim:
    """What is charged for some releases, as mu-GDP: of undrawn units."""

    once: float

    def mu(self, count: float) -> float:
        return self.once * math.sqrt(count)


def claim(one: Sum) -> Claim:
    """By the cost that a ledger would keep. Noise of whole steps is continuous noise of a variance that is less by one
    step, rounded at random (`dp.sampling`)."""
    event, inside = one.bound.cost.event, one.inside  # type: ignore[union-attr]  # a noised sum has a cost
    coarse = max(sigma / math.sqrt(sigma**2 - 1) for sigma in inside.sigma)
    if isinstance(event, DiscreteGauss):
        return Claim(event.sensitivity / event.sigma * math.sqrt(event.count) * coarse)
    return Claim(math.sqrt(2 * zcdp(event)) * coarse)


def judged(scene: Scene, kind: Kind, course: Course, scores: tuple[Scores, Scores], level: float) -> Bound:
    """What the scores prove."""
    there, away = scores
    first = max(len(there) // CHOSEN, 100)
    one, together = course.looks[-1].sum, len(course.looks)
    claimed, delta = target(scene.plan, kind)
    rest = (there[first:], away[first:])
    name = f"paired: {kind_name(kind)}"
    if one.inside.sampling is None:
        hits, false = _tested(rest, _middle(there[:first], away[:first]), level)
        proved, charged = bounds.mu(hits, false), claim(one).mu(course.paid)
        lower, held = bounds.gaussian_epsilon(proved * math.sqrt(course.times), delta), proved <= charged
    else:
        lower, held = _drawn(one, scores, first, together, delta, level)
    every, found = releases(scene.plan, kind), verdict(held and lower <= claimed, lower)
    proves = f"prove at least {lower:.3g} ({SURE})" if lower > 0 else "prove nothing: there is too much noise in so few"
    words = (
        f"claimed epsilon {claimed:g}; {len(there):,} runs of {together} of {every} releases with the worst unit "
        f"that was found, and as many without, {proves}{SAID[found]}"
    )
    if course.far < 0.9:
        words += f". The unit moves the sum by {course.far:.2g} of what is reckoned with: others may say more"
    return Bound(name, claimed, lower, 1 - WRONG, found, words)


Place = tuple[float, bool]


def _middle(there: Scores, away: Scores) -> Place:
    """Between the two means: of noise that is Gaussian both errors are the same there, whatever its size."""
    return float(there.mean() + away.mean()) / 2, bool(there.mean() > away.mean())


def _chosen(there: Scores, away: Scores, worth: Callable[[float, float], float]) -> Place:
    """The threshold that would prove most, and whether those above it are said to be there."""
    n, best, found = len(there), -1.0, (0.0, True)
    for place in np.quantile(np.concatenate([there, away]), PLACES):
        for above in (True, False):
            hits, false = bounds.errors(there, away, place, above)
            # two standard errors off, so that tails that a few runs say something of are not chosen
            right, wrong = hits / n, (false + 1) / (n + 1)
            value = worth(
                right - 2 * math.sqrt(right * (1 - right) / n), wrong + 2 * math.sqrt(wrong * (1 - wrong) / n)
            )
            if value > best:
                best, found = value, (float(place), above)
    return found


def _tested(rest: tuple[Scores, Scores], place: Place, level: float) -> tuple[float, float]:
    """(hits at least, false alarms at most) on runs that chose nothing."""
    hits, false = bounds.errors(*rest, *place)
    return bounds.least(hits, len(rest[0]), level / 2), bounds.most(false, len(rest[1]), level / 2)


def _drawn(
    one: Sum, scores: tuple[Scores, Scores], first: int, together: int, delta: float, level: float
) -> tuple[float, bool]:
    """(epsilon at delta at least, whether the charge may hold) where units are drawn."""
    event = one.bound.cost.event  # type: ignore[union-attr]  # a noised sum has a cost
    assert isinstance(event, SampledGauss)
    every = msgspec.structs.replace(event, count=event.count * together)
    there, away = scores
    lower, held, deltas = 0.0, True, (delta, *DELTAS)
    sides = ((there, away), (away, there))
    for at in deltas:
        for mine, other in sides:
            place = _chosen(mine[:first], other[:first], partial(bounds.by_errors, delta=at))
            hits, false = _tested((mine[first:], other[first:]), place, level / (len(deltas) * len(sides)))
            found = bounds.by_errors(hits, false, at)
            held &= found <= epsilon([every], at)
            lower = max(lower, found) if at == delta else lower
    return lower, held
