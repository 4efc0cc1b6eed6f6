"""Bound and noise of one sum, as one object: what a unit may contribute, and the noise that hides it.

`Noised` is the distributed discrete Gaussian (arXiv 2102.06387) without rotation: each unit is clipped, truncated
toward zero on the grid and checked in integers (core.fixed), then integer noise is added, once: at the site in full
(`site`), at the site as a share whose sum over the fewest honest survivors is enough (`shared`), or when the sum is
opened (`reveal`). `Exact` is no noise, said aloud: it checks ranges and promises nothing about privacy. `Walked` is for
what a site makes of noised sums of its own: all noise is inside these, and what leaves is bounded alone.
It does NOT hide that a site takes part, how many rows it has beyond the noise, or anything from someone who breaks
the protection under `shared` and `reveal`: that noise is inside the protected sum, or not there yet.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from msgspec.structs import replace as replace_event

from potluck.core.asks import Ask, Block
from potluck.core.errors import PlanError
from potluck.core.fixed import add, decode, encode, margin
from potluck.core.party import Draw
from potluck.core.plan import Plan, required
from potluck.core.rounds import Abort, Cause, Words
from potluck.core.slices import blocks
from potluck.core.stages import (
    Bounded,
    Clip,
    Contribution,
    Encoded,
    Floats,
    Grid,
    Guarded,
    L,
    Opened,
    Privacy,
    Range,
    Settled,
    Update,
    Walk,
)
from potluck.core.wire import dump
from potluck.dp import grid as grids
from potluck.dp.account import (
    FINEST_SHARE,
    NEIGHBOURS,
    Cost,
    calibrate,
    calibrate_steps,
    event_of,
    shares_slack,
)
from potluck.dp.banded import squares, weight
from potluck.dp.calibration import least_share, releases, shares, target
from potluck.dp.events import Banded, DiscreteGauss, Event, rho
from potluck.dp.loss import LOOSE, TIGHT
from potluck.dp.noise import runs
from potluck.dp.sampling import Drawn, drawn, rare

NoiseWord = Literal["site", "shared", "reveal"]


@dataclass(frozen=True, slots=True)
class Exact:
    """No noise: a contribution beyond its range stops the site."""

    grid: Grid
    limit: Range

    def clip(self, update: Update) -> Bounded[Range]:
        """values [units, d], unchanged. Raises Abort(RANGE): a value is beyond its range or not finite."""
        values = update.values
        for high, (name, where) in zip(self.limit.high, self.grid.slices().items(), strict=True):
            if not all((np.abs(values[block]) <= high).all() for block in blocks(len(values), where)):
                raise Abort(Cause.RANGE, detail=f"{name}: a contribution is beyond its range or not a finite number")
        return Bounded(update.values, self.grid, self.limit)

    def at_site(self, encoded: Encoded[Range], draw: Draw) -> Guarded:
        """Nothing is added, nothing is charged. Reveals: whatever the protection lets through, exactly."""
        return Guarded(encoded.words)

    def at_reveal(self, opened: Opened, draw: Draw) -> Settled:
        """Nothing is added. Reveals: the exact sum."""
        return Settled(opened.words, opened.givers, np.zeros(self.grid.length))


@dataclass(frozen=True, slots=True)
class Noised:
    """A clip and its noise. sigma, share: for each part, in grid steps, what is guaranteed and what one site adds.

    sampling: how its units are drawn; None: it is of all.
    within: the noise of `reveal` is an enclave's to add, before the sum leaves it.
    """

    grid: Grid
    limit: Clip
    word: NoiseWord
    sigma: tuple[float, ...]
    share: tuple[float, ...]
    cost: Cost
    sampling: Drawn | None = None
    within: bool = False

    def clip(self, update: Update) -> Bounded[Clip]:
        """values [units, d], each unit's part scaled down to its clip. A unit that is not finite counts as zero:
        an error would tell of it."""
        values, finite = update.values, np.ones(len(update.values), dtype=np.bool_)
        for rows, columns in blocks(len(values), slice(0, self.grid.length)):
            finite[rows] &= np.isfinite(values[rows, columns]).all(axis=1)
        values = np.where(finite[:, None], values, 0.0)
        for most, where in zip(self.limit.l2, self.grid.slices().values(), strict=True):
            _clip(values[:, where], most)
        if isinstance(self.cost.event, DiscreteGauss):
            values = _one_coordinate(values)
        return Bounded(values, self.grid, self.limit)

    def at_site(self, encoded: Encoded[Clip], draw: Draw) -> Guarded:
        """words [d] with this site's noise inside, and what they cost. Reveals: nothing beyond that cost, where the
        protection holds; under `reveal` nothing is inside yet."""
        if encoded.grid != self.grid or encoded.limit != self.limit:
            raise ValueError("encoded for another sum")
        if self.word == "reveal":
            return Guarded(encoded.words, dump(self.cost))
        return Guarded(self._noised(encoded.words, draw), dump(self.cost))

    def at_reveal(self, opened: Opened, draw: Draw) -> Settled:
        """The sum with all noise inside, and its standard deviation, given who gave. Reveals: the noised sum."""
        givers = 1 if self.word == "reveal" else len(opened.givers)
        std = np.repeat(np.array(self.real(self.share)) * math.sqrt(givers), [part.size for part in self.grid.parts])
        owed = self.word == "reveal" and not self.within
        words = self._noised(opened.words, draw) if owed else opened.words
        return Settled(words, opened.givers, std)

    def real(self, steps: Sequence[float]) -> tuple[float, ...]:
        """Grid steps, for each part, in real units."""
        return tuple(one * part.step for one, part in zip(steps, self.grid.parts, strict=True))

    def _noised(self, words: Words, draw: Draw) -> Words:
        """New words [d], with noise of `share` inside."""
        out = words.copy()
        for sigma, where in zip(self.share, self.grid.slices().values(), strict=True):
            for at, noise in runs(sigma, where.stop - where.start, draw):
                out[where.start + at : where.start + at + len(noise)] += noise.astype(out.dtype)
        return out


@dataclass(frozen=True, slots=True)
class Walked:
    """What a site adds follows from `times` noised sums over its rows, one after another (`core.stages.Walk`).

    Each of these has all of its noise when it is made, whose draws nothing else uses, and what follows from them is
    post-processing: so it costs as much as they do, whatever comes of it, and what leaves needs no noise. That holds
    for noise that a site adds in full (`site`) alone. A share would do for the sum over all sites, but not for the
    site's next step, which begins where its own last one ended, with one share inside
    (`tests/attacks/privacy/test_own_steps.py`).
    sent: bounds what leaves; each: of one of the site's sums.
    """

    sent: Exact
    each: Noised
    times: int

    @property
    def grid(self) -> Grid:
        """Of what leaves."""
        return self.sent.grid

    @property
    def limit(self) -> Range:
        """Of what leaves."""
        return self.sent.limit

    @property
    def cost(self) -> Cost:
        """Of all sums that one contribution takes."""
        one, times = self.each.cost, self.times
        event = replace_event(one.event, count=times * one.event.count)
        return replace_event(one, event=event, slack=times * one.slack, releases=one.releases // times)

    def at_site(self, given: Iterable[Contribution], draw: Draw) -> Guarded:
        """words [d] of what follows from the site's sums, and what these cost. Reveals: nothing beyond that cost, to
        whoever reads it. Raises ValueError: the steps are not as many as are charged."""
        (walk,) = given
        if not isinstance(walk, Walk):
            raise ValueError("units in a sum of what follows from noised sums")
        taken, last = 0, None
        try:
            units = next(walk.steps)
            while taken < self.times:
                found = decode(guarded(self.each, units, draw).words, self.each.grid)
                taken += 1
                units = walk.steps.send(found)
        except StopIteration as stop:
            last = stop.value
        if last is None or taken != self.times:
            raise ValueError("a site's steps are not as many as are charged")
        made = encode(self.sent.clip(Update(last[None, :])))
        return Guarded(made.words, dump(self.cost))

    def at_reveal(self, opened: Opened, draw: Draw) -> Settled:
        """The sum as it is. std is of no number: noise of one step went through the next ones."""
        return Settled(opened.words, opened.givers, np.full(self.grid.length, np.nan))


Bound = Exact | Noised | Walked


def noise_of(privacy: Bound) -> Noised | None:
    """The noised sum in it, the site's own or that of all; None: it is exact."""
    return privacy.each if isinstance(privacy, Walked) else None if isinstance(privacy, Exact) else privacy


