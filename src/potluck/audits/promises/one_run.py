"""Epsilon from below, by one run: many canaries, each in the rows by a coin of its own, and guesses of who is there.

A canary is a unit that moves the sum in a direction that others hardly share, as a value that no other has. After ONE
run of releases the likeliest are said to be there, the least likely not. More right guesses than an epsilon allows
refute it. It catches gross faults alone, and asks for one run where pairs ask for thousands: it also goes through what
happens when many rows are there at once.
Guesses are counted in two ways. Theorem 5.2 holds whatever the noise is: it refutes no epsilon at a delta that is not
much smaller than how often it may be wrong, so what it says is compared with what is charged at a smaller delta. Where
no units are drawn, errors are also read as those of Gaussian noise, which canaries that share little have apart.
References: Steinke, Nasr, Jagielski 2023, arXiv 2305.08846; Mahloujifar, Melis, Chaudhuri 2025, arXiv 2410.22235
(that a curve of errors says more than one epsilon; its bound was measured beside these, and says no more here).
"""

from collections.abc import Iterator

import msgspec
import numpy as np
from numpy.typing import NDArray

from potluck.audits.promises.bounds import by_guesses, errors, gaussian_epsilon, least, most, mu, mu_of
from potluck.audits.promises.made_up import NotMade, made_up
from potluck.audits.promises.paired import claim
from potluck.audits.promises.promise import SAID, SURE, WRONG, Bound, Check, Effort, Finding, verdict
from potluck.audits.promises.scene import Scene, Sum, alike, kind_name
from potluck.audits.promises.walks import quiet
from potluck.core.asks import Kind
from potluck.core.stages import Floats
from potluck.dp.calibration import target
from potluck.dp.events import SampledGauss
from potluck.dp.loss import epsilon
from potluck.dp.mechanism import Walked
from potluck.learning.data.table import Table

MOST, FEWEST = 5_000, 64
"""Canaries."""
ROOM = 80_000_000
"""Numbers of all canaries together."""
PARTS = (0.02, 0.1, 0.5, 1.0)
"""Of all canaries so many are guessed at."""
ALIKE = 0.5
"""What two canaries may have in common, on average, in a random pair: the cosine of their directions."""


def findings(scene: Scene, effort: Effort) -> Iterator[Finding]:
    """Of each kind of sum in which canaries can stand side by side."""
    for kind, sums in scene.kinds.items():
        if all(one.noised for one in sums):
            effort.tell(f"canaries of {kind_name(kind)}")
            sums = alike(sums)[-1]  # the usual ones
            why = _why_not(scene, sums)
            name = f"one run: {kind_name(kind)}"
            yield Check(name, None, why) if why else _of(scene, kind, sums, name, effort)


def _why_not(scene: Scene, sums: list[Sum]) -> str:
    one = sums[-1]
    if not scene.units:
        return scene.why
    if scene.plan.privacy.unit == "site":
        return "a site has one unit: there are no canaries beside each other"
    if one.ask.band is not None:
        return "each sum holds the ones before it, which is not looked at yet"
    if one.inside.grid.length < FEWEST:
        return f"a sum of {one.inside.grid.length} numbers has no room for canaries beside each other; pairs have"
    return ""


