"""Sums of a network's clipped gradients in which groups of units have their turns (`training.band`, `core.asks`).

A site's units are in `band` groups by a keyed hash of their number, whose key the site draws once in a run. So which
group a unit is in depends on no other, and a group has more units than slots, of which some are then left out, once in
2^100 times. In round t group t mod band goes through its slots, as many as any draw of one in `band` fills (`slots`),
and its sum of whole numbers is added, times UNIT, to the last band - 1 such sums times their coefficients. Those sums
have no noise of their own: they stay at the site, on its disk until the run is over, with the key (`learning.kept`), 8
bytes a number. A round that is done again begins from the same, so that no group's sum stands in one round twice; where
what was kept is lost, the site takes part no more.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from potluck.core.asks import UNIT, Band, coefficients
from potluck.core.party import Draw
from potluck.core.plan import Plan, required
from potluck.core.rounds import Abort, Cause
from potluck.core.seeded import Words, scrambled
from potluck.core.stages import Encoded, Floats, Grid, L
from potluck.learning.data.table import Table
from potluck.learning.kept import model_hash
from potluck.learning.models.fitted import training
from potluck.learning.training.drawn import band
from potluck.learning.training.method import TrainingMethod
from potluck.learning.training.row_sums import Whole, encoded, noised
from potluck.learning.training.slots import Slots

SECRET = 16
"""Bytes of the key by which units are in groups; each is kept as a number."""


@dataclass(frozen=True, eq=False)
class Turn:
    """What a site's units add to one banded sum. See `core.stages.Unlaid`.

    band: of the plan; slots: of the group whose turn it is; before: the sums of the groups before it, the newest first;
    keep: is handed that group's sum, before it is used.
    """

    band: Band
    slots: Slots = field(repr=False)
    before: tuple[Whole, ...] = field(repr=False)
    keep: Callable[[Whole], None] = field(repr=False)

    def encode(self, grid: Grid, limit: L) -> Encoded[L]:
        """A group's sum is on a grid UNIT times as coarse, on which each unit is within the clip as `clipped_sums`
        proves. So what it adds here, times a coefficient of UNIT or less, is within the clip too. Raises
        GraphError: torch fails; Abort, UsageError as `Kept.keep`."""
        (part,) = grid.parts
        found = self.slots.summed(replace(part, step=part.step * UNIT), noised(limit).l2[0])
        self.keep(found)
        total = UNIT * found
        for factor, past in zip(coefficients(self.band)[1:], self.before, strict=False):
            total += factor * past
        return encoded({part.name: total}, grid, limit)


def turn(plan: Plan, slots: Slots, weights: Floats, rows: Table, draw: Draw) -> Turn:
    """Of one round. slots: of all units. Raises Abort(KEPT): what the site kept of the last one is not there."""
    of, size, step = required(band(plan)), len(slots.weights), slots.step
    found = rows.kept.before(step)
    if found is None:  # the first round, which may have been done before: nobody changes groups in a run
        known = rows.kept.last()
        found = np.frombuffer(draw(SECRET), np.uint8).astype(np.float64) if known is None else known[:SECRET]
    past = min(step, of.groups - 1)
    if len(found) != SECRET + past * size:
        raise Abort(Cause.KEPT, detail="what is kept is of another model")
    before = found[SECRET:].astype(np.int64).reshape(past, size)
    mine = turns(found[:SECRET].astype(np.uint8).tobytes(), len(slots.units), of.groups) == step % of.groups

    def keep(own: Whole) -> None:
        left = np.concatenate([found[:SECRET], own.astype(np.float64), *before[: of.groups - 2].astype(np.float64)])
        rows.kept.keep(step, model_hash(weights), left)

    return Turn(of, slots.among(lambda count: mine), tuple(before), keep)


def faults(plan: Plan, method: TrainingMethod) -> Iterator[str]:
    """What of a plan with `band` cannot hold. Lines as `check` makes them."""
    spec = training(plan)
    if spec.band is None:
        return
    found = {}
    if not plan.noisy:
        found["training.band"] = 'correlates the noise of sums, and there is none. hint: privacy.noise = "shared"'
    elif not method.follows(plan):
        what = "of models whose rows take no time all rows in each round have less noise beside them"
        found["training.band"] = f'{what}. hint: a network by method = "gradient", or leave it out'
    if spec.band > spec.rounds:
        what = f"{spec.band} groups, and {spec.rounds} rounds: some would never have their turn"
        found.setdefault("training.band", f"{what}. hint: at most training.rounds")
    if spec.batch is not None:
        found["training.batch"] = "groups have their turns, and are not drawn. hint: leave out batch or band"
    if plan.privacy.clip_follows is not None:
        found["privacy.clip_follows"] = "sums hold gradients of earlier rounds, of one clip. hint: leave it out"
    if plan.federation.dropouts:
        what = "every sum holds the ones before it, and without one site they cannot be told apart"
        found["federation.dropouts"] = f"{what}. hint: 0; privacy.redo = 5 pays for rounds that are run again"
    yield from (f"{key}: {what}" for key, what in found.items())


def pauses(plan: Plan) -> Iterator[str]:
    """What of it runs, and should give pause."""
    if band(plan) is not None and not plan.privacy.redo:
        what = "is 0, and a round that one site misses ends the run"
        yield f"privacy.redo: {what}. hint: e.g. {max(1, training(plan).rounds // 50)}, for a little more noise"


def turns(secret: bytes, units: int, groups: int) -> Words:
    """[units] the group of each."""
    return scrambled(np.arange(units, dtype=np.uint64), secret) % np.uint64(groups)