def guarded(privacy: Bound, given: Iterable[Contribution], draw: Draw) -> Guarded:
    """What a site adds to the sum: batches of disjoint units, encoded and added up, with its share of the noise; or
    what follows from noised sums of its own.

    Raises Abort(RANGE): a contribution is beyond its range.
    """
    if isinstance(privacy, Walked):
        return privacy.at_site(given, draw)
    if isinstance(privacy, Noised):  # one text twice: the type checker wants a clip with its noise
        by = privacy.sampling
        taken = given if by is None else (by.taken(one, draw) for one in given)
        return privacy.at_site(add((_encoded(privacy, one) for one in taken), privacy.grid, privacy.limit), draw)
    return privacy.at_site(add((_encoded(privacy, one) for one in given), privacy.grid, privacy.limit), draw)


def _encoded(privacy: Privacy[L], one: Contribution) -> Encoded[L]:
    if isinstance(one, Update):
        return encode(privacy.clip(one))
    if isinstance(one, Walk):
        raise ValueError("what follows from noised sums, in a sum of units")
    made = one.encode(privacy.grid, privacy.limit)
    if made.grid != privacy.grid or made.limit != privacy.limit:
        raise ValueError("encoded for another sum")
    return made


def _clip(values: Floats, most: float) -> None:
    """[units, d], in place: rows longer than `most` (with a margin for rounding) are scaled down to just below it."""
    spare = margin(values.shape[1])
    with np.errstate(over="ignore"):
        norms = np.sqrt(np.einsum("ud,ud->u", values, values))
        over = norms > most / (1 + spare / 2)
        factor = np.where(over, most / (1 + spare) / np.where(over, norms, 1.0), 1.0)
    values *= factor[:, None]


