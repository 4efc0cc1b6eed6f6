"""What the coordinator could see of one and the same rows, under one protection after another.

The rows are nobody's: made up as the plan declares its columns, one a site. The program runs the plan over them, in the
clear, under masks, and with noise of three sizes; attacks get what the server read in each. So a page can show rows
beside guesses at them, and be passed on. What it shows is of a sum over few rows, where a row can be found at all: it
does NOT say what could be found of a run over many.
"""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import msgspec
import numpy as np

from potluck.audits.attack import Attack, Over, Scene, Truth, Until
from potluck.audits.control import bare, lines_of, scene_of
from potluck.audits.reconstruction.analytic import ANALYTIC
from potluck.audits.reconstruction.gram import GRAM_ROWS
from potluck.audits.reconstruction.inversion import INVERSION
from potluck.audits.rows import CLOSE, GOOD, WIDTH, Take, decibels, farthest
from potluck.core.errors import PotluckError
from potluck.core.plan import Plan, PrivacyPlan, Protect
from potluck.core.rounds import Abort
from potluck.core.seeded import generator
from potluck.core.stages import Floats
from potluck.learning.data.encode import encoding
from potluck.tasks import catalog

ATTACKS: tuple[Attack, ...] = (ANALYTIC, GRAM_ROWS, INVERSION)
"""Those after rows themselves, of a server that keeps to the protocol."""
EPSILONS = (8.0, 3.0, 1.0)
DELTA, CLIP = 1e-5, 1.0
SIDE = 32
"""Pixels of a picture's side that are kept, at most."""
CELLS = 8
"""Columns that are kept, at most."""


@runtime_checkable
class Guessed(Protocol):
    """What an attack found, as rows: guesses [k, p], and of a table the numbers [n, p] that they are guesses at."""

    @property
    def guesses(self) -> Floats: ...

    @property
    def take(self) -> Take: ...


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """Under one protection. attack: whose guesses are the nearest; found [n]: whether it found a row; near [n]:
    decibels of each row's nearest guess; guesses [n, p]: these; why: instead, why there are none."""

    title: str
    attack: str = ""
    found: tuple[bool, ...] = ()
    near: tuple[float, ...] = ()
    guesses: Floats | None = field(default=None, repr=False)
    why: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """rows [n, p]: the made-up rows, as an attack is after them; shape: of a picture, where they are pictures."""

    plan: Plan
    rows: Floats = field(repr=False)
    shape: tuple[int, ...] | None
    views: tuple[View, ...]

    def document(self) -> Mapping[str, object]:
        """As it is kept: cells of a table in the plan's own units, or pictures as lines of grey, a hexadecimal digit a
        pixel."""
        return {
            "columns": [] if self.shape else _names(self.plan, self.rows.shape[1]),
            **self._drawn(self.rows),
            "views": [
                {
                    "title": one.title,
                    "attack": one.attack,
                    "found": list(one.found),
                    "near": list(one.near),
                    "why": one.why,
                }
                | self._drawn(one.guesses)
                for one in self.views
            ],
        }

    def _drawn(self, rows: Floats | None) -> dict[str, object]:
        """Rows as cells, or as pictures."""
        cells = [] if rows is None or self.shape else [_cells(self.plan, row) for row in rows]
        pictures = [] if rows is None or not self.shape else [_grey(row, self.shape) for row in rows]
        return {"cells": cells, "pictures": pictures}


def shown(plan: Plan, seconds: float, seed: int) -> Shown | None:
    """One view a protection; None where no row can be made, or no attack finds one in the clear. seconds: for all."""
    end, lines = time.monotonic() + seconds, None
    making = Until(end, generator(seed, "shown"))
    scenes: list[tuple[str, Scene | None, str]] = []
    for title, spec in _variants(plan):
        try:
            lines = lines or lines_of(spec, 1, making.rng)
            wrong = catalog.check(spec)[0]
            scenes.append((title, None, wrong[0]) if wrong else (title, scene_of(spec, lines, making.before), ""))
        except Over:
            scenes.append((title, None, "its time was up (--minutes)"))
        except Abort as abort:
            scenes.append((title, None, f"the made-up run ended: {abort}"))
        except PotluckError as error:
            scenes.append((title, None, error.what))
    views, rows, take = list[View](), None, None
    for place, (title, scene, why) in enumerate(scenes):
        if scene is None:
            views.append(View(title, why=why))
            continue
        until = Until(time.monotonic() + max(1.0, (end - time.monotonic()) / (len(scenes) - place)), generator(seed))
        best, mine = _view(title, scene, until, take)
        views.append(best)
        if take is None:
            if mine is None:
                return None
            take = mine
            rows = _true(take, scene[1])
    if rows is None or take is None:
        return None
    return Shown(plan, rows, _shape(plan, rows), tuple(views))


