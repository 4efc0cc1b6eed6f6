"""The worst unit of a sum that is found: two sites' rows that differ by one unit, and how far that moves the sum.

Units, models that a server might announce, and rows beside the unit (`beside`) are tried, and the pair that moves the
noised sum farthest is kept. That it moves it no farther than noise was reckoned for is a check with no chance in it: a
unit that is not clipped, or clipped after it was added up, or that counts as several, shows at once. It does NOT find
the worst of all: a bound of it is none from above.
References: Nasr et al. 2023, arXiv 2302.07956 (worst neighbours by hand); Abadi et al. 2016, arXiv 1607.00133 (clip).
"""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial

import numpy as np

from potluck.audits.promises import bands
from potluck.audits.promises.beside import comers, depends
from potluck.audits.promises.crowd import crowd
from potluck.audits.promises.promise import Check, Effort, Finding
from potluck.audits.promises.scene import Scene, Sum, alike, kind_name, spread
from potluck.core.asks import Kind
from potluck.core.rounds import Abort
from potluck.core.stages import Floats
from potluck.learning.data.table import Table
from potluck.learning.data.units import NUMBERS
from potluck.learning.loops import TrainTask
from potluck.learning.training.methods import method_of

LOUD = (0.0, 1.0, 4.0)
"""Spreads of the weights of models that are tried."""
CROWD = 1 << 15
"""Rows of persons that are tried together, at most."""
ENOUGH = 2.0
"""Times what noise was reckoned for: no unit is looked for that moves a sum farther, beside others."""
ROUNDED = 1e-6
"""Of the bound: floats that add up may be off by so much."""


@dataclass(frozen=True, eq=False)
class Pair:
    """Two neighbours. sums: at the model at which they differ most, one a release; without, there: a site's rows;
    signal [d]: by how much the sum differs; far: its length over what noise was reckoned for, over all parts; depends:
    what a unit adds follows from others, here or at another model."""

    sums: list[Sum]
    without: Table | None = field(repr=False)
    there: Table | None = field(repr=False)
    signal: Floats = field(repr=False)
    far: float
    depends: bool = False


@lru_cache(maxsize=1)
def pairs(scene: Scene) -> Mapping[Kind, list[Pair]]:
    """The worst that is found, of each kind of noised sum, for each set of numbers that its rounds have: the usual ones
    come last. Banded sums, of which each holds the ones before, are left out, and so is all where there are no rows."""
    return {
        kind: [worst(scene, kind, some) for some in alike(sums)]
        for kind, sums in scene.kinds.items()
        if scene.units and all(one.noised for one in sums) and sums[0].ask.band is None
    }


def worst(scene: Scene, kind: Kind, sums: list[Sum]) -> Pair:
    """Of sums of one kind that have the same numbers."""
    if not isinstance(scene.task, TrainTask):  # each is at a state of its own
        return _worst([_try(scene, kind, [one], True) for one in spread(sums)])
    found = [_try(scene, kind, sums, False)]
    for number, width in enumerate(LOUD):
        louder = _at(scene, kind, sums, width, number)
        if louder is not None:
            found.append(_try(scene, kind, louder, True))
        if found[-1].far > ENOUGH:
            break
    return _worst(found)


def _worst(found: list[Pair]) -> Pair:
    return replace(max(found, key=lambda one: one.far), depends=any(one.depends for one in found))


def _try(scene: Scene, kind: Kind, sums: list[Sum], beside: bool) -> Pair:
    """The worst at one model: of units alone, and where they do not add for themselves, beside others."""
    one, units, draw = sums[-1], scene.units, scene.draw
    nobody = scene.only(kind, np.zeros(0, np.int64))
    nothing, alone, best = one.moved(nobody, draw), list[Floats](), None
    for unit in units:
        if best is not None and time.monotonic() > scene.until:
            return best
        there = scene.only(kind, unit)
        alone.append(one.moved(there, draw) - nothing)
        far = one.far(alone[-1])
        if best is None or far > best.far:
            best = Pair(sums, nobody, there, alone[-1], far)
    assert best is not None  # there are units
    if not beside or scene.plan.privacy.unit == "site" or not depends(scene, kind, one, alone, nothing):
        return best
    best, base, now = replace(best, depends=True), nothing, nobody
    for without, there in comers(scene, kind, one):
        if best.far > ENOUGH or time.monotonic() > scene.until:
            break
        if without is not now:
            base, now = one.moved(without, draw), without
        signal = one.moved(there, draw) - base
        if (far := one.far(signal)) > best.far * (1 + ROUNDED):
            best = Pair(sums, without, there, signal, far, depends=True)
    return best