def _one_coordinate(values: Floats) -> Floats:
    """[units, d]: the largest coordinate of each unit, all others zero: what the tight accounting relies on."""
    largest = np.abs(values).argmax(axis=1)
    return np.where(np.arange(values.shape[1]) == largest[:, None], values, 0.0)


def mechanism(plan: Plan, ask: Ask) -> Bound:
    """The bound and the noise that the plan owes for this sum. Raises PlanError: it cannot be kept."""
    word, own = plan.privacy.noise, ask.own
    if word != "none" and own is None:
        return _noised(plan, ask, word)
    sent = Exact(grids.exact(ask), Range(tuple(block.high for block in ask.blocks)))
    if word == "none" or own is None:
        return sent
    if word != "site":
        raise PlanError("steps of a site need all of its noise", where="privacy.noise", hint='noise = "site"')
    return Walked(sent, _noised(plan, replace(ask, blocks=own.blocks), word, own.times), own.times)


def _noised(plan: Plan, ask: Ask, how: NoiseWord, times: int = 1) -> Noised:
    epsilon, delta = target(plan, ask.kind)
    count, sure, sites = times * releases(plan, ask.kind), shares(plan), len(plan.federation.sites)
    slack = shares_slack(sure)
    extra = slack * sum(block.size for block in ask.blocks) / 2
    limits = tuple(block.l2 * (1 + margin(block.size)) for block in ask.blocks)
    try:
        turns = _turns(ask, epsilon, delta, plan.privacy.redo, extra)
        sampling = drawn(ask, epsilon, delta, count, sure)
        if turns is not None:
            ratio = turns[0]
        else:
            ratio = calibrate(epsilon, delta, count, extra) if sampling is None else sampling.ratio
    except ValueError as error:
        hint = "raise epsilon or delta" if ask.chance is None or epsilon <= LOOSE else "leave out training.batch"
        raise PlanError(str(error), where="privacy.epsilon", hint=hint) from None
    # A block's part of (sensitivity / sigma)^2 is its share of the cost.
    apart = [limit / math.sqrt(share) for limit, share in zip(limits, _costs(ask.blocks), strict=True)]
    sigmas = [ratio * one * (1 + 2.0**-50) for one in apart]
    givers = {"site": sites, "shared": sites / sure, "reveal": 1}[how]
    loud = tuple(grids.Loudness(one, one / math.sqrt(sure), one * math.sqrt(givers)) for one in sigmas)
    grid = grids.noised(ask, loud)
    steps = tuple(one / part.step for one, part in zip(sigmas, grid.parts, strict=True))
    sensitivity, guaranteed, single = 1.0, ratio, False
    if sampling is not None:
        steps = tuple(sampling.sigma(one / part.step) for one, part in zip(apart, grid.parts, strict=True))
    elif _tight(ask.blocks) and TIGHT <= epsilon <= LOOSE:
        most = math.floor(limits[0] / grid.parts[0].step)
        tight = calibrate_steps(
            epsilon - count * slack, delta * math.exp(-count * slack / 2), count, most, enough=steps[0]
        )
        if FINEST_SHARE * math.sqrt(sure) <= tight < steps[0]:
            steps, guaranteed, sensitivity, single, extra = (tight,), tight, float(most), True, slack
    event: Event
    event, slack = event_of(guaranteed, sensitivity, extra, single) if sampling is None else sampling.charged
    event = event if turns is None else turns[1]
    cost = Cost(2, ask.kind, required(plan.privacy.unit), NEIGHBOURS, how, event, slack, delta, count)
    share = tuple(least_share(one, sure) for one in steps)
    return Noised(grid, Clip(limits), how, steps, share, cost, sampling, plan.enclosed)


