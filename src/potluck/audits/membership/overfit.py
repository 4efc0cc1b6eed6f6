"""The control of attacks on members: the plan's model without protection, on so few made-up rows of no one that it
learns them by heart. Their targets follow from nothing, so that whatever it knows of them it knows of them alone.

A model of few numbers cannot learn many rows by heart, nor one that is hardly trained: then the control fails, and that
is true of such models."""

from collections.abc import Sequence
from dataclasses import replace

import msgspec

from potluck.audits.attack import Over, Scene, Until
from potluck.audits.control import bare, lines_of, scene_of
from potluck.audits.membership.candidates import candidates
from potluck.audits.seen import Seen
from potluck.core.errors import PotluckError
from potluck.core.plan import Plan, required
from potluck.core.rounds import Abort
from potluck.core.tables.training import Split
from potluck.learning.data.encode import encoding
from potluck.learning.models.fitted import training

TIMES, FEWEST, MOST = 2, 24, 100
"""Rows that train: so many for each feature, within bounds. Of others there are MOST."""
ROUNDS = 200
LEVEL = 0.01
"""Of few rows less is asked for: that an attack works, where nothing protects, is no alarm."""


def scenes(seen: Seen, until: Until) -> Sequence[Scene]:
    """One such run, as its server saw it, the same for all attacks; none where it does not train, or not in time."""
    asked = required(seen.candidates)
    if asked.controls is None:
        try:
            asked.controls = [_made(seen.plan, until)]
        except (Over, Abort, PotluckError):
            asked.controls = []
    return asked.controls


def _made(plan: Plan, until: Until) -> Scene:
    train = min(MOST, max(FEWEST, TIMES * len(encoding(plan).names)))
    spec, split = bare(plan), Split(test=MOST / (MOST + train), seed=int(until.rng.integers(1 << 31)))
    made = msgspec.structs.replace(
        spec,
        data=msgspec.structs.replace(spec.data, split=split),
        training=msgspec.structs.replace(training(spec), rounds=min(ROUNDS, training(plan).rounds)),
    )
    rows = min(spec.data.max_rows, -(-(MOST + train) // len(spec.federation.sites)))
    seen, truth = scene_of(made, lines_of(made, rows, until.rng), until.before)
    return replace(seen, candidates=replace(required(candidates(made, truth, seen.names)), level=LEVEL)), truth
