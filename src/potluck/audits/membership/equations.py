"""Who was trained on, from exact sums that were opened: each number of one is a linear equation in who is in it.

A sum at an announced model is the sum of what the rows that train add there. The attacker has the rows in question and
the program, so it knows what each would add, and does not know which did: the flags are the unknowns. One sum of more
numbers than rows, or several sums at models that differ, say all of them, whoever protects the sums until they open.
Where a round is over rows that a public seed draws (`training.batch`), the attacker draws them as well: a row that was
not drawn adds nothing to the slopes of that round.
With p the share of rows that train, A what each adds, S the sums and e the size of rounding, the flags are scored by
the best linear guess, p + v A' (v A A' + e e')^-1 (S - A p), v = p (1 - p), brought between 0 and 1: of all such
flags those that are least unlikely, by the method of multipliers. Sums that are too few for the linear guess are often
enough with the bounds.
References: Boyd et al. 2011, Foundations and Trends in Machine Learning 3 (alternating directions); Nasr, Shokri,
Houmansadr 2019, arXiv 1812.00910 (members by the updates of federated learning); Dinur, Nissim 2003 (rows from exact
sums, by linear equations).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import numpy as np

from potluck.audits.attack import Found, Scene, Sort, Until
from potluck.audits.membership.overfit import scenes
from potluck.audits.membership.scored import Named, Short
from potluck.audits.membership.shadows import strangers
from potluck.audits.seen import Candidates, Known, Seen
from potluck.core.asks import Task
from potluck.core.fixed import decode
from potluck.core.plan import Plan, required
from potluck.core.seeded import Words
from potluck.core.stages import Floats
from potluck.dp.mechanism import guarded, mechanism
from potluck.learning.data.table import Table
from potluck.learning.data.units import Index
from potluck.learning.loops import build
from potluck.learning.models.fitted import training
from potluck.learning.training.drawn import by_public_coins
from potluck.learning.training.method import method_of
from potluck.tasks.shapes.members import no_sum_of_rows

MOST, TIMES, OF_ONE = 3000, 8, 2
"""Equations at most; for each unit; and for each unit of one sum."""
STEPS, PULL, WITHIN = 1000, 10, 1e-6
"""Steps towards the bounds at most; how hard they pull, beside how far flags spread; and how near is near enough."""
NEAR = 1e-12
"""What adding up in floats may change, of what units add."""
FEW = 0.1
"""Steps of the grid by which a sum is off whose rows are on the grid one by one: none, but where machines differ."""
SLOPES = "gradient"
"""The block of a sum to which only rows add that were drawn for it."""
Unit = dict[str, Index]
"""The rows of one, by site."""


@dataclass(frozen=True, slots=True)
class Equations:
    """See the module."""

    name: str = "equations"
    sort: Sort = Sort.MEMBERSHIP
    reference: str = "Nasr et al. 2019, arXiv 1812.00910; Dinur, Nissim 2003"

    def fits(self, seen: Seen) -> str | None:
        """It needs rows that are here, of which a hash held some out, and exact sums of what each of them adds."""
        plan = seen.plan
        if not plan.traits.learns or not plan.traits.sums:
            return "no sums are trained on"
        if not plan.exact:
            return "the sums that are opened have noise"
        why = no_sum_of_rows(plan) or strangers(seen)
        return why if why is not None or _sums(seen) else "no sum of these rows was read"

    def control(self, seen: Seen, until: Until) -> Sequence[Scene]:
        """Made-up rows whose targets follow from nothing."""
        return scenes(seen, until)

    def tried(self, seen: Seen, until: Until) -> Sequence[Found]:
        """All candidates."""
        asked, sums = required(seen.candidates), _sums(seen)
        most, parts = TIMES * (int(asked.unit.max()) + 1), list[tuple[Floats, Floats, Floats]]()
        for one in sums:
            if sum(len(part[1]) for part in parts) >= min(MOST, most):
                break
            made = _added(seen.plan, one, asked, until)
            if made is None:
                break
            parts.append(_some(seen.plan, one, made, until))
        if not parts:
            return [Short(asked.of, "not one of the sums was worked through")]
        adds, opened, off = (np.concatenate(some) for some in zip(*parts, strict=True))
        how = f"{len(opened)} equations of {len(parts)} exact sums, in what each would add"
        return [Named(asked, solved(adds, opened, off, asked.share, until), how, seen.plan)]


def solved(adds: Floats, opened: Floats, off: Floats, share: float, until: Until) -> Floats:
    """[n] how likely each unit is in the sums, nearly. adds [k, n]: what each adds; opened [k]; off [k]: how far the
    sums may be off; share: of units that are in them; until: without time the guess is linear alone."""
    scaled, rest = adds / off[:, None], (opened - share * adds.sum(axis=1)) / off
    left, sizes, right = np.linalg.svd(scaled, full_matrices=False)
    told, known = left.T @ rest, 1 / (share * (1 - share))

    def nearest(to: Floats, weight: float) -> Floats:
        """What solves the equations as well as can be, near to `to`."""
        return np.asarray(to + right.T @ (sizes / (sizes**2 + weight) * (told - sizes * (right @ to))))

    flags = nearest(np.zeros(adds.shape[1]), known)
    over = np.zeros_like(flags)  # multipliers: by how much the bounds were overstepped so far
    for _ in range(STEPS):
        inside = np.clip(flags + over, -share, 1 - share)
        over += flags - inside
        if until.over or np.abs(flags - inside).max() < WITHIN:
            break
        flags = nearest((inside - over) * PULL / (1 + PULL), known * (1 + PULL))
    return np.asarray(share + flags)


def keys(asked: Candidates) -> Words:
    """[n] by which rows are drawn: of equal rows of a site each has its own."""
    homes, found = asked.pool.sites[: asked.count], np.zeros(asked.count, np.uint64)
    for home, name in enumerate(sorted(asked.of)):
        here = np.flatnonzero(homes == home)
        found[here] = asked.pool.some(here, name).keys
    return found


def _sums(seen: Seen) -> list[Known]:
    """Of the sums those over rows that are asked about, of rounds far from one another first."""
    found = [one for one in seen.training() if one.of <= required(seen.candidates).of]
    rounds = sorted({one.round for one in found})
    early = {number: int(f"{place:032b}"[::-1], 2) for place, number in enumerate(rounds)}
    return sorted(found, key=lambda one: early[one.round])


def _units(asked: Candidates) -> list[Unit]:
    """Of each unit its rows of the pool, by site."""
    names, homes = sorted(asked.of), asked.pool.sites[: asked.count]
    order = np.argsort(asked.unit, kind="stable")
    each = np.split(order, np.flatnonzero(np.diff(asked.unit[order])) + 1)
    return [{names[home]: rows[homes[rows] == home] for home in np.unique(homes[rows])} for rows in each]


def _added(plan: Plan, known: Known, asked: Candidates, until: Until) -> Floats | None:
    """[d, units] what each unit adds to a sum, by the code of sites, on its grid. None: time was up."""
    # Of one row alone nothing is drawn, and which are in the sum follows from their keys.
    whole = msgspec.structs.replace(plan, training=msgspec.structs.replace(training(plan), batch=None))
    task: Task[Table, object] = build(whole)
    privacy, draw, slopes = mechanism(plan, known.ask), until.rng.bytes, known.grid.slices().get(SLOPES, slice(0))
    coins, found = by_public_coins(plan, known.ask.step, keys(asked)), list[Floats]()
    for unit in _units(asked):
        if until.over:
            return None
        total = np.zeros(known.grid.length)
        for name, own in unit.items():
            for drawn in (True, False):
                rows = own[coins[own] == drawn]
                if name in known.of and len(rows):
                    given = task.contribute(known.ask, asked.pool.some(rows, name), draw)
                    adds = decode(guarded(privacy, given, draw).words, known.grid)
                    adds[slopes] *= drawn
                    total += adds
        found.append(total)
    return np.array(found).T


def _some(plan: Plan, known: Known, adds: Floats, until: Until) -> tuple[Floats, Floats, Floats]:
    """(adds [k, n], opened [k], off [k]) of at most so many numbers of a sum as are of use."""
    steps = np.repeat([one.step for one in known.grid.parts], [one.size for one in known.grid.parts])
    off = steps * (np.sqrt(adds.shape[1]) if method_of(plan).whole(plan) else FEW) + NEAR * np.sqrt(
        (adds**2).sum(axis=1)
    )
    told = np.flatnonzero(adds.any(axis=1))
    most = min(MOST, OF_ONE * adds.shape[1])
    if len(told) > most:
        told = np.sort(until.rng.choice(told, most, replace=False))
    return adds[told], decode(known.words, known.grid)[told], off[told]


EQUATIONS = Equations()