def _turns(ask: Ask, epsilon: float, delta: float, again: int, extra: float) -> tuple[float, Banded] | None:
    """(noise over what a unit adds at its turn, the event) of a banded sum. None: it is none. Raises ValueError: no
    noise is known that does.

    What a sum of shares costs beside is counted whole in each, also where a unit's turn is long ago. That a group is
    larger than its slots is as rare as for drawn ones, and costs delta as there (`sampling.rare`).
    """
    if ask.band is None:
        return None
    left = delta - rare(ask.band.sums + again, epsilon)
    if ask.chance is not None or left <= 0:
        raise ValueError("units that have their turns are not drawn as well, and delta counts what is rare")
    most, beside = weight(ask.band, again), extra / squares(ask.band)[-1]
    ratio = calibrate(epsilon, left, 1, most * beside) * math.sqrt(most) * (1 + 2.0**-50)
    return ratio, Banded(rho(ratio, beside), *ask.band, ask.step + 1, most)


def _costs(blocks: tuple[Block, ...]) -> list[float]:
    """The share that each has of what a sum costs. Raises ValueError: they come to more than all of it."""
    found = [1 / len(blocks) if block.cost is None else block.cost for block in blocks]
    if math.fsum(found) > 1 + 2.0**-52:
        raise ValueError("blocks share more than a sum costs")
    return found


def _tight(blocks: tuple[Block, ...]) -> bool:
    return len(blocks) == 1 and blocks[0].single and blocks[0].parts == 1