def _at(scene: Scene, kind: Kind, sums: list[Sum], spread: float, number: int) -> list[Sum] | None:
    """The same sums where all but the first of training are at a model that a server chose. None: it may choose none,
    or sites refuse it."""
    task = scene.task
    if not isinstance(task, TrainTask) or (kind is Kind.TRAIN and len(sums) < 2):
        return sums if spread == 0 else None
    announced = np.frombuffer(sums[-1].ask.state, "<f8")
    if len(method_of(scene.plan).modelled(scene.plan, announced)) != len(announced) and kind is Kind.TRAIN:
        return sums if spread == 0 else None  # beside the model stands what follows from earlier sums
    other = announced + spread * scene.public("model", number).standard_normal(len(announced))
    made = []
    for one in sums:
        if kind is Kind.TRAIN and one.ask.step == 0:
            continue
        try:
            step = one.ask.step if kind is Kind.TRAIN else scene.plan.sums
            there = method_of(scene.plan).stands(other, step)
            ask = task.ask(kind, one.ask.step, there.astype("<f8").tobytes())
        except Abort:
            return None
        if ask.blocks != one.ask.blocks:
            return None  # its grid follows the model
        made.append(replace(one, ask=ask))
    return made


def findings(scene: Scene, effort: Effort) -> Iterator[Finding]:
    """Of each kind of sum of which a unit can be made."""
    effort.tell("the worst unit")
    for kind, sums in scene.kinds.items():
        if scene.units and sums[0].noised:
            once = partial(sums[-1].moved, scene.only(kind, scene.units[0]), scene.draw)
            tries = len(scene.units) * (1 + len(LOUD)) * len(alike(sums))
            effort.forecast(f"sums of {kind_name(kind)} that are tried", sums[-1].bound.grid.length, tries, once)
        if scene.units and sums[0].noised and sums[0].ask.band is not None:
            yield _banded(scene, kind, sums)
    for kind, each in pairs(scene).items():
        pair, name = max(each, key=lambda one: one.far), kind_name(kind)
        held: bool | None = pair.far <= 1 + ROUNDED
        unit = scene.plan.privacy.unit
        words = (
            f"the {unit} that moves the sum of {name} farthest, of {len(scene.units)} that were tried, "
            f"moves it by {pair.far:.3g} times what noise was reckoned for"
        )
        if any(one.depends for one in each):
            held = held and None  # no more than noise was reckoned for, of what was tried
            words += f", and what a {unit} adds follows from others beside it, which noise is not reckoned for"
        if isinstance(scene.task, TrainTask) and _strays(scene, kind, each):
            held, words = False, f"rows that are in no sum of {name} move it"
        elif unit == "person" and (each_of := _many(scene, kind, pair.sums[-1])) > 1 + ROUNDED:
            held, words = (
                False,
                f"many persons, whose rows stand apart, move the sum of {name} by {each_of:.3g} clips each",
            )
        yield Check(f"sensitivity: {name}", held, words, 1.0, pair.far)


def _many(scene: Scene, kind: Kind, one: Sum) -> float:
    """How far each of many persons moves a sum, over the clip: of more rows than are added up at once."""
    unit = scene.units[0]
    counted = min(len(unit), scene.plan.privacy.rows_per_person or len(unit))
    count = NUMBERS // (one.inside.grid.length * counted) + 64
    many = crowd(scene, kind, unit, min(count, CROWD // len(unit)))
    if many is None:
        return 0.0
    nobody = one.moved(scene.only(kind, unit[:0]), scene.draw)
    return one.far(one.moved(many[0], scene.draw) - nobody) / many[1]


def _banded(scene: Scene, kind: Kind, sums: list[Sum]) -> Check:
    """Of sums of which each holds the ones before, all of a run together."""
    found, most = bands.moves(scene, kind, in_order(scene, kind, sums))
    words = (
        f"the {scene.plan.privacy.unit} that moves {len(sums)} sums of {kind_name(kind)} farthest, of "
        f"{len(scene.units)} that were tried, moves them by {found:.3g} squares of a clip, of {most:.3g} that "
        "noise was reckoned for"
    )
    return Check(f"sensitivity: {kind_name(kind)}", found <= most * (1 + ROUNDED), words, most, found)


def in_order(scene: Scene, kind: Kind, sums: list[Sum]) -> list[Sum]:
    """Sums of which each holds the ones before, all but the first at a model that a server chose."""
    loud = _at(scene, kind, sums, 1.0, 1)
    return sums[:1] + loud if loud else sums


def _strays(scene: Scene, kind: Kind, each: list[Pair]) -> bool:
    """Whether a row moves a sum that it is kept out of: what is trained on and what is held out cost apart."""
    nobody = scene.only(kind, scene.units[0][:0])
    return any(bool(pair.sums[-1].moved(nobody, scene.draw).any()) for pair in each)