def _of(scene: Scene, kind: Kind, sums: list[Sum], name: str, effort: Effort) -> Finding:
    one, level = sums[-1], effort.level / len(scene.kinds)
    values = max((len(column.values) for column in scene.plan.data.columns.values()), default=0)
    many = min(MOST, ROOM // one.inside.grid.length, values)
    if many < FEWEST:
        return Check(name, None, f"no column has {FEWEST} values, by which canaries could differ; pairs say more")
    try:
        rows, units, _ = made_up(scene.plan, many, scene.public("canaries"))
    except NotMade as why:
        return Check(name, None, str(why))
    among = Scene(scene.plan, scene.seed, scene.draw, rows, units)
    directions = np.empty((len(units), one.bound.grid.length), np.float32)
    nobody = _alone(among, one, among.only(kind, units[0][:0]))
    for place, unit in enumerate(units):
        if effort.over:
            return Check(name, None, f"the time was up when {place:,} of {len(units):,} canaries had been made")
        directions[place] = _alone(among, one, among.only(kind, unit)) - nobody
    if len(units) < FEWEST or _common(directions, scene) > ALIKE:
        return Check(name, None, "canaries of this plan's columns point one way: pairs say more")
    there = scene.public("coins").integers(2, size=len(units)).astype(bool)
    inside = among.only(kind, np.concatenate([unit for unit, is_in in zip(units, there, strict=True) if is_in]))
    seen = sum((each.source(inside, scene.draw).release(scene.draw) - nobody for each in sums), np.zeros(len(nobody)))
    scores = likely(directions, seen, len(sums))
    claimed, delta = target(scene.plan, kind)
    at = min(delta, level / (8 * len(PARTS) * len(units)))
    by_any, guesses, right = guessed(scores, there, at, level / 2)
    how, held = ",", by_any <= promised(one, len(sums), at)
    if one.inside.sampling is not None:
        lower = guessed(scores, there, delta, level / 2)[0]
    else:
        by_gauss, lower = apart(scores[there], scores[~there], level / 2), gaussian_epsilon(mu_of(by_any, at), delta)
        held &= by_gauss <= claim(one).mu(len(sums))
        if (read := gaussian_epsilon(by_gauss, delta)) > lower:
            lower, how = read, ", and errors read as those of Gaussian noise,"
    found = verdict(held, lower)
    words = (
        f"claimed epsilon {claimed:g}; of {guesses:,} guesses about {len(units):,} canaries in one run {right:,} were "
        f"right{how} which proves {f'at least {lower:.3g} ({SURE})' if lower > 0 else 'nothing'}{SAID[found]}"
    )
    return Bound(name, claimed, lower, 1 - WRONG, found, words)


def _alone(scene: Scene, one: Sum, rows: Table | None) -> Floats:
    """[d] what rows add to a sum, or where a site's own steps along them end."""
    return quiet(scene, one, rows) if isinstance(one.bound, Walked) else one.moved(rows, scene.draw)


def apart(there: Floats, away: Floats, level: float) -> float:
    """The mu-GDP that guesses prove, of canaries each of which has noise of its own: half of all are said to be
    there."""
    hits, false = errors(there, away, float(np.median(np.concatenate([there, away]))), above=True)
    return mu(least(hits, len(there), level / 2), most(false, len(away), level / 2))


def promised(one: Sum, sums: int, delta: float) -> float:
    """The epsilon at another delta that so many sums are charged for."""
    event = one.bound.cost.event  # type: ignore[union-attr]  # a noised sum has a cost
    if isinstance(event, SampledGauss):
        return epsilon([msgspec.structs.replace(event, count=event.count * sums)], delta)
    return gaussian_epsilon(claim(one).mu(sums), delta)


def likely(directions: NDArray[np.float32], seen: Floats, sums: int) -> Floats:
    """[m] how likely each canary is there. directions [m, d]: of each in one sum; seen [d]: so many sums, added up.

    To whoever looks for one canary the coins of the others are noise too, and of numbers that all share little can be
    said: so each number weighs by the variance that coins give it. Any score is valid.
    """
    coins = np.einsum("md,md->d", directions, directions) / 4.0
    rest = seen - sums * directions.sum(axis=0, dtype=np.float64) / 2
    weighed = np.divide(rest, coins, out=np.zeros(len(rest)), where=coins > 0)
    return np.asarray(directions @ weighed.astype(np.float32), dtype=np.float64)


def _common(directions: NDArray[np.float32], scene: Scene) -> float:
    """The mean cosine, without its sign, of some pairs."""
    places = scene.public("alike").integers(len(directions), size=(2, 256))
    left, right = directions[places[0]], directions[places[1]]
    size = np.linalg.norm(left, axis=1) * np.linalg.norm(right, axis=1)
    return float(np.abs((left * right).sum(axis=1) / np.where(size > 0, size, 1.0)).mean())


def guessed(scores: Floats, there: NDArray[np.bool_], delta: float, level: float) -> tuple[float, int, int]:
    """(epsilon at least, guesses, right ones) of the best of some numbers of guesses, all of which are paid for."""
    order, best = np.argsort(scores), (0.0, 0, 0)
    for part in PARTS:
        half = max(1, int(part * len(scores)) // 2)
        right = int((~there[order[:half]]).sum() + there[order[-half:]].sum())
        lower = by_guesses(delta, len(scores), 2 * half, right, level / len(PARTS))
        if lower >= best[0]:
            best = (lower, 2 * half, right)
    return best