def _variants(plan: Plan) -> Iterator[tuple[str, Plan]]:
    """The plan over three sites without protection, then more and more protected."""
    spec = bare(plan)
    yield "in the clear", spec
    masked = msgspec.structs.replace(spec, protect=Protect(scheme="mask"))
    yield "under masks", masked
    for epsilon in EPSILONS:
        privacy = PrivacyPlan(noise="shared", unit="row", epsilon=epsilon, delta=DELTA, clip=plan.privacy.clip or CLIP)
        training = msgspec.structs.replace(spec.training, expected_rows=len(spec.sites)) if spec.training else None
        yield (
            f"with noise, epsilon {epsilon:g}",
            msgspec.structs.replace(masked, privacy=privacy, training=training),
        )


def _view(title: str, scene: Scene, until: Until, take: Take | None) -> tuple[View, Take | None]:
    """The nearest guesses of all attacks after rows, and what they are guesses at. take: of the first view."""
    seen, truth = scene
    best, mine = View(title, why="no attack had a guess"), take
    tried = [one for one in ATTACKS if one.fits(seen) is None]
    for place, attack in enumerate(tried):
        found = [one for one in attack.tried(seen, until.part(1 / (len(tried) - place))) if isinstance(one, Guessed)]
        if not found:
            continue
        rows = _true(found[0].take, truth)
        guesses = np.concatenate([one.guesses for one in found])
        if take is not None and guesses.shape[1] != _true(take, truth).shape[1]:
            continue
        near = decibels(rows, guesses)
        if not best.near or np.median(near) > np.median(best.near):
            nearest = guesses[[int(np.square(guesses - row).mean(axis=1).argmin()) for row in rows]]
            best = View(title, attack.name, tuple(hits(rows, guesses)), tuple(map(float, near)), nearest)
            mine = mine or found[0].take
    return best, mine


def hits(rows: Floats, guesses: Floats) -> list[bool]:
    """[n] whether a row is found: to CLOSE; or to GOOD decibels by a guess that is nearer to it than to other rows, so
    that one guess at rows that are alike is one row."""
    alike = np.square(rows[:, None] - guesses[None]).mean(axis=2)
    own = (alike == alike.min(axis=0)) & (alike <= WIDTH**2 * 10 ** (-GOOD / 10))
    return [bool(one) for one in (farthest(rows, guesses) <= CLOSE) | own.any(axis=1)]


def _true(take: Take, truth: Truth) -> Floats:
    return np.concatenate([take(truth[name]) for name in sorted(truth)])


def _shape(plan: Plan, rows: Floats) -> tuple[int, ...] | None:
    """That of the one column of pictures that rows are, if they are."""
    shapes = [one.shape for one in encoding(plan).fields if one.shape and len(one.shape) > 1]
    return shapes[0] if len(shapes) == 1 and int(np.prod(shapes[0])) == rows.shape[1] else None


def _names(plan: Plan, wide: int) -> list[str]:
    """Columns of the cells, those of the encoded table where a row has as many numbers."""
    how = encoding(plan)
    names = [one.name for one in how.fields] if wide == len(how.names) else [f"input {one + 1}" for one in range(wide)]
    return names[:CELLS]


def _cells(plan: Plan, row: Floats) -> list[str]:
    """A row's cells in the plan's units: a number on its range, of a category the likeliest value."""
    how, found, place = encoding(plan), list[str](), 0
    if len(row) != len(how.names):
        return [f"{value:.4g}" for value in row[:CELLS]]
    for one in how.fields[:CELLS]:
        part = row[place : place + len(one.features)]
        place += len(part)
        levels = part[: len(one.levels)]
        if one.measured:
            found.append(f"{one.low + (part[0] + 1) / 2 * (one.high - one.low):.4g}")
        elif levels.max() > 0.5 or not one.referred:
            found.append(one.values[one.levels[int(levels.argmax())]])
        else:
            found.append(str(one.reference))
    return found


def _grey(row: Floats, shape: tuple[int, ...]) -> list[str]:
    """A picture [-1, 1] of any channels and depth, as lines of 16 greys."""
    flat = np.clip(row, -1, 1).reshape(-1, *shape[-2:]).mean(axis=0)
    by = -(-max(flat.shape) // SIDE)
    high, wide = (size // by * by for size in flat.shape)
    small = flat[:high, :wide].reshape(high // by, by, wide // by, by).mean(axis=(1, 3))
    return ["".join(f"{int(value):x}" for value in line) for line in np.rint((small + 1) * 7.5)]
